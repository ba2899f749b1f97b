"""The work handed to workers elsewhere: written down in the state database, told through the broker.

The database says what came of it. A batch that was lost, by a broker that was emptied or a worker that was
killed, is handed out again as soon as nobody shows life over it; one that comes twice is done once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

from reconciler.dispatch.local import LocalDispatcher
from reconciler.dispatch.messages import dumped, reports_of, work_of
from reconciler.errors import NotDispatched, StateUnreadable
from reconciler.ledger.handing import Batch
from reconciler.ledger.store import SqlLedger
from reconciler.logs import current_cycle
from reconciler.ports import Due, Made
from reconciler.turn import TurnReport
from reconciler.works import Hearing, Reconciling

log = logging.getLogger(__name__)

QUEUED = 16
"""Batches that wait for a worker at most: a window, not a queue, so that no cycle stands in another's way."""
SILENCE = 15.0
"""Seconds without a sign of life after which a batch is handed out again."""
NOBODY = 120.0
"""Seconds without a sign of life of any batch after which the cycle ends."""
ABANDONED = 6 * 3600.0
"""Seconds after which nobody waits for a batch any more: its scheduler was killed."""
_TAKES = 3
_POLL = 0.1


class Sender(Protocol):
    """Tells the workers of a batch; raises ``NotDispatched``."""

    def send(self, id: str) -> None: ...


class RemoteDispatcher:
    """Workers elsewhere do the turns and the hearings; all else is done by threads here."""

    def __init__(self, ledger: SqlLedger, broker: Sender, here: LocalDispatcher) -> None:
        self._ledger, self._broker, self._here = ledger, broker, here

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        """As :class:`~reconciler.ports.Dispatcher` says. ``NotDispatched`` where the broker cannot be used
        or nobody works; what had been handed out is done or dropped."""
        if isinstance(work, Reconciling | Hearing):
            self._ledger.drop_old_batches(ABANDONED)
            away = _Away(self._ledger, self._broker, work, done)
            try:
                away.all(batches)
            finally:
                away.drop()
        else:
            self._here.run(batches, work, done)


class _Away:
    """The batches of one cycle."""

    def __init__(
        self,
        ledger: SqlLedger,
        broker: Sender,
        work: Reconciling | Hearing,
        done: Callable[[Any], None],
    ) -> None:
        self._ledger, self._broker, self._work, self._done = ledger, broker, work, done
        self._run = uuid4().hex
        self._open: dict[str, Sequence[Due]] = {}
        self._queued = 0
        self._sign = time.monotonic()

    def all(self, batches: Iterator[Sequence[Due]]) -> None:
        """Hand them out, and wait for what comes of them."""
        left = iter(batches)
        while self._hand_out(left) or self._open:
            self._work.world.pulse.sleep(_POLL)
            if self._look():
                self._sign = time.monotonic()
                self._work.world.gets_on()
            elif self._open and time.monotonic() - self._sign > NOBODY:
                raise NotDispatched(
                    f"No worker has shown life for {NOBODY:.0f} s",
                    next_step="Start workers of this very version: reconciler worker. Nothing is lost: "
                    "whoever is due now is due in the next cycle.",
                )

    def drop(self) -> None:
        """Nobody waits for the rest any more."""
        with suppress(StateUnreadable):  # dropped as old, once a cycle has begun after some hours
            self._ledger.drop_batches(self._open)

    def _hand_out(self, left: Iterator[Sequence[Due]]) -> bool:
        """As many as there is room for; whether there may be more."""
        while self._queued < QUEUED:
            batch = next(left, None)
            if batch is None:
                return False
            id = uuid4().hex
            work = work_of(self._work, batch, self._run, current_cycle())
            self._ledger.put_batch(id, self._run, dumped(work))
            self._open[id] = batch
            self._broker.send(id)
            self._queued += 1
        return True

    def _look(self) -> bool:
        """See how they stand; whether anybody shows life."""
        rows, alive = self._ledger.batches(self._run), False
        for row in rows:
            if row.result is not None:
                self._settle(row.id, reports_of(row.result))
                alive = True
            elif row.silent > SILENCE:
                self._again(row)
            else:
                alive = alive or row.at_work
        self._queued = sum(not row.at_work for row in rows)
        return alive

    def _settle(self, id: str, reports: list[TurnReport]) -> None:
        self._ledger.drop_batches([id])
        del self._open[id]
        self._done(reports)

    def _again(self, row: Batch) -> None:
        """Nobody is at it: the message was lost, or its worker died."""
        if row.takes < _TAKES:
            self._ledger.resend(row.id)
            self._broker.send(row.id)
            return
        people = [due.person for due in self._open[row.id]]
        log.error(
            "given up in this cycle: %d workers began a batch of %d people (%s, ...) and none ended it; "
            "they are due again in the next one",
            row.takes,
            len(people),
            people[0],
        )
        self._settle(row.id, [TurnReport(person, None, "failed") for person in people])
