"""Some people under one lease, and what is known of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from reconciler.model import Connection, Desired, LedgerEntry, PersonState
from reconciler.ports import Lease
from reconciler.world import Order, World

LEASE_SECONDS = 90.0


class Sitting:
    """A batch of people at work, one after the other; on leaving, their lease is given up.

    Before the lease could run out under a slow vendor it is taken anew, and with it everything is read anew:
    what was read under the old one may be history by now. ``lease`` leaves out whom somebody else has.
    """

    lease: Lease
    desired: Mapping[str, Desired]
    entries: Mapping[str, Sequence[LedgerEntry]]
    states: Mapping[str, PersonState]
    connections: Mapping[str, Connection]

    def __init__(self, world: World, order: Order, people: Sequence[str]) -> None:
        self._world, self._order, self._people = world, order, people

    def __enter__(self) -> Sitting:
        self.lease = self._world.ledger.lease(self._people, self._world.owner, LEASE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._world.ledger.give_up(self.lease)

    def people(self) -> Iterator[str]:
        """Those whom nobody else has, in their order. Raises what ends a cycle."""
        mine = [person for person in self._people if person in self.lease]
        self._read(mine)
        fresh = time.monotonic()
        for place, person in enumerate(mine):
            self._world.gets_on()
            if time.monotonic() - fresh > LEASE_SECONDS / 3:
                self._renew(mine[place:])
                fresh = time.monotonic()
            yield person

    def _read(self, people: Sequence[str]) -> None:
        ledger = self._world.ledger
        self.desired = self._world.lms.read(people, self._order.lms_since)
        self.entries = ledger.entries(people)
        self.states = ledger.states(people)
        self.connections = {one.person: one for one in ledger.connections(people)}

    def _renew(self, people: Sequence[str]) -> None:
        """Whoever was taken by somebody else keeps the old lease, under which nothing is written."""
        new = self._world.ledger.lease(people, self._world.owner, LEASE_SECONDS)
        self.lease = replace(new, epochs={**self.lease.epochs, **new.epochs})
        self._read(people)
