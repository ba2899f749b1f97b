"""A week of somebody's calendar, laid out: which day and hours an event takes, and what lies beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reconciler.demo.live.calendars import Shown

FIRST_HOUR, LAST_HOUR = 8, 18
ROWS_AN_HOUR = 2
WEEKDAYS = tuple(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")))
WORKING_DAYS = len(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Block:
    """An event in its day. ``row`` counts half hours from the first hour, from 1; ``lane`` of ``lanes`` is
    its place among those that overlap."""

    event: Shown
    row: int
    rows: int
    lane: int
    lanes: int


@dataclass(frozen=True, slots=True)
class WeekDay:
    """One day: what takes the whole of it, and what has its hours."""

    day: date
    whole: Sequence[Shown]
    blocks: Sequence[Block]


def week_of(monday: date, events: Iterable[Shown]) -> list[WeekDay]:
    """Monday to Friday."""
    present = [one for one in events if not one.deleted]
    days = [monday + timedelta(days=number) for number in range(WORKING_DAYS)]
    return [
        WeekDay(
            day,
            [one for one in present if one.all_day and one.starts.date() == day],
            _blocks([one for one in present if not one.all_day and one.starts.date() == day]),
        )
        for day in days
    ]


def elsewhere(monday: date, events: Iterable[Shown]) -> list[Shown]:
    """What is in no day of that week."""
    last = monday + timedelta(days=WORKING_DAYS)
    return [one for one in events if not one.deleted and not monday <= one.starts.date() < last]


def _blocks(events: Sequence[Shown]) -> list[Block]:
    blocks: list[Block] = []
    beside: list[Shown] = []
    for event in sorted(events, key=lambda one: one.starts):
        if beside and event.starts >= max(one.ends for one in beside):
            blocks += _side_by_side(beside)
            beside = []
        beside.append(event)
    return blocks + _side_by_side(beside)


def _side_by_side(events: Sequence[Shown]) -> list[Block]:
    """Events that overlap, each in the first lane that is free."""
    until: list[datetime] = []
    lanes: list[int] = []
    for event in events:
        free = next((lane for lane, end in enumerate(until) if end <= event.starts), len(until))
        until[free : free + 1] = [event.ends]
        lanes.append(free)
    return [
        Block(event, _row(event.starts), max(1, _row(event.ends) - _row(event.starts)), lane, len(until))
        for event, lane in zip(events, lanes, strict=True)
    ]


def _row(at: datetime) -> int:
    """The half hour within what is shown; what begins or ends outside of it is cut."""
    row = round((at.hour - FIRST_HOUR + at.minute / 60) * ROWS_AN_HOUR) + 1
    return min(max(row, 1), (LAST_HOUR - FIRST_HOUR) * ROWS_AN_HOUR + 1)
