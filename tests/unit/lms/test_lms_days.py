"""Rows that say when: as days, or refused with a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from reconciler.lms.days import Refused, in_order, instant, instant_day, is_current, known_zone, wall_day
from reconciler.model import Day, Session

VIENNA = "Europe/Vienna"


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, minute)


def test_wall_times_stay_wall_times() -> None:
    assert wall_day(at(9), at(17), VIENNA, False) == Day(at(9), at(17), VIENNA)


def test_a_day_may_end_when_it_starts() -> None:
    assert wall_day(at(9), at(9), VIENNA, False).end_instant == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_texts_and_dates_are_times_too() -> None:
    assert wall_day("2026-12-01T09:00", "2026-12-01 17:00:00", VIENNA, False) == Day(at(9), at(17), VIENNA)
    assert wall_day(date(2026, 12, 1), date(2026, 12, 2), VIENNA, False) == Day(at(0), at(0, day=2), VIENNA)


def test_a_column_with_a_zone_holds_instants() -> None:
    starts = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=5)))
    day = wall_day(starts, starts + timedelta(hours=1), VIENNA, False)
    assert day == Day(datetime(2026, 12, 1, 4, tzinfo=UTC), datetime(2026, 12, 1, 5, tzinfo=UTC), VIENNA)


@pytest.mark.parametrize("ends", [at(0), at(17), at(23, 59), at(0, day=2)])
def test_an_all_day_day_ends_at_the_exclusive_midnight_however_it_is_written(ends: datetime) -> None:
    assert wall_day(at(0), ends, VIENNA, True) == Day(at(0), at(0, day=2), VIENNA, all_day=True)


def test_an_all_day_day_of_several_dates_counts_the_last_one() -> None:
    assert wall_day(at(0), at(12, day=3), VIENNA, True).ends == at(0, day=4)
    assert wall_day(at(0), at(0, day=3), VIENNA, True).ends == at(0, day=3)


@pytest.mark.parametrize(
    "zone", ["", None, "Mars/Olympus", "CEST", "Europe", "../etc/passwd", "/etc", "\x00", "x" * 300, 7]
)
def test_an_unknown_zone_is_refused_and_named(zone: object) -> None:
    with pytest.raises(Refused, match="unknown time zone"):
        wall_day(at(9), at(17), zone, False)


@pytest.mark.parametrize("zone", ["Europe/Kiev", "Asia/Kathmandu", "UTC", "America/Argentina/Buenos_Aires"])
def test_every_name_in_the_database_is_known_also_an_old_one(zone: str) -> None:
    assert known_zone(zone) == zone


def test_a_day_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(Refused, match="ends before it starts"):
        wall_day(at(17), at(9), VIENNA, False)
    with pytest.raises(Refused, match="ends before it starts"):
        wall_day(at(0, day=2), at(0), VIENNA, True)
    with pytest.raises(Refused, match="ends before it starts"):
        instant_day(1_800_000_000, 1_799_999_999, VIENNA)


def test_a_day_whose_start_lies_in_a_gap_and_whose_end_comes_before_it_is_refused() -> None:
    with pytest.raises(Refused, match="ends before it starts"):
        wall_day(datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 3, 15), VIENNA, False)


@pytest.mark.parametrize(
    "value", [None, "soon", "", 0, "0000-00-00 00:00:00", "2026-12-01T09-00", "20261201T090000"]
)
def test_a_time_that_cannot_be_read_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="missing, unreadable"):
        wall_day(value, at(9), VIENNA, False)


@pytest.mark.parametrize(("starts", "ends"), [(0, 0), (-5, 9), (1_800_000_000, 99_999_999_999_999)])
def test_absurd_instants_are_refused(starts: int, ends: int) -> None:
    with pytest.raises(Refused, match="1980 to 2199"):
        instant_day(starts, ends, VIENNA)


def test_instants_stay_instants() -> None:
    assert instant_day(1_796_000_000, 1_796_003_600, VIENNA) == Day(
        datetime(2026, 11, 30, 0, 53, 20, tzinfo=UTC), datetime(2026, 11, 30, 1, 53, 20, tzinfo=UTC), VIENNA
    )


def test_days_are_in_order_of_time_whatever_the_order_of_rows_and_doubled_rows_are_one_day() -> None:
    early, late = Day(at(9), at(10), "Asia/Tokyo"), Day(at(8), at(10), VIENNA)
    assert in_order([late, early, late]) == (early, late)


def test_a_session_is_current_while_any_day_ends_later_and_without_days() -> None:
    session = Session(
        "s", "", "", days=(Day(at(9), at(17), VIENNA), Day(at(9, day=3), at(17, day=3), VIENNA))
    )
    assert is_current(session, datetime(2026, 12, 3, 15, 59, tzinfo=UTC))
    assert not is_current(session, datetime(2026, 12, 3, 16, 0, tzinfo=UTC))
    assert is_current(Session("s", "", ""), datetime(2026, 12, 3, tzinfo=UTC))


def test_a_deadline_without_a_zone_is_utc() -> None:
    assert instant(at(9)) == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert instant("2026-12-01 10:00:00+01:00") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert instant(None) is None
