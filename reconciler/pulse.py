"""Whether the work gets on: of each kind of cycle, when it last showed a sign of life.

A sign is the beginning or end of a cycle and the end of one person's turn in it; nothing else is, so that
a loop that hangs, in a lock or in a call that never returns, is seen to hang whatever else still runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

PATIENCE = 600.0
"""Seconds without a sign that are never too many: one slow reading of the LMS, or one person's turn at a
vendor that answers late, may take minutes."""
INTERVALS = 3
"""So many intervals without a sign are too many, if that is longer."""


class Pulse:
    """The signs of life of one process, in seconds of a clock that never jumps. For several threads.

    Observed are the cycles that were announced with :meth:`expect`; others may beat, and are not missed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._patience: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def expect(self, cycle: str, every: float) -> None:
        """A cycle is begun every so many seconds, from now on."""
        with self._lock:
            self._patience[cycle] = max(PATIENCE, INTERVALS * every)
            self._last.setdefault(cycle, self._clock())

    def beat(self, cycle: str) -> None:
        """This cycle gets on."""
        with self._lock:
            self._last[cycle] = self._clock()

    def since(self) -> Mapping[str, float]:
        """Seconds since the last sign of each cycle that is expected."""
        with self._lock:
            return {cycle: self._clock() - self._last[cycle] for cycle in self._patience}

    def idle(self, cycle: str) -> float:
        """Seconds since the last sign of one cycle that is expected."""
        return self.since()[cycle]

    def stuck(self) -> Mapping[str, float]:
        """The cycles that do not get on, and the seconds since each one's last sign; none, if all is well."""
        waited = self.since()
        return {cycle: seconds for cycle, seconds in waited.items() if seconds > self._patience[cycle]}
