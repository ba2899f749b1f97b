"""The contract of :class:`reconciler.ports.Calendar`, held against every vendor."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.fields import differences, made_by_us
from reconciler.errors import EventChanged, EventGone, EventIdUsed
from reconciler.model import ActualEvent, Content, Draft
from tests.contract.beds import Bed
from tests.support.builders import (
    INSTALLATION,
    NOW,
    a_day,
    a_desired_event,
    a_draft,
    a_registration,
    a_session,
)

SINCE = NOW - timedelta(days=1)


def a_draft_of(session: str = "s1", generation: int = 0, **changes: object) -> Draft:
    return a_draft(a_desired_event(a_registration(a_session(session, **changes))), generation)


def written(bed: Bed, draft: Draft) -> ActualEvent:
    """The event as a listing shows it, once it is created."""
    bed.calendar.create(draft)
    return listed(bed, draft)


def listed(bed: Bed, draft: Draft) -> ActualEvent:
    found = [one for one in bed.calendar.listing(SINCE).events if one.marker == draft.marker]
    assert len(found) == 1, bed.calendar.listing(SINCE).events
    return found[0]


def is_there(bed: Bed, draft: Draft) -> bool:
    """Whether any way of looking finds the event."""
    listing = [one for one in bed.calendar.listing(SINCE).events if one.made_as == draft.made_as]
    found = bed.calendar.find(draft.marker.token).events
    assert bool(listing) == bool(found)
    return bool(found)


def test_what_the_vendor_answered_can_be_told(bed: Bed) -> None:
    if not bed.has_a_wire:
        pytest.skip("the reference provider has no wire")
    made = bed.calendar.create(a_draft_of())
    bed.remove(made.event_id)
    calendar = bed.calendar
    assert list(calendar.heard) == []
    assert calendar.get(made.event_id, bed.calendar_id) is None
    heard = list(calendar.heard)
    assert {one.operation for one in heard} >= {"get"}
    assert {one.status for one in heard} <= {200, 207, 404, 410}
    calendar.listing(SINCE)
    assert calendar.heard[len(heard)].operation == "list"


# Making -------------------------------------------------------------------------------------------


def test_what_is_created_is_listed_got_and_found_and_is_ours(bed: Bed) -> None:
    draft = a_draft_of()
    assert bed.calendar.listing(SINCE).events == ()
    made = bed.calendar.create(draft)
    event = listed(bed, draft)
    assert (event.event_id, event.etag) == (made.event_id, made.etag)
    assert made.calendar_id == event.calendar_id == bed.calendar_id
    assert made_by_us(INSTALLATION, event)
    assert differences(draft.content, draft.day, event) == frozenset()
    assert bed.calendar.get(made.event_id, bed.calendar_id) == event
    found = bed.calendar.find(draft.marker.token)
    assert (found.events, found.everywhere) == ((event,), bed.sees_everything)


def test_a_listing_shows_the_same_until_something_changes(bed: Bed) -> None:
    draft = a_draft_of()
    event = written(bed, draft)
    assert bed.calendar.listing(SINCE).events == (event,)
    assert bed.calendar.listing(SINCE).events == (event,)
    other = written(bed, a_draft_of("s2"))
    assert set(bed.calendar.listing(SINCE).events) == {event, other}


def test_a_listing_leaves_out_what_ended_before_it_begins(bed: Bed) -> None:
    draft = a_draft_of(days=[a_day("2026-11-20 09:00")])
    made = bed.calendar.create(draft)
    assert bed.calendar.listing(SINCE).events == ()
    assert bed.calendar.get(made.event_id, bed.calendar_id) is not None


DAYS = (
    a_day("2026-12-01 09:00"),
    a_day("2026-12-03 00:00", "2026-12-05 00:00", all_day=True),
    a_day("2026-12-04 10:30", zone="Asia/Kolkata"),
    a_day("2026-12-04 22:00", "2026-12-05 06:00", zone="America/New_York"),
    a_day("2026-12-01 09:00", "2026-12-01 09:00"),
    a_day("2027-10-31 02:30", "2027-10-31 04:00"),  # the first pass of an hour that clocks show twice
    a_day("2027-03-28 02:30", "2027-03-28 05:00"),  # an hour that no clock shows
    a_day("2026-12-01 09:00", zone="UTC"),
    a_day(NOW.replace(2027, 10, 31, 1, 30), NOW.replace(2027, 10, 31, 4)),  # its second pass
)


def test_every_time_comes_back_as_it_was_given(bed: Bed) -> None:
    drafts = [a_draft_of(f"s{number}", days=[day]) for number, day in enumerate(DAYS)]
    for draft in drafts:
        bed.calendar.create(draft)
    found = {event.marker: event for event in bed.calendar.listing(SINCE).events}
    differs = {str(one.day): differences(one.content, one.day, found[one.marker]) for one in drafts}
    assert not any(differs.values()), differs


TEXTS = (
    "Comma, semi; colon: \\backslash \"quotes\" 'single' {braces} %s %(x)s",
    "<b>bold</b> & <script>alert(1)</script> &amp; &#60;",
    "Überschrift 日本語 עברית 🎓 n\u0303",
    "word " * 300,
    "END:VEVENT BEGIN:VALARM X-EVIL:1",
)


def test_any_text_comes_back_as_it_was_given(bed: Bed) -> None:
    drafts = []
    for number, text in enumerate(TEXTS):
        content = Content(text[:250].strip(), text[:250].strip(), f"{text}\n\nsecond paragraph")
        drafts.append(replace(a_draft_of(f"s{number}"), content=content))
        bed.calendar.create(drafts[-1])
    found = {event.marker: event for event in bed.calendar.listing(SINCE).events}
    differs = {one.content.title: differences(one.content, one.day, found[one.marker]) for one in drafts}
    assert not any(differs.values()), differs


def test_a_create_that_is_repeated_makes_no_second_event(bed: Bed) -> None:
    draft = a_draft_of()
    event = written(bed, draft)
    if bed.calendar.capabilities.client_ids:
        with pytest.raises(EventIdUsed):
            bed.calendar.create(draft)
        assert bed.calendar.get(draft.made_as, bed.calendar_id) == event
    assert bed.calendar.find(draft.marker.token).events == (event,)


def test_after_its_owner_deleted_it_the_next_generation_is_a_new_event(bed: Bed) -> None:
    event = written(bed, a_draft_of())
    bed.remove(event.event_id)
    again = written(bed, a_draft_of(generation=1))
    assert again.event_id != event.event_id
    assert bed.calendar.find(again.marker.token if again.marker else "").events == (again,)


# Keeping right ------------------------------------------------------------------------------------


def from_ledger(event: ActualEvent) -> ActualEvent:
    return replace(event, raw=None, block=None, marker=None, made_as=None, title="", location="", day=None)


@pytest.mark.parametrize("known", ["listed", "from the ledger", "foreseen"])
def test_an_update_lays_our_fields_over_the_event(bed: Bed, known: str) -> None:
    event = written(bed, a_draft_of())
    other = written(bed, a_draft_of("s2"))
    new = a_draft_of(title="First aid", location="Room 2", days=[a_day("2026-12-09 10:00")])
    calendar = bed.calendar
    event = event if known == "listed" else from_ledger(event)
    if known == "foreseen":
        calendar.foresee([event, from_ledger(other)])
    made = calendar.update(new, event)
    after = listed(bed, new)
    assert (after.event_id, after.etag) == (event.event_id, made.etag)
    assert after.etag != event.etag
    assert differences(new.content, new.day, after) == frozenset()
    assert listed(bed, a_draft_of("s2")) == other


def test_an_update_keeps_what_its_owner_wrote(bed: Bed) -> None:
    if not bed.keeps_notes:
        pytest.skip("the reference provider has no room for notes")
    event = written(bed, a_draft_of())
    bed.annotate(event.event_id, bed.spare_note)
    new = a_draft_of(title="First aid", details="Bring gloves.")
    bed.calendar.update(new, listed(bed, a_draft_of()))
    assert bed.spare_note in bed.notes(event.event_id)
    assert differences(new.content, new.day, listed(bed, new)) == frozenset()


def test_an_owners_edit_is_seen(bed: Bed) -> None:
    event = written(bed, a_draft_of())
    bed.calendar.listing(SINCE)
    bed.retitle(event.event_id, "Boring")
    after = listed(bed, a_draft_of())
    assert (after.title, after.event_id) == ("Boring", event.event_id)
    assert after.etag != event.etag


def test_an_event_changed_since_it_was_read_is_not_written(bed: Bed) -> None:
    if not bed.heeds_etags:
        pytest.skip("this vendor heeds no etags")
    event = written(bed, a_draft_of())
    bed.retitle(event.event_id, "Boring")
    with pytest.raises(EventChanged):
        bed.calendar.update(a_draft_of(title="New"), event)
    with pytest.raises(EventChanged):
        bed.calendar.delete(event.event_id, bed.calendar_id, event.etag)
    assert listed(bed, a_draft_of()).title == "Boring"


@pytest.mark.parametrize("known", ["listed", "from the ledger"])
def test_an_event_its_owner_deleted_is_never_brought_back(bed: Bed, known: str) -> None:
    event = written(bed, a_draft_of())
    bed.remove(event.event_id)
    with pytest.raises((EventGone, EventChanged)):
        bed.calendar.update(a_draft_of(title="New"), event if known == "listed" else from_ledger(event))
    assert not is_there(bed, a_draft_of())


# Going --------------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_from_every_view(bed: Bed) -> None:
    event, other = written(bed, a_draft_of()), written(bed, a_draft_of("s2"))
    bed.calendar.delete(event.event_id, bed.calendar_id, event.etag)
    assert not is_there(bed, a_draft_of())
    assert bed.calendar.get(event.event_id, bed.calendar_id) is None
    assert bed.calendar.listing(SINCE).events == (other,)
    with pytest.raises((EventGone, EventChanged)):
        bed.calendar.delete(event.event_id, bed.calendar_id, event.etag)


def test_what_its_owner_deleted_is_gone_from_every_view(bed: Bed) -> None:
    event = written(bed, a_draft_of())
    bed.calendar.listing(SINCE)
    bed.remove(event.event_id)
    assert not is_there(bed, a_draft_of())
    assert bed.calendar.get(event.event_id, bed.calendar_id) is None
    found = bed.calendar.find(a_draft_of().marker.token)
    assert (found.events, found.everywhere) == ((), bed.sees_everything)
    assert bed.calendar_id in found.calendars


def test_what_its_owner_moved_to_another_calendar_is_found_and_can_be_kept_right_there(bed: Bed) -> None:
    event = written(bed, a_draft_of())
    other = bed.move(event.event_id)
    assert bed.calendar.listing(SINCE).events == ()
    found = bed.calendar.find(a_draft_of().marker.token)
    assert other in found.calendars
    (moved,) = found.events
    assert (moved.calendar_id, moved.made_as) == (other, event.made_as)
    bed.calendar.update(a_draft_of(title="New"), moved)
    (after,) = bed.calendar.find(a_draft_of().marker.token).events
    assert after.title == "New"
    bed.calendar.delete(after.event_id, after.calendar_id, after.etag)
    assert bed.calendar.find(a_draft_of().marker.token).events == ()
