"""Who is due: chosen from the LMS and what we know of everybody, in two ordered streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from reconciler.budget import Budget
from reconciler.diff.fields import no_news
from reconciler.model import AccountSwitches, ConnectionState, Mode, PersonState
from reconciler.ports import Due, Glance
from reconciler.world import World, mode_of

BATCH = 50
"""People per unit of work at most: one query for the desired state of them all, one for their ledger."""
STRIDE = 1_000
"""People compared between two signs of life."""
_SMALL_BATCH, _BATCHES = 4, 128
MOST_TURNS = 20_000
"""People who have their turn in one push at most, the nearest first; the rest are due again in the next."""

_IN_USE = (ConnectionState.CONNECTED, ConnectionState.SUSPENDED)


class Kind(StrEnum):
    """What makes somebody due."""

    NEWS = "news"
    BASELINE = "baseline"  # a calendar that has to be looked at first: connected, or maintained again
    REWRITE = "rewrite"  # no news: another template or link


class Candidate(NamedTuple):
    """Somebody who is due."""

    due: Due
    provider: str
    kind: Kind


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

    def who_is_due(self, people: Iterator[Glance], states: Iterator[PersonState]) -> Iterator[Candidate]:
        """Those whose digest differs from the one last applied. Both streams are read to their end."""
        glance = next(people, None)
        for state in states:
            while glance is not None and glance.person < state.person:
                glance = next(people, None)  # nobody's calendar: told by mail
            digest = glance.digest if glance is not None and glance.person == state.person else ""
            self.seen += 1
            if self.seen % STRIDE == 0:
                self._world.gets_on()
            if not self.workable(state):
                if state.maintained:
                    self.unmaintained.append(state.person)
                continue
            own = glance if digest else None
            self._count(state, own)
            if digest != state.applied and not self.resting(state):
                due = Due(state.person, digest, own.next_start if own else None)
                yield Candidate(due, state.provider or "", _kind(digest, state))
        for _ in people:
            pass  # the counts of the scan are complete only at its end

    def _count(self, state: PersonState, glance: Glance | None) -> None:
        if state.provider is None or state.connection is ConnectionState.LEAVING:
            return
        if glance is not None:
            self.desired[state.provider] += glance.events
        digest = glance.digest if glance else ""
        if digest != state.applied and not no_news(digest, state.applied):
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


def _kind(digest: str, state: PersonState) -> Kind:
    if not state.maintained and state.connection is not ConnectionState.LEAVING:
        return Kind.BASELINE
    return Kind.REWRITE if no_news(digest, state.applied) else Kind.NEWS


class Picked:
    """Whose turn it is in one push, of those who are due: the nearest sessions before far ones, and what is
    no news last; of baselines and of rewrites, and of all, no more than there is room for.

    ``put_off`` are how many wait for the next push. However many are due, only those picked are in memory.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._best: dict[tuple[str, Kind], Nearest] = {}

    def take(self, candidates: Iterable[Candidate]) -> list[Due]:
        """Look at all of them."""
        for due, provider, kind in candidates:
            group = provider, kind
            if group not in self._best:
                self._best[group] = Nearest(self._room(provider, kind))
            self._best[group].add(due)
        timely = Nearest(MOST_TURNS)
        rewrites: list[Due] = []
        for (_provider, kind), best in sorted(self._best.items()):
            if kind is Kind.REWRITE:
                rewrites += best.found()
                continue
            for due in best.found():
                timely.add(due)
        found = timely.found()
        found += sorted(rewrites, key=nearest_first)[: MOST_TURNS - len(found)]
        self.put_off = sum(best.seen for best in self._best.values()) - len(found)
        return found

    def _room(self, provider: str, kind: Kind) -> int:
        match kind:
            case Kind.NEWS:
                return MOST_TURNS
            case Kind.BASELINE:
                return self._budget.baselines(provider, MOST_TURNS)
            case Kind.REWRITE:
                return self._budget.rewrites(provider, MOST_TURNS)


class Nearest:
    """The nearest of any number of people, no more than so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[Due] = []
        self.seen = 0

    def add(self, due: Due) -> None:
        """Keep it, if it may be one of them."""
        self.seen += 1
        self._kept.append(due)
        if len(self._kept) >= 2 * max(self._most, BATCH):
            self._kept = self.found()

    def found(self) -> list[Due]:
        """They, in order."""
        return sorted(self._kept, key=nearest_first)[: self._most]


def nearest_first(due: Due) -> tuple[bool, datetime]:
    """Near sessions before far ones, and whoever has none any more at the end."""
    return due.next_start is None, due.next_start or datetime.max.replace(tzinfo=UTC)


Item = TypeVar("Item")


def batches(items: Sequence[Item], most: int = BATCH) -> Iterator[Sequence[Item]]:
    """The items in order, large batches first and small ones at the end, so that all who work on them end at
    about the same time."""
    begin = 0
    while begin < len(items):
        size = min(most, max(_SMALL_BATCH, (len(items) - begin) // _BATCHES))
        yield items[begin : begin + size]
        begin += size
