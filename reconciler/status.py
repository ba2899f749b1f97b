"""Are people's calendars right? What ``status`` says: the last cycles, what is held, who needs attention."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.diff.why import WHY_HELD
from reconciler.labels import Guard
from reconciler.mail_status import Mails, mail_lines, mails_of
from reconciler.model import (
    AccountSwitches,
    Connection,
    ConnectionState,
    HoldReason,
    LedgerEntry,
    Mode,
    Refusal,
    State,
)
from reconciler.ports import Hold, Ledger, Run
from reconciler.tally import DESIRED, QUOTA
from reconciler.world import EVERYBODY

SHOWN = 10
"""How many of each kind are named; the rest is a number."""
_STATES = {
    State.LIVE: "in place",
    State.PENDING: "being created",
    State.RELEASED: "to be seen again",
    State.MISSING: "vanished",
    State.HELD: "held",
    State.UNREGISTERING: "whose seat is being given back",
    State.UNREGISTERED: "whose seat was given back",
    State.DISMISSED: "left away",
    State.REMOVING: "being removed",
    State.GONE: "removed",
    "failing": "refused",
}
_MODES = {
    Mode.OBSERVE: "observed only, nothing is written",
    Mode.UPSERT_ONLY: "no event is deleted, and no seat given back",
}
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
    limited: tuple[AccountSwitches, ...]
    pilots: tuple[AccountSwitches, ...]
    mails: Mails
    stranger: str = ""
    mode: Mode = Mode.SYNC

    @property
    def healthy(self) -> bool:
        """Whether nobody has to do anything."""
        last = self.last("push")
        at_work = last is not None and last.result != "error" and self.now - last.finished < STALE
        return at_work and not (
            self.holds or self.broken or self.failing or self.refused or self.mails.troubled or self.stranger
        )

    def last(self, cycle: str) -> Run | None:
        """The last cycle of a kind."""
        return next((run for run in self.runs if run.cycle == cycle), None)


def status_of(
    ledger: Ledger, now: datetime, mails: bool = True, stranger: str = "", mode: Mode = Mode.SYNC
) -> Status:
    """Read the state of affairs from our state database. ``mails``: whether anybody is mailed at all;
    ``stranger``: why the installation is not the one that the state database knows, if so; ``mode``: what
    the settings let the program do."""
    connections = ledger.connections()
    switches = list(ledger.switches().values())
    healthy = (ConnectionState.CONNECTED, ConnectionState.LEAVING)
    return Status(
        now=now,
        runs=tuple(ledger.runs(50)),
        holds=tuple(ledger.holds()),
        broken=tuple(one for one in connections if one.state not in healthy),
        connections=len(connections),
        failing=tuple(ledger.failing(SHOWN, now)),
        held=tuple(ledger.held()),
        refused=tuple(ledger.refusals()),
        events=dict(ledger.counts(now)),
        silent=tuple(one for one in switches if not one.email_notifications),
        limited=tuple(one for one in switches if one.mode is not Mode.SYNC),
        pilots=tuple(one for one in switches if one.people is not None),
        mails=mails_of(ledger, mails),
        stranger=stranger,
        mode=mode,
    )


def as_text(status: Status) -> str:
    """For a terminal."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    yield "All is well." if status.healthy else "Something needs attention."
    for cycle in ("push", "audit", "confirm", "mail"):
        run = status.last(cycle)
        if run is not None:
            yield f"  {ago(status.now - run.finished)} ago  {run.result:<8} {run.sentence}"
    if not status.runs:
        yield "  No cycle has ended yet: is the daemon running?"
    yield f"Connected calendars: {status.connections - len(status.broken)} of {status.connections}"
    yield from _events(status.events)
    yield from (f"Quota of {one}" for one in quotas(status))
    yield from attention(status)


def quotas(status: Status) -> list[str]:
    """How much of each quota was used when the last push ended."""
    push = status.last("push")
    before, _, _ = QUOTA.partition("{}")
    return [
        f"{what.removeprefix(before).replace(' quota, ', ', ')}: {share} %"
        for what, share in (push.counts.items() if push else ())
        if what.startswith(before)
    ]


def in_place(status: Status) -> tuple[int, int] | None:
    """How many events are in place, and how many should be, as the last push saw it."""
    push = status.last("push")
    desired = [count for what, count in push.counts.items() if what.endswith(DESIRED[2:])] if push else []
    if not desired:
        return None
    return sum(count for (_, state), count in status.events.items() if state == State.LIVE), sum(desired)


