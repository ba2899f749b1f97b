"""The kinds of work on a batch of people that any process of the house can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.confirm import Court, confirm
from reconciler.ports import Due
from reconciler.turn import TurnReport, reconcile
from reconciler.world import Order, World


@dataclass(frozen=True)
class Reconciling:
    """The turn of each of these people."""

    world: World
    order: Order

    def __call__(self, batch: Sequence[Due]) -> list[TurnReport]:
        return reconcile(self.world, self.order, batch)


@dataclass(frozen=True)
class Hearing:
    """The vanished events of these people are heard."""

    world: World
    order: Order
    court: Court

    def __call__(self, batch: Sequence[Due]) -> list[TurnReport]:
        return confirm(self.world, self.order, self.court, [one.person for one in batch])
