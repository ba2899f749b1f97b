"""Days of real sessions, and days around every gap and fold of the real time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from reconciler.model import Day
from tests.support.real_data import rows


@cache
def real_sessions() -> list[dict[str, Any]]:
    """487 real instructor-led sessions."""
    return rows("ilt-sessions.jsonl")


def days_of(session: dict[str, Any]) -> list[Day]:
    """A real session's days as wall times of its zone, without those whose source wrote no real time."""
    readable = [day for day in session["days"] if day["start"] is None or ":" in day["start"]]
    return [_day(day, session["timezone"]) for day in readable]


def _day(day: dict[str, Any], zone: str) -> Day:
    date = datetime.fromisoformat(day["date"])
    last = datetime.fromisoformat(day.get("end_date") or day["date"])
    if day["start"] is None:
        return Day(date, last + timedelta(days=1), zone, all_day=True)
    return Day(_at(date, day["start"]), _at(last, day["end"]), zone)


def _at(date: datetime, clock: str) -> datetime:
    hour, minute = (int(part) for part in clock.split(":"))
    return date.replace(hour=hour, minute=minute)


@cache
def edges(*kinds: str) -> list[dict[str, Any]]:
    """Gaps, folds, tzdb changes and oddities of time zones."""
    return [row for row in rows("tz-edges.jsonl") if row["kind"] in kinds]


def around(edge: dict[str, Any]) -> list[Day]:
    """Days that begin or end every quarter of an hour through a gap or fold: as wall times, as instants."""
    zone, quarter = edge["tz"], timedelta(minutes=15)
    first = datetime.fromisoformat(edge["local_from"]) - 4 * quarter
    walls = [first + step * quarter for step in range(17)]
    moment = datetime.fromisoformat(edge["transition_utc"]).astimezone(UTC) - 8 * quarter
    instants = [moment + step * quarter for step in range(17)]
    days = [Day(start, start + timedelta(days=1), zone) for start in walls + instants]
    days += [Day(end - timedelta(days=1), end, zone) for end in walls + instants]
    return days
