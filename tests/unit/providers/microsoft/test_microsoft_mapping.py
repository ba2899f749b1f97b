"""What is written to Graph and what is read back mean the same, through every gap and fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.fields import same_time
from reconciler.errors import VendorNonsense
from reconciler.model import Content, Day, Draft, EventKey, Marker, zone
from reconciler.providers.microsoft import mapping
from reconciler.simulators.microsoft_times import parse_moment, show, windows_name
from tests.support.builders import BERLIN, a_day, a_desired_event, a_draft, a_registration, a_session
from tests.support.real_times import around, days_of, edges, real_sessions


def read_back(
    written: dict[str, Any], *, second_of_two: bool = False, windows: bool = False, floating: bool = True
) -> dict[str, Any]:
    """The times of an event as Graph answers them in UTC, whichever way it takes what is not documented."""
    moments = [parse_moment(written[name], frozenset(), second_of_two) for name in ("start", "end")]
    shown = [
        show(one.wall if written["isAllDay"] and floating else one.instant.replace(tzinfo=None), "UTC")
        for one in moments
    ]
    name = moments[0].zone
    return {
        "start": shown[0],
        "end": shown[1],
        "isAllDay": written["isAllDay"],
        "originalStartTimeZone": windows_name(name) if windows else name,
    }


def draft_of(day: Day) -> Draft:
    return a_draft(a_desired_event(a_registration(a_session(days=[day]))))


def unequal(days: Iterable[Day], **graph: bool) -> list[Day]:
    """The days that read back as another time."""
    found = []
    for day in days:
        actual = mapping.day_of(read_back(mapping.new_event(draft_of(day)), **graph))
        if actual is None or not same_time(day, actual):
            found.append(day)
    return found


@pytest.mark.parametrize(("second_of_two", "kinds"), [(False, ("gap", "fold")), (True, ("fold",))])
def test_a_day_beginning_or_ending_in_any_gap_or_fold_reads_back_as_the_same_time(
    second_of_two: bool, kinds: tuple[str, ...]
) -> None:
    days = [day for edge in edges(*kinds) for day in around(edge)]
    days = [day for day in days if day.start_instant <= day.end_instant]
    assert len(days) > 15_000 * len(kinds)
    assert unequal(days, second_of_two=second_of_two) == []


def test_a_time_that_occurs_twice_is_sent_in_utc_and_any_other_in_its_zone() -> None:
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    after = datetime(2026, 10, 25, 2, 0, tzinfo=UTC)
    times = mapping.times(Day(second_half_past_two, after, BERLIN))
    assert times["start"] == {"dateTime": "2026-10-25T01:30:00", "timeZone": "UTC"}
    times = mapping.times(Day(after, after, BERLIN))
    assert times["start"] == {"dateTime": "2026-10-25T03:00:00", "timeZone": BERLIN}


def test_a_wall_time_within_a_gap_is_sent_as_the_clock_will_show_it() -> None:
    times = mapping.times(a_day("2026-03-29 02:30", "2026-03-29 05:00"))
    assert times["start"] == {"dateTime": "2026-03-29T03:30:00", "timeZone": BERLIN}


@pytest.mark.parametrize("windows", [False, True])
def test_every_real_session_reads_back_as_the_same_time(windows: bool) -> None:
    days = [day for session in real_sessions() for day in days_of(session)]
    assert len(days) == 778
    assert unequal(days, windows=windows) == []
    assert unequal(days, windows=windows, floating=False) == []


def test_zones_with_odd_or_changed_rules_read_back_as_the_same_time() -> None:
    rows = edges("oddity", "tzdb-change")
    days = [a_day(row["local"], zone=row["tz"]) for row in rows]
    midnights = [day.starts.replace(hour=0, minute=0) for day in days]
    whole = [a_day(start, zone=day.zone, all_day=True) for start, day in zip(midnights, days, strict=True)]
    assert unequal(days + whole) == []


def test_an_all_day_event_keeps_its_dates_where_graph_answers_the_instant_of_its_midnight() -> None:
    days = [
        a_day(edge["local_from"][:10], zone=edge["tz"], all_day=True)
        for edge in edges("gap", "fold")
        if edge["touches_midnight"]
    ]
    assert days
    for second_of_two in (False, True):
        assert unequal(days, floating=False, second_of_two=second_of_two) == []


def test_where_graph_does_not_know_the_zone_the_same_is_said_in_utc() -> None:
    day = a_day("2026-12-01 09:00")
    assert mapping.times(day, in_utc=True)["start"] == {"dateTime": "2026-12-01T08:00:00", "timeZone": "UTC"}
    whole = a_day("2026-12-01", all_day=True)
    assert mapping.times(whole, in_utc=True)["end"] == {"dateTime": "2026-12-02T00:00:00", "timeZone": "UTC"}


def test_times_are_read_in_the_zone_they_are_answered_in() -> None:
    raw = {
        "start": {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2026-12-01T12:00:00.0000000", "timeZone": "W. Europe Standard Time"},
        "originalStartTimeZone": "tzone://Microsoft/Custom",
    }
    day = mapping.day_of(raw)
    assert day == Day(datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 11, tzinfo=UTC), "UTC")


@pytest.mark.parametrize(
    "start",
    [
        None,
        "2026-12-01",
        {"dateTime": "soon", "timeZone": "UTC"},
        {"dateTime": "2026-12-01T09:00:00", "timeZone": "Middle/Earth"},
        {"dateTime": "0001-01-01T00:00:00Z", "timeZone": "UTC"},
    ],
)
def test_a_time_that_cannot_be_read_makes_no_day(start: object) -> None:
    assert mapping.day_of({"start": start, "end": start}) is None


ids = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())


@given(ids, ids, st.integers(0, 400), st.integers(0, 9), ids, ids)
def test_a_marker_reads_back_whatever_its_ids_hold(
    person: str, session: str, slot: int, generation: int, installation: str, digest: str
) -> None:
    marker = Marker(installation, EventKey(person, session, slot), "a1" * 20, generation, digest)
    assert mapping.marker_of({"singleValueExtendedProperties": mapping.properties(marker)}) == marker


def test_a_marker_reads_back_where_graph_writes_the_guid_in_another_case() -> None:
    marker = a_draft().marker
    properties = [{**one, "id": one["id"].upper()} for one in mapping.properties(marker)]
    assert mapping.marker_of({"singleValueExtendedProperties": properties}) == marker


@pytest.mark.parametrize("spoilt", ["", "a/b", "a/b/c/d/e", "a/b/1/x/e", "a/b/1/1/e/f"])
def test_a_spoilt_marker_is_none(spoilt: str) -> None:
    properties = mapping.properties(a_draft().marker)
    properties[2]["value"] = spoilt
    assert mapping.marker_of({"singleValueExtendedProperties": properties}) is None


def test_a_quote_cannot_end_a_search_early() -> None:
    assert mapping.of_installation("o'hare").endswith("ep/value eq 'o''hare')")


def test_nothing_that_mails_guests_or_changes_the_owners_own_choices_is_written() -> None:
    created = mapping.new_event(a_draft())
    assert not {"attendees", "isReminderOn", "categories", "recurrence"} & set(created)
    assert created["isOnlineMeeting"] is False
    assert created["responseRequested"] is False
    known = mapping.actual_event({"id": "e", "@odata.etag": "t", "location": {"displayName": "Room 1"}}, "c")
    changed = mapping.changed_event(a_draft(), known)
    managed = {"subject", "start", "end", "isAllDay", "singleValueExtendedProperties"}
    assert set(changed) == managed
    assert set(mapping.changed_event(a_draft(), replace(known, raw=None))) == managed | {"location"}


def test_a_private_draft_is_made_private() -> None:
    assert mapping.new_event(a_draft())["sensitivity"] == "normal"
    assert mapping.new_event(replace(a_draft(), private=True))["sensitivity"] == "private"


def test_an_events_body_keeps_its_owners_html_around_our_block() -> None:
    draft = replace(a_draft(), content=Content("t", "l", "new details"))
    old = mapping.new_event(a_draft())["body"]["content"].replace("\n", "<br>\n")
    html = f'<html><body><p style="color:red">mine</p>{old}<p>also mine</p></body></html>'
    body = mapping.body_with(draft, {"body": {"contentType": "html", "content": html}})
    assert body["contentType"] == "html"
    assert body["content"].startswith('<html><body><p style="color:red">mine</p>')
    assert body["content"].endswith("<p>also mine</p></body></html>")
    assert "new details" in body["content"]
    assert "Bring your boots" not in body["content"]


@pytest.mark.parametrize("raw", [{}, {"id": "e"}, {"@odata.etag": "t"}, {"id": 1, "@odata.etag": "t"}])
def test_an_answer_without_id_or_etag_is_no_event(raw: dict[str, Any]) -> None:
    with pytest.raises(VendorNonsense):
        mapping.actual_event(raw, "c")


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Europe/Kyiv", "Europe/Kyiv"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("tzone://Microsoft/Custom", None),
        ("America", None),
        ("../etc/passwd", None),
        ("", None),
        (None, None),
    ],
)
def test_zones_are_known_by_either_name(name: str | None, iana: str | None) -> None:
    assert mapping.iana_name(name) == iana
    if iana is not None:
        assert zone(iana) is not None
