"""The daemon: APScheduler only ticks, signals only set flags, and the loop does the work.

A tick that comes while the last cycle of its kind still runs is coalesced into it; a tick that comes late
is run once, not made up for. When the wall clock jumps, the ticks are armed anew from where it landed.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

CLOCK_JUMP = timedelta(seconds=30)
"""How far the wall clock may run apart from the monotonic one before the ticks are armed anew."""
_WATCH = 1.0  # seconds between looks at the flags


@dataclass(frozen=True)
class Tick:
    """A cycle and how often it is begun. ``first`` is the delay of its first run."""

    name: str
    every: timedelta
    run: Callable[[], object]
    first: timedelta = timedelta(0)


class Daemon:
    """Runs the ticks until told to stop; what is under way is finished first.

    ``offset`` is the wall clock minus the monotonic one, in seconds, looked at every ``watch`` seconds.
    """

    def __init__(
        self,
        ticks: Mapping[str, Tick],
        jitter: float = 0.1,
        offset: Callable[[], float] | None = None,
        watch: float = _WATCH,
    ) -> None:
        self._ticks = dict(ticks)
        self._jitter = jitter
        self._offset = offset or _offset
        self._watch = watch
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(self._ticks)))},
            # Never drop a late tick, never run the missed ones one by one, never two of a kind at once.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def run(self) -> None:
        """Tick until :meth:`stop`. Blocks. SIGTERM and SIGINT stop it when called in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
        # A cycle that takes longer than its interval is normal at first; its ticks coalesce.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        offset = self._offset()
        self._arm()
        self._scheduler.start()
        log.info("running: %s", ", ".join(f"{tick.name} every {tick.every}" for tick in self._ticks.values()))
        while not self._stop.wait(self._watch):
            jump = self._offset() - offset
            if abs(jump) > CLOCK_JUMP.total_seconds():
                log.warning("the clock jumped by %.0f s; cycles are timed anew", jump)
                offset += jump
                self._arm()
        log.info("stopping: waiting for what is under way")
        self._scheduler.shutdown(wait=True)
        log.info("stopped")

    def stop(self) -> None:
        """Begin to stop; :meth:`run` returns once what is under way is finished."""
        self._stop.set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _arm(self) -> None:
        now = datetime.now(UTC)
        for tick in self._ticks.values():
            seconds = tick.every.total_seconds()
            self._scheduler.add_job(
                tick.run,
                IntervalTrigger(seconds=seconds, jitter=seconds * self._jitter, timezone=UTC),
                id=tick.name,
                next_run_time=now + tick.first,
                replace_existing=True,
            )


def _offset() -> float:
    """Wall clock minus monotonic clock: constant until the wall clock is set."""
    return time.time() - time.monotonic()