def attention(status: Status) -> Iterator[str]:
    """What somebody should look at; what is indented belongs to the line before."""
    if status.stranger:
        yield f"Installation: {status.stranger}."
    for hold in status.holds:
        yield _hold(hold)
    yield from _seats(status.held)
    yield from _some(
        "Connections that do not work",
        [
            f"person {one.person} ({one.provider}): {one.state}"
            + (f" since {_at(one.state_since)}" if one.state_since else "")
            + (f": {one.last_error}" if one.last_error else "")
            for one in status.broken
        ],
    )
    if any(one.state is ConnectionState.REAUTHORIZE for one in status.broken):
        yield "  Who has to reauthorize connects again on their page: `reconciler connect-link PERSON`."
    yield from _some(
        "Events that are refused",
        [
            f"{row.key} ({row.provider}): {row.last_error}, {row.attempts} attempt{'s' * (row.attempts > 1)}"
            + (f", again at {_at(row.retry_at)}" if row.retry_at else "")
            for row in status.failing
        ],
    )
    yield from _some(
        "Not understood in the LMS, and left alone",
        [f"{one.what} {one.id}: {one.why}" for one in status.refused],
    )
    yield from mail_lines(status.mails)
    for one in status.silent:
        off = "e-mail notifications are OFF, so its calendars are not updated either"
        yield f"Account {one.account}: {off}, and nobody there is mailed."
    if status.mode is not Mode.SYNC:
        yield f"Everywhere: {_MODES[status.mode]} (`mode: {status.mode}` in the settings)."
    for one in status.limited:
        yield f"Account {one.account}: {_MODES[one.mode]} (mode {one.mode})."
    for one in status.pilots:
        yield f"Account {one.account}: {only(one.people or ())}, and nobody else."


def only(people: Collection[str]) -> str:
    """Whom a pilot is for."""
    named = ", ".join(sorted(people)[:SHOWN]) or "nobody"
    more = f" and {len(people) - SHOWN} more" if len(people) > SHOWN else ""
    return f"a pilot with {named}{more}"


def _events(counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for provider in sorted({provider for provider, _state in counts}):
        told = [
            f"{counts[provider, state]} {words}"
            for state, words in _STATES.items()
            if counts.get((provider, state))
        ]
        yield f"Events at {provider}: {', '.join(told)}"


def _hold(hold: Hold) -> str:
    since = f"since {_at(hold.since)}"
    if hold.guard == Guard.PAUSE:
        resume = "resume" if hold.subject == EVERYBODY else f"resume {hold.subject}"
        return f"PAUSED: {paused_name(hold.subject)}, {hold.why}, {since}. End it with `reconciler {resume}`."
    where = f"{'at' if hold.guard == Guard.FLEET else 'account'} {hold.subject}"
    if hold.released:
        return f"Let go, ending: {hold.why} ({where}), {since}."
    if hold.guard == Guard.FLEET:
        return f"HELD: {hold.why} ({where}), {since}. No seat is given back there until somebody decides."
    return (
        f"HELD: {hold.why} ({where}), {since}. Look with `reconciler plan`, let go with "
        f"`reconciler release --guard {hold.guard}`."
    )


def paused_name(subject: str) -> str:
    """What a pause concerns."""
    return "everything" if subject == EVERYBODY else f"account {subject}"


def _seats(rows: Sequence[LedgerEntry]) -> Iterator[str]:
    """The seats held, by reason; several days of a session are one seat."""
    reasons: dict[HoldReason | None, dict[tuple[str, str], datetime | None]] = {}
    for row in rows:
        seats = reasons.setdefault(row.suspicion.hold_reason, {})
        seats.setdefault((row.key.person, row.key.session), row.suspicion.held_since)
    for reason, seats in reasons.items():
        yield from _some(
            "Seats held",
            [
                f"person {person}, session {session}" + (f", since {_at(since)}" if since else "")
                for (person, session), since in seats.items()
            ],
        )
        which = "--guard fleet" if reason is HoldReason.FLEET_GUARD else "PERSON SESSION"
        if reason is not None:
            yield f"  Why: {WHY_HELD[reason]}."
        yield (
            f"  Prove each again and give it back: `reconciler release {which}`. Put the events back: the "
            "same with --restore."
        )


def _some(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"{title}: {len(lines)}"
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"


def ago(span: timedelta) -> str:
    """A span as people say it."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
