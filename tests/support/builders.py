"""Values to begin a test with: each is complete and consistent, and says only what the test is about.

By default Ana is booked into one session of one day, nine days after ``NOW``. What the ledger and the
calendar hold is derived from what is desired, exactly as it would have been written::

    seat = a_registration(a_session(days=[a_day("2026-12-01 09:00")]))
    row, event = an_entry(seat), an_event(seat)
    plan(a_desired(seat), [row], a_listing(event), a_policy(), NOW)  # nothing to do
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.diff.fields import (
    content_of,
    digest_of,
    made_as,
    person_fingerprint,
    registration_line,
    removal_of,
    session_fingerprint,
    token_of,
)
from reconciler.diff.plan import Policy
from reconciler.model import (
    ActualEvent,
    Connection,
    ConnectionState,
    Day,
    Desired,
    DesiredEvent,
    Draft,
    EventKey,
    LedgerEntry,
    Listing,
    Marker,
    Person,
    Registration,
    Role,
    Session,
    Standing,
    State,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INSTALLATION = "test"
ACCOUNT = "academy"
PROVIDER = "memory"
CALENDAR = "default"
BERLIN = "Europe/Berlin"


# The LMS ------------------------------------------------------------------------------------------


def a_day(
    starts: str | datetime = "2026-12-01 09:00",
    ends: str | datetime | None = None,
    zone: str = BERLIN,
    all_day: bool = False,
) -> Day:
    """A day as wall time of its zone (or instants, where aware datetimes are given): three hours long, an
    all-day one one day, unless told otherwise."""
    start = datetime.fromisoformat(starts) if isinstance(starts, str) else starts
    if ends is None:
        end = start + (timedelta(days=1) if all_day else timedelta(hours=3))
    else:
        end = datetime.fromisoformat(ends) if isinstance(ends, str) else ends
    return Day(start, end, zone, all_day)


def a_session(id: str = "s1", days: Iterable[Day] | None = None, **changes: Any) -> Session:
    """A scheduled session that learners may cancel."""
    session = Session(
        id=id,
        account=ACCOUNT,
        title="Safety basics",
        course="Safety",
        details="Bring your boots.",
        location="Room 1",
        url=f"https://lms.example/sessions/{id}",
        instructors=("Ines",),
        days=(a_day(),) if days is None else tuple(days),
    )
    return replace(session, **changes)


def a_registration(session: Session | None = None, **changes: Any) -> Registration:
    """Ana's booked seat in the session."""
    registration = Registration(
        person="ana",
        session=session or a_session(),
        role=Role.LEARNER,
        standing=Standing.WANTED,
        seat="seat-1",
    )
    return replace(registration, **changes)


def a_person(id: str = "ana", **changes: Any) -> Person:
    """Somebody the LMS knows and who is not suspended."""
    person = Person(id, ACCOUNT, f"{id}@example.org", id.title(), "en", identity=id)
    return replace(person, **changes)


def a_desired(*registrations: Registration, person: Person | None = None) -> Desired:
    """What one person should have, with its digest as the LMS adapters make it; Ana unless told otherwise."""
    who = person or a_person(registrations[0].person if registrations else "ana")
    prints = [session_fingerprint(one.session) for one in registrations]
    lines = [registration_line(one, own) for one, own in zip(registrations, prints, strict=True)]
    digest = person_fingerprint(who.identity, who.active, lines, [own.form for own in prints])
    return Desired(who.id, who, registrations, digest)


def nobody(person_id: str = "ana") -> Desired:
    """Of somebody the LMS does not know (any more)."""
    return Desired(person_id, None)


def a_desired_event(
    registration: Registration | None = None, slot: int = 0, day: Day | None = None, gives_back: bool = True
) -> DesiredEvent:
    """The event of one day of a registration; its ``slot``-th day unless told otherwise."""
    registration = registration or a_registration()
    session = registration.session
    day = day or session.days[slot]
    removal = removal_of(registration, gives_back)
    return DesiredEvent(
        key=EventKey(registration.person, session.id, slot),
        seat=registration.seat,
        role=registration.role,
        day=day,
        content=content_of(session, removal),
        removal=removal,
        digest=digest_of(session, day, removal),
    )


def a_policy(**changes: Any) -> Policy:
    """Settings under which deleting an event gives the seat back."""
    return replace(Policy(INSTALLATION, gives_back=True), **changes)


# The calendar -------------------------------------------------------------------------------------


def a_draft(event: DesiredEvent | None = None, generation: int = 0) -> Draft:
    """An event ready to be written."""
    event = event or a_desired_event()
    marker = Marker(
        INSTALLATION, event.key, token_of(INSTALLATION, event.key), generation, digest=str(event.digest)
    )
    return Draft(event.content, event.day, marker, made_as(INSTALLATION, event.key, generation))


def an_event(
    registration: Registration | None = None,
    slot: int = 0,
    day: Day | None = None,
    generation: int = 0,
    **changes: Any,
) -> ActualEvent:
    """The event in the calendar as we wrote it, under the id that we chose."""
    draft = a_draft(a_desired_event(registration, slot, day), generation)
    event = ActualEvent(
        event_id=draft.made_as,
        calendar_id=CALENDAR,
        etag="etag-1",
        marker=draft.marker,
        made_as=draft.made_as,
        title=draft.content.title,
        location=draft.content.location,
        block=draft.content.block,
        day=draft.day,
    )
    return replace(event, **changes)


def a_copy_of(event: ActualEvent, event_id: str = "copy", **changes: Any) -> ActualEvent:
    """A copy made by the calendar's owner: it carries our marker and an id that we did not choose."""
    return replace(event, event_id=event_id, made_as=event_id, **changes)


def a_listing(*events: ActualEvent, calendar_id: str = CALENDAR, since: datetime | None = None) -> Listing:
    """The default calendar, whole, from a day ago on."""
    return Listing(calendar_id, since or NOW - timedelta(days=1), events)


# The ledger ---------------------------------------------------------------------------------------


def an_entry(
    registration: Registration | None = None,
    slot: int = 0,
    day: Day | None = None,
    state: State = State.LIVE,
    generation: int = 0,
    **changes: Any,
) -> LedgerEntry:
    """The row that writing the event of this day left behind, half an hour ago."""
    event = a_desired_event(registration, slot, day)
    entry = LedgerEntry(
        key=event.key,
        account=ACCOUNT,
        provider=PROVIDER,
        role=event.role,
        seat=event.seat,
        state=state,
        generation=generation,
        event_id=made_as(INSTALLATION, event.key, generation),
        calendar_id=CALENDAR,
        etag="etag-1",
        digest=event.digest,
        starts=event.day.start_instant,
        ends=event.day.end_instant,
        missing_since=NOW - timedelta(minutes=30) if state is State.MISSING else None,
        updated_at=NOW - timedelta(minutes=30),
    )
    return replace(entry, **changes)


def a_connection(**changes: Any) -> Connection:
    """Ana's connected calendar, with a baseline, listed an hour ago."""
    connection = Connection(
        id=1,
        person="ana",
        account=ACCOUNT,
        provider=PROVIDER,
        subject="subject-of-ana",
        address="ana@calendar.example",
        calendar_id=CALENDAR,
        identity="ana",
        state=ConnectionState.CONNECTED,
        baseline_since=NOW - timedelta(days=3),
        listed_at=NOW - timedelta(hours=1),
    )
    return replace(connection, **changes)
