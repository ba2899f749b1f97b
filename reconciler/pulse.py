"""Whether the work gets on: of each kind of cycle, when it last showed a sign of life; and the word to stop.

A sign is the beginning or end of a cycle and each step in it (a person, a change, some thousand rows of the
LMS); nothing else is, so that a loop that hangs, in a lock or in a call that never returns, is seen to hang
whatever else still runs. A step is also where a cycle lets itself be stopped: what lies before it is settled,
and the next start finds its way from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from reconciler.errors import Stopped

PATIENCE = 600.0
"""Seconds without a sign that are never too many: one slow reading of the LMS, or one person's turn at a
vendor that answers late, may take minutes."""
INTERVALS = 3
"""So many intervals without a sign are too many for a cycle that is not under way, if that is longer."""


class Pulse:
    """The signs of life of one process, in seconds of a clock that never jumps. For several threads.

    Observed are the cycles that were announced with :meth:`expect`; others may beat, and are not missed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> None:
        self._clock = clock
        self.patience = patience
        self._every: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def expect(self, cycle: str, every: float) -> None:
        """A cycle is begun every so many seconds, from now on."""
        with self._lock:
            self._every[cycle] = every
            self._last.setdefault(cycle, self._clock())

    def begin(self, cycle: str) -> None:
        """This cycle begins."""
        with self._lock:
            self._under_way.add(cycle)
            self._last[cycle] = self._clock()

    def end(self, cycle: str) -> None:
        """This cycle has ended, however it ended."""
        with self._lock:
            self._under_way.discard(cycle)
            self._last[cycle] = self._clock()

    def beat(self, cycle: str) -> None:
        """This cycle has come to its next step. Raises ``Stopped`` where none is to be begun any more."""
        with self._lock:
            self._last[cycle] = self._clock()
        if self._stop.is_set():
            raise Stopped("told to stop")

    def since(self) -> Mapping[str, float]:
        """Seconds since the last sign of each cycle that is expected."""
        with self._lock:
            return {cycle: self._clock() - self._last[cycle] for cycle in self._every}

    def idle(self, cycle: str) -> float:
        """Seconds since the last sign of one cycle that is expected."""
        return self.since()[cycle]

    def stuck(self) -> Mapping[str, float]:
        """The cycles that do not get on, and the seconds since each one's last sign; none, if all is well."""
        return {cycle: seconds for cycle, seconds in self.since().items() if seconds > self._allowed(cycle)}

    def _allowed(self, cycle: str) -> float:
        if cycle in self._under_way:
            return self.patience
        return max(self.patience, INTERVALS * self._every[cycle])

    # Stopping -------------------------------------------------------------------------------------

    def stop(self) -> None:
        """From now on each cycle ends at its next step."""
        self._stop.set()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until told to stop; then raises ``Stopped``."""
        if self._stop.wait(seconds):
            raise Stopped("told to stop")
