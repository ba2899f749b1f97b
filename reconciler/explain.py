"""The whole story of one person's events, in sentences that a support person can read out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.diff.changes import Change, MarkMissing, name_of
from reconciler.model import (
    AccountSwitches,
    ActualEvent,
    Connection,
    ConnectionState,
    Mode,
    Registration,
    Standing,
    State,
)
from reconciler.ports import Occurrence
from reconciler.preview import View

_STATES = {
    State.RELEASED: "was in the calendar before it was connected anew; it has to be seen again",
    State.PENDING: "is being created; the vendor has not confirmed it yet",
    State.LIVE: "is in the calendar",
    State.MISSING: "was in the calendar and has vanished; that is a suspicion, not yet a proof",
    State.HELD: "has vanished and waits for an answer",
    State.DISMISSED: "was deleted by its owner and stays away until the session changes",
    State.REMOVING: "is being removed by us; the vendor has not confirmed it yet",
    State.GONE: "was removed by us, or was gone when it was no longer needed",
    State.UNREGISTERING: "was deleted by its owner; the seat is just being given back",
    State.UNREGISTERED: "was deleted by its owner, and the seat was given back",
}


def story(
    view: View,
    switches: AccountSwitches | None,
    history: Sequence[Occurrence],
    session: str | None,
    now: datetime,
) -> str:
    """What is desired, recorded, there, decided and done for one person (and one session)."""
    sections = [
        _person(view, switches),
        _registrations(view, session),
        _rows(view, session, now),
        _calendar(view, session),
        _decision(view, session),
        _history(history),
    ]
    return "\n\n".join("\n".join(lines) for lines in (list(section) for section in sections) if lines)


def _person(view: View, switches: AccountSwitches | None) -> Iterator[str]:
    person, connection = view.desired.person, view.connection
    yield f"Person {view.desired.person_id}"
    if person is None:
        yield "  The LMS does not know this person (any more)."
    elif not person.active:
        yield "  The LMS says that this person is suspended: coming events are removed."
    if connection is None:
        yield "  No calendar is connected."
        return
    yield f"  {connection.provider} calendar, {_connected(connection)}."
    if switches is None or connection.provider not in switches.vendors:
        yield f"  Account {connection.account} has not enabled {connection.provider}: nothing is maintained."
    elif not switches.email_notifications:
        yield "  The account's e-mail notifications are off, so its calendars are not updated either."
    elif switches.mode is Mode.OBSERVE:
        yield "  The account is only observed: nothing is written."
    elif switches.people is not None and view.desired.person_id not in switches.people:
        yield "  This person is not on the account's list of pilot users: nothing is maintained."


def _connected(connection: Connection) -> str:
    match connection.state:
        case ConnectionState.CONNECTED:
            looked = (
                f"last looked at {_at(connection.listed_at)}" if connection.listed_at else "not looked at yet"
            )
            return f"connected, {looked}"
        case ConnectionState.REAUTHORIZE:
            return f"needs to be authorized again by its owner since {_at(connection.state_since)}"
        case ConnectionState.SUSPENDED:
            return f"cannot be reached since {_at(connection.state_since)}: {connection.last_error}"
        case ConnectionState.LEAVING:
            return f"being disconnected, its events removed first, since {_at(connection.state_since)}"
        case _:
            return "disconnected"


def _registrations(view: View, session: str | None) -> Iterator[str]:
    chosen = [one for one in view.desired.registrations if session in (None, one.session.id)]
    yield "What the LMS says:"
    if not chosen:
        yield "  No registration" + (f" in session {session}." if session else " in any coming session.")
    for one in sorted(chosen, key=lambda registration: registration.session.id):
        yield f"  Session {one.session.id} “{one.session.title}”: {_registered(one)}."
        for day in sorted(one.session.days, key=lambda day: day.start_instant):
            yield f"    {day.start_wall:%a %Y-%m-%d %H:%M} to {day.end_wall:%H:%M} ({day.zone})"


def _registered(registration: Registration) -> str:
    session = registration.session
    if session.refused:
        return f"not understood ({session.refused}), so its events are left as they are"
    if session.cancelled:
        return "cancelled, so no event"
    match registration.standing:
        case Standing.WANTED:
            return f"{registration.role} with a seat, so an event for each day"
        case Standing.KEEP:
            return "attended or completed, so its events are left as they are"
        case _:
            return "no seat (waiting, requested, declined or cancelled), so no event"


def _rows(view: View, session: str | None, now: datetime) -> Iterator[str]:
    rows = [row for row in view.entries if session in (None, row.key.session)]
    if not rows:
        return
    yield "What we last did:"
    for row in rows:
        past = ", and its day is past" if row.ends <= now else ""
        what = f"Session {row.key.session}, day {row.key.slot} ({_at(row.starts)})"
        yield f"  {what} {_STATES.get(row.state)}{past}."
        if row.missing_since and row.state in (State.MISSING, State.HELD):
            yield f"    Missed for the first time at {_at(row.missing_since)}."
        if row.last_error:
            again = f" Tried again at {_at(row.retry_at)}." if row.retry_at else ""
            yield f"    Refused {row.attempts} times: {row.last_error}.{again}"


def _calendar(view: View, session: str | None) -> Iterator[str]:
    if view.error:
        yield f"The calendar could not be looked at: {view.error}"
        return
    if view.listing is None:
        return
    seen = [event for event in view.listing.events if session in (None, _session_of(event))]
    yield f"What is in the calendar now: {len(seen)} of our events."
    for event in seen:
        when = _at(event.day.start_instant) if event.day else "at a time that cannot be read"
        yield f"  “{event.title}”, {when}"


def _session_of(event: ActualEvent) -> str | None:
    return event.marker.key.session if event.marker else None


def _decision(view: View, session: str | None) -> Iterator[str]:
    if view.planned is None or view.allowed is None:
        return
    allowed = view.allowed
    parts = (
        (allowed.changes, "next"),
        (allowed.held, "held by a guard"),
        (allowed.left_out, "left out by the mode"),
    )
    lines = [
        f"  {_would(change)} ({fate})"
        for changes, fate in parts
        for change in changes
        if session in (None, change.key.session)
    ]
    yield "What follows from that:"
    yield from lines or ["  Nothing: all is as it should be."]


def _would(change: Change) -> str:
    what = f"{name_of(change)} session {change.key.session}, day {change.key.slot}"
    if isinstance(change, MarkMissing):
        return f"{what}: it has vanished from the calendar"
    return f"{what}, because: {change.cause}"


def _history(history: Sequence[Occurrence]) -> Iterator[str]:
    if not history:
        return
    yield "What happened so far (UTC):"
    for line in history:
        where = f"session {line.session}, day {line.slot}"
        yield f"  {line.at:%Y-%m-%d %H:%M:%S}  {where}: {line.what} ({line.why})"


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z" if instant else "an unknown time"
