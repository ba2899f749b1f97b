"""Puts the story together: the person, the LMS, each event, the calendar, what follows, what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from itertools import groupby

from reconciler.diff.changes import Adopt, Change, MarkMissing, Take, Update, differing, name_of, starts_of
from reconciler.diff.confirm import ConfirmPolicy
from reconciler.explain.history import happened, proofs
from reconciler.explain.standing import Stand
from reconciler.explain.words import CAUSES, Names, Times, hours, times_of
from reconciler.labels import Guard
from reconciler.ledger.audit import AuditLine
from reconciler.model import (
    AccountSwitches,
    ActualEvent,
    Connection,
    ConnectionState,
    Day,
    LedgerEntry,
    Mode,
    Registration,
    Role,
    Standing,
    State,
)
from reconciler.ports import Evidence, Occurrence
from reconciler.preview import View

_VENDORS = {"google": "Google", "microsoft": "Microsoft 365", "caldav": "CalDAV"}
_WOULD = {
    "create": "is put into the calendar",
    "adopt": "is taken up as it is found there",
    "update": "is changed",
    "take": "is noted as seen",
    "delete": "is deleted by us",
    "forget": "is forgotten, once it is in no calendar",
}


@dataclass(frozen=True)
class Told:
    """Everything a story is made of. ``session`` is the one it is about, ``None`` for all; ``policy`` how
    seats are given back in this account, ``None`` where they are not."""

    view: View
    switches: AccountSwitches | None
    policy: ConfirmPolicy | None
    history: Sequence[Occurrence]
    answers: Sequence[AuditLine]
    evidence: Sequence[Evidence]
    session: str | None
    now: datetime

    @property
    def registrations(self) -> list[Registration]:
        """Those the story is about, by session."""
        found = [one for one in self.view.desired.registrations if self.about(one.session.id)]
        return sorted(found, key=lambda one: one.session.id)

    @property
    def entries(self) -> list[LedgerEntry]:
        """The rows the story is about, by session and time."""
        rows = [row for row in self.view.entries if self.about(row.key.session)]
        return sorted(rows, key=lambda row: (row.key.session, row.starts))

    def about(self, session: str | None) -> bool:
        """Whether the story tells of this session."""
        return self.session in (None, session)


def story(told: Told) -> str:
    """What is desired, recorded, there, decided and done for one person (and one session)."""
    times = times_of(told.registrations)
    names = Names(told.registrations, told.entries, times, told.session)
    sections = [
        _person(told, times),
        _registrations(told),
        _titled("Where each event stands:", _events(told, names)),
        _calendar(told, times),
        _decision(told, times),
        _titled("What happened so far:", happened(told.history, told.answers, names)),
        _titled("The proof:", proofs(told.evidence, names)),
    ]
    return "\n\n".join("\n".join(lines) for lines in (list(section) for section in sections) if lines)


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    for place, line in enumerate(lines):
        if not place:
            yield title
        yield line


# Person -------------------------------------------------------------------------------------------


def _person(told: Told, times: Times) -> Iterator[str]:
    view, switches = told.view, told.switches
    person, connection = view.desired.person, view.connection
    yield f"Person {view.desired.person_id} on {times.at(told.now)} (times are those of {times.zone})"
    if person is None:
        yield "  The LMS does not know this person (any more)."
    elif not person.active:
        yield "  The LMS says that this person is suspended: coming events are removed."
    if connection is None:
        yield "  No calendar is connected."
        return
    vendor = _VENDORS.get(connection.provider, connection.provider)
    server = f" at {connection.service.origin}" if connection.service.origin else ""
    yield f"  {vendor} calendar{server}, {_connected(connection, times)}."
    if switches is None or connection.provider not in switches.vendors:
        yield f"  Account {connection.account} has not enabled {connection.provider}: nothing is maintained."
    elif not switches.email_notifications:
        yield "  The account's e-mail notifications are off, so its calendars are not updated either."
    elif switches.mode is Mode.OBSERVE:
        yield "  The account is only observed: nothing is written."
    elif switches.people is not None and view.desired.person_id not in switches.people:
        yield "  This person is not on the account's list of pilot users: nothing is maintained."


def _connected(connection: Connection, times: Times) -> str:
    since = times.at(connection.state_since)
    match connection.state:
        case ConnectionState.CONNECTED:
            looked = connection.listed_at
            return f"connected, {f'last looked at {times.at(looked)}' if looked else 'not looked at yet'}"
        case ConnectionState.REAUTHORIZE:
            return f"needs to be authorized again by its owner since {since}"
        case ConnectionState.SUSPENDED:
            return f"cannot be reached since {since}: {connection.last_error}"
        case ConnectionState.LEAVING:
            return f"being disconnected, its events removed first, since {since}"
        case _:
            return "disconnected"


# The LMS ------------------------------------------------------------------------------------------


def _registrations(told: Told) -> Iterator[str]:
    yield "What the LMS says:"
    chosen = told.registrations
    if not chosen:
        session = told.session
        yield "  No registration" + (f" in session {session}." if session else " in any coming session.")
    for one in chosen:
        yield f"  Session {one.session.id} “{one.session.title}”: {_registered(one)}."
        yield from (
            f"    {hours(day)}" for day in sorted(one.session.days, key=lambda day: day.start_instant)
        )


def _registered(registration: Registration) -> str:
    session = registration.session
    if session.refused:
        return f"not understood ({session.refused}), so its events are left as they are"
    if session.cancelled:
        return "cancelled, so no event"
    match registration.standing:
        case Standing.WANTED:
            has = "instructor" if registration.role is Role.INSTRUCTOR else "learner with a seat"
            return f"{has}, so an event for each day"
        case Standing.KEEP:
            return "attended or completed, so its events are left as they are"
        case _:
            return "no seat (cancelled, declined, requested or waiting), so no event"


# Events -------------------------------------------------------------------------------------------


def _events(told: Told, names: Names) -> Iterator[str]:
    """Each event, or several days of a session of which the same is to be said."""
    known = {one.session.id: one for one in told.registrations}
    lines = []
    for row in told.entries:
        siblings = tuple(one for one in told.entries if one.key.session == row.key.session and one is not row)
        stand = Stand(row, known.get(row.key.session), siblings, told.policy, names.times, told.now)
        lines.append((row, tuple(stand.sentences())))
    for (_session, sentences), rows in groupby(lines, key=lambda line: (line[0].key.session, line[1])):
        yield f"  {names.heading([row for row, _sentences in rows])}:"
        yield from (f"    {sentence}" for sentence in sentences)


def _calendar(told: Told, times: Times) -> Iterator[str]:
    view = told.view
    if view.error:
        yield f"The calendar could not be looked at: {view.error}"
        return
    if view.listing is None:
        return
    seen = [event for event in view.listing.events if told.about(_session_of(event))]
    yield f"In the calendar now: {len(seen) or 'no'} event{'' if len(seen) == 1 else 's'} of ours."
    for event in seen:
        yield f"  “{event.title}”, {_when(event.day, times)}"


def _when(day: Day | None, times: Times) -> str:
    if day is None:
        return "at a time that cannot be read"
    return hours(day) if day.all_day else times.at(day.start_instant)


def _session_of(event: ActualEvent) -> str | None:
    return event.marker.key.session if event.marker else None


# What follows -------------------------------------------------------------------------------------


def _decision(told: Told, times: Times) -> Iterator[str]:
    allowed = told.view.allowed
    if allowed is None:
        return
    release = f"`reconciler release --guard {Guard.VANISHED_SESSIONS}`"
    parts = (
        (allowed.changes, ""),
        (allowed.held, f" Held, as many sessions vanished from the LMS at once; {release} lets go."),
        (allowed.left_out, " Left out, as the mode does not allow it."),
    )
    lines = [
        f"  {_would(change, told.session, times)}{fate}"
        for changes, fate in parts
        for change in changes
        if told.about(change.key.session)
    ]
    yield "What follows next:"
    yield from lines or [f"  {_nothing(told.entries, told.now)}"]


def _nothing(entries: Sequence[LedgerEntry], now: datetime) -> str:
    open_ = {State.MISSING, State.HELD, State.UNREGISTERING}
    if any(row.state in open_ and row.ends > now for row in entries):
        return "In the calendar nothing; what has vanished goes the way told above."
    return "Nothing: all is as it should be."


def _would(change: Change, session: str | None, times: Times) -> str:
    whose = "" if session else f"Session {change.key.session}: "
    starts = starts_of(change)
    when = times.at(starts) if starts.year < MAXYEAR else "a time that cannot be read"
    name = f"{whose}{'the' if whose else 'The'} event of {when}"
    if isinstance(change, MarkMissing):
        return f"{name} has vanished from the calendar: from now on it is suspected to be deleted."
    what = _WOULD[name_of(change)]
    if isinstance(change, Update | Adopt) and change.differs:
        what = f"{what} ({differing(change)})"
    return f"{name} {what}, {CAUSES[change.cause]}." if not isinstance(change, Take) else f"{name} {what}."
