"""Hypothesis strategies for what one person should have, what the ledger says and what the calendar holds.

Small on purpose: few sessions, few days, few words, so that things coincide, which is where rules differ.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from reconciler.diff.fields import made_as
from reconciler.model import (
    ActualEvent,
    Desired,
    EventKey,
    LedgerEntry,
    Registration,
    Role,
    Session,
    Standing,
    State,
)
from tests.support.builders import (
    INSTALLATION,
    NOW,
    a_copy_of,
    a_day,
    a_desired,
    a_person,
    a_registration,
    a_session,
    an_entry,
    an_event,
    nobody,
)

DAYS = (
    a_day("2026-11-20 09:00"),
    a_day(NOW - timedelta(hours=1), NOW + timedelta(hours=1)),
    a_day("2026-12-01 09:00"),
    a_day("2026-12-01 09:00", "2026-12-01 17:00"),
    a_day("2026-12-02 09:00"),
    a_day("2026-12-03 00:00", all_day=True),
    a_day("2026-12-04 10:30", zone="Asia/Kolkata"),
)
SESSIONS = ("s1", "s2", "s3")
STATES = tuple(state for state in State if state is not State.NONE)

days = st.lists(st.sampled_from(DAYS), max_size=3)
seats = st.sampled_from(("seat-1", "seat-2", None))


@st.composite
def sessions(draw: st.DrawFn, id: str) -> Session:
    """A session, now and then cancelled, refused or not cancellable."""
    return a_session(
        id,
        draw(days),
        title=draw(st.sampled_from(("Safety", "First aid"))),
        url=draw(st.sampled_from(("", "https://lms.example/"))),
        cancelled=draw(st.integers(0, 9)) == 0,
        cancellable=draw(st.booleans()),
        refused=draw(st.sampled_from((None,) * 9 + ("unknown zone",))),
    )


@st.composite
def registrations(draw: st.DrawFn, id: str) -> Registration:
    """Ana's place in a session; mostly a seat."""
    return a_registration(
        draw(sessions(id)),
        role=draw(st.sampled_from(Role)),
        standing=draw(st.sampled_from((Standing.WANTED,) * 6 + (Standing.KEEP, Standing.NONE))),
        seat=draw(seats),
    )


@st.composite
def desired(draw: st.DrawFn) -> Desired:
    """What Ana should have; now and then she is suspended or gone."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return nobody()
    of = [draw(registrations(id)) for id in draw(st.lists(st.sampled_from(SESSIONS), unique=True))]
    return a_desired(*of, person=a_person(active=kind != 1))


@st.composite
def rows(draw: st.DrawFn, key: EventKey) -> LedgerEntry:
    """A row of this key in any state, of any generation, about any day."""
    generation = draw(st.integers(0, 2))
    seat = a_registration(a_session(key.session, title="Safety"), seat=draw(seats))
    row = an_entry(seat, key.slot, draw(st.sampled_from(DAYS)), draw(st.sampled_from(STATES)), generation)
    if row.state is State.PENDING and draw(st.booleans()):
        row = replace(row, event_id=None)
    if row.state in (State.REMOVING, State.GONE) or draw(st.integers(0, 9)) == 0:
        row = replace(row, doomed=(row.event_id,) if row.event_id else ())
    age = draw(st.sampled_from((timedelta(minutes=1), timedelta(hours=2))))
    return replace(row, updated_at=NOW - age)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Rows of a few keys."""
    keys = draw(st.lists(_keys, unique=True, max_size=6))
    return [draw(rows(key)) for key in keys]


_keys = st.builds(EventKey, st.just("ana"), st.sampled_from(SESSIONS), st.integers(0, 3))


@st.composite
def ours(draw: st.DrawFn, key: EventKey) -> ActualEvent:
    """An event that we made of this key, perhaps edited by its owner."""
    seat = a_registration(a_session(key.session, title="Safety"))
    event = an_event(seat, key.slot, draw(st.sampled_from(DAYS)), draw(st.integers(0, 2)))
    edits = ({}, {}, {}, {"title": "Boring"}, {"block": None}, {"day": None}, {"etag": "etag-2"})
    return replace(event, **draw(st.sampled_from(edits)))


@st.composite
def calendars(draw: st.DrawFn) -> list[ActualEvent]:
    """Events of ours, copies by the owner, and what is none of our business."""
    found: dict[str, ActualEvent] = {}
    for number, key in enumerate(draw(st.lists(_keys, max_size=6))):
        event = draw(ours(key))
        marker = event.marker
        assert marker is not None
        kind = draw(st.sampled_from(("ours",) * 6 + ("copy", "another person's", "another installation's")))
        if kind == "copy":
            event = a_copy_of(event, f"copy-{number}")
        elif kind == "another person's":
            bobs = replace(key, person="bob")
            made = made_as(INSTALLATION, bobs, marker.generation)
            event = replace(event, event_id=made, made_as=made, marker=replace(marker, key=bobs))
        elif kind == "another installation's":
            theirs = replace(marker, installation="another")
            event = a_copy_of(event, f"other-{number}", marker=theirs)
        found[event.event_id] = event
    return list(found.values())


def is_foreign(event: ActualEvent) -> bool:
    """Whether an event that no row records is none of our business."""
    marker = event.marker
    return marker is None or marker.installation != INSTALLATION or marker.key.person != "ana"
