"""The daemon: APScheduler only ticks, signals only set flags, and the loop does the work.

A tick that comes while the last cycle of its kind still runs is coalesced into it; a tick that comes late
is run once, not made up for. When the wall clock jumps, the ticks are armed anew from where it landed.

The watchdog of the service manager is fed as long as every cycle moves, or begins in time, and by nothing
else: a process that answers while its loop stands still is no use to anybody.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.errors import ConfigurationError
from reconciler.notify import Notifier
from reconciler.ports import Run
from reconciler.pulse import Pulse

log = logging.getLogger(__name__)

CLOCK_JUMP = timedelta(seconds=30)
"""How far the wall clock may run apart from the monotonic one before the ticks are armed anew."""
_WATCH = 1.0  # seconds between looks at the flags
_STATUS = 10.0  # seconds between two lines of status at least


@dataclass(frozen=True)
class Tick:
    """A cycle and how often it is begun. ``first`` is the delay of its first run."""

    name: str
    every: timedelta
    run: Callable[[], object]
    first: timedelta = timedelta(0)


@dataclass(frozen=True)
class Schedule:
    """What a daemon does: its cycles, by how much of their interval each is varied, and what it says of the
    state of affairs (called after each cycle)."""

    ticks: Mapping[str, Tick]
    jitter: float = 0.1
    headline: Callable[[], str] = str


@dataclass(frozen=True)
class Surroundings:
    """What a daemon lives in. ``offset`` is the wall clock minus the monotonic one, in seconds, looked at
    every ``watch`` seconds; ``pulse`` is beaten by the cycles."""

    pulse: Pulse = field(default_factory=Pulse)
    notifier: Notifier = field(default_factory=Notifier)
    offset: Callable[[], float] = lambda: time.time() - time.monotonic()
    watch: float = _WATCH


class Daemon:
    """Keeps a schedule until told to stop. ``reload`` gives another one, or raises
    ``ConfigurationError`` with what is wrong with it; then the old one stays in force."""

    def __init__(
        self,
        schedule: Schedule,
        reload: Callable[[], Schedule] | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._schedule = schedule
        self._reload = reload
        self._around = around or Surroundings()
        self._wake = threading.Event()
        self._stop = False
        self._hang_up = False
        self._headline = ""
        self._last_push: tuple[float, str] | None = None
        self._said = 0.0
        self._frozen = ""
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(schedule.ticks)))},
            # Never drop a late tick, never run the missed ones one by one, never two of a kind at once.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def run(self) -> None:
        """Tick until :meth:`stop`. Blocks. In the main thread SIGTERM and SIGINT stop it, a second one ends
        the process at once, and SIGHUP reloads."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_stop_signal)
            signal.signal(signal.SIGHUP, self._on_hang_up)
        # A cycle that takes longer than its interval is normal at first; its ticks coalesce.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        offset = self._around.offset()
        if watchdog := self._around.notifier.watchdog_seconds:
            self._around.pulse.patience = watchdog / 2
        self._arm()
        self._scheduler.start()
        log.info("running: %s", self._described())
        self._around.notifier.ready("running; no push has ended yet")
        while not self._stop:
            self._wake.wait(self._around.watch)
            self._wake.clear()
            offset = self._heed_clock(offset)
            if self._hang_up:
                self._hang_up = False
                self.reload()
            self._say_how_it_is()
        self._drain()

    def stop(self) -> None:
        """Begin to stop; :meth:`run` returns once every cycle under way has come to its next step."""
        self._stop = True
        self._around.pulse.stop()
        self._wake.set()

    def reload(self) -> None:
        """Take up another schedule, if there is one that can be used. Cycles under way go on undisturbed."""
        if self._reload is None:
            return
        self._around.notifier.reloading()
        try:
            before, self._schedule = self._schedule, self._reload()
        except ConfigurationError as refused:
            for problem in refused.problems:
                log.error("not reloaded, what was in force stays so: %s", problem)
            self._around.notifier.ready(f"NOT reloaded: {refused.problems[0]}")
            self._said = time.monotonic()
            return
        self._arm_what_changed(before)
        log.info("reloaded: %s", self._described())
        self._around.notifier.ready("reloaded")

    # Signals --------------------------------------------------------------------------------------

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop:  # a second one: whoever sends it does not want to wait, and every instant is safe
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.stop()

    def _on_hang_up(self, number: int, frame: FrameType | None) -> None:
        self._hang_up = True
        self._wake.set()

    def _drain(self) -> None:
        log.info("stopping: waiting for what is under way")
        self._around.notifier.stopping()
        self._scheduler.shutdown(wait=True)
        log.info("stopped")

    # Ticking --------------------------------------------------------------------------------------

    def _described(self) -> str:
        return ", ".join(f"{tick.name} every {tick.every}" for tick in self._schedule.ticks.values())

    def _heed_clock(self, offset: float) -> float:
        jump = self._around.offset() - offset
        if abs(jump) > CLOCK_JUMP.total_seconds():
            log.warning("the clock jumped by %.0f s; cycles are timed anew", jump)
            self._arm()
            return offset + jump
        return offset

    def _arm(self) -> None:
        for tick in self._schedule.ticks.values():
            self._around.pulse.expect(tick.name, tick.every.total_seconds())
            self._time(tick, datetime.now(UTC) + tick.first)

    def _arm_what_changed(self, before: Schedule) -> None:
        """Cycles whose interval is another: they begin when they would have, or earlier where the new
        interval says so."""
        for name, tick in self._schedule.ticks.items():
            self._around.pulse.expect(name, tick.every.total_seconds())
            job, old = self._scheduler.get_job(name), before.ticks.get(name)
            if job is None or old is None:
                self._time(tick, datetime.now(UTC) + tick.first)
            elif (old.every, before.jitter) != (tick.every, self._schedule.jitter):
                self._time(tick, min(job.next_run_time, datetime.now(UTC) + tick.every))

    def _time(self, tick: Tick, first: datetime) -> None:
        seconds = tick.every.total_seconds()
        self._scheduler.add_job(
            self._cycle,
            IntervalTrigger(seconds=seconds, jitter=seconds * self._schedule.jitter, timezone=UTC),
            args=(tick.name,),
            id=tick.name,
            next_run_time=first,
            replace_existing=True,
        )

    def _cycle(self, name: str) -> None:
        """One cycle, by the schedule that is in force when it begins."""
        schedule = self._schedule
        ended = schedule.ticks[name].run()
        if name == "push" and isinstance(ended, Run):
            self._last_push = time.monotonic(), ended.result
        self._headline = schedule.headline()

    # What is said ---------------------------------------------------------------------------------

    def _say_how_it_is(self) -> None:
        """Feed the watchdog where the cycles move, and say in one line how it stands, now and then."""
        if self._is_moving():
            self._around.notifier.alive()
        now = time.monotonic()
        if now - self._said >= _STATUS:
            self._said = now
            self._around.notifier.status(self._line(now))

    def _is_moving(self) -> bool:
        stuck = self._around.pulse.stuck()
        if stuck and not self._frozen:
            log.error(
                "no sign of life of %s: the watchdog is not fed; the service manager, where there is one, "
                "starts the program anew",
                ", ".join(f"{cycle} for {seconds:.0f} s" for cycle, seconds in stuck.items()),
            )
        self._frozen = " and ".join(stuck)
        return not stuck

    def _line(self, now: float) -> str:
        if self._frozen:
            return f"{self._frozen} stands still"
        if self._last_push is None:
            return "running; no push has ended yet"
        ended, result = self._last_push
        failed = " FAILED" if result == "error" else ""
        return f"last push{failed} {now - ended:.0f} s ago" + (
            f", {self._headline}" if self._headline else ""
        )
