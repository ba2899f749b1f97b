"""What a person's page shows, gathered from the LMS and the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.loop import lms_window
from reconciler.model import (
    AccountSwitches,
    Connection,
    ConnectionState,
    Day,
    Desired,
    HoldReason,
    LedgerEntry,
    Mode,
    Person,
    Registration,
    Role,
    Standing,
    State,
)
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.sessions import PageSession
from reconciler.web.site import Site
from reconciler.world import mode_of


class Standstill(StrEnum):
    """Why no calendar is kept up to date for somebody just now."""

    VENDOR_OFF = "vendor-off"
    MAILS_OFF = "mails-off"
    PILOT = "pilot"
    OBSERVING = "observing"


@dataclass(frozen=True, slots=True)
class Question:
    """A seat in question: its events have vanished. ``until``: given back then, unless it is kept."""

    session: str
    title: str
    location: str
    days: tuple[Day, ...]
    held: bool
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next day of training."""

    title: str
    location: str
    day: Day


@dataclass(frozen=True)
class Situation:
    """Where a person stands. ``synced``: when everything was last known to be in place."""

    person: Person
    connection: Connection | None
    switches: AccountSwitches
    standstill: Standstill | None
    offered: tuple[str, ...]
    upcoming: Upcoming | None
    synced: datetime | None
    questions: tuple[Question, ...]
    removable: bool


def desired_of(site: Site, person: str, account: str, identity: str | None = None) -> Desired:
    """What the LMS says of a person. Raises :class:`PageProblem` for somebody it does not know, has
    suspended, shows in another account, or has given this id since."""
    desired = site.world.lms.read([person], lms_window(site.world.clock()))[person]
    known = desired.person
    if known is None or not known.active or known.account != account:
        raise PageProblem(Problem.UNKNOWN_PERSON, f"person {person} is not active in account {account}")
    if identity is not None and identity != known.identity:
        raise PageProblem(Problem.UNKNOWN_PERSON, f"person {person} is somebody else now")
    return desired


def of_session(site: Site, session: PageSession) -> Desired:
    """What the LMS says of whom this browser speaks for."""
    return desired_of(site, session["person"], session["account"], session["identity"])


def known_person(desired: Desired) -> Person:
    """The person of a reading that is known to have one."""
    assert desired.person is not None
    return desired.person


def situation_of(site: Site, desired: Desired) -> Situation:
    """Where this person stands."""
    person = known_person(desired)
    connection = next(iter(site.ledger.connections([person.id])), None)
    switches, now = site.switches(person.account), site.world.clock()
    offered = tuple(sorted(switches.vendors & site.consents.keys()))
    standstill = _standstill(site, switches, person.id, connection)
    return Situation(
        person=person,
        connection=connection,
        switches=switches,
        standstill=standstill,
        offered=offered,
        upcoming=_upcoming(desired.registrations, now),
        synced=_synced(site, connection),
        questions=questions_of(site, desired),
        removable=_removable(site, connection, switches),
    )


def _standstill(
    site: Site, switches: AccountSwitches, person: str, connection: Connection | None
) -> Standstill | None:
    if switches.people is not None and person not in switches.people:
        return Standstill.PILOT
    if not switches.email_notifications:
        return Standstill.MAILS_OFF
    if mode_of(site.world, switches) is Mode.OBSERVE:
        return Standstill.OBSERVING
    if connection is not None and connection.provider not in switches.vendors:
        return Standstill.VENDOR_OFF
    return None


def _removable(site: Site, connection: Connection | None, switches: AccountSwitches) -> bool:
    """Whether we can remove the coming events before we go: it takes a calendar that can be written to."""
    connected = connection is not None and connection.state is ConnectionState.CONNECTED
    return connected and mode_of(site.world, switches) is Mode.SYNC


def _upcoming(registrations: Iterable[Registration], now: datetime) -> Upcoming | None:
    ahead = [
        Upcoming(one.session.title, one.session.location, day)
        for one in registrations
        if one.standing is Standing.WANTED and not one.session.cancelled and one.session.refused is None
        for day in one.session.days
        if day.end_instant > now
    ]
    return min(ahead, key=lambda one: one.day.start_instant, default=None)


def _synced(site: Site, connection: Connection | None) -> datetime | None:
    """The end of the last push that found nothing left to do here, or when the calendar was last listed."""
    if connection is None:
        return None
    state = site.ledger.states([connection.person]).get(connection.person)
    if state is not None and state.applied is not None:
        for run in site.ledger.runs(50):
            if run.cycle == "push" and run.result != "error":
                return max(run.finished, connection.listed_at or run.finished)
    return connection.listed_at


def questions_of(site: Site, desired: Desired, session: str | None = None) -> tuple[Question, ...]:
    """The seats of a person that wait for an answer, the soonest first.

    Not those that an operator has to look at first, nor those whose events vanished so lately that nobody has
    made sure of it yet.
    """
    person, now = known_person(desired).id, site.world.clock()
    open_rows: dict[str, list[LedgerEntry]] = {}
    for entry in site.ledger.entries([person])[person]:
        if session in (None, entry.key.session) and _in_question(entry, now):
            open_rows.setdefault(entry.key.session, []).append(entry)
    sessions = {one.session.id: one.session for one in desired.registrations}
    found = [
        _question(rows, sessions[name].title, sessions[name].location, sessions[name].days)
        for name, rows in open_rows.items()
        if name in sessions
    ]
    return tuple(sorted(found, key=lambda one: [day.start_instant for day in one.days]))


def _in_question(entry: LedgerEntry, now: datetime) -> bool:
    if entry.role is not Role.LEARNER or entry.ends <= now or entry.answer is not None:
        return False
    if entry.state is State.HELD:
        return entry.suspicion.hold_reason is not HoldReason.FLEET_GUARD
    return entry.state is State.MISSING and entry.suspicion.grace_until is not None


def _question(rows: list[LedgerEntry], title: str, location: str, days: tuple[Day, ...]) -> Question:
    until = [row.suspicion.grace_until for row in rows if row.suspicion.grace_until]
    held = any(row.state is State.HELD for row in rows)
    return Question(
        rows[0].key.session, title, location, days, held, min(until) if until and not held else None
    )
