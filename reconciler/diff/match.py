"""Pairs the days of one session with the slots that one person already has in it.

A slot is the smallest number never used for this person in this session. Days are matched to slots by
start time first, then by order; never by a row id of the LMS, which may re-create its rows at any save.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from reconciler.model import Day


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot in use: when its event took place as last written or seen.

    ``open`` is false once its event is gone or being removed: only the very same time brings it back.
    ``recorded`` is false where the calendar shows an event of which the ledger knows nothing.
    """

    number: int
    starts: datetime
    ends: datetime
    open: bool
    recorded: bool = True


def match(days: Sequence[Day], slots: Sequence[Slot], now: datetime) -> dict[int, Day]:
    """The slot of each day. Slots without a day are left out; days without a slot get a new one."""
    matched: dict[int, Day] = {}
    days_left = sorted(days, key=lambda day: (day.start_instant, day.end_instant))
    slots_left = sorted(slots, key=lambda slot: (not slot.recorded, slot.number))
    for is_open in (True, False):
        for same in (_same_hours, _same_start):
            days_left = _pair(days_left, slots_left, is_open, same, matched)
    # Slots still to come first: a day that was moved is rather one of those than one long past.
    candidates = sorted(
        (slot for slot in slots_left if slot.open),
        key=lambda slot: (not slot.recorded, slot.ends <= now, slot.starts, slot.number),
    )
    matched.update(
        (slot.number, day) for slot, day in zip(_in_order(candidates, days_left), days_left, strict=False)
    )
    unused = (number for number in count() if all(number != slot.number for slot in slots))
    for day in days_left[len(candidates) :]:
        matched[next(unused)] = day
    return matched


def _same_hours(day: Day, slot: Slot) -> bool:
    return (day.start_instant, day.end_instant) == (slot.starts, slot.ends)


def _same_start(day: Day, slot: Slot) -> bool:
    return day.start_instant == slot.starts


def _pair(
    days: Sequence[Day],
    slots: list[Slot],
    is_open: bool,
    same: Callable[[Day, Slot], bool],
    matched: dict[int, Day],
) -> list[Day]:
    """Match what is the same, take those slots out of ``slots``, and return the days that are left."""
    days_left = []
    for day in days:
        slot = next((slot for slot in slots if slot.open is is_open and same(day, slot)), None)
        if slot is None:
            days_left.append(day)
        else:
            matched[slot.number] = day
            slots.remove(slot)
    return days_left


def _in_order(candidates: Sequence[Slot], days: Sequence[Day]) -> list[Slot]:
    """As many candidates as there are days, in the order of time, so that order keeps its meaning."""
    return sorted(candidates[: len(days)], key=lambda slot: (slot.starts, slot.number))
