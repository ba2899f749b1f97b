"""What a vendor's quota leaves for everything that is no change of the LMS.

A quota is spent in this order: changes, then looks at what is near, then looks at what is far, then rewrites
that are no news. Looks are paced evenly over the day, so that they never come in bursts and no hour of the
day is special. Instants are UTC, rates are calls a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from reconciler.pace import Allowance

FULL = 0.9
"""The used share of a quota from which on nobody is looked at: what is left is for changes."""
_BASELINES = 0.25
_REWRITES, _IDLE = 0.1, 0.5
_SAVED_UP = timedelta(minutes=5)

Used = Callable[[], Mapping[tuple[str, str], float]]
"""The used share of each quota, by (provider, window)."""


def _nothing_used() -> Mapping[tuple[str, str], float]:
    return {}


class Budget:
    """What each vendor's quota leaves for everything that is no change of the LMS. For one process, which may
    ask from several threads; a vendor without an allowance sets no limit."""

    def __init__(self, allowances: Mapping[str, Allowance] | None = None, used: Used = _nothing_used) -> None:
        self.allowances = dict(allowances or {})
        self._used = used
        self._saved: dict[str, tuple[datetime, float]] = {}
        self._lock = threading.Lock()

    def looks(self, provider: str, now: datetime, most: int) -> int:
        """How many calendars may be looked at now; those that are go to :meth:`looked`. What was not needed
        is saved up for a few minutes, no longer: a daemon that was stopped must not catch up in a burst."""
        allowance = self.allowances.get(provider)
        if allowance is None:
            return most
        with self._lock:
            since, saved = self._saved.get(provider, (now - timedelta(minutes=1), 0.0))
            saved += max(0.0, (now - since).total_seconds()) * allowance.looks_a_second
            saved = min(saved, _SAVED_UP.total_seconds() * allowance.looks_a_second)
            self._saved[provider] = (now, saved)
        return max(0, min(most, int(saved), self._room(provider, allowance)))

    def looked(self, provider: str, count: int) -> None:
        """So many calendars are being looked at."""
        with self._lock:
            if provider in self._saved:
                since, saved = self._saved[provider]
                self._saved[provider] = (since, saved - count)

    def _room(self, provider: str, allowance: Allowance) -> int:
        """What changes have left of the quota at present."""
        used = self._used()
        room = allowance.per_minute * (FULL - used.get((provider, "minute"), 0.0))
        if allowance.per_day is not None:
            # Over a tenth of an hour: what leaves the day's window comes back as slowly.
            room = min(room, allowance.per_day * (FULL - used.get((provider, "day"), 0.0)) / 10)
        return int(room)

    def baselines(self, provider: str, most: int) -> int:
        """How many calendars may get a new baseline in one push: an account of tens of thousands that was
        switched on again must not stand in the way of everybody's changes."""
        allowance = self.allowances.get(provider)
        return most if allowance is None else min(most, max(1, int(_BASELINES * allowance.per_minute)))

    def rewrites(self, provider: str, most: int) -> int:
        """For how many people what is no news may be rewritten in one push: only where quota is left over."""
        allowance = self.allowances.get(provider)
        if allowance is None:
            return most
        used = self._used()
        if max(used.get((provider, window), 0.0) for window in ("minute", "day")) > _IDLE:
            return 0
        return min(most, max(1, int(_REWRITES * allowance.per_minute)))
