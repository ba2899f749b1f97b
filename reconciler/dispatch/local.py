"""The work done here, by a bounded pool of threads: many people at once, one calendar never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context

from reconciler.ports import Due, Made


class LocalDispatcher:
    """Threads of this process. ``threads`` calls to vendors are under way at most."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reconcile")

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        """Do ``work`` on each batch and return when all are done; what escapes one is raised at the end
        of those already begun, and no further batch is begun. ``done`` is told in the threads that work."""

        def whole(batch: Sequence[Due]) -> None:
            done(work(batch))

        under_way: set[Future[None]] = set()
        try:
            for batch in batches:
                # What these threads log belongs to the cycle they work for.
                under_way.add(self._pool.submit(copy_context().run, whole, batch))
                # A window, not a queue: the batches may be a stream of a million people.
                if len(under_way) >= 2 * self._threads:
                    under_way = _settle(under_way)
        finally:
            ended, _ = wait(under_way)
        for future in ended:
            future.result()

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        self._pool.shutdown(wait=True)


def _settle(under_way: set[Future[None]]) -> set[Future[None]]:
    done, left = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return left
