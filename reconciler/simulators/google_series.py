"""Events that repeat: the part of RFC 5545's RRULE that owners of calendars use most.

Daily and weekly with INTERVAL, COUNT and UNTIL; anything else is refused rather than misread. A
series without an end is followed for 730 occurrences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.simulators.google_errors import invalid
from reconciler.simulators.google_store import Calendar, StoredEvent
from reconciler.simulators.google_times import Moment

_STEP = {"DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_MOST = 730


@dataclass(frozen=True)
class Rule:
    """Every ``step``, at most ``count`` times, not after ``until`` (UTC)."""

    step: timedelta
    count: int
    until: datetime | None


@dataclass(frozen=True)
class Occurrence:
    """One time of a series, or the only time of an event that does not repeat."""

    event: StoredEvent
    place: int
    start: Moment
    end: Moment
    single: bool

    @property
    def id(self) -> str:
        """The event's id, with the original start in UTC for one time of a series."""
        if self.single:
            return self.event.id
        if self.start.instant is None:
            return f"{self.event.id}_{self.start.day:%Y%m%d}"
        return f"{self.event.id}_{self.start.instant:%Y%m%dT%H%M%SZ}"

    def over(self, answer: dict[str, Any], zone: str) -> dict[str, Any]:
        """The answer for the whole series, made into that for this one time of it."""
        if self.single or "start" not in answer:
            return answer
        mine = {
            "id": self.id,
            "start": self.start.rendered(zone),
            "end": self.end.rendered(zone),
            "recurringEventId": self.event.id,
            "originalStartTime": self.start.rendered(zone),
        }
        return {name: value for name, value in (answer | mine).items() if name != "recurrence"}


def rule_of(rules: object) -> Rule:
    """The rule in an event's ``recurrence``; 400 for one that is not understood."""
    if not isinstance(rules, list) or len(rules) != 1 or not str(rules[0]).startswith("RRULE:"):
        raise invalid("Invalid recurrence rule.")
    try:
        parts = dict(part.split("=", 1) for part in str(rules[0]).removeprefix("RRULE:").split(";"))
        step = _STEP[parts.pop("FREQ")] * int(parts.pop("INTERVAL", "1"))
        count, until = int(parts.pop("COUNT", _MOST)), parts.pop("UNTIL", None)
        end = datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None
    except (KeyError, ValueError):
        raise invalid("Invalid recurrence rule.") from None
    if parts.keys() - {"WKST"} or not step:
        raise invalid("Invalid recurrence rule.")
    return Rule(step, min(count, _MOST), end)


def occurrences(event: StoredEvent, calendar: Calendar) -> Iterator[Occurrence]:
    """All times of an event, in order."""
    rules = event.fields.get("recurrence")
    if not rules:
        yield Occurrence(event, 0, event.start, event.end, single=True)
        return
    rule = rule_of(rules)
    for place in range(rule.count):
        start = event.start.shifted(rule.step * place, calendar.zone)
        if rule.until is not None and start.at(calendar.zone) > rule.until:
            return
        yield Occurrence(
            event, place, start, event.end.shifted(rule.step * place, calendar.zone), single=False
        )
