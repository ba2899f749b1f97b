"""Google's per-minute quotas, counted in units over a sliding minute.

Source: Calendar API guide "Manage quotas" (since 2026-05-01: 600 a minute, project and user; 10,000
a minute and project).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.simulators.google_errors import GoogleError, standard

_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True)
class QuotaLimits:
    """Units a minute."""

    user: int = 600
    project: int = 10_000


class _Window:
    """What was spent in the last minute: moments and units."""

    def __init__(self) -> None:
        self._spent: deque[tuple[datetime, int]] = deque()
        self._total = 0

    def room(self, now: datetime, units: int, limit: int) -> bool:
        while self._spent and self._spent[0][0] <= now - _WINDOW:
            self._total -= self._spent.popleft()[1]
        return self._total + units <= limit

    def spend(self, now: datetime, units: int) -> None:
        self._spent.append((now, units))
        self._total += units


class Quota:
    """What the project and each user have spent in the last minute; ``refused`` counts refusals."""

    def __init__(self, limits: QuotaLimits | None) -> None:
        self.limits = limits
        self.refused = 0
        self.spent_units = 0
        self._project = _Window()
        self._users: dict[str, _Window] = {}

    def charge(self, user: str, units: int, now: datetime) -> None:
        """Count a request; raises GoogleError (403 ``usageLimits``) when there is no room for it."""
        if self.limits is not None:
            window = self._users.setdefault(user, _Window())
            if not window.room(now, units, self.limits.user):
                raise self._refusal("userRateLimitExceeded")
            if not self._project.room(now, units, self.limits.project):
                raise self._refusal("rateLimitExceeded")
            window.spend(now, units)
            self._project.spend(now, units)
        self.spent_units += units

    def _refusal(self, reason: str) -> GoogleError:
        self.refused += 1
        return standard(403, reason)
