"""Celery, as this house uses it: one task, whose only argument is the id of a batch.

What is to be done stands in the state database (:mod:`reconciler.ledger.handing`), so that nothing of anybody
passes through the broker, and whoever can write there can have nothing done that was not to be done anyway.
The queue bears the installation's id and the program's version: a worker of another version never gets our
work, and two installations can share a broker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import celery
from celery import signals
from kombu.exceptions import KombuError

from reconciler.errors import NotDispatched

log = logging.getLogger(__name__)

TASK = "reconciler.batch"
VISIBILITY = 3600
"""Seconds after which Redis hands out again what a worker has not acknowledged. Longer than any batch: who
needs it sooner is the scheduler, and it asks the state database."""
_REACH = 5.0  # seconds


class Broker:
    """Redis or RabbitMQ, by its URL. ``NotDispatched`` where it cannot be used."""

    def __init__(self, url: str, installation: str, version: str) -> None:
        self.app = _app(url, f"reconciler.{installation}.{version}")
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        self.address = f"{parts.scheme}://{parts.hostname}{port}{parts.path}"

    def send(self, id: str) -> None:
        """Tell the workers of a batch."""
        try:
            self.app.send_task(TASK, [id], task_id=id, retry=False)
        except self._errors() as error:
            raise self._unusable(error) from None

    def reach(self) -> None:
        """Whether it is there."""
        try:
            with self.app.connection_for_write(connect_timeout=_REACH) as connection:
                connection.ensure_connection(max_retries=1, timeout=_REACH, reraise_as_library_errors=False)
        except self._errors() as error:
            raise self._unusable(error) from None

    def work(self, do: Callable[[str], None], stop: Callable[[], None], threads: int) -> None:
        """Work until told to stop (SIGTERM); then ``stop`` is called, and what is under way ends. Reconnects
        for as long as the broker is away. To be called in the main thread."""
        self.app.task(do, name=TASK, shared=False)
        signals.setup_logging.connect(_leave_the_log_alone)

        def told_to_stop(**_: object) -> None:
            stop()

        signals.worker_shutting_down.connect(told_to_stop, weak=False)
        worker = self.app.Worker(pool="threads", concurrency=threads, quiet=True, without_gossip=True)
        worker.start()

    def close(self) -> None:
        """Close its connections."""
        self.app.close()

    def _errors(self) -> tuple[type[BaseException], ...]:
        connection = self.app.connection_for_write()
        return KombuError, OSError, *connection.connection_errors, *connection.channel_errors

    def _unusable(self, error: BaseException) -> NotDispatched:
        said = str(error).partition("\n")[0] or type(error).__name__
        return NotDispatched(
            f"The broker at {self.address} cannot be used: {said}",
            next_step="Nothing is lost: it is tried again in the next cycle. See dispatch.broker.",
        )


def _leave_the_log_alone(**_: object) -> None:
    """Celery sets up no log where somebody listens to this."""


def _app(url: str, queue: str) -> celery.Celery:
    app = celery.Celery("reconciler", broker=url, set_as_current=False)
    redis = url.startswith("redis")
    timeouts = {"socket_timeout": 30.0, "socket_connect_timeout": _REACH}
    app.conf.update(
        task_default_queue=queue,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=_REACH,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=(
            {"visibility_timeout": VISIBILITY, **timeouts} if redis else {"confirm_publish": True}
        ),
    )
    return app
