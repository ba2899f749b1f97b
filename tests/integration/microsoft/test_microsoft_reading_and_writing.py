"""The provider against the simulated vendor: what it writes is found, kept in step, and removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.diff.fields import differences, made_by_us
from reconciler.errors import EventChanged, EventGone, EventIdUsed, EventRefused, MailboxUnavailable
from reconciler.model import ActualEvent, Content, Draft
from tests.support.builders import (
    INSTALLATION,
    NOW,
    a_day,
    a_desired_event,
    a_draft,
    a_registration,
    a_session,
)
from tests.support.microsoft_bed import MicrosoftBed, a_microsoft

SINCE = NOW - timedelta(days=1)


@pytest.fixture
def bed() -> Iterator[MicrosoftBed]:
    with a_microsoft() as made:
        yield made


def draft_on(day: Any, **session: Any) -> Draft:
    return a_draft(a_desired_event(a_registration(a_session(days=[day], **session))))


def there(bed: MicrosoftBed, event_id: str) -> ActualEvent:
    found = bed.calendar.get(event_id, bed.connection.calendar_id)
    assert found is not None
    return found


def shown(bed: MicrosoftBed, event_id: str) -> dict[str, Any]:
    """The event as its owner sees it."""
    return next(one for one in bed.owner.look() if one["id"] == event_id)


# Creating and reading -----------------------------------------------------------------------------


def test_what_is_created_is_listed_got_and_found_and_is_ours(bed: MicrosoftBed) -> None:
    draft = a_draft()
    written = bed.calendar.create(draft)
    listed = bed.calendar.listing(SINCE)
    (event,) = listed.events
    assert listed.calendar_id == bed.connection.calendar_id
    assert (event.event_id, event.etag) == (written.event_id, written.etag)
    assert event.marker == draft.marker
    assert made_by_us(INSTALLATION, event)
    assert differences(draft.content, draft.day, event) == frozenset()
    assert bed.calendar.find(draft.marker.token).events == (event,)
    assert bed.calendar.find(draft.marker.token).everywhere
    assert there(bed, written.event_id) == event


@pytest.mark.parametrize(
    "day",
    [
        a_day("2026-12-01", all_day=True),
        a_day("2026-12-01", "2026-12-04", zone="Pacific/Auckland", all_day=True),
        a_day("2027-03-28 02:30"),
        a_day("2026-10-25 02:30"),
        a_day(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        a_day("2026-12-01 09:00", "2026-12-01 09:00"),
        a_day("2026-12-01 23:00", zone="Asia/Kathmandu"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "switches",
    [{}, {"all_day_floats": False}, {"ambiguous_time_is_second": True}, {"original_zone_as": "windows"}],
    ids=str,
)
def test_any_day_is_read_back_without_difference(day: Any, switches: dict[str, Any]) -> None:
    with a_microsoft(**switches) as bed:
        draft = draft_on(day)
        event = there(bed, bed.calendar.create(draft).event_id)
        assert differences(draft.content, draft.day, event) == frozenset()


def test_a_zone_graph_has_not_learnt_yet_is_said_in_utc() -> None:
    with a_microsoft(unknown_zones=frozenset({"Europe/Berlin"})) as bed:
        draft = a_draft()
        written = bed.calendar.create(draft)
        assert differences(draft.content, draft.day, there(bed, written.event_id)) == frozenset()
        moved = draft_on(a_day("2026-12-02 10:00"))
        bed.calendar.update(moved, there(bed, written.event_id))
        assert differences(moved.content, moved.day, there(bed, written.event_id)) == frozenset()


def test_hostile_text_comes_back_as_it_was_written(bed: MicrosoftBed) -> None:
    hostile = "</div><script>x</script> & <b>'\"\\ {{x}} \U0001f600 \u05d0\u05d1 " + "ä" * 7000
    draft = draft_on(a_day(), title="</title> & <i>", location="A<B", details=hostile)
    event = there(bed, bed.calendar.create(draft).event_id)
    assert differences(draft.content, draft.day, event) == frozenset()


def test_an_event_is_private_busy_and_without_guests_or_meeting() -> None:
    with a_microsoft(adds_online_meeting=True) as bed:
        written = bed.calendar.create(replace(a_draft(), private=True))
        event = shown(bed, written.event_id)
        assert event["sensitivity"] == "private"
        assert event["showAs"] == "busy"
        assert event["isOnlineMeeting"] is False
        assert event["responseRequested"] is False
        assert event["attendees"] == []
        assert event["isReminderOn"] is True  # the owner's own default


def test_a_listing_leaves_out_what_has_ended_and_what_is_not_ours(bed: MicrosoftBed) -> None:
    past = draft_on(a_day("2026-11-20 09:00"), id="past")
    bed.calendar.create(past)
    bed.owner.create(
        subject="dentist",
        start={"dateTime": "2026-12-01T09:00:00", "timeZone": "UTC"},
        end={"dateTime": "2026-12-01T10:00:00", "timeZone": "UTC"},
    )
    other = a_draft()
    bed.calendar.create(replace(other, marker=replace(other.marker, installation="TEST")))
    assert bed.calendar.listing(SINCE).events == ()
    (event,) = bed.calendar.listing(NOW - timedelta(days=7)).events
    assert event.marker == past.marker


@pytest.mark.parametrize("omits_nulls", [False, True])
def test_a_listing_of_many_pages_is_whole(omits_nulls: bool) -> None:
    with a_microsoft(page_cap=7, omits_nulls=omits_nulls) as bed:
        drafts = [draft_on(a_day(), id=f"s{number}") for number in range(30)]
        for draft in drafts:
            bed.calendar.create(draft)
        bed.fault("empty_page", "list")
        found = bed.calendar.listing(SINCE).events
        assert {event.marker for event in found} == {draft.marker for draft in drafts}


def test_an_id_that_never_was_is_none(bed: MicrosoftBed) -> None:
    assert bed.calendar.get("made-up+id=", bed.connection.calendar_id) is None


# Moved, copied, deleted ---------------------------------------------------------------------------


@pytest.mark.parametrize("spans", [False, True])
def test_an_event_moved_to_another_calendar_is_found_there(spans: bool) -> None:
    with a_microsoft(events_span_calendars=spans) as bed:
        written = bed.calendar.create(a_draft())
        private = bed.owner.add_calendar("Private")
        bed.owner.move(written.event_id, "Private")
        assert bed.calendar.listing(SINCE).events == ()
        event = there(bed, written.event_id)
        assert event.calendar_id == private.id
        assert bed.calendar.find(a_draft().marker.token).events == (event,)
        changed = draft_on(a_day("2026-12-02 09:00"))
        assert bed.calendar.update(changed, event).calendar_id == private.id
        bed.calendar.delete(event.event_id, event.calendar_id, None)
        assert bed.calendar.find(a_draft().marker.token).events == ()


def test_a_copy_carries_the_marker_and_is_not_ours(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    bed.owner.copy(written.event_id)
    found = bed.calendar.find(a_draft().marker.token).events
    assert len(found) == 2
    assert [event.event_id for event in found if made_by_us(INSTALLATION, event)] == [written.event_id]


@pytest.mark.parametrize("answers", [False, True])
def test_a_deleted_event_is_none_even_where_the_bin_answers(answers: bool) -> None:
    with a_microsoft(soft_deleted_answers_get=answers) as bed:
        written = bed.calendar.create(a_draft())
        bed.owner.delete(written.event_id)
        assert bed.calendar.get(written.event_id, written.calendar_id) is None
        assert bed.calendar.find(a_draft().marker.token).events == ()


@pytest.mark.parametrize("keeps", [False, True])
def test_an_event_taken_back_from_the_bin_is_found_again(keeps: bool) -> None:
    with a_microsoft(restore_keeps_immutable_id=keeps) as bed:
        written = bed.calendar.create(a_draft())
        bed.owner.delete(written.event_id)
        bed.owner.restore(written.event_id)
        (event,) = bed.calendar.find(a_draft().marker.token).events
        assert (event.event_id == written.event_id) is keeps
        assert made_by_us(INSTALLATION, event)


def test_an_event_whose_marker_was_taken_off_is_still_there_by_its_id(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    bed.owner.unmark(written.event_id)
    event = there(bed, written.event_id)
    assert event.marker is None
    bed.calendar.update(a_draft(), event)
    assert there(bed, written.event_id).marker == a_draft().marker


def test_a_new_event_is_there_although_the_search_does_not_know_it_yet() -> None:
    with a_microsoft(index_delay_seconds=3600) as bed:
        written = bed.calendar.create(a_draft())
        assert there(bed, written.event_id).marker == a_draft().marker


def test_a_calendar_that_cannot_be_read_makes_a_search_incomplete(bed: MicrosoftBed) -> None:
    bed.calendar.create(a_draft())
    bed.owner.add_calendar("Shared by Ben")
    bed.fault("status", "list", status=403, reason="ErrorAccessDenied", skip=1)
    found = bed.calendar.find(a_draft().marker.token)
    assert len(found.events) == 1
    assert not found.everywhere


# Updating -----------------------------------------------------------------------------------------


def test_an_update_changes_what_is_ours_and_nothing_else(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    body = shown(bed, written.event_id)["body"]["content"]
    html = f"<p><b>mine</b></p><div>{body}</div><p>me too</p>".replace("\r\n", "<br>")
    bed.owner.edit(
        written.event_id,
        categories=["Red"],
        isReminderOn=False,
        showAs="free",
        sensitivity="private",
        body={"contentType": "html", "content": html},
    )
    draft = draft_on(a_day("2026-12-02 10:00"), title="News", location="Room 2", details="Other boots.")
    bed.calendar.update(draft, there(bed, written.event_id))
    event = there(bed, written.event_id)
    assert differences(draft.content, draft.day, event) == frozenset()
    assert event.marker == draft.marker
    seen = shown(bed, written.event_id)
    assert seen["categories"] == ["Red"]
    assert seen["isReminderOn"] is False
    assert (seen["showAs"], seen["sensitivity"]) == ("free", "private")
    stored = bed.simulator.mailbox("ana@contoso.example").events[written.event_id].fields["body"]["content"]
    assert "<b>mine</b>" in stored
    assert "<p>me too</p>" in stored
    assert "Bring your boots" not in stored


def test_an_update_that_leaves_the_block_alone_neither_reads_nor_sends_the_body(bed: MicrosoftBed) -> None:
    event = there(bed, bed.calendar.create(a_draft()).event_id)
    bed.simulator.recorder.clear()
    moved = replace(a_draft(), day=a_day("2026-12-02 10:00"))
    bed.calendar.update(moved, event)
    (request,) = bed.simulator.recorder.seen
    assert request.method == "PATCH"
    assert '"body"' not in request.body
    assert request.headers["if-match"] == event.etag


def test_an_update_knowing_only_what_the_ledger_knows_reads_the_rest(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    known = ActualEvent(written.event_id, written.calendar_id, written.etag, None, None, "", "", None, None)
    draft = draft_on(a_day("2026-12-02 10:00"), details="Other boots.")
    again = bed.calendar.update(draft, known)
    event = there(bed, written.event_id)
    assert event.etag == again.etag != written.etag
    assert differences(draft.content, draft.day, event) == frozenset()


@pytest.mark.parametrize("stale", ["412", "409"])
@pytest.mark.parametrize("details", ["Bring your boots.", "Other boots."])
def test_an_update_of_what_its_owner_changed_meanwhile_is_refused(stale: str, details: str) -> None:
    with a_microsoft(stale_update=stale) as bed:
        event = there(bed, bed.calendar.create(a_draft()).event_id)
        bed.owner.edit(event.event_id, subject="My title")
        with pytest.raises(EventChanged):
            bed.calendar.update(draft_on(a_day("2026-12-02 10:00"), details=details), event)
        assert shown(bed, event.event_id)["subject"] == "My title"


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("details", ["Bring your boots.", "Other boots."])
def test_an_update_never_revives_what_its_owner_deleted(answers: bool, details: str) -> None:
    with a_microsoft(soft_deleted_answers_get=answers) as bed:
        event = there(bed, bed.calendar.create(a_draft()).event_id)
        bed.owner.delete(event.event_id)
        with pytest.raises((EventGone, EventChanged)):
            bed.calendar.update(draft_on(a_day("2026-12-02 10:00"), details=details), event)
        assert bed.owner.look() == []


def test_a_series_its_owner_made_of_it_is_updated_and_stays_a_series(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    bed.owner.recur(written.event_id)
    draft = draft_on(a_day(), title="News")
    bed.calendar.update(draft, there(bed, written.event_id))
    assert shown(bed, written.event_id)["recurrence"] is not None
    assert differences(draft.content, draft.day, there(bed, written.event_id)) == frozenset()


def test_an_event_graph_refuses_is_refused_alone(bed: MicrosoftBed) -> None:
    with pytest.raises(EventRefused, match="ErrorPropertyValidationFailure"):
        bed.calendar.create(draft_on(a_day("2026-12-01 09:00", "2026-12-01 08:00")))
    bed.calendar.create(a_draft())


# Deleting -----------------------------------------------------------------------------------------


def test_a_delete_removes_once(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    bed.calendar.delete(written.event_id, written.calendar_id, written.etag)
    assert bed.owner.look() == []
    with pytest.raises(EventGone):
        bed.calendar.delete(written.event_id, written.calendar_id, written.etag)


@pytest.mark.parametrize("stale", ["412", "409"])
def test_a_delete_of_what_its_owner_changed_meanwhile_is_refused(stale: str) -> None:
    with a_microsoft(stale_delete=stale) as bed:
        written = bed.calendar.create(a_draft())
        bed.owner.edit(written.event_id, subject="My title")
        with pytest.raises(EventChanged):
            bed.calendar.delete(written.event_id, written.calendar_id, written.etag)
        assert len(bed.owner.look()) == 1


def test_a_delete_of_what_lies_in_the_bin_is_gone(bed: MicrosoftBed) -> None:
    written = bed.calendar.create(a_draft())
    bed.fault("status", "delete", status=403, reason="ErrorCannotDeleteObject")
    with pytest.raises(EventGone):
        bed.calendar.delete(written.event_id, written.calendar_id, written.etag)


# Creating again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", ["first_201", "first_200", "conflict_409"])
def test_a_create_repeated_makes_no_second_event(repeat: str) -> None:
    with a_microsoft(transaction_repeat=repeat) as bed:
        first = bed.calendar.create(a_draft())
        assert bed.calendar.create(a_draft()).event_id == first.event_id
        assert len(bed.owner.look()) == 1


def test_a_create_repeated_with_news_brings_the_first_event_up_to_date() -> None:
    with a_microsoft(transaction_repeat="first_201") as bed:
        first = bed.calendar.create(a_draft())
        news = draft_on(a_day("2026-12-02 10:00"), details="Other boots.")
        assert bed.calendar.create(news).event_id == first.event_id
        assert differences(news.content, news.day, there(bed, first.event_id)) == frozenset()


def test_where_a_repeated_create_makes_another_event_both_are_found(bed: MicrosoftBed) -> None:
    with a_microsoft(transaction_repeat="another") as bed:
        first, second = bed.calendar.create(a_draft()), bed.calendar.create(a_draft())
        found = bed.calendar.find(a_draft().marker.token).events
        assert {event.event_id for event in found} == {first.event_id, second.event_id}
        assert all(made_by_us(INSTALLATION, event) for event in found)


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("after_delete", ["first_201", "conflict_409"])
def test_a_create_under_an_id_whose_event_was_deleted_says_so(after_delete: str, answers: bool) -> None:
    with a_microsoft(transaction_after_delete=after_delete, soft_deleted_answers_get=answers) as bed:
        bed.owner.delete(bed.calendar.create(a_draft()).event_id)
        with pytest.raises(EventIdUsed):
            bed.calendar.create(a_draft())
        bed.calendar.create(a_draft(generation=1))
        assert len(bed.owner.look()) == 1


def test_a_create_under_an_id_that_graph_has_forgotten_makes_a_new_event() -> None:
    with a_microsoft(transaction_after_delete="another") as bed:
        bed.owner.delete(bed.calendar.create(a_draft()).event_id)
        bed.calendar.create(a_draft())
        assert len(bed.owner.look()) == 1


@pytest.mark.parametrize("strips", [frozenset(), frozenset({"consumer"})])
def test_a_personal_account_gets_its_marker_even_where_creation_loses_it(strips: frozenset[str]) -> None:
    with a_microsoft(consumer=True, strips_properties_on_create=strips) as bed:
        written = bed.calendar.create(a_draft())
        (event,) = bed.calendar.listing(SINCE).events
        assert (event.event_id, event.etag) == (written.event_id, written.etag)
        assert event.marker == a_draft().marker
        assert made_by_us(INSTALLATION, event)


# The calendar itself ------------------------------------------------------------------------------


def test_a_calendar_that_is_gone_suspends_the_connection(bed: MicrosoftBed) -> None:
    bed.connection = replace(bed.connection, calendar_id="AAMkgone+=")
    with pytest.raises(MailboxUnavailable):
        bed.calendar.listing(SINCE)
    with pytest.raises(MailboxUnavailable):
        bed.calendar.create(a_draft())


def test_the_block_is_compared_as_text_and_its_content_never_cut(bed: MicrosoftBed) -> None:
    content = Content(
        "T", "L", "line one\n\n  indented\ttabbed\nhttps://x.example/?a=1&b=2#c\n=== not ours ==="
    )
    draft = replace(a_draft(), content=content)
    event = there(bed, bed.calendar.create(draft).event_id)
    assert differences(content, draft.day, event) == frozenset()
    bed.simulator.recorder.clear()
    bed.calendar.update(draft, event)
    assert [request.method for request in bed.simulator.recorder.seen] == ["PATCH"]
