"""How long the LMS is waited for while seats are given back: one that hangs costs a cycle one time-out, and
the seats about which it does answer have their turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.model import LedgerEntry, State
from reconciler.ports import Registrar, RegistrarAnswer, RegistrarOutcome, Unregistration
from reconciler.world import Weather

PROOF_SECONDS = 60
"""From the start of a proof to the last instant at which the LMS may be written, by the LMS's clock."""
PATIENCE = 10.0
"""Seconds without a usable answer about one seat after which no other of the cycle waits for one."""
LONGEST_BACK_OFF = timedelta(minutes=15)
NO_ANSWER = "what became of the seat in the LMS is not known"


@dataclass(frozen=True)
class Patience:
    """The LMS's own way of giving seats back, asked as long as it answers. ``weather`` is the cycle's."""

    registrar: Registrar
    weather: Weather

    @property
    def over(self) -> bool:
        """Whether it is not to be asked any more in this cycle."""
        return self.weather.lms_silent

    def deadline(self) -> datetime | None:
        """That of a proof that begins now; ``None``, and nothing can be proven, once patience is over."""
        return None if self.over else self.registrar.now() + timedelta(seconds=PROOF_SECONDS)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """See :class:`~reconciler.ports.Registrar`."""
        return self._asked(lambda: self.registrar.unregister(request))

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """See :class:`~reconciler.ports.Registrar`."""
        return self._asked(lambda: self.registrar.resolve(request))

    def _asked(self, ask: Callable[[], RegistrarAnswer]) -> RegistrarAnswer:
        begun, usable = time.monotonic(), False
        try:
            answer = ask()
            usable = answer.outcome is not RegistrarOutcome.UNKNOWN
            return answer
        finally:
            if not usable and time.monotonic() - begun > PATIENCE:
                self.weather.lms_silent = True


def unresolved(entries: Sequence[LedgerEntry], now: datetime) -> dict[str, list[LedgerEntry]]:
    """The rows whose un-registration has no end yet, by session, but for those that are asked about later."""
    rows: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        if entry.state is State.UNREGISTERING and (entry.retry_at is None or entry.retry_at <= now):
            rows.setdefault(entry.key.session, []).append(entry)
    return rows


def asked_later(rows: Sequence[LedgerEntry], now: datetime) -> list[LedgerEntry]:
    """The rows of a seat that is asked about now: without an answer, each time again later."""
    attempts = max(row.attempts for row in rows) + 1
    retry_at = now + min(timedelta(minutes=2 ** min(attempts, 10)), LONGEST_BACK_OFF)
    return [replace(row, attempts=attempts, retry_at=retry_at, last_error=NO_ANSWER) for row in rows]


def answered(rows: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The same, once there was one."""
    return [replace(row, attempts=0, retry_at=None, last_error=None) for row in rows]
