"""How fast a vendor may be called, and what happens after it said "too fast".

Vendors count *units* in a sliding window, over the whole project (the app) and per person. A
:class:`Throttle` stands before every request: :meth:`Throttle.admit` blocks until there is room and the
daemon stays under the quota by itself. What a vendor states nevertheless (429, ``Retry-After``) is
remembered by :meth:`Throttle.refused`, and nothing in that scope goes out before the stated time.

What was used is counted in memory (:class:`InMemory`), or in Redis for several processes together
(:class:`~reconciler.providers.shared_quotas.InRedis`). All times are seconds; instants are those of the
machine's clock, as in the library ``limits``.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary
from zlib import crc32

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter

from reconciler.errors import Throttled

Sleep = Callable[[float], None]
"""Waits so many seconds. Whoever wants to stop early hands in one that raises."""

SHORT = 5.0
"""Seconds that are waited out on the spot; a longer refusal is raised, so that others go on meanwhile."""

LONG = 90.0
"""Seconds that are waited for room in a quota which everybody shares: others would wait as well."""

_BUCKETS = 1024
"""``limits`` never forgets a window and walks through all of them at each sweep. People therefore share
this many; a neighbour's few requests can only make us slower than allowed."""

_EXACT = 3600
"""Windows up to so many seconds are kept exactly, request by request."""

REFUSALS_REMEMBERED = 300
"""Seconds."""

_UNCOUNTED = 30.0
"""Seconds until a count that could not be used is tried again."""

_LONGEST_BACK_OFF = 64


class Observer(Protocol):
    """What a provider tells about its traffic, for metrics. No argument ever names a person."""

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """One request ended after so many seconds. ``operation`` is ``list``, ``get``, ``find``, ``create``,
        ``update``, ``delete`` or ``token``; ``outcome`` is ``ok``, the name of one of our errors, or says
        more exactly ``auth`` or ``not_found``."""

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        """The vendor refused for so many seconds. ``scope`` is ``project`` or ``person``."""

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        """We held a request back for so many seconds to stay under a quota."""


class Unobserved:
    """An observer for those who do not care."""

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """Ignore."""

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        """Ignore."""

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        """Ignore."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many units in any window of so many seconds, as the vendor states it."""

    units: int
    seconds: int


def per_minute(calls: int) -> list[Quota]:
    """So many calls a minute, and evenly within it: a vendor's minute begins when it likes."""
    return [Quota(math.ceil(calls / 60), 1), Quota(calls, 60)]


class Room(NamedTuple):
    """Which of the windows asked for has no room, counted from 0, and for how many seconds."""

    window: int
    seconds: float


Windows = Sequence[tuple[RateLimitItem, str]]
"""Limits that one request falls under, each with whose it is."""


class Counts(Protocol):
    """Where it is counted what was used, and remembered who refuses. Raises ``StorageError``."""

    def take(self, windows: Windows, units: int) -> Room | None:
        """Take so many units in every window, or nothing in any."""

    def used(self, item: RateLimitItem, owner: str) -> int:
        """How many units are used of a limit at present."""

    def parked(self, scopes: Sequence[str]) -> Sequence[float]:
        """Seconds until each scope may be called again; 0 if it may."""

    def park(self, scope: str, seconds: int) -> None:
        """Nothing of this scope goes out for so many seconds from now on."""

    def refusals(self, scope: str) -> int:
        """Count one more refusal of this scope; how many there were in the last minutes."""


class InMemory(MemoryStorage):
    """The library's counters in memory, swept once a second while they are used. By itself the library sweeps
    a hundred times a second, and starts a thread each time."""

    def __init__(self) -> None:
        super().__init__()
        self._moving = MovingWindowRateLimiter(self)
        self._halves = SlidingWindowCounterRateLimiter(self)
        self._taking = threading.Lock()

    @property
    def timer(self) -> threading.Timer:
        """The next sweep."""
        return self._sweep

    @timer.setter
    def timer(self, made: threading.Timer) -> None:
        made.interval = 1.0
        made.daemon = True
        self._sweep = made

    def take(self, windows: Windows, units: int) -> Room | None:
        """Take so many units in every window, or nothing in any."""
        with self._taking:
            for number, (item, owner) in enumerate(windows):
                if not self._strategy(item).test(item, owner, cost=units):
                    oldest_leaves = self._strategy(item).get_window_stats(item, owner).reset_time
                    return Room(number, max(0.0, oldest_leaves - time.time()))
            for item, owner in windows:
                self._strategy(item).hit(item, owner, cost=units)
        return None

    def used(self, item: RateLimitItem, owner: str) -> int:
        """How many units are used of a limit at present."""
        return item.amount - self._strategy(item).get_window_stats(item, owner).remaining

    def parked(self, scopes: Sequence[str]) -> Sequence[float]:
        """Seconds until each scope may be called again; 0 if it may."""
        now = time.time()
        keys = [f"parked/{scope}" for scope in scopes]
        return [max(0.0, self.get_expiry(key) - now) if self.get(key) else 0.0 for key in keys]

    def park(self, scope: str, seconds: int) -> None:
        """Nothing of this scope goes out for so many seconds from now on."""
        self.clear(f"parked/{scope}")
        self.incr(f"parked/{scope}", seconds)

    def refusals(self, scope: str) -> int:
        """Count one more refusal of this scope; how many there were in the last minutes."""
        return self.incr(f"refusals/{scope}", REFUSALS_REMEMBERED)

    def _strategy(self, item: RateLimitItem) -> RateLimiter:
        """A moving window remembers every request; over a day that is too many, so those are counted in
        two halves and weighed, which is right to within a few requests."""
        return self._moving if item.get_expiry() <= _EXACT else self._halves


