"""What a turn is made with: the adapters, the modes in force, the pace, and which vendors answer."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.budget import Budget
from reconciler.diff.plan import Policy
from reconciler.farewell import Farewell
from reconciler.labels import Guard
from reconciler.metrics import Metrics
from reconciler.model import AccountSwitches, Mode, Service, UnregisterMode
from reconciler.pace import AuditIntervals
from reconciler.ports import CalendarProvider, Clock, Hold, Ledger, LmsSource
from reconciler.pulse import Pulse


@dataclass(frozen=True)
class World:
    """Everything a turn is made with. ``owner`` names this process in leases; ``farewell`` ends connections
    that are to end, without it they are ended in the ledger alone. ``cycle`` is the one it works for."""

    lms: LmsSource
    ledger: Ledger
    providers: Mapping[str, CalendarProvider]
    policy: Policy
    clock: Clock
    owner: str
    mode: Mode = Mode.SYNC
    unregister: UnregisterMode = UnregisterMode.APPLY
    audits: AuditIntervals = field(default_factory=AuditIntervals)
    budget: Budget = field(default_factory=Budget)
    private: bool = False
    metrics: Metrics = field(default_factory=Metrics)
    chance: random.Random = field(default_factory=random.Random)
    farewell: Farewell | None = None
    pulse: Pulse = field(default_factory=Pulse)
    cycle: str = ""

    def at_work(self, cycle: str) -> World:
        """The same, with a lease owner of its own for a cycle, so that two cycles of one process keep off
        each other's people like two processes."""
        return replace(self, owner=f"{self.owner}/{cycle}", cycle=cycle)

    def gets_on(self) -> None:
        """The cycle at work has come to its next step. Raises ``Stopped`` where none is to be begun."""
        self.pulse.beat(self.cycle)


class Weather:
    """Who answers, within one cycle. After three failures in a row and no success since, the rest of the
    cycle leaves that service alone: a slow probe, and nobody else waits for its time-outs. Nor is the LMS
    asked about any further seat once it is ``lms_silent``: it has let us wait in vain."""

    def __init__(self) -> None:
        self.lms_silent = False
        self._failures: dict[Service, int] = {}
        self._lock = threading.Lock()

    def success(self, service: Service) -> None:
        with self._lock:
            self._failures[service] = 0

    def failure(self, service: Service) -> None:
        with self._lock:
            self._failures[service] = self._failures.get(service, 0) + 1

    def down(self, service: Service) -> bool:
        return self._failures.get(service, 0) >= 3


EVERYBODY = "*"
"""The subject of a pause that concerns every account."""


def in_force(switches: Mapping[str, AccountSwitches], holds: Iterable[Hold]) -> Mapping[str, AccountSwitches]:
    """The switches, with paused accounts only observed."""
    paused = {hold.subject for hold in holds if hold.guard == Guard.PAUSE}
    return {
        account: replace(one, mode=Mode.OBSERVE) if paused & {account, EVERYBODY} else one
        for account, one in switches.items()
    }


@dataclass(frozen=True)
class Order:
    """What kind of turn it is. ``audit``: look at the calendar even if nothing has changed.

    ``held``: accounts of which too many sessions have vanished. ``lms_since``: the window in which the
    LMS is read, the same for the scan and for the turn.
    """

    now: datetime
    lms_since: datetime
    audit: bool
    switches: Mapping[str, AccountSwitches]
    held: frozenset[str] = frozenset()
    weather: Weather = field(default_factory=Weather)


def mode_of(world: World, switches: AccountSwitches | None) -> Mode:
    """The stricter of the whole's mode and the account's."""
    return world.mode.stricter(switches.mode) if switches else Mode.OBSERVE


def unregister_of(world: World, switches: AccountSwitches | None) -> UnregisterMode:
    """The stricter of the whole's and the account's way with deleted events."""
    return world.unregister.stricter(switches.unregister) if switches else UnregisterMode.NEVER


def policy_of(world: World, switches: AccountSwitches | None) -> Policy:
    """The policy for one account: whether deleting an event may give the seat back there."""
    gives_back = unregister_of(world, switches) in (UnregisterMode.APPLY, UnregisterMode.ASK)
    return replace(world.policy, gives_back=world.policy.gives_back and gives_back)
