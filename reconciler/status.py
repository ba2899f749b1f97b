"""Are people's calendars right? What ``status`` says: the last cycles, what is held, who needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.labels import Guard
from reconciler.model import AccountSwitches, Connection, ConnectionState, LedgerEntry, Mode, Refusal
from reconciler.ports import Hold, Ledger, Run
from reconciler.world import EVERYBODY

SHOWN = 10
"""How many of each kind are named; the rest is a number."""
STALE = timedelta(minutes=15)
"""A daemon whose last push lies further back than this is not at work."""


@dataclass(frozen=True)
class Status:
    """The state of affairs. Ids only: it may be pasted into a ticket."""

    now: datetime
    runs: tuple[Run, ...]
    holds: tuple[Hold, ...]
    broken: tuple[Connection, ...]
    connections: int
    failing: tuple[LedgerEntry, ...]
    held: tuple[LedgerEntry, ...]
    refused: tuple[Refusal, ...]
    events: dict[tuple[str, str], int]
    silent: tuple[AccountSwitches, ...]
    observed: tuple[AccountSwitches, ...]

    @property
    def healthy(self) -> bool:
        """Whether nobody has to do anything."""
        last = self.last("push")
        at_work = last is not None and last.result != "error" and self.now - last.finished < STALE
        return at_work and not (self.holds or self.broken or self.failing or self.refused)

    def last(self, cycle: str) -> Run | None:
        """The last cycle of a kind."""
        return next((run for run in self.runs if run.cycle == cycle), None)


def status_of(ledger: Ledger, now: datetime) -> Status:
    """Read the state of affairs from our state database."""
    connections = ledger.connections()
    switches = list(ledger.switches().values())
    healthy = (ConnectionState.CONNECTED, ConnectionState.LEAVING)
    return Status(
        now=now,
        runs=tuple(ledger.runs(50)),
        holds=tuple(ledger.holds()),
        broken=tuple(one for one in connections if one.state not in healthy),
        connections=len(connections),
        failing=tuple(ledger.failing(SHOWN)),
        held=tuple(ledger.held()),
        refused=tuple(ledger.refusals()),
        events=dict(ledger.counts()),
        silent=tuple(one for one in switches if not one.email_notifications),
        observed=tuple(one for one in switches if one.mode is Mode.OBSERVE),
    )


def as_text(status: Status) -> str:
    """For a terminal."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    yield "All is well." if status.healthy else "Something needs attention."
    for cycle in ("push", "audit", "confirm"):
        run = status.last(cycle)
        if run is not None:
            yield f"  {_ago(status.now - run.finished)} ago  {run.result:<8} {run.sentence}"
    if not status.runs:
        yield "  No cycle has ended yet: is the daemon running?"
    yield f"Connected calendars: {status.connections - len(status.broken)} of {status.connections}"
    if status.events:
        counts = ", ".join(
            f"{count} {state} ({provider})" for (provider, state), count in sorted(status.events.items())
        )
        yield f"Events: {counts}"
    for hold in status.holds:
        if hold.guard == Guard.PAUSE:
            whose = "everything" if hold.subject == EVERYBODY else f"account {hold.subject}"
            yield f"PAUSED: {whose}, {hold.why}, since {_at(hold.since)}. End it with `reconciler resume`."
            continue
        what = "released, ending" if hold.released else "HELD"
        yield (
            f"{what}: {hold.why} (guard {hold.guard}, {hold.subject}), since {_at(hold.since)}. "
            f"Look with `reconciler plan`, let go with `reconciler release --guard {hold.guard}`."
        )
    yield from _some(
        "Seats that wait for an answer",
        [
            f"{row.key}: {row.suspicion.hold_reason}"
            + (f" since {_at(row.suspicion.held_since)}" if row.suspicion.held_since else "")
            + f"; `reconciler release {row.key.person} {row.key.session}`, or with --restore"
            for row in status.held
        ],
    )
    yield from _some(
        "Connections that do not work",
        [
            f"person {one.person} ({one.provider}): {one.state}"
            + (f" since {_at(one.state_since)}" if one.state_since else "")
            + (f": {one.last_error}" if one.last_error else "")
            for one in status.broken
        ],
    )
    yield from _some(
        "Events that are refused",
        [
            f"{row.key} ({row.provider}): {row.last_error}, {row.attempts} attempts"
            + (f", again at {_at(row.retry_at)}" if row.retry_at else "")
            for row in status.failing
        ],
    )
    yield from _some(
        "Not understood in the LMS, and left alone",
        [f"{one.what} {one.id}: {one.why}" for one in status.refused],
    )
    for one in status.silent:
        yield f"Account {one.account}: e-mail notifications are OFF, so its calendars are not updated either."
    for one in status.observed:
        yield f"Account {one.account}: observed only (mode observe)."


def _some(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"{title}: {len(lines)}"
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"


def _ago(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
