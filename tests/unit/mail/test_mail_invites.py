"""Entries: whichever receiver reads one, it is that day of that session, and of nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cleaning import clean, one_line
from reconciler.mail.invites import calendar_object
from reconciler.mail.letter import Invite, Mailbox, Method
from reconciler.model import Day
from tests.support.hostile import HOSTILE
from tests.support.icalendars import form_problems, lines, problems
from tests.support.real_times import around, days_of, edges, real_sessions

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
MORNING = Day(datetime(2026, 12, 2, 9), datetime(2026, 12, 2, 17), "Europe/Berlin")


def an_invite(day: Day = MORNING, **different: Any) -> Invite:
    invite = Invite(
        method=Method.REQUEST,
        uid="0f3k2-day-1@training.example.org",
        sequence=3,
        organizer=Mailbox("Acme Training", "training@example.org"),
        attendee=Mailbox("Ana Öztürk", "ana@example.org"),
        day=day,
        title="Negotiation, part 2; the hard way",
        location="Room 3, Main Street 1",
        url="https://learn.example.org/session?id=42&x=1",
        description="Bring a pen.\nLunch is there.",
    )
    return replace(invite, **different)


def described(text: str) -> str:
    """As a border leaves it: clean, and no line with blanks at its end."""
    return "\n".join(line.rstrip() for line in clean(text[:8_000]).strip().split("\n"))


def values(raw: bytes, name: str) -> list[str]:
    return [value for found, _, value in lines(raw) if found == name]


@pytest.mark.parametrize("method", Method)
def test_an_entry_is_a_request_or_a_cancellation_that_every_reader_understands(method: Method) -> None:
    invite = an_invite(method=method)
    raw = calendar_object(invite, NOW)
    assert problems(raw, invite) == []
    assert values(raw, "DTSTAMP") == ["20261128T090000Z"]


def test_no_reply_is_asked_for() -> None:
    (attendee,) = (
        parameters for name, parameters, _ in lines(calendar_object(an_invite(), NOW)) if name == "ATTENDEE"
    )
    assert attendee["RSVP"] == "FALSE"
    assert attendee["CN"] == "Ana Öztürk"


def test_the_zone_is_told_by_its_yearly_rules_where_it_has_some() -> None:
    raw = calendar_object(an_invite(), NOW)
    assert values(raw, "TZID") == ["Europe/Berlin"]
    assert values(raw, "RRULE") == [
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    ]


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "Asia/Tokyo", "Asia/Kathmandu"])
def test_a_zone_without_yearly_rules_is_told_by_its_offset_on_that_day(zone: str) -> None:
    invite = an_invite(replace(MORNING, zone=zone))
    raw = calendar_object(invite, NOW)
    assert values(raw, "RRULE") == []
    assert raw.count(b"BEGIN:STANDARD") == 1
    assert b"DTSTART;TZID=" in raw
    assert problems(raw, invite) == []


def test_a_day_through_which_such_a_zone_changes_its_clocks_is_in_utc() -> None:
    long = Day(datetime(2026, 2, 1, 9), datetime(2026, 3, 1, 17), "Africa/Casablanca")
    invite = an_invite(long)
    raw = calendar_object(invite, NOW)
    assert b"TZID" not in raw
    assert problems(raw, invite) == []


def test_a_day_whose_end_is_its_start_has_no_end() -> None:
    invite = an_invite(replace(MORNING, ends=MORNING.starts))
    raw = calendar_object(invite, NOW)
    assert values(raw, "DTEND") == []
    assert problems(raw, invite) == []


def test_a_whole_day_is_a_date_and_needs_no_zone() -> None:
    invite = an_invite(Day(datetime(2026, 12, 2), datetime(2026, 12, 4), "Europe/Berlin", all_day=True))
    raw = calendar_object(invite, NOW)
    assert b"DTSTART;VALUE=DATE:20261202\r\n" in raw
    assert b"DTEND;VALUE=DATE:20261204\r\n" in raw
    assert problems(raw, invite) == []


def test_an_hour_that_clocks_show_twice_is_in_utc() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    for day in (
        Day(datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 9), "Europe/Berlin"),
        Day(second, second + timedelta(hours=2), "Europe/Berlin"),
    ):
        invite = an_invite(day)
        raw = calendar_object(invite, NOW)
        assert b"TZID" not in raw
        assert problems(raw, invite) == []


def test_what_is_empty_is_left_out() -> None:
    invite = an_invite(location="", url="", description="")
    raw = calendar_object(invite, NOW)
    assert not {"LOCATION", "URL", "DESCRIPTION"} & {name for name, _, _ in lines(raw)}
    assert problems(raw, invite) == []


# Real ones ----------------------------------------------------------------------------------------


def test_every_day_of_every_real_session_is_the_same_to_all_readers() -> None:
    seen = 0
    for session in real_sessions():
        for day in days_of(session):
            invite = an_invite(
                day,
                title=one_line(session["title"]),
                location=one_line(str(session["location"].get("name") or "")),
                description=described(session["description"] or ""),
            )
            assert problems(calendar_object(invite, NOW), invite) == [], session["id"]
            seen += 1
    assert seen == 778


def test_around_every_gap_and_fold_all_readers_agree() -> None:
    found = edges("gap", "fold")
    assert len(found) > 400
    for place, edge in enumerate(found[::3]):
        for day in around(edge)[place % 68 :: 68]:
            invite = an_invite(day)
            assert problems(calendar_object(invite, NOW), invite) == [], (edge, day)


def test_at_every_change_of_a_zones_rules_all_readers_agree() -> None:
    for edge in edges("tzdb-change", "oddity"):
        starts = datetime.fromisoformat(edge["local"])
        invite = an_invite(Day(starts, starts + timedelta(hours=3), edge["tz"]))
        assert problems(calendar_object(invite, NOW), invite) == [], edge


# Hostile ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("where", ["title", "location", "description", "url", "uid", "name", "address"])
def test_hostile_text_stays_within_its_line(where: str, text: str) -> None:
    own = an_invite()
    poisoned = {
        "name": {"attendee": Mailbox(text, "ana@example.org"), "organizer": Mailbox(text, "t@example.org")},
        "address": {"attendee": Mailbox("Ana", f"ana{text}@example.org")},
    }.get(where, {where: getattr(own, where, "") + text})
    raw = calendar_object(replace(own, **poisoned), NOW)
    assert form_problems(raw) == []
    usual = [name for name, _, _ in lines(calendar_object(own, NOW))]
    assert [name for name, _, _ in lines(raw) if name != "URL"] == [name for name in usual if name != "URL"]


@settings(max_examples=40)
@given(st.text(), st.text(), st.text(), st.dates(date(2020, 1, 1), date(2035, 1, 1)))
def test_whatever_is_written_is_read_back(title: str, place: str, description: str, day: date) -> None:
    starts = datetime(day.year, day.month, day.day, 9)
    invite = an_invite(
        Day(starts, starts + timedelta(hours=2), "America/New_York"),
        title=one_line(title) or "x",
        location=one_line(place),
        description=described(description),
    )
    assert problems(calendar_object(invite, NOW), invite) == []
