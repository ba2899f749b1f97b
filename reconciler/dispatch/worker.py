"""A worker's side: takes a batch, does it with a house of its own, writes down what came of it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from reconciler.dispatch.messages import Work, dumped_error, dumped_reports, loaded
from reconciler.dispatch.remote import SILENCE
from reconciler.errors import CycleError, StateUnreadable, Stopped
from reconciler.ledger.store import SqlLedger
from reconciler.logs import within
from reconciler.loop import Loop
from reconciler.pulse import Pulse
from reconciler.turn import TurnReport
from reconciler.works import Hearing, Reconciling
from reconciler.world import Order, Weather

log = logging.getLogger(__name__)

_SIGN = SILENCE / 5
_RUNS = 16  # cycles whose weather is remembered


@dataclass(frozen=True)
class _UnderWay:
    """A batch that is being done; its pulse tells whether it gets on."""

    work: Work
    pulse: Pulse


class Worker:
    """Does batches, several at once. ``owner`` names this process; ``end_dead_leases`` frees the people of
    processes of this machine that died."""

    def __init__(self, loop: Loop, ledger: SqlLedger, end_dead_leases: Callable[[], None]) -> None:
        self._loop, self._ledger, self._end_dead_leases = loop, ledger, end_dead_leases
        self._owner = loop.world.owner
        self._under_way: dict[str, _UnderWay] = {}
        self._weather: OrderedDict[str, Weather] = OrderedDict()
        self._lock = threading.Lock()
        self._stop, self._closed = threading.Event(), threading.Event()
        self._signs = threading.Thread(target=self._show_life, name="signs", daemon=True)
        self._signs.start()

    def do(self, id: str) -> None:
        """One batch: nothing if it is done already, dropped, or another one is at it. Where our database
        cannot be used it is handed out again."""
        try:
            taken = None if self._stop.is_set() else self._ledger.take_batch(id, self._owner, SILENCE)
            if taken is not None:
                work = loaded(taken.work)
                with within(work.log):
                    self._done(id, work, taken.again)
        except StateUnreadable as problem:
            log.error("a batch was left for later: %s", problem)

    def stop(self) -> None:
        """Each batch under way ends at its next step, and is handed out again."""
        self._stop.set()
        with self._lock:
            for one in self._under_way.values():
                one.pulse.stop()

    def close(self) -> None:
        """Nothing is under way any more."""
        self._closed.set()
        self._signs.join()

    def stuck(self) -> list[str]:
        """The cycles of the batches that do not get on."""
        with self._lock:
            return [one.work.cycle for one in self._under_way.values() if one.pulse.stuck()]

    def _done(self, id: str, work: Work, again: bool) -> None:
        if again:
            self._end_dead_leases()
        pulse = Pulse()
        pulse.begin(work.cycle)
        pulse.expect(work.cycle, 0.0)
        with self._lock:
            self._under_way[id] = _UnderWay(work, pulse)
            if self._stop.is_set():
                pulse.stop()
        try:
            result = dumped_reports(self._reports(id, work, pulse))
        except Stopped:
            self._ledger.put_back_batch(id, self._owner)
            return
        except CycleError as problem:
            result = dumped_error(problem)
        finally:
            with self._lock:
                del self._under_way[id]
        self._ledger.end_batch(id, self._owner, result)

    def _reports(self, id: str, work: Work, pulse: Pulse) -> list[TurnReport]:
        # A lease owner of its own for each batch: two of one process keep off each other's people.
        world = replace(self._loop.world.at_work(work.cycle), pulse=pulse)
        world = replace(world, owner=f"{self._owner}/{id}")
        switches = self._loop.switches_known()
        order = Order(work.now, work.lms_since, work.audit, switches, work.held, self._weather_of(work.run))
        confirming = self._loop.confirming
        if work.cycle != "confirm":
            return Reconciling(world, order)(work.batch)
        if confirming is None:
            raise CycleError("The worker's settings know no way to give a seat back, the scheduler's do")
        return Hearing(world, order, confirming.court(work.now, work.fleet_held))(work.batch)

    def _weather_of(self, run: str) -> Weather:
        """Which vendors answer, as far as this process has seen in that cycle."""
        with self._lock:
            weather = self._weather.setdefault(run, Weather())
            while len(self._weather) > _RUNS:
                self._weather.popitem(last=False)
            return weather

    def _show_life(self) -> None:
        while not self._closed.wait(_SIGN):
            with self._lock:
                alive = [id for id, one in self._under_way.items() if not one.pulse.stuck()]
            if alive:
                with suppress(StateUnreadable):
                    self._ledger.still_at(alive, self._owner)
