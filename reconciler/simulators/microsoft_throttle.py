"""Graph's limits per application and mailbox: requests at once, and requests in a sliding window.

Source: https://learn.microsoft.com/graph/throttling-limits (Outlook service limits).
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.simulators.microsoft_errors import GraphProblem
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.wire import SimClock

Lane = tuple[str, str]  # application id and mailbox


class Throttle:
    """Lets a request in, or refuses it with 429. ``refused`` counts by reason."""

    def __init__(self, clock: SimClock, switches: MicrosoftSwitches) -> None:
        self.refused: Counter[str] = Counter()
        self.most_at_once = 0
        self._clock = clock
        self._switches = switches
        self._inside: Counter[Lane] = Counter()
        self._times: dict[Lane, deque[float]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, lane: Lane) -> Iterator[None]:
        """A place for the duration of one request; GraphProblem 429 if there is none."""
        with self._lock:
            self._check_window(lane)
            if self._inside[lane] >= self._switches.concurrent_requests:
                self.refused["concurrency"] += 1
                raise _refusal("MailboxConcurrency", self._switches.concurrency_retry_after)
            self._inside[lane] += 1
            self.most_at_once = max(self.most_at_once, self._inside[lane])
        try:
            yield
        finally:
            with self._lock:
                self._inside[lane] -= 1
                if not self._inside[lane]:
                    del self._inside[lane]

    def _check_window(self, lane: Lane) -> None:
        now = self._clock.now().timestamp()
        times = self._times.setdefault(lane, deque())
        while times and times[0] <= now - self._switches.window_seconds:
            times.popleft()
        full = len(times) >= self._switches.window_requests
        if not full or self._switches.refused_requests_count:
            times.append(now)
        if full:
            self.refused["rate"] += 1
            turn = times[len(times) - self._switches.window_requests]
            raise _refusal("RequestRate", math.ceil(turn + self._switches.window_seconds - now))


def _refusal(limit: str, retry_after: int) -> GraphProblem:
    message = f"Application is over its {limit} limit."
    return GraphProblem(429, "ApplicationThrottled", message, {"Retry-After": str(max(1, retry_after))})
