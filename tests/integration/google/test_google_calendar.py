"""What Google's calendar does for us, over HTTP against the simulated Google."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.fields import Field, differences, made_by_us
from reconciler.errors import (
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import Content, EventKey
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_store import GoogleSwitches
from reconciler.simulators.wire import Fault
from tests.support.builders import INSTALLATION, NOW, a_day, a_draft
from tests.support.google import ANA, BEN, EVENTS, Google, a_draft_of, from_ledger, running

LATER = a_day("2026-12-02 14:00")


def test_what_is_created_is_listed_without_a_difference(google: Google) -> None:
    draft = a_draft_of()
    written = google.calendar.create(draft)
    (event,) = google.calendar.listing(NOW).events
    assert (event.event_id, event.etag) == (written.event_id, written.etag)
    assert event.event_id == draft.made_as
    assert event.marker == draft.marker
    assert made_by_us(INSTALLATION, event)
    assert not differences(draft.content, draft.day, event)


def test_nobody_is_invited_or_told(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    known = google.calendar.get(written.event_id, ANA)
    assert known is not None
    updated = google.calendar.update(a_draft_of(title="New"), known)
    google.calendar.delete(written.event_id, ANA, updated.etag)
    writes = [seen for seen in google.sim.recorder.seen if seen.operation in ("create", "update", "delete")]
    assert [seen.query["sendUpdates"] for seen in writes] == [["none"]] * 3
    assert not any("attendees" in seen.body for seen in writes)


def test_an_event_read_from_google_is_updated_in_one_request(google: Google) -> None:
    google.calendar.create(a_draft_of())
    (event,) = google.calendar.listing(NOW).events
    google.sim.recorder.clear()
    draft = a_draft_of(title="New", day=LATER)
    written = google.calendar.update(draft, event)
    assert google.operations() == ["update"]
    (event,) = google.calendar.listing(NOW).events
    assert event.etag == written.etag
    assert not differences(draft.content, draft.day, event)


def test_an_event_known_from_the_ledger_is_read_before_it_is_updated(google: Google) -> None:
    google.calendar.create(a_draft_of())
    (event,) = google.calendar.listing(NOW).events
    google.sim.recorder.clear()
    google.calendar.update(a_draft_of(title="New"), from_ledger(event))
    assert google.operations() == ["get", "update"]
    assert google.stored(event.event_id)["summary"] == "New"


@pytest.mark.parametrize("known_from_ledger", [False, True])
def test_an_update_keeps_what_its_owner_added(google: Google, known_from_ledger: bool) -> None:
    written = google.calendar.create(a_draft_of())
    stored = google.stored(written.event_id)
    google.sim.owner.edit(
        ANA,
        written.event_id,
        as_html=True,
        description="Bring <lunch>\n" + stored["description"] + "\nsee you",
        colorId="7",
        transparency="transparent",
        attendees=[{"email": BEN}],
        reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
    )
    (event,) = google.calendar.listing(NOW).events
    assert not differences(a_draft_of().content, a_draft_of().day, event)
    known = from_ledger(event) if known_from_ledger else event
    google.calendar.update(a_draft_of(title="New", day=LATER), known)
    after = google.stored(written.event_id)
    assert (after["colorId"], after["transparency"]) == ("7", "transparent")
    assert after["attendees"] == [{"email": BEN}]
    assert after["reminders"]["overrides"] == [{"method": "popup", "minutes": 5}]
    assert after["description"].startswith("Bring &lt;lunch&gt;<br>")
    assert after["description"].endswith("<br>see you")
    (event,) = google.calendar.listing(NOW).events
    assert not differences(a_draft_of(title="New").content, LATER, event)


def test_an_owners_edit_of_our_fields_is_a_difference(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.edit(ANA, written.event_id, summary="Mine", description="gone")
    google.sim.owner.shift(ANA, written.event_id, 30)
    (event,) = google.calendar.listing(NOW).events
    found = differences(a_draft_of().content, a_draft_of().day, event)
    assert found == {Field.TITLE, Field.BLOCK, Field.TIME}


@pytest.mark.parametrize("known_from_ledger", [False, True])
def test_a_write_to_an_event_changed_since_is_refused(google: Google, known_from_ledger: bool) -> None:
    written = google.calendar.create(a_draft_of())
    (event,) = google.calendar.listing(NOW).events
    google.sim.owner.edit(ANA, written.event_id, summary="Mine")
    with pytest.raises(EventChanged):
        google.calendar.update(a_draft_of(title="New"), from_ledger(event) if known_from_ledger else event)
    with pytest.raises(EventChanged):
        google.calendar.delete(event.event_id, ANA, event.etag)
    assert google.stored(event.event_id)["summary"] == "Mine"


@pytest.mark.parametrize("known_from_ledger", [False, True])
def test_an_event_its_owner_deleted_is_never_revived(google: Google, known_from_ledger: bool) -> None:
    written = google.calendar.create(a_draft_of())
    (event,) = google.calendar.listing(NOW).events
    google.sim.owner.delete(ANA, written.event_id)
    known = from_ledger(event) if known_from_ledger else event
    with pytest.raises((EventGone, EventChanged)):
        google.calendar.update(a_draft_of(title="New"), known)
    tombstone = replace(event, etag=google.stored(event.event_id)["etag"])
    with pytest.raises(EventGone):
        google.calendar.update(a_draft_of(title="New"), from_ledger(tombstone))
    assert google.stored(event.event_id)["status"] == "cancelled"


def test_deleting_is_done_once(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.calendar.delete(written.event_id, ANA, written.etag)
    assert google.alive() == []
    with pytest.raises(EventGone):
        google.calendar.delete(written.event_id, ANA, written.etag)
    with pytest.raises(EventGone):
        google.calendar.delete("neverexisted", ANA, None)


def test_a_deleted_event_is_not_there(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.delete(ANA, written.event_id)
    assert google.calendar.get(written.event_id, ANA) is None
    assert google.calendar.get("neverexisted", ANA) is None
    assert google.calendar.listing(NOW).events == ()
    assert google.calendar.find(a_draft_of().marker.token).events == ()


@pytest.mark.parametrize("deleted", [False, True])
def test_an_id_used_before_is_refused(google: Google, deleted: bool) -> None:
    written = google.calendar.create(a_draft_of())
    if deleted:
        google.sim.owner.delete(ANA, written.event_id)
    with pytest.raises(EventIdUsed):
        google.calendar.create(a_draft_of())
    assert len(google.alive()) == 1 - deleted


def test_the_next_generation_may_follow_a_deleted_event(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.delete(ANA, written.event_id)
    google.calendar.create(a_draft_of(generation=1))
    (event,) = google.calendar.listing(NOW).events
    assert event.marker is not None
    assert event.marker.generation == 1


def test_an_all_day_event_comes_back_as_one(google: Google) -> None:
    draft = a_draft_of(day=a_day("2026-12-01", all_day=True))
    google.calendar.create(draft)
    (event,) = google.calendar.listing(NOW).events
    assert not differences(draft.content, draft.day, event)


def test_an_event_may_end_when_it_starts(google: Google) -> None:
    draft = a_draft_of(day=a_day("2026-12-01 09:00", "2026-12-01 09:00"))
    google.calendar.create(draft)
    (event,) = google.calendar.listing(NOW).events
    assert not differences(draft.content, draft.day, event)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_a_calendar_in_another_zone_makes_no_difference(google: Google, zone: str) -> None:
    draft = a_draft_of(day=a_day("2026-10-25 02:30", "2026-10-25 03:30", zone=zone))
    google.calendar.create(draft)
    (event,) = google.calendar.listing(NOW - timedelta(days=60)).events
    assert not differences(draft.content, draft.day, event)


def test_hostile_text_is_shown_as_written(google: Google) -> None:
    draft = replace(
        a_draft(), content=Content("<b>R&D</b> {x}", "a & b", "<script>\u202e &amp; {0} === End of training")
    )
    google.calendar.create(draft)
    (event,) = google.calendar.listing(NOW).events
    assert not differences(draft.content, draft.day, event)
    google.sim.owner.edit(ANA, event.event_id, as_html=True, colorId="3")
    (event,) = google.calendar.listing(NOW).events
    assert not differences(draft.content, draft.day, event)


def test_an_event_that_its_owner_lets_repeat_stays_one_event_that_repeats(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.make_recurring(ANA, written.event_id)
    (event,) = google.calendar.listing(NOW).events
    assert not differences(a_draft_of().content, a_draft_of().day, event)
    google.calendar.update(a_draft_of(title="New", day=LATER), event)
    assert google.stored(written.event_id)["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=4"]
    assert len(google.calendar.listing(NOW).events) == 1


# Listing ------------------------------------------------------------------------------------------


def many(google: Google, count: int) -> set[str]:
    return {google.calendar.create(a_draft_of(f"s{number}")).event_id for number in range(count)}


@pytest.mark.parametrize("empty_first", [False, True])
def test_every_page_is_read_short_and_empty_ones_too(empty_first: bool) -> None:
    sim = GoogleSimulator(GoogleSwitches(page_ceiling=2, empty_page_first=empty_first))
    with running(sim=sim) as google:
        made = many(google, 5)
        sim.recorder.clear()
        listing = google.calendar.listing(NOW)
        assert {event.event_id for event in listing.events} == made
        assert google.operations().count("list") == 3 + empty_first


def test_a_listing_whose_last_page_is_lost_is_none(google: Google) -> None:
    many(google, 4)
    google.sim.faults.add(Fault("cut_page", "list"))
    with pytest.raises(VendorUnavailable):
        google.calendar.listing(NOW)


def test_a_listing_shows_our_installation_and_nothing_else(google: Google) -> None:
    google.calendar.create(a_draft_of())
    day = {"dateTime": "2026-12-01T10:00:00Z"}
    google.sim.owner.add(ANA, day, day, summary="Dentist")
    marker = {"iltInstallation": "another", "iltToken": a_draft_of().marker.token}
    google.sim.owner.add(ANA, day, day, extendedProperties={"private": marker})
    assert [event.title for event in google.calendar.listing(NOW).events] == ["Safety basics"]


def test_what_ended_before_is_not_listed(google: Google) -> None:
    draft = a_draft_of(day=a_day("2026-11-20 09:00"))
    google.calendar.create(draft)
    assert google.calendar.listing(NOW).events == ()
    assert len(google.calendar.listing(draft.day.end_instant - timedelta(seconds=1)).events) == 1


def test_an_owners_copy_is_listed_and_known_for_a_copy(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.copy(ANA, written.event_id)
    events = google.calendar.listing(NOW).events
    assert [made_by_us(INSTALLATION, event) for event in events] == [True, False]
    assert events[0].marker == events[1].marker


def test_an_event_whose_marker_was_removed_is_still_found_by_its_id(google: Google) -> None:
    written = google.calendar.create(a_draft_of())
    google.sim.owner.edit(ANA, written.event_id, extendedProperties=None)
    assert google.calendar.listing(NOW).events == ()
    event = google.calendar.get(written.event_id, ANA)
    assert event is not None
    assert event.marker is None


# Finding ------------------------------------------------------------------------------------------


def test_an_event_moved_to_another_calendar_is_found_there_and_can_be_written(google: Google) -> None:
    google.calendar.create(a_draft_of())
    google.calendar.create(a_draft_of("s2"))
    other = google.sim.add_calendar(ANA, "Mine")
    google.sim.owner.move(ANA, a_draft_of().made_as, other.id)
    assert google.calendar.get(a_draft_of().made_as, ANA) is None
    found = google.calendar.find(a_draft_of().marker.token)
    assert found.everywhere
    (event,) = found.events
    assert (event.event_id, event.calendar_id) == (a_draft_of().made_as, other.id)
    google.calendar.update(a_draft_of(title="New"), event)
    moved = google.calendar.get(event.event_id, other.id)
    assert moved is not None
    assert moved.title == "New"
    google.calendar.delete(moved.event_id, other.id, moved.etag)
    assert google.calendar.find(a_draft_of().marker.token).events == ()


def test_calendars_are_searched_beyond_the_first_page_of_them(google: Google) -> None:
    google.calendar.create(a_draft_of())
    for number in range(251):
        last = google.sim.add_calendar(ANA, f"calendar {number}")
    google.sim.owner.move(ANA, a_draft_of().made_as, last.id)
    (event,) = google.calendar.find(a_draft_of().marker.token).events
    assert event.calendar_id == last.id


def test_a_calendar_that_is_only_read_is_not_searched(google: Google) -> None:
    google.connect(2, BEN)
    google.sim.share(BEN, ANA, "reader")
    google.sim.recorder.clear()
    assert google.calendar.find("0" * 40).everywhere
    assert google.operations() == ["calendars", "list"]


def test_a_grant_without_the_calendar_list_finds_in_the_default_calendar_only(google: Google) -> None:
    ben = google.open(google.connect(2, BEN, [EVENTS]))
    ben.create(a_draft_of())
    found = ben.find(a_draft_of().marker.token)
    assert not found.everywhere
    assert [event.event_id for event in found.events] == [a_draft_of().made_as]


def test_another_calendar_that_disappears_meanwhile_leaves_the_search_incomplete(google: Google) -> None:
    google.sim.add_calendar(ANA, "Mine")
    google.sim.faults.add(Fault("dead_mailbox", "list", skip=1))
    assert not google.calendar.find("0" * 40).everywhere


def test_the_default_calendar_must_be_there_to_be_searched(google: Google) -> None:
    google.sim.faults.add(Fault("dead_mailbox", "list"))
    with pytest.raises(MailboxUnavailable):
        google.calendar.find("0" * 40)


# Two people ---------------------------------------------------------------------------------------


def test_each_person_is_written_to_with_their_own_grant(google: Google) -> None:
    ben = google.open(google.connect(2, BEN))
    google.calendar.create(a_draft_of())
    ben.create(a_draft_of("s2"))
    assert [event["id"] for event in google.alive(ANA)] == [a_draft_of().made_as]
    assert [event["id"] for event in google.alive(BEN)] == [a_draft_of("s2").made_as]


# Refusals -----------------------------------------------------------------------------------------


def test_a_refused_event_concerns_that_event(google: Google) -> None:
    bad = replace(a_draft(), made_as="not a google id")
    with pytest.raises(EventRefused, match="invalid"):
        google.calendar.create(bad)


def test_a_question_google_does_not_understand_is_no_empty_answer(google: Google) -> None:
    google.sim.faults.add(Fault("status", "list", status=400))
    with pytest.raises(VendorNonsense):
        google.calendar.listing(NOW)


def test_a_key_that_does_not_fit_is_refused_before_anything_is_sent(google: Google) -> None:
    draft = a_draft()
    endless = replace(draft, marker=replace(draft.marker, key=EventKey("p" * 1100, "s1", 0)))
    with pytest.raises(EventRefused):
        google.calendar.create(endless)
    assert google.operations() == []
