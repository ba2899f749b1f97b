"""Pairs the days of one session with the slots that one person already has in it.

A slot is the smallest number never used for this person in this session. Days are matched to slots by
start time first, then by order; never by a row id of the LMS, which may re-create its rows at any save.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from reconciler.model import Day


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot in use: when its event took place as last written or seen. ``open`` is false once it is gone."""

    number: int
    starts: datetime
    ends: datetime
    open: bool


def match(days: Sequence[Day], slots: Sequence[Slot], now: datetime) -> dict[int, Day]:
    """The slot of each day. Slots without a day are left out; days without a slot get a new one."""
    ordered = sorted(days, key=lambda day: (day.start_instant, day.end_instant))
    matched, days_left, slots_left = _by_start(ordered, slots)
    # Slots still to come first: a day that was moved is rather one of those than one long past.
    candidates = sorted(
        (slot for slot in slots_left if slot.open),
        key=lambda slot: (slot.ends <= now, slot.starts, slot.number),
    )
    matched.update(
        (slot.number, day) for slot, day in zip(_in_order(candidates, days_left), days_left, strict=False)
    )
    unused = (number for number in count() if all(number != slot.number for slot in slots))
    for day in days_left[len(candidates) :]:
        matched[next(unused)] = day
    return matched


def _by_start(days: Sequence[Day], slots: Sequence[Slot]) -> tuple[dict[int, Day], list[Day], list[Slot]]:
    """Pairs that share a start, open slots before gone ones; then what is left of both."""
    matched: dict[int, Day] = {}
    free = sorted(slots, key=lambda slot: (not slot.open, slot.number))
    days_left = []
    for day in days:
        start = day.start_instant
        slot = next((slot for slot in free if slot.starts == start), None)
        if slot is None:
            days_left.append(day)
        else:
            matched[slot.number] = day
            free.remove(slot)
    return matched, days_left, free


def _in_order(candidates: Sequence[Slot], days: Sequence[Day]) -> list[Slot]:
    """As many candidates as there are days, in the order of time, so that order keeps its meaning."""
    return sorted(candidates[: len(days)], key=lambda slot: (slot.starts, slot.number))
