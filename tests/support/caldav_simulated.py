"""The simulated CalDAV server in the place of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from reconciler.simulators.caldav import CalDavSimulator
from reconciler.simulators.caldav_store import Oddities
from tests.support.caldav_servers import USER, CalDavServer


class Simulated(CalDavServer):
    """See the module."""

    simulator: CalDavSimulator

    def new_calendar(self) -> str:
        return self.simulator.store.add_calendar(USER, f"calendar-{next(self.numbers)}")


@contextmanager
def simulated(oddities: Oddities) -> Iterator[Simulated]:
    """A server with these oddities, by the real clock."""
    simulator = CalDavSimulator(oddities, lambda: datetime.now(UTC))
    with simulator.serve() as origin:
        server = Simulated("simulated", origin, f"/{USER}/")
        server.simulator = simulator
        yield server
