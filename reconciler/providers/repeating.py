"""The one retry layer: around each call, in the client of each vendor, once for all threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from reconciler.errors import ReconcilerError, Throttled, VendorUnavailable
from reconciler.providers.throttle import SHORT, Sleep

Errors = tuple[type[Exception], ...]
P = ParamSpec("P")
R = TypeVar("R")


class Repeating:
    """How often a vendor's calls are sent: ``repeating.read(call, *arguments)``, ``repeating.write(...)``.

    Again after a refusal that asks for a short wait, which had no effect (the throttle does the waiting); a
    read also after no usable answer. ``reads_pass`` and ``writes_pass`` are further errors that may pass by
    themselves. The last error is raised as it is. A call makes no other through the same: tenacity keeps what
    it knows of a call by thread.
    """

    def __init__(
        self,
        *,
        attempts: int = 3,
        sleep: Sleep = time.sleep,
        reads_pass: Errors = (),
        writes_pass: Errors = (),
    ) -> None:
        self._reading = _retrying((VendorUnavailable, *reads_pass), attempts, sleep)
        self._writing = _retrying(writes_pass, attempts, sleep)

    def read(self, call: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
        """What this call answers, which has no effect."""
        return _sent(self._reading, partial(call, *given, **named))

    def write(self, call: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
        """What this call answers, which may have had its effect although no answer has come."""
        return _sent(self._writing, partial(call, *given, **named))


def _sent(again: Retrying, call: Callable[[], R]) -> R:
    """Nearly every call succeeds at once, and spares itself tenacity: a fifteenth of a request's CPU."""
    try:
        return call()
    except ReconcilerError as problem:
        failed = iter([problem])

    def attempt() -> R:
        for first in failed:
            raise first
        return call()

    return again(attempt)


def _retrying(passing: Errors, attempts: int, sleep: Sleep) -> Retrying:
    back_off = wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5)

    def worth_it(error: BaseException) -> bool:
        if isinstance(error, Throttled):
            return error.retry_after <= SHORT
        return isinstance(error, passing)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return 0.0 if isinstance(error, Throttled) else back_off(state)

    return Retrying(
        retry=retry_if_exception(worth_it),
        wait=wait,
        stop=stop_after_attempt(attempts),
        sleep=sleep,
        reraise=True,
    )
