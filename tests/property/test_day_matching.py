"""What is true of every pairing of days and slots, and of every digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.match import Slot, match
from reconciler.model import Day
from tests.support.builders import NOW

STARTS = st.integers(-3, 6).map(lambda number: datetime(2026, 11, 22, 8) + timedelta(days=number))


@st.composite
def some_days(draw: st.DrawFn) -> list[Day]:
    """Up to five days, some at the same time."""
    starts = draw(st.lists(STARTS, max_size=5))
    return [Day(start, start + timedelta(hours=draw(st.integers(0, 2))), "Europe/Berlin") for start in starts]


@st.composite
def days_apart(draw: st.DrawFn) -> list[Day]:
    """One to five days, no two of which start together."""
    starts = draw(st.lists(STARTS, min_size=1, max_size=5, unique=True))
    return [Day(start, start + timedelta(hours=2), "Europe/Berlin") for start in starts]


@st.composite
def some_slots(draw: st.DrawFn) -> list[Slot]:
    """Up to five slots, open and gone, recorded and only seen."""
    numbers = draw(st.lists(st.integers(0, 7), unique=True, max_size=5))
    slots = []
    for number in numbers:
        start = draw(STARTS).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
        end = start + timedelta(hours=draw(st.integers(0, 2)))
        slots.append(Slot(number, start, end, draw(st.booleans()), draw(st.booleans())))
    return slots


def written(matched: dict[int, Day], slots: Sequence[Slot]) -> list[Slot]:
    """The slots once the days have been written to them, and what has no day any more is gone."""
    numbers = {slot.number: slot for slot in slots}
    left = [replace(slot, open=False) for number, slot in numbers.items() if number not in matched]
    return left + [
        Slot(number, day.start_instant, day.end_instant, open=True) for number, day in matched.items()
    ]


@given(some_days(), some_slots())
def test_every_day_gets_a_slot_of_its_own(days: list[Day], slots: list[Slot]) -> None:
    matched = match(days, slots, NOW)
    assert sorted(map(repr, matched.values())) == sorted(map(repr, days))


@given(some_days(), some_slots())
def test_a_new_slot_is_the_smallest_number_never_used(days: list[Day], slots: list[Slot]) -> None:
    used = {slot.number for slot in slots}
    new = sorted(match(days, slots, NOW).keys() - used)
    assert new == sorted(set(range(len(used) + len(days))) - used)[: len(new)]


@given(some_days(), some_slots())
def test_a_slot_whose_event_is_gone_comes_back_at_its_own_start_only(
    days: list[Day], slots: list[Slot]
) -> None:
    matched = match(days, slots, NOW)
    for slot in slots:
        if not slot.open and slot.number in matched:
            assert matched[slot.number].start_instant == slot.starts


@given(some_days(), some_slots())
def test_no_slot_that_is_open_is_passed_over_for_a_new_one(days: list[Day], slots: list[Slot]) -> None:
    matched = match(days, slots, NOW)
    if matched.keys() - {slot.number for slot in slots}:
        assert all(slot.number in matched for slot in slots if slot.open)


@given(some_days(), some_slots())
def test_days_once_written_keep_their_slots(days: list[Day], slots: list[Slot]) -> None:
    matched = match(days, slots, NOW)
    assert match(days, written(matched, slots), NOW) == matched


@given(some_days(), some_slots(), st.randoms(use_true_random=False))
def test_the_order_of_days_and_slots_changes_nothing(
    days: list[Day], slots: list[Slot], chance: object
) -> None:
    matched = match(days, slots, NOW)
    chance.shuffle(days)
    chance.shuffle(slots)
    assert match(days, slots, NOW) == matched


@given(days_apart(), some_slots(), st.data())
def test_dropping_one_day_moves_no_other(days: list[Day], slots: list[Slot], data: st.DataObject) -> None:
    before = match(days, slots, NOW)
    dropped = data.draw(st.sampled_from(sorted(before)))
    kept = [day for number, day in before.items() if number != dropped]
    after = match(kept, written(before, slots), NOW)
    assert after == {number: day for number, day in before.items() if number != dropped}


@given(days_apart(), some_slots(), st.data())
def test_moving_one_day_moves_no_other(days: list[Day], slots: list[Slot], data: st.DataObject) -> None:
    before = match(days, slots, NOW)
    moved = data.draw(st.sampled_from(sorted(before)))
    later = timedelta(days=30)
    day = replace(before[moved], starts=before[moved].starts + later, ends=before[moved].ends + later)
    after = {**before, moved: day}
    assert match(list(after.values()), written(before, slots), NOW) == after
