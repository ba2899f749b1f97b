"""The one retry layer: around each call, in the client of each vendor, once for all threads."""

from __future__ import annotations

import time

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from reconciler.errors import Throttled, VendorUnavailable
from reconciler.providers.throttle import SHORT, Sleep

Errors = tuple[type[Exception], ...]


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
        self.read = _retrying((VendorUnavailable, *reads_pass), attempts, sleep)
        self.write = _retrying(writes_pass, attempts, sleep)


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
