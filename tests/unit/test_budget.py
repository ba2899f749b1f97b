"""What a quota is spent on: changes first, near before far, evenly, and never in bursts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.budget import Budget
from reconciler.due import BATCH, MOST_TURNS, Candidate, Kind, Picked, batches
from reconciler.pace import NEAR, Ahead, Allowance, AuditIntervals, ahead_of
from reconciler.ports import Due

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GOOGLE = Allowance(10_000, 1_000_000)
AUDITS = AuditIntervals()


def budget(minute: float = 0.0, day: float = 0.0) -> Budget:
    used = {("google", "minute"): minute, ("google", "day"): day}
    return Budget({"google": GOOGLE}, lambda: used)


def candidates(kind: Kind, count: int, first: timedelta = DAY, name: str = "p") -> Iterator[Candidate]:
    """The farthest come first."""
    for number in reversed(range(count)):
        due = Due(f"{name}{number}", "digest", NOW + first + number * MINUTE)
        yield Candidate(due, "google", kind)


@pytest.mark.parametrize(
    ("until", "ahead", "every"),
    [
        (-HOUR, Ahead.SOON, 15 * MINUTE),
        (2 * DAY, Ahead.SOON, 15 * MINUTE),
        (14 * DAY, Ahead.FORTNIGHT, 4 * HOUR),
        (15 * DAY, Ahead.LATER, DAY),
    ],
)
def test_the_nearer_the_session_the_more_often_it_is_looked_at(
    until: timedelta, ahead: Ahead, every: timedelta
) -> None:
    assert ahead_of(NOW + until, NOW) is ahead
    looks = [AUDITS.next_look(NOW + until, NOW, draw) - NOW for draw in (0.0, 0.5, 1.0)]
    assert all(0.9 * every <= look <= 1.1 * every for look in looks)
    assert looks[0] < looks[1] < looks[2]


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_whoever_comes_near_between_two_looks_is_looked_at_soon_after(draw: float) -> None:
    start = NOW + NEAR + HOUR
    assert NOW + HOUR <= AUDITS.next_look(start, NOW, draw) <= NOW + HOUR + AUDITS.soon


def test_a_day_of_looks_stays_within_its_share_and_no_minute_is_a_burst() -> None:
    pace, looks = budget(), []
    for minute in range(24 * 60):
        room = pace.looks("google", NOW + minute * MINUTE, 5_000)
        pace.looked("google", room)
        looks.append(room)
    assert 580_000 < sum(looks) <= 600_000
    assert max(looks) < 1.1 * sum(looks) / len(looks)


def test_a_daemon_that_was_stopped_for_a_day_does_not_catch_up_in_a_burst() -> None:
    pace = budget()
    pace.looks("google", NOW, 5_000)
    assert pace.looks("google", NOW + DAY, 5_000) <= 5 * 410


def test_at_one_instant_nothing_is_granted_twice() -> None:
    pace = budget()
    first = pace.looks("google", NOW, 5_000)
    pace.looked("google", first)
    assert first > 0
    assert pace.looks("google", NOW, 5_000) == 0


@pytest.mark.parametrize(("minute", "day"), [(0.9, 0.0), (0.0, 0.9), (1.0, 1.0)])
def test_where_changes_need_the_quota_nobody_is_looked_at(minute: float, day: float) -> None:
    assert budget(minute, day).looks("google", NOW, 5_000) == 0


def test_a_vendor_without_a_quota_sets_no_limit() -> None:
    pace = Budget()
    assert pace.looks("memory", NOW, 7) == pace.baselines("memory", 7) == pace.rewrites("memory", 7) == 7


def test_near_sessions_go_before_far_ones_and_what_is_no_news_last() -> None:
    far, near = Due("far", "d", NOW + 30 * DAY), Due("near", "d", NOW + DAY)
    none, rewrite = Due("none", "d"), Due("rewrite", "d", NOW + HOUR)
    given = [(rewrite, Kind.REWRITE), (none, Kind.NEWS), (far, Kind.NEWS), (near, Kind.BASELINE)]
    picked = Picked(budget())
    assert picked.take(Candidate(due, "google", kind) for due, kind in given) == [near, far, none, rewrite]
    assert picked.put_off == 0


def test_an_account_of_50_000_that_is_switched_on_again_leaves_room_for_everybody_s_changes() -> None:
    changes = list(candidates(Kind.NEWS, 100, 60 * DAY, "changed"))
    picked = Picked(budget())
    found = picked.take([*candidates(Kind.BASELINE, 50_000), *changes])
    assert len(found) == 2_500 + 100
    assert {due.person for due in found} >= {one.due.person for one in changes}
    assert [due.person for due in found[:3]] == ["p0", "p1", "p2"]
    assert picked.put_off == 50_000 - 2_500


def test_of_a_first_fill_no_more_is_in_memory_than_needed_and_the_nearest_go_first() -> None:
    picked = Picked(budget())
    found = picked.take(candidates(Kind.NEWS, 3 * MOST_TURNS))
    assert [due.person for due in found] == [f"p{number}" for number in range(MOST_TURNS)]
    assert picked.put_off == 2 * MOST_TURNS


def test_rewrites_use_only_quota_that_is_left_over() -> None:
    assert len(Picked(budget()).take(candidates(Kind.REWRITE, 5_000))) == 1_000
    assert Picked(budget(minute=0.6)).take(candidates(Kind.REWRITE, 5_000)) == []
    assert Picked(budget(day=0.6)).take(candidates(Kind.REWRITE, 5_000)) == []


@pytest.mark.parametrize("count", [0, 1, 4, 50, 500, 12_345])
def test_batches_hold_everybody_once_in_order_and_end_small(count: int) -> None:
    people = [Due(str(number)) for number in range(count)]
    made = list(batches(people))
    assert [due for batch in made for due in batch] == people
    assert all(len(batch) <= BATCH for batch in made)
    assert [len(batch) for batch in made[:-1]] == sorted((len(batch) for batch in made[:-1]), reverse=True)
    assert not made or len(made[-1]) <= 4
