"""Times and texts of real sessions, and the edges of real time zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.diff.changes import Create, Take
from reconciler.diff.fields import Field, content_of, differences, digest_of, folded, same_time
from reconciler.diff.plan import plan
from reconciler.model import Day, Registration, Removal
from tests.support.builders import (
    a_day,
    a_desired,
    a_listing,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
)
from tests.support.real_data import Row, rows

HOUR = timedelta(hours=1)


@cache
def edges(kind: str) -> list[Row]:
    """Those that the tz database at hand knows of: governments go on changing their minds."""
    found = [row for row in rows("tz-edges.jsonl") if row["kind"] == kind]
    known = [row for row in found if "transition_utc" not in row or is_known(row)]
    assert len(known) > 0.9 * len(found)
    return known


def is_known(row: Row) -> bool:
    edge, zone = instant(row["transition_utc"]), ZoneInfo(row["tz"])
    before, after = (moment.astimezone(zone).utcoffset() for moment in (edge - HOUR / 60, edge))
    return after - before == timedelta(minutes=row["shift_minutes"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def told_as_instants(day: Day) -> Day:
    """The same day, as an LMS or a vendor tells it that stores instants."""
    return Day(day.start_instant, day.end_instant, day.zone)


# Gaps, folds, oddities ------------------------------------------------------------------------------


def test_a_wall_time_within_a_gap_means_the_offset_before_it() -> None:
    for row in edges("gap"):
        local = datetime.fromisoformat(row["local_from"])
        inside = Day(local, local + HOUR * 3, row["tz"])
        assert inside.start_instant == instant(row["transition_utc"]), row


def test_a_wall_time_within_a_fold_means_its_first_occurrence() -> None:
    for row in edges("fold"):
        local = datetime.fromisoformat(row["local_from"])
        day = Day(local, local + HOUR * 3, row["tz"])
        shift = timedelta(minutes=row["shift_minutes"])
        assert day.start_instant == instant(row["transition_utc"]) + shift, row


def test_an_oddity_of_the_calendar_is_read_like_any_other_wall_time() -> None:
    for row in edges("oddity"):
        local = datetime.fromisoformat(row["local"])
        assert Day(local, local + HOUR, row["tz"]).start_instant == instant(row["utc_fold0"]), row


@pytest.mark.parametrize("kind", ["gap", "fold"])
def test_a_day_around_an_edge_is_the_same_however_it_is_told(kind: str) -> None:
    for row in edges(kind):
        edge = instant(row["transition_utc"])
        for start in (edge - HOUR, edge - timedelta(minutes=1), edge, edge + timedelta(minutes=30)):
            told = Day(start, start + HOUR * 2, row["tz"])
            in_utc = replace(told, zone="UTC")
            assert same_time(told, told), row
            assert same_time(told, in_utc), row
            back = Day(told.start_wall, told.end_wall, row["tz"])
            if back.start_instant == told.start_instant and back.end_instant == told.end_instant:
                assert same_time(told, back), row
            assert not same_time(told, replace(in_utc, ends=told.ends + HOUR)), row


@pytest.mark.parametrize("kind", ["gap", "fold"])
def test_a_day_moved_across_an_edge_by_its_owner_is_drift(kind: str) -> None:
    for row in edges(kind):
        edge = instant(row["transition_utc"])
        before, after = Day(edge - HOUR, edge, row["tz"]), Day(edge, edge + HOUR, row["tz"])
        assert not same_time(before, after), row


def test_both_occurrences_of_a_wall_time_in_a_fold_are_told_apart() -> None:
    for row in edges("fold"):
        shift = timedelta(minutes=-row["shift_minutes"])
        edge = instant(row["transition_utc"])
        first = Day(edge - shift, edge - shift + HOUR, row["tz"])
        second = Day(edge, edge + HOUR, row["tz"])
        assert first.start_wall.replace(fold=0) == second.start_wall.replace(fold=0), row
        assert not same_time(first, second), row


def test_a_half_hour_zone_is_not_its_neighbour() -> None:
    kolkata = a_day("2026-12-04 10:30", zone="Asia/Kolkata")
    kathmandu = Day(kolkata.start_instant, kolkata.end_instant, "Asia/Kathmandu")
    colombo = Day(kolkata.start_instant, kolkata.end_instant, "Asia/Colombo")
    assert not same_time(kolkata, kathmandu)
    assert same_time(kolkata, colombo)


def test_a_zone_that_shows_the_same_start_but_another_end_is_another_time() -> None:
    """Berlin leaves summer time during this night, Johannesburg has none."""
    night = Day(
        datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC), "Europe/Berlin"
    )
    johannesburg = replace(night, zone="Africa/Johannesburg")
    assert not same_time(night, johannesburg)


def test_what_was_written_under_older_rules_is_no_drift_where_the_vendor_tells_wall_times() -> None:
    for row in edges("tzdb-change"):
        local = datetime.fromisoformat(row["local"])
        day = Day(local, local + HOUR, row["tz"])
        seat = a_registration(a_session(days=[day]))
        shift = instant(row["utc_old"]) - instant(row["utc_new"])
        before_the_change = an_entry(seat, starts=day.start_instant + shift, ends=day.end_instant + shift)
        now = day.start_instant - HOUR * 48
        assert plan(a_desired(seat), [before_the_change], None, a_policy(), now).changes == ()
        seen = plan(a_desired(seat), [before_the_change], a_listing(an_event(seat)), a_policy(), now)
        assert [type(change) for change in seen.changes] == [Take], row


# All-day days ---------------------------------------------------------------------------------------


def test_an_all_day_day_has_dates_and_no_zone() -> None:
    berlin = a_day("2026-12-03 00:00", all_day=True)
    assert same_time(berlin, replace(berlin, zone="America/New_York"))
    assert same_time(berlin, replace(berlin, zone="UTC"))
    assert not same_time(berlin, replace(berlin, all_day=False))
    assert not same_time(berlin, a_day("2026-12-03 00:00", "2026-12-05 00:00", all_day=True))


# Real sessions --------------------------------------------------------------------------------------


def days_of(row: Row) -> list[Day]:
    if not row["all_day"]:
        zone = row["timezone"]
        return [
            Day(
                instant(start).astimezone(ZoneInfo(zone)).replace(tzinfo=None),
                instant(end).astimezone(ZoneInfo(zone)).replace(tzinfo=None),
                zone,
            )
            for start, end in row["utc"]
        ]
    return [
        Day(
            midnight(day["date"]),
            midnight(day.get("end_date") or day["date"]) + HOUR * 24,
            row["timezone"],
            True,
        )
        for day in row["days"]
    ]


def midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), datetime.min.time())


def booked(row: Row) -> Registration:
    location = row["location"] or {}
    session = a_session(
        row["id"],
        days_of(row),
        title=row["title"],
        course=row["organisation"],
        details=row["description"] or "",
        location=", ".join(str(location[part]) for part in ("name", "address", "city") if location.get(part)),
        instructors=tuple(row["instructors"] or ()),
    )
    return a_registration(session)


@cache
def real_seats() -> list[Registration]:
    return [booked(row) for row in rows("ilt-sessions.jsonl")]


def test_the_texts_of_a_real_session_say_what_its_people_need() -> None:
    for seat in real_seats():
        session = seat.session
        content = content_of(session, Removal.UNREGISTERS)
        assert (content.title, content.location) == (session.title, session.location)
        for part in (session.details, session.url, *session.instructors):
            assert part in content.block
        assert session.course == session.title or f"Course: {session.course}" in content.block
        assert content.block.endswith("your seat is given back.")
        assert "Delete this event" not in content_of(session, Removal.PUT_BACK).block


def test_real_sessions_have_digests_of_their_own() -> None:
    seen: dict[str, Any] = {}
    for seat in real_seats():
        digest = digest_of(seat.session, a_day(), Removal.UNREGISTERS)
        content = content_of(seat.session, Removal.UNREGISTERS)
        news = (content.title, content.location, content.block.replace(seat.session.url, ""))
        assert seen.setdefault(digest.content, news) == news


def test_white_space_that_vendors_change_is_no_drift() -> None:
    for seat in real_seats():
        event, content = an_event(seat), content_of(seat.session, Removal.UNREGISTERS)
        wrapped = replace(
            event,
            title=f" {event.title}\t",
            location=event.location.replace(" ", "  "),
            block=(event.block or "").replace("\n", "\r\n") + "\r\n",
        )
        assert differences(content, seat.session.days[0], wrapped) == frozenset()
        other = replace(event, block=f"{event.block} too")
        assert differences(content, seat.session.days[0], other) == {Field.BLOCK}
        assert folded(folded(content.block)) == folded(content.block)


def test_every_day_of_every_real_session_is_created_once_and_then_left_alone() -> None:
    for seat in real_seats():
        before = min(day.start_instant for day in seat.session.days) - HOUR
        days = seat.session.days
        planned = plan(a_desired(seat), [], a_listing(), a_policy(), before)
        assert [type(change) for change in planned.changes] == [Create] * len(days)
        made = {change.key.slot: change.event.day for change in planned.changes}
        entries = [an_entry(seat, slot, day) for slot, day in made.items()]
        events = [an_event(seat, slot, day) for slot, day in made.items()]
        told = [replace(one, day=one.day if one.day.all_day else told_as_instants(one.day)) for one in events]
        for listing in (None, a_listing(*events), a_listing(*told)):
            again = plan(a_desired(seat), entries, listing, a_policy(), before)
            assert again.changes == (), seat.session.id
            assert not again.look
            assert not again.waiting


def test_the_two_occurrences_of_a_wall_time_are_two_instants_whichever_was_asked_for_first() -> None:
    """To Python they are equal, with one hash: what was reckoned for one must not answer for the other."""
    wall = datetime(2027, 10, 31, 2, 30)
    days = [Day(one, one, "Europe/Vienna") for one in (wall.replace(fold=1), wall)]
    assert [day.start_instant.hour for day in days] == [1, 0]
    assert [day.end_instant.hour for day in days] == [1, 0]
