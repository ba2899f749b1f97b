"""How often calendars are looked at, by worth: how near the next session is. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

NEAR, FORTNIGHT = timedelta(hours=48), timedelta(days=14)
"""How far ahead a next session may be to be looked at most often, and often."""
LAPSING = timedelta(days=5)
"""Overdue for so long, a calendar is looked at before its baseline lapses after seven days."""
_DAY = timedelta(days=1)


class Ahead(StrEnum):
    """How far ahead somebody's next session is."""

    SOON = "soon"
    FORTNIGHT = "fortnight"
    LATER = "later"


def ahead_of(next_start: datetime, now: datetime) -> Ahead:
    """How far ahead it is; a session under way is as near as can be."""
    if next_start - now <= NEAR:
        return Ahead.SOON
    return Ahead.FORTNIGHT if next_start - now <= FORTNIGHT else Ahead.LATER


@dataclass(frozen=True, slots=True)
class AuditIntervals:
    """How often a calendar is looked at, by how near its next session is. ``jitter`` is a share."""

    soon: timedelta = timedelta(minutes=15)
    fortnight: timedelta = timedelta(hours=4)
    later: timedelta = timedelta(hours=24)
    jitter: float = 0.1

    def every(self, ahead: Ahead) -> timedelta:
        """The time between two looks."""
        return {Ahead.SOON: self.soon, Ahead.FORTNIGHT: self.fortnight, Ahead.LATER: self.later}[ahead]

    def next_look(self, next_start: datetime, now: datetime, draw: float) -> datetime:
        """When to look next: spread by ``draw``, from 0 to 1, so that not all are looked at together; and no
        later than soon after the session has come so near that looks are due more often."""
        every = self.every(ahead_of(next_start, now))
        look = now + every * (1 - self.jitter * (1 - draw))  # the interval is a promise: never longer
        for reach, interval in ((FORTNIGHT, self.fortnight), (NEAR, self.soon)):
            border = next_start - reach
            if now < border < look:
                return min(look, border + interval * draw)
        return look


LOOKS = 0.59
"""The share of a quota that looks may use."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor allows by its quota: calls a minute and, where there is such a thing, a day."""

    per_minute: int
    per_day: int | None = None

    @property
    def looks_a_second(self) -> float:
        """The pace of looks: a share of the day's calls, evenly; the rest is for changes."""
        return LOOKS * (self.per_day / _DAY.total_seconds() if self.per_day else self.per_minute / 60)
