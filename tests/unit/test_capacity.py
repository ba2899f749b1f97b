"""How far the quotas reach, as it is reckoned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.capacity import Reach, reach_of
from reconciler.pace import LAPSING, Ahead, Allowance, AuditIntervals

INTERVALS = AuditIntervals(jitter=0)
GOOGLE = Allowance(10_000, 1_000_000)


def reach(allowance: Allowance | None = GOOGLE, **people: int) -> Reach:
    counts = {Ahead(name): count for name, count in people.items()}
    return reach_of(counts, INTERVALS, allowance)


def test_each_calendar_is_looked_at_as_often_as_its_interval_says() -> None:
    found = reach(soon=10, fortnight=100, later=1000)
    assert found.wanted == found.looks == 10 * 96 + 100 * 6 + 1000
    assert not found.short
    assert found.of_day == pytest.approx(2560 / 1_000_000)
    assert found.of_minute == pytest.approx(2560 / 1440 / 10_000)


def test_a_deletion_is_noticed_at_any_time_between_two_looks() -> None:
    noticed = reach(soon=1).noticed
    assert noticed[Ahead.SOON].median == timedelta(minutes=7.5)
    assert noticed[Ahead.SOON].p95 == timedelta(minutes=14.25)
    assert noticed[Ahead.LATER].p95 == timedelta(hours=22.8)


def test_intervals_are_shortened_by_half_their_jitter_on_average() -> None:
    found = reach_of({Ahead.LATER: 1000}, AuditIntervals(jitter=0.5), GOOGLE)
    assert found.wanted == 1333


def test_where_the_quota_is_short_near_sessions_keep_their_intervals_and_far_ones_wait() -> None:
    found = reach(soon=5_000, later=440_000)
    assert found.short
    assert (found.wanted, found.looks) == (920_000, 590_000)
    assert found.noticed[Ahead.SOON].p95 == timedelta(minutes=14.25)
    assert found.noticed[Ahead.LATER].median == timedelta(hours=12) * 4
    assert found.noticed[Ahead.FORTNIGHT].median == timedelta(hours=2) * 4


def test_where_near_sessions_alone_are_too_many_far_ones_wait_no_longer_than_their_baseline() -> None:
    found = reach(soon=12_500, later=10)
    assert found.noticed[Ahead.SOON].median.total_seconds() == pytest.approx(450 * 1_200_000 / 590_000)
    assert found.noticed[Ahead.LATER].p95 == (timedelta(days=1) + LAPSING) * 0.95


def test_a_vendor_without_a_quota_sets_no_limit() -> None:
    found = reach(None, soon=100_000)
    assert (found.short, found.of_day, found.of_minute) == (False, None, None)


def test_a_vendor_without_a_quota_a_day_is_paced_by_its_minute() -> None:
    found = reach(Allowance(1_000), later=1_000_000)
    assert found.looks == round(0.59 * 1_000 * 1440)
    assert found.of_day is None
    assert found.of_minute == pytest.approx(0.59)
