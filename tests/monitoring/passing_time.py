"""Hours that pass in seconds, for a whole process: its clocks and those of the simulated vendors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.simulators.wire import Simulator
from tests.support.house import SetClock


class PassingTime(SetClock):
    """Begins at an instant and ticks on as the machine's clock does, and may be moved ahead besides."""

    def __init__(self, starts: datetime) -> None:
        super().__init__(starts)
        self._vendors: Sequence[Simulator] = ()
        self._offset = starts - datetime.now(UTC)
        self._moved = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset + self._moved

    def move(self, span: timedelta) -> None:
        self._moved += span
        for vendor in self._vendors:
            vendor.clock.advance(span)

    def keep(self, *vendors: Simulator) -> None:
        """The clocks of these show the same from now on."""
        self._vendors = vendors
        for vendor in vendors:
            vendor.clock.set(self())

    def sleep(self, seconds: float) -> None:
        self.move(timedelta(seconds=seconds))

    def reach(self, instant: datetime) -> None:
        """Let it become that late, if it is not already."""
        self.move(max(timedelta(0), instant - self()))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Quotas and refusals, which go by the machine's clock, go by this one."""
        monotonic = time.monotonic
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: self().timestamp())
            patch.setattr(time, "monotonic", lambda: monotonic() + self._moved.total_seconds())
            yield