class Throttle:
    """The quotas of one vendor, shared by all threads.

    ``project`` quotas cover everything sent with our app's credentials, ``person`` quotas what is sent for
    one person. We use ``share`` of each, because the vendor's window begins when a request arrives, not
    when it leaves. Where the project's have no room for ``patience`` seconds, or the person's for
    ``person_patience``, ``Throttled`` is raised instead: a person's turn can be put off, and others go on.
    """

    def __init__(
        self,
        provider: str,
        project: Sequence[Quota],
        person: Sequence[Quota],
        *,
        counts: Counts | None = None,
        observer: Observer | None = None,
        sleep: Sleep = time.sleep,
        share: float = 0.98,
        patience: float = LONG,
        person_patience: float = SHORT,
    ) -> None:
        self.provider = provider
        self.sleep = sleep
        self.observer: Observer = observer or Unobserved()
        self._counts: Counts = counts or InMemory()
        self._project = [_item(quota, share) for quota in project]
        self._person = [_item(quota, share) for quota in person]
        self._patience = {"project": patience, "person": person_patience}

    def admit(self, person: str, units: int = 1) -> None:
        """Take so many units for one request of this person, waiting for room.

        Raises ``Throttled`` where the vendor has asked for more than a short wait, no room comes up, or it
        cannot be known whether there is room.
        """
        try:
            self._admit(person, units)
        except StorageError as error:
            raise self._uncounted(error) from None

    def _admit(self, person: str, units: int) -> None:
        begun = time.time()
        while True:
            self._heed_refusals(person)
            scope, wait = self._take(person, units)
            if not wait:
                return
            if time.time() + wait > begun + self._patience[scope]:
                raise Throttled(
                    f"no room in {self.provider}'s quota for one {scope}",
                    retry_after=wait,
                    scope=self._scope(scope, person),
                    whose=person if scope == "person" else None,
                )
            self.observer.waited(self.provider, scope, wait)
            self.sleep(wait)

    def refused(self, what: str, *, person: str | None, retry_after: float | None = None) -> Throttled:
        """Remember the vendor's refusal and return the error to raise.

        ``person`` is ``None`` where the whole project is refused. Without a stated ``retry_after`` the
        wait doubles with each refusal of the last minutes, jittered, up to about a minute and a half.
        """
        kind = "project" if person is None else "person"
        scope = self._scope(kind, person)
        try:
            seconds = self._park(scope, retry_after)
        except StorageError as error:
            raise self._uncounted(error) from None
        self.observer.throttled(self.provider, kind, seconds)
        return Throttled(what, retry_after=seconds, scope=scope, whose=person)

    def _park(self, scope: str, retry_after: float | None) -> int:
        """Nothing of this scope goes out for so many seconds."""
        count = self._counts.refusals(scope)
        if retry_after is None:
            base = min(2.0**count, _LONGEST_BACK_OFF)
            retry_after = random.uniform(base, 1.5 * base)
        (already,) = self._counts.parked([scope])
        seconds = max(math.ceil(retry_after), 1, math.ceil(already))
        self._counts.park(scope, seconds)
        return seconds

    def _heed_refusals(self, person: str) -> None:
        scopes = [self._scope(kind, person) for kind in ("project", "person")]
        while any(parked := self._counts.parked(scopes)):
            seconds, scope = max(zip(parked, scopes, strict=True))
            if seconds > SHORT:
                raise Throttled(
                    f"{self.provider} asked for a pause", retry_after=seconds, scope=scope, whose=person
                )
            self.sleep(seconds)

    def _take(self, person: str, units: int) -> tuple[str, float]:
        """Take the units of every quota and return 0, or take none and return the seconds to wait."""
        bucket = f"{self.provider}/{crc32(person.encode()) % _BUCKETS}"
        windows = [(item, self.provider) for item in self._project] + [
            (item, bucket) for item in self._person
        ]
        full = self._counts.take(windows, units)
        if full is None:
            return "", 0.0
        kind = "project" if full.window < len(self._project) else "person"
        return kind, full.seconds + random.uniform(0.01, 0.05)

    def used(self, seconds: int) -> float:
        """The share of the project's quota over so many seconds that is used at present, from 0 to 1; 1
        where it cannot be known."""
        for item in self._project:
            if item.get_expiry() == seconds:
                try:
                    return self._counts.used(item, self.provider) / item.amount
                except StorageError:
                    return 1.0
        return 0.0

    def _uncounted(self, error: StorageError) -> Throttled:
        """A request that cannot be counted is not sent: others may be using the quota up."""
        return Throttled(
            f"The count of {self.provider}'s quota cannot be used, so nothing is sent: {error.storage_error}",
            retry_after=_UNCOUNTED,
            scope=self._scope("project", None),
        )

    def _scope(self, kind: str, person: str | None) -> str:
        return self.provider if kind == "project" else f"{self.provider}/{person}"


class AtOnce:
    """At most so many requests of one person in flight, over all threads of this program.

    For vendors that limit this beside the rate; more wait for their turn.
    """

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._gates: WeakValueDictionary[str, threading.BoundedSemaphore] = WeakValueDictionary()
        self._lock = threading.Lock()

    def through(self, person: str) -> AbstractContextManager[bool]:
        """Holds one of the person's places for the duration."""
        with self._lock:
            gate = self._gates.get(person)
            if gate is None:
                gate = self._gates[person] = threading.BoundedSemaphore(self._requests)
        return gate


def _item(quota: Quota, share: float) -> RateLimitItem:
    return RateLimitItemPerSecond(max(1, int(quota.units * share)), quota.seconds)


def seconds_of(retry_after: str | None, now: datetime | None = None) -> float | None:
    """``Retry-After`` in seconds, ``None`` if unusable (RFC 9110 section 10.2.3: seconds, or a date)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(int(retry_after)))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
