"""Who is due: chosen from the LMS and what we know of everybody, in two ordered streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from reconciler.model import AccountSwitches, ConnectionState, Mode, PersonState
from reconciler.ports import Due, Glance
from reconciler.world import World, mode_of

BATCH = 50
"""People per unit of work: one query for the desired state of them all, one for their ledger."""

_IN_USE = (ConnectionState.CONNECTED, ConnectionState.SUSPENDED)


class Chosen:
    """Who is due in this push, from the two streams, both ordered by person. ``waiting`` are those whose
    calendar differs, with its provider, due or resting; ``desired`` counts the events that should be."""

    def __init__(self, world: World, switches: Mapping[str, AccountSwitches], now: datetime) -> None:
        self._world, self._now = world, now
        self.switches = switches
        self.unmaintained: list[str] = []
        self.waiting: dict[str, str] = {}
        self.desired: Counter[str] = Counter()
        self.seen = 0
        self._kept: dict[tuple[str, str | None, ConnectionState | None], bool | frozenset[str]] = {}

    def who_is_due(self, people: Iterator[Glance], states: Iterator[PersonState]) -> Iterator[Due]:
        """Those whose digest differs from the one last applied. Both streams are read to their end."""
        glance = next(people, None)
        for state in states:
            while glance is not None and glance.person < state.person:
                glance = next(people, None)  # nobody's calendar: told by mail
            digest = glance.digest if glance is not None and glance.person == state.person else ""
            self.seen += 1
            if not self.workable(state):
                if state.maintained:
                    self.unmaintained.append(state.person)
                continue
            own = glance if digest else None
            self._count(state, own)
            if digest != state.applied and not self.resting(state):
                yield Due(state.person, digest, own.next_start if own else None)
        for _ in people:
            pass  # the counts of the scan are complete only at its end

    def _count(self, state: PersonState, glance: Glance | None) -> None:
        if state.provider is None or state.connection is ConnectionState.LEAVING:
            return
        if glance is not None:
            self.desired[state.provider] += glance.events
        if (glance.digest if glance else "") != state.applied:
            self.waiting[state.person] = state.provider

    def workable(self, state: PersonState) -> bool:
        """Whether there is a calendar, and it is to be kept."""
        group = state.account, state.provider, state.connection
        kept = self._kept.get(group)
        if kept is None:  # the same for everybody of the account, but for a pilot's list
            kept = self._kept[group] = self._whose_is_kept(*group)
        return kept if isinstance(kept, bool) else state.person in kept

    def resting(self, state: PersonState) -> bool:
        """Whether something failed here so lately that it is not tried again yet."""
        return state.retry_at is not None and state.retry_at > self._now

    def _whose_is_kept(
        self, account: str, provider: str | None, connection: ConnectionState | None
    ) -> bool | frozenset[str]:
        """Whether the calendars of an account at a vendor are to be kept, or whose of them."""
        switches = self.switches.get(account)
        if provider not in self._world.providers or switches is None:
            return False  # taken out of the settings: nothing is maintained there
        if mode_of(self._world, switches) is Mode.OBSERVE:
            return False
        if connection is ConnectionState.LEAVING:
            return True
        wanted = switches.email_notifications and provider in switches.vendors
        if connection not in _IN_USE or not wanted:
            return False
        return True if switches.people is None else switches.people


def nearest_first(due: Due) -> tuple[bool, datetime]:
    """Near sessions before far ones, and whoever has none any more at the end."""
    return due.next_start is None, due.next_start or datetime.max.replace(tzinfo=UTC)


Item = TypeVar("Item")


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
