"""Quotas counted in Redis, so that any number of processes on any number of machines share them.

By Redis' own clock, for hosts' clocks differ; and in one step for all the windows a request falls under:
one way to Redis and back for each request. Windows are the lists of the library ``limits`` (one entry a
unit, the newest first), over a day as well: a million of them are some 20 MB.

Redis may lose what it counted (a restart, a flush): then up to a window's worth too many may go out, and the
vendor's own refusals are heeded as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import RedisStorage

from reconciler.providers.throttle import REFUSALS_REMEMBERED, Room, Windows

SECONDS = 5.0
"""How long an answer of Redis is waited for."""

_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local units = tonumber(ARGV[1])
for number, key in ipairs(KEYS) do
    local limit, seconds = tonumber(ARGV[2 * number]), tonumber(ARGV[2 * number + 1])
    if units > limit then
        return {number, tostring(seconds)}
    end
    local entry = redis.call('LINDEX', key, limit - units)
    if entry and entry + seconds >= now then
        return {number, tostring(entry + seconds - now)}
    end
end
for number, key in ipairs(KEYS) do
    for _ = 1, units do
        redis.call('LPUSH', key, now)
    end
    redis.call('LTRIM', key, 0, ARGV[2 * number] - 1)
    redis.call('EXPIRE', key, ARGV[2 * number + 1])
end
return {0, '0'}
"""
"""``KEYS`` are windows; ``ARGV`` the units, then of each window how many it holds and its seconds. Answers
the first window without room and the seconds until there is some, or 0."""


class InRedis(RedisStorage):
    """Counts in Redis 5 or later; see :class:`~reconciler.providers.throttle.Counts`.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``. ``prefix`` begins every key, so that several
    installations may use one Redis.
    """

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url, key_prefix=prefix, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
        self._redis: Any = self.storage
        self._take = self._redis.register_script(_TAKE)

    def take(self, windows: Windows, units: int) -> Room | None:
        """Take so many units in every window, or nothing in any."""
        keys = [self.prefixed_key(item.key_for(owner)) for item, owner in windows]
        sizes = [size for item, _ in windows for size in (item.amount, item.get_expiry())]
        with _failing():
            number, seconds = self._take(keys, [units, *sizes])
        return Room(number - 1, max(0.0, float(seconds))) if number else None

    def used(self, item: RateLimitItem, owner: str) -> int:
        """How many units are used of a limit at present."""
        with _failing():
            seconds, microseconds = self._redis.time()
            since = seconds + microseconds / 1_000_000 - item.get_expiry()
            found = self.lua_moving_window([self.prefixed_key(item.key_for(owner))], [since, item.amount])
        return int(found[1]) if found else 0

    def parked(self, scopes: Sequence[str]) -> Sequence[float]:
        """Seconds until each scope may be called again; 0 if it may."""
        with _failing(), self._redis.pipeline(transaction=False) as asking:
            for scope in scopes:
                asking.pttl(self.prefixed_key(f"parked/{scope}"))
            return [max(0, left) / 1000 for left in asking.execute()]

    def park(self, scope: str, seconds: int) -> None:
        """Nothing of this scope goes out for so many seconds from now on."""
        with _failing():
            self._redis.set(self.prefixed_key(f"parked/{scope}"), 1, ex=seconds)

    def refusals(self, scope: str) -> int:
        """Count one more refusal of this scope; how many there were in the last minutes."""
        with _failing():
            return self.incr(f"refusals/{scope}", REFUSALS_REMEMBERED)

    def problems(self) -> list[str]:
        """What is wrong with this Redis, a sentence each; empty where it serves."""
        try:
            self._redis.ping()
            limits = self._redis.config_get("maxmemory*")
        except redis.ResponseError:  # where its configuration may not be seen, there is nothing to say of it
            return []
        except redis.RedisError as error:
            return [f"Redis cannot be used: {error}"]
        policy = limits.get("maxmemory-policy", "noeviction")
        if policy == "noeviction" or limits.get("maxmemory", "0") == "0":
            return []
        return [
            f"Redis throws keys away when its memory is full ({policy}), and with them what was used of "
            "quotas: set maxmemory-policy to noeviction"
        ]


@contextmanager
def _failing() -> Iterator[None]:
    """Redis' errors as the library's one."""
    try:
        yield
    except redis.RedisError as error:
        raise StorageError(error) from None
