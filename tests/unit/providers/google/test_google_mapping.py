"""Our events as Google's and back: nothing is lost, nothing of their owner's is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.fields import differences, folded, same_time
from reconciler.errors import EventRefused, VendorNonsense
from reconciler.model import Content, Day, Draft, EventKey, Marker
from reconciler.providers.google import mapping
from reconciler.simulators.wire import SeenRequest
from tests.support.builders import a_day, a_draft
from tests.support.discovery import problems
from tests.support.real_times import around, days_of, edges, real_sessions

CALENDAR = "ana@example.org"


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """The body as Google answers it."""
    return {
        "id": "x" * 8,
        **body,
        "etag": '"1"',
        "kind": "calendar#event",
        "htmlLink": "https://example.org/e",
    }


def read_back(draft: Draft) -> Any:
    return mapping.event_of(stored(mapping.body_of(draft)), CALENDAR)


def differing(draft: Draft, actual: Any) -> Any:
    return differences(draft.content, draft.day, actual)


def sent(verb: str, body: dict[str, Any]) -> list[str]:
    tail = f"/{body.get('id', 'abcde')}" if verb == "PUT" else ""
    path = f"/calendar/v3/calendars/ana/events{tail}"
    return problems([SeenRequest(verb, path, {}, {}, json.dumps(body), "", None, 200)])


def test_what_is_written_is_read_back_without_a_difference() -> None:
    draft = a_draft()
    actual = read_back(draft)
    assert not differing(draft, actual)
    assert actual.marker == draft.marker
    assert actual.made_as == actual.event_id == draft.made_as


def test_a_new_event_has_no_guests_and_leaves_reminders_to_the_calendar() -> None:
    body = mapping.body_of(a_draft())
    assert not {"attendees", "reminders", "visibility"} & body.keys()
    assert body["transparency"] == "opaque"


def test_a_private_draft_hides_its_details() -> None:
    assert mapping.body_of(replace(a_draft(), private=True))["visibility"] == "private"


def test_a_new_event_is_such_as_google_describes() -> None:
    assert sent("POST", mapping.body_of(a_draft())) == []


def test_days_around_every_change_of_the_clocks_survive() -> None:
    written = 0
    for day in (day for edge in edges("gap", "fold") for day in around(edge)):
        if day.start_instant <= day.end_instant:
            draft = replace(a_draft(), day=day)
            actual = mapping.day_of(*mapping.times_of(draft.day))
            assert actual is not None
            assert same_time(day, actual), day
            if day.starts.tzinfo is not None:
                assert (actual.start_wall, actual.end_wall) == (day.start_wall, day.end_wall)
            written += 1
    assert written > 30_000


def test_both_occurrences_of_an_hour_that_comes_twice_are_told_apart() -> None:
    once, again = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    start, end = mapping.times_of(Day(once, again, "Europe/Berlin"))
    assert start == {"dateTime": "2026-10-25T02:30:00+02:00", "timeZone": "Europe/Berlin"}
    assert end == {"dateTime": "2026-10-25T02:30:00+01:00", "timeZone": "Europe/Berlin"}


def test_a_wall_time_within_a_gap_is_sent_as_the_clock_will_show_it() -> None:
    start, _ = mapping.times_of(a_day("2026-03-29 02:30", "2026-03-29 05:00"))
    assert start["dateTime"] == "2026-03-29T03:30:00+02:00"


def test_every_real_oddity_and_changed_rule_survives() -> None:
    for edge in edges("oddity", "tzdb-change"):
        starts = datetime.fromisoformat(edge["local"])
        draft = replace(a_draft(), day=Day(starts, starts + timedelta(hours=1), edge["tz"]))
        assert not differing(draft, read_back(draft)), edge


def test_all_real_sessions_survive() -> None:
    written = 0
    for row in real_sessions():
        details = " ".join((row.get("description") or "").split(" "))[:8000]
        content = Content(row["title"], str(row["location"].get("name") or ""), details)
        for day in days_of(row):
            draft = replace(a_draft(), content=content, day=day)
            body = mapping.body_of(draft)
            assert sent("POST", body) == []
            assert not differing(draft, mapping.event_of(stored(body), CALENDAR)), row["id"]
            written += 1
    assert written == 778


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80)


@given(texts, texts, texts)
def test_any_text_survives(title: str, location: str, text: str) -> None:
    draft = replace(a_draft(), content=Content(title, location, text))
    assert not differing(draft, read_back(draft))


@given(texts.filter(bool), texts.filter(bool), st.integers(0, 10_000), st.integers(0, 99), texts)
def test_any_marker_survives(person: str, session: str, slot: int, generation: int, digest: str) -> None:
    marker = Marker("installation-1", EventKey(person[:30], session[:30], slot), "0" * 40, generation, digest)
    assert mapping.marker_of(mapping.properties_of(marker)) == marker


def test_every_property_keeps_googles_limits() -> None:
    properties = mapping.properties_of(a_draft().marker)
    assert all(len(name) <= 44 for name in properties)
    endless = replace(a_draft().marker, key=EventKey("p" * 600, "s" * 600, 0))
    with pytest.raises(EventRefused):
        mapping.properties_of(endless)


@pytest.mark.parametrize("missing", list(mapping.properties_of(a_draft().marker)))
def test_half_a_marker_is_none(missing: str) -> None:
    properties = mapping.properties_of(a_draft().marker)
    del properties[missing]
    assert mapping.marker_of(properties) is None


OWNERS = {
    "colorId": "7",
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    "conferenceData": {"conferenceId": "abc", "conferenceSolution": {"key": {"type": "hangoutsMeet"}}},
    "attachments": [{"fileUrl": "https://drive.example/f", "title": "Notes"}],
    "attendees": [{"email": "b@example.org", "responseStatus": "accepted", "self": True, "organizer": True}],
    "transparency": "transparent",
    "visibility": "public",
    "guestsCanModify": True,
    "sequence": 3,
    "source": {"url": "https://example.org/", "title": "x"},
    "status": "tentative",
}


def as_owned() -> dict[str, Any]:
    """An event of ours after its owner has been at it, as Google answers it."""
    raw = stored(mapping.body_of(a_draft())) | OWNERS
    raw["description"] = "<b>Above</b><br>" + raw["description"].replace("\n", "<br>") + "<br><i>below</i>"
    raw["extendedProperties"]["shared"] = {"theirs": "1"}
    raw["extendedProperties"]["private"]["other"] = "2"
    return raw | {
        "created": "2026-01-01T00:00:00.000Z",
        "updated": "2026-01-01T00:00:00.000Z",
        "creator": {"email": CALENDAR, "self": True},
        "organizer": {"email": CALENDAR, "self": True},
        "iCalUID": "x@google.com",
        "hangoutLink": "https://meet.example/abc",
        "eventType": "default",
    }


def test_an_update_keeps_everything_its_owner_added() -> None:
    raw = as_owned()
    before = str(raw)
    draft = replace(
        a_draft(), content=Content("New title", "Room 2", "New text"), day=a_day("2027-03-01 10:00")
    )
    body = mapping.laid_over(draft, raw)
    assert str(raw) == before
    guests = [{"email": "b@example.org", "responseStatus": "accepted"}]
    assert {name: body[name] for name in OWNERS} == OWNERS | {"attendees": guests}
    assert body["description"].startswith("<b>Above</b><br>")
    assert body["description"].endswith("<br><i>below</i>")
    assert body["extendedProperties"]["shared"] == {"theirs": "1"}
    assert body["extendedProperties"]["private"]["other"] == "2"
    assert not differing(draft, mapping.event_of(raw | body, CALENDAR))


def test_an_update_names_nothing_that_google_maintains() -> None:
    assert sent("PUT", mapping.laid_over(a_draft(), as_owned())) == []


def test_a_location_that_is_no_more_is_removed() -> None:
    draft = a_draft()
    without = replace(draft, content=replace(draft.content, location=""))
    assert "location" not in mapping.laid_over(without, as_owned())


def test_a_day_with_hours_may_become_one_without() -> None:
    draft = replace(a_draft(), day=a_day("2027-03-01", all_day=True))
    body = mapping.laid_over(draft, as_owned())
    assert (body["start"], body["end"]) == ({"date": "2027-03-01"}, {"date": "2027-03-02"})


def test_conference_and_attachments_ask_for_the_parameters_that_keep_them() -> None:
    assert mapping.options_for(as_owned()) == {"conferenceDataVersion": 1, "supportsAttachments": True}
    assert mapping.options_for(stored(mapping.body_of(a_draft()))) == {}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        ({}, {}),
        ({"date": "2026-12-01"}, {"dateTime": "2026-12-01T10:00:00Z"}),
        ({"dateTime": "tomorrow"}, {"dateTime": "2026-12-01T10:00:00Z"}),
        ({"date": 5}, {"date": "2026-12-01"}),
        ({"dateTime": "2026-12-01T10:00:00"}, {"dateTime": "2026-12-01T10:00:00"}),
        ([], "x"),
    ],
)
def test_times_that_make_no_sense_are_no_day(start: object, end: object) -> None:
    assert mapping.day_of(start, end) is None


def test_a_zone_unknown_here_does_not_hide_the_instant() -> None:
    moment = {"dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Mars/Olympus"}
    day = mapping.day_of(moment, moment)
    assert day is not None
    assert (day.start_instant, day.zone) == (datetime(2026, 12, 1, 9, tzinfo=UTC), "UTC")


@pytest.mark.parametrize("raw", [None, [], "event", {}, {"id": "abcde"}, {"id": 5, "etag": "x"}])
def test_what_is_no_event_is_not_taken_for_one(raw: object) -> None:
    with pytest.raises(VendorNonsense):
        mapping.event_of(raw, CALENDAR)


@given(
    st.recursive(st.none() | st.integers() | texts, lambda one: st.dictionaries(texts, one) | st.lists(one))
)
def test_odd_shapes_within_an_event_raise_nothing(odd: object) -> None:
    names = ("extendedProperties", "start", "end", "summary", "description", "location")
    actual = mapping.event_of({"id": "abcde", "etag": '"1"', **dict.fromkeys(names, odd)}, CALENDAR)
    assert actual.marker is None


def test_an_owners_rewriting_as_html_is_no_difference() -> None:
    draft = a_draft()
    raw = stored(mapping.body_of(draft))
    raw["description"] = "mine<br>" + raw["description"].replace("&", "&amp;").replace("\n", "<br>")
    assert not differing(draft, mapping.event_of(raw, CALENDAR))
    assert folded(mapping.event_of(raw, CALENDAR).block or "") == folded(draft.content.block)
