"""A worker as a service: does what a scheduler hands out, and shows what operators look at."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask

from reconciler import ops
from reconciler.bootstrap import PROGRAM, House
from reconciler.commands import house_of
from reconciler.dispatch.worker import Worker
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.notify import Notifier
from reconciler.ops.health import Check
from reconciler.settings import Listen

log = logging.getLogger(__name__)


def work(config: Path, listen: Listen | None) -> None:
    """Work until told to stop. Errors of :func:`~reconciler.bootstrap.open_house`, and ``ConfigurationError``
    where the settings speak of no workers, or it cannot listen."""
    with house_of(config) as opened:
        broker, threads = opened.lasting.broker, opened.settings.dispatch.threads
        if broker is None:
            raise ConfigurationError(
                [f"{config}: dispatch.kind: is local, so the daemon does the work itself: set it to celery"]
            )
        house = opened.join()
        worker = Worker(house.loop, house.ledger, house.end_dead_leases)
        notifier = Notifier()

        def stop() -> None:
            log.info("stopping: what is under way ends at its next step")
            notifier.stopping()
            worker.stop()
            house.lasting.pulse.stop()

        with ops.listening(_answers(house, worker), listen or house.settings.ops.listen):
            log.info("working: %d people at the same time, from %s", threads, broker.address)
            notifier.ready("working")
            broker.work(worker.do, stop, threads)
        worker.close()
        log.info("stopped")


def _answers(house: House, worker: Worker) -> Flask:
    """What the worker's listener tells."""

    def alive() -> list[Check]:
        stuck = worker.stuck()
        return [Check("batches", not stuck, f"no sign of life: {', '.join(stuck)}" if stuck else "get on")]

    def ready() -> list[Check]:
        try:
            leader, stranger = house.ledger.leader(), house.stranger
        except ReconcilerError as problem:
            return [Check("state database", False, str(problem))]
        same = leader is None or leader.version == PROGRAM
        other = f"the scheduler is {leader.version if leader else '?'}, this is {PROGRAM}: it gets no work"
        return [
            Check("state database", True, "readable"),
            Check("installation", not stranger, stranger or "as known"),
            Check("version", same, PROGRAM if same else other),
            *ops.broker_of(house),
        ]

    return ops.worker_app(house.metrics, alive, ready)
