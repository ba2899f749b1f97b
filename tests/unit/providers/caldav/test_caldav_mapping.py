"""Between our events and iCalendar objects: what is ours is laid over, what is not stays byte for byte."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.tz import tzical
from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.fields import differences
from reconciler.errors import VendorNonsense
from reconciler.model import Content, zone
from reconciler.providers.caldav import mapping
from reconciler.providers.caldav.lines import parse
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.zones import rules_of
from tests.support.builders import NOW, a_day, a_desired_event, a_draft, a_registration, a_session

ADDED = (
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Leave now\r\nEND:VALARM",
    "CATEGORIES:Work,Safety",
    'X-APPLE-STRUCTURED-LOCATION;X-TITLE="a;b:c":geo:1,2',
    "RRULE:FREQ=WEEKLY;COUNT=2",
    "ORGANIZER:mailto:alice@example.org",
    'ATTENDEE;CN="Bob; the other":mailto:bob@example.org',
    "COMMENT:a long line that has to be folded somewhere because it has more octets\r\n  than are allowed",
)


def raw_of(text: str) -> Raw:
    return Raw("/alice/calendar/x.ics", '"1"', text)


@pytest.mark.parametrize("added", ADDED)
def test_what_its_owner_added_stays_byte_for_byte(added: str) -> None:
    text = mapping.object_of(a_draft(), NOW).replace("END:VEVENT", f"{added}\r\nEND:VEVENT")
    new = a_draft(a_desired_event(a_registration(a_session(title="New", days=[a_day("2026-12-09 10:00")]))))
    after = mapping.laid_over(new, raw_of(text), NOW)
    assert f"\r\n{added}\r\n" in after
    event = mapping.event_of(raw_of(after), "/c/")
    assert differences(new.content, new.day, event) == frozenset()
    assert event.marker == new.marker
    assert after.count("BEGIN:VEVENT") == after.count("UID:") == after.count("DTSTART;") == 1


def test_nothing_written_has_guests_or_an_organizer() -> None:
    text = mapping.object_of(a_draft(), NOW)
    assert "ATTENDEE" not in text
    assert "ORGANIZER" not in text


def test_exceptions_to_an_owners_recurrence_stay_as_they_are() -> None:
    text = mapping.object_of(a_draft(), NOW)
    begin, end = text.index("BEGIN:VEVENT"), text.index("END:VCALENDAR")
    master = text[begin:end]
    moved = master.replace("SUMMARY:", "RECURRENCE-ID:20261208T080000Z\r\nSUMMARY:Moved ")
    whole = f"{text[:begin]}{moved}{master}{text[end:]}"
    after = mapping.laid_over(replace(a_draft(), content=Content("New", "", "b")), raw_of(whole), NOW)
    assert moved in after
    assert parse(after).text("SUMMARY") == "New"


@pytest.mark.parametrize("text", ["", "hello", "BEGIN:VCALENDAR\r\nEND:VCALENDAR", "BEGIN:VEVENT\r\nUID:1"])
def test_what_is_no_event_is_nonsense(text: str) -> None:
    with pytest.raises(VendorNonsense):
        mapping.event_of(raw_of(text), "/c/")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=200))
def test_any_text_survives(text: str) -> None:
    draft = replace(a_draft(), content=Content(text, text, text))
    after = mapping.event_of(raw_of(mapping.object_of(draft, NOW)), "/c/")
    assert (after.title, after.location) == (text, text)
    assert differences(draft.content, draft.day, after) == frozenset()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.just("\\"), max_size=300))
def test_no_line_is_longer_than_75_octets_and_no_escape_is_torn_apart(text: str) -> None:
    made = mapping.object_of(replace(a_draft(), content=Content(text, "\\" * 200, text)), NOW)
    assert max(len(line.encode()) for line in made.split("\r\n")) <= 75
    assert "\\\r\n n" not in made


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"]
)
def test_a_zones_rules_say_what_the_zone_says_at_every_hour_of_a_year(name: str) -> None:
    calendar = "\r\n".join(["BEGIN:VCALENDAR", *rules_of(name, 2026), "END:VCALENDAR"])
    told, moment = tzical(io.StringIO(calendar)).get(), datetime(2026, 1, 1, tzinfo=UTC)
    assert told is not None
    for _ in range(365 * 24):
        there = moment.astimezone(zone(name))
        wall = there.replace(tzinfo=None)
        if (
            not there.fold
            and there.utcoffset() == (moment + timedelta(hours=1)).astimezone(zone(name)).utcoffset()
        ):
            assert told.utcoffset(wall) == there.utcoffset(), moment
        moment += timedelta(hours=1)
