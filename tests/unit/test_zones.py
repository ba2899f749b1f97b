"""When a zone's clocks change, found in whatever tz database is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.zones import clock_changes

HOUR = timedelta(hours=1)


def changes(zone: str, since: datetime, until: datetime) -> list[tuple[str, float, float]]:
    return [
        (f"{one.instant:%m-%d %H:%M:%S}", one.before / HOUR, one.after / HOUR)
        for one in clock_changes(zone, since, until)
    ]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Vienna", [("03-31 01:00:00", 1, 2), ("10-27 01:00:00", 2, 1)]),
        ("Australia/Lord_Howe", [("04-06 15:00:00", 11, 10.5), ("10-05 15:30:00", 10.5, 11)]),
        ("Asia/Kolkata", []),
    ],
)
def test_the_changes_of_a_year_are_found_to_the_second(
    zone: str, expected: list[tuple[str, float, float]]
) -> None:
    year = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    assert changes(zone, *year) == expected


def test_a_change_belongs_to_the_span_that_it_ends() -> None:
    change = datetime(2024, 3, 31, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert changes("Europe/Vienna", change - second, change) != []
    assert changes("Europe/Vienna", change, change + HOUR) == []
