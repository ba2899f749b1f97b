"""Once a day: grants that idle are used, people who are gone are forgotten, what was kept long enough goes.

Nothing here concerns a calendar's events: those of a person who is gone are removed by their own turn, as
any that are no longer wanted. Only when none is left to come, and the LMS has not known the person for a
week, is the connection ended; many gone at once look like an LMS that lost its people, and are held.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from reconciler.errors import (
    CalendarTrouble,
    CycleError,
    ReauthorizationNeeded,
    ReconcilerError,
    Throttled,
)
from reconciler.labels import Guard, Purged
from reconciler.model import Connection, ConnectionState
from reconciler.ports import Dispatcher, Due, Hold, Keeping
from reconciler.tally import Tally
from reconciler.world import EVERYBODY, Weather, World

log = logging.getLogger(__name__)

IDLE = timedelta(days=30)
"""A grant that nobody has used for so long is used: Google's die after six months, Microsoft's after 90
days."""
MOST_REFRESHES = 5_000
GONE = timedelta(days=7)
"""How long the LMS must not have known a person."""
BATCH = 50
"""People per unit of work."""


@dataclass(frozen=True)
class Upkeep:
    """What one day's upkeep goes by. ``fingerprint`` makes the keyed hash that is left of a person; more than
    ``most_gone`` people, and more than ``share_gone`` of all, are not forgotten before an operator says so.
    """

    fingerprint: Callable[[str], str]
    keeping: Keeping = field(default_factory=Keeping)
    most_gone: int = 5
    share_gone: float = 0.05

    def run(
        self, world: World, dispatcher: Dispatcher, lms_since: datetime, now: datetime, tally: Tally
    ) -> None:
        """All of it. Raises ``CycleError`` where the LMS or our database cannot be used; what was done by
        then stays done."""
        self._purge(world, now, tally)
        _use_idle_grants(world, dispatcher, now, tally)
        self._forget_gone(world, lms_since, now, tally)

    def _purge(self, world: World, now: datetime, tally: Tally) -> None:
        for what, count in world.ledger.purge(self.keeping, now).items():
            world.metrics.purged(what, count)
            tally.counts["purged"] += count

    # People who are gone --------------------------------------------------------------------------

    def _forget_gone(self, world: World, lms_since: datetime, now: datetime, tally: Tally) -> None:
        gone = {one.person: one for one in _unknown_to_lms(world, lms_since, now)}
        since = world.ledger.gone(gone.keys(), now)
        tally.counts["gone"] += len(gone)
        long_gone = [gone[person] for person, begun in since.items() if now - begun >= GONE]
        if self._held(world, len(gone), now):
            tally.held += len(gone)
            return
        for connection in long_gone:
            world.gets_on()
            self._forget(world, connection, now)
            tally.counts["forgotten"] += 1
            world.metrics.purged(Purged.PEOPLE, 1)

    def _forget(self, world: World, connection: Connection, now: datetime) -> None:
        with suppress(ReconcilerError):  # disconnected meanwhile
            if world.farewell is not None:
                world.farewell.end(connection, "reconciler", "", "gone from the LMS", tell=False)
            else:
                world.ledger.disconnect(connection.person, "reconciler", "", now, only=connection)
        world.ledger.forget(connection.person, self.fingerprint(connection.person), "reconciler", "", now)

    def _held(self, world: World, gone: int, now: datetime) -> bool:
        ledger = world.ledger
        guard = Guard.VANISHED_PEOPLE
        hold = next((one for one in ledger.holds() if one.guard == guard), None)
        everybody = sum(
            count for (_, state), count in ledger.connection_counts().items() if state != "disconnected"
        )
        if gone <= max(self.most_gone, self.share_gone * everybody):
            ledger.end_hold(guard, EVERYBODY, "no more than usual are gone", now)
            return False
        if hold is None:
            why = f"{gone} of {everybody} connected people are gone from the LMS at once"
            ledger.hold(Hold(guard, EVERYBODY, why, now, gone))
            world.metrics.guard_triggered(guard)
        return hold is None or not hold.released


def _unknown_to_lms(world: World, lms_since: datetime, now: datetime) -> Iterator[Connection]:
    """Connections of people who have nothing to come, and whom the LMS does not know."""
    connections = iter(world.ledger.unoccupied(now))
    while some := list(islice(connections, BATCH)):
        desired = world.lms.read([one.person for one in some], lms_since)
        yield from (one for one in some if desired[one.person].person is None)


# Grants that idle ---------------------------------------------------------------------------------


def _use_idle_grants(world: World, dispatcher: Dispatcher, now: datetime, tally: Tally) -> None:
    idle = {one.person: one for one in world.ledger.idle(now - IDLE, MOST_REFRESHES)}
    people, weather = iter([Due(person) for person in idle]), Weather()

    def use(batch: Sequence[Due]) -> Counter[str]:
        outcomes = Counter[str]()
        for due in batch:
            world.gets_on()
            outcomes[_use_grant(world, idle[due.person], weather, now)] += 1
        return outcomes

    dispatcher.run(iter(lambda: list(islice(people, BATCH)), []), use, tally.count_all)


def _use_grant(world: World, connection: Connection, weather: Weather, now: datetime) -> str:
    provider = connection.provider
    if weather.down(connection.service) or provider not in world.providers:
        return "skipped"
    try:
        world.providers[provider].keep_alive(connection)
    except CycleError:
        raise
    except ReauthorizationNeeded as problem:
        world.ledger.set_connection_state(connection, ConnectionState.REAUTHORIZE, problem.what, now)
        return "parked"
    except CalendarTrouble:
        weather.failure(connection.service)
        return "failed"
    except Throttled:
        return "throttled"
    except Exception:
        log.exception("unforeseen, contained: the grant of connection %d", connection.id)
        return "exception"
    weather.success(connection.service)
    world.ledger.refreshed(connection, now)
    return "refreshed"
