"""Rows that say when, as days; what makes no sense is refused with a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from reconciler.lms.text import line
from reconciler.model import Day, Session, zone

EARLIEST = datetime(1980, 1, 1)  # noqa: DTZ001 - a wall time
LATEST = datetime(2200, 1, 1)  # noqa: DTZ001 - a wall time
"""No training takes place before or after: such a year is a slip, or a zero that became 1970."""

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
"""Stricter than Python, which reads the slip ``09-00`` as nine o'clock in a zone of no offset."""

_FURTHEST_ZONE = timedelta(days=2)  # wall times are within 14 hours of UTC; the rest is margin


class Refused(Exception):
    """Why a session cannot be made sense of."""


def wall_day(starts: object, ends: object, zone_name: object, all_day: bool) -> Day:
    """A day stored as wall times of its zone (or, from a column with a zone, as instants).

    All-day: the dates count. ``ends`` may be the exclusive midnight or lie within the last day.
    """
    first, last = _moment(starts), _moment(ends)
    if first is None or last is None:
        raise Refused("a day's start or end is missing, unreadable, or not in the years 1980 to 2199")
    name = known_zone(zone_name)
    if all_day:
        if first.tzinfo or last.tzinfo:
            raise Refused("an all-day day has instants instead of dates")
        first, last = _whole_days(first, last)
    return _checked(Day(first, last, name, all_day))


def instant_day(starts: int, ends: int, zone_name: str) -> Day:
    """A day stored as Unix seconds, shown in this zone."""
    low, high = EARLIEST.replace(tzinfo=UTC).timestamp(), LATEST.replace(tzinfo=UTC).timestamp()
    if not (low <= starts < high and low <= ends < high):
        raise Refused("a day's start or end is missing or not in the years 1980 to 2199")
    return _checked(Day(datetime.fromtimestamp(starts, UTC), datetime.fromtimestamp(ends, UTC), zone_name))


def known_zone(name: object) -> str:
    """The name of an IANA zone that this machine knows; raises :class:`Refused` for any other."""
    text = name if isinstance(name, str) else ""
    try:
        zone(text)
    except (KeyError, ValueError, OSError):
        raise Refused(f"unknown time zone {line(text, 60) or '(none)'!r}") from None
    return text


def in_order(days: Iterable[Day]) -> tuple[Day, ...]:
    """By time, each once: the order and number of rows mean nothing."""
    return tuple(
        sorted(set(days), key=lambda day: (day.start_instant, day.end_instant, day.zone, day.all_day))
    )


def is_current(session: Session, since: datetime) -> bool:
    """Whether a day of it ends after ``since``, or nobody can say."""
    return not session.days or any(day.end_instant > since for day in session.days)


def surely_past(since: datetime) -> datetime:
    """A wall time: whatever ends before it on any clock has ended by ``since``."""
    return since.astimezone(UTC).replace(tzinfo=None) - _FURTHEST_ZONE


def instant(value: object) -> datetime | None:
    """A column that holds an instant: without a zone it is UTC. Unreadable ones are ``None``."""
    moment = _moment(value)
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _checked(day: Day) -> Day:
    if day.end_instant < day.start_instant:
        raise Refused("a day ends before it starts")
    return day


def _whole_days(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    if last < first:
        raise Refused("a day ends before it starts")
    start = datetime.combine(first.date(), time())
    end = datetime.combine(last.date(), time())
    return start, end if last == end > start else end + timedelta(days=1)


def _moment(value: object) -> datetime | None:
    """What drivers give for a time: datetime, date, or text (SQLite; MariaDB for an impossible one)."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value
    return datetime.combine(value, time()) if isinstance(value, date) else None
