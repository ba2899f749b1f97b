"""Quotas that several processes share are counted once for all, in a real Redis and by its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing import get_context

import pytest

from reconciler.errors import Throttled
from reconciler.providers.shared_quotas import InRedis
from reconciler.providers.throttle import Quota, Throttle
from tests.support.redis_server import RedisServer, a_redis

HOUR = 3600


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> Iterator[RedisServer]:
    yield running
    running.client().config_set("maxmemory", 0)
    running.client().config_set("maxmemory-policy", "noeviction")
    running.client().flushall()


def a_throttle(url: str, *project: Quota, person: tuple[Quota, ...] = ()) -> Throttle:
    """One that waits for nothing."""
    counts = InRedis(url, "quotas/test")
    return Throttle("google", project, person, counts=counts, share=1, patience=0)


def admitted(throttle: Throttle, tries: int, person: str = "ana") -> int:
    """How many of so many requests may go out."""
    through = 0
    for _ in range(tries):
        try:
            throttle.admit(person)
        except Throttled:
            continue
        through += 1
    return through


def _as_many_as_one_may(url: str) -> int:
    return admitted(a_throttle(url, Quota(50, HOUR)), 60)


def test_several_processes_together_use_up_a_quota_and_no_more(server: RedisServer) -> None:
    with get_context("spawn").Pool(3) as processes:
        assert sum(processes.map(_as_many_as_one_may, [server.url] * 3, chunksize=1)) == 50


def test_hosts_whose_clocks_differ_by_minutes_share_the_same_minute(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    early, late = (a_throttle(server.url, Quota(10, 60)) for _ in range(2))
    monkeypatch.setattr(time, "time", lambda: right() - 300)
    assert admitted(early, 6) == 6
    monkeypatch.setattr(time, "time", lambda: right() + 300)
    assert admitted(late, 6) == 4
    assert late.used(60) == 1.0
    monkeypatch.setattr(time, "time", lambda: right() - 300)
    with pytest.raises(Throttled) as full:
        early.admit("ana")
    assert 0 < full.value.retry_after <= 60.05


def test_what_has_no_room_takes_nothing_of_any_quota(server: RedisServer) -> None:
    throttle = a_throttle(server.url, Quota(10, 60), person=(Quota(2, 60),))
    assert admitted(throttle, 9, "ana") == 2
    assert admitted(throttle, 9, "ben") == 2
    assert throttle.used(60) == 0.4


def test_a_request_of_several_units_takes_all_of_them(server: RedisServer) -> None:
    throttle = a_throttle(server.url, Quota(10, 60))
    throttle.admit("ana", units=7)
    with pytest.raises(Throttled):
        throttle.admit("ana", units=4)
    throttle.admit("ana", units=3)
    assert throttle.used(60) == 1.0
    with pytest.raises(Throttled):
        throttle.admit("ana", units=11)


def test_room_comes_back_when_the_window_has_passed(server: RedisServer) -> None:
    throttle = Throttle("google", [Quota(1, 1)], [], counts=InRedis(server.url, "quotas/test"), share=1)
    waits: list[float] = []
    throttle.sleep = lambda seconds: (waits.append(seconds), time.sleep(seconds))[0]
    throttle.admit("ana")
    throttle.admit("ben")
    assert 0 < waits[0] <= 1.05


def test_a_day_is_counted_too(server: RedisServer) -> None:
    throttle = a_throttle(server.url, Quota(1000, 60), Quota(50, 86_400))
    assert admitted(throttle, 60) == 50
    assert throttle.used(86_400) == 1.0
    assert throttle.used(60) == 0.05


def test_what_a_vendor_refuses_to_one_process_no_other_asks(server: RedisServer) -> None:
    one, other = (a_throttle(server.url, Quota(10, 60)) for _ in range(2))
    one.refused("too fast", person="ana", retry_after=90)
    with pytest.raises(Throttled) as paused:
        other.admit("ana")
    assert 80 < paused.value.retry_after <= 90
    other.admit("ben")
    one.refused("too fast", person=None, retry_after=60)
    with pytest.raises(Throttled):
        other.admit("ben")
    assert one.refused("too fast", person=None, retry_after=1).retry_after > 50


def test_without_a_stated_time_refusals_to_all_processes_count(server: RedisServer) -> None:
    one, other = (a_throttle(server.url, Quota(10, 60)) for _ in range(2))
    assert one.refused("too fast", person="ana").retry_after <= 3
    assert 4 <= other.refused("too fast", person="ana").retry_after <= 6


def test_installations_that_share_a_redis_share_no_quota(server: RedisServer) -> None:
    for installation in ("a", "b"):
        counts = InRedis(server.url, f"quotas/{installation}")
        throttle = Throttle("google", [Quota(3, 60)], [], counts=counts, share=1, patience=0)
        assert admitted(throttle, 5) == 3


# When Redis fails -----------------------------------------------------------------------------------------


def test_while_redis_is_away_nothing_is_sent_and_afterwards_all_goes_on() -> None:
    with a_redis() as server:
        throttle = a_throttle(server.url, Quota(10, 60))
        throttle.admit("ana")
        server.stop()
        for attempt in (lambda: throttle.admit("ana"), lambda: throttle.refused("too fast", person="ana")):
            with pytest.raises(
                Throttled, match="The count of google's quota cannot be used, so nothing is sent"
            ):
                attempt()
        assert throttle.used(60) == 1.0
        server.start()
        throttle.admit("ana")
        assert throttle.used(60) == 0.1


def test_without_memory_in_redis_nothing_is_sent(server: RedisServer) -> None:
    throttle = a_throttle(server.url, Quota(10, 60))
    server.client().config_set("maxmemory", 1)
    with pytest.raises(Throttled, match="maxmemory"):
        throttle.admit("ana")
    server.client().config_set("maxmemory", 0)
    throttle.admit("ana")


def test_a_redis_that_throws_counts_away_is_told_of(server: RedisServer) -> None:
    counts = InRedis(server.url, "quotas/test")
    assert counts.problems() == []
    server.client().config_set("maxmemory", 100_000_000)
    assert counts.problems() == []
    server.client().config_set("maxmemory-policy", "allkeys-lru")
    (problem,) = counts.problems()
    assert "allkeys-lru" in problem
    assert "noeviction" in problem


def test_a_redis_that_is_not_there_is_told_of() -> None:
    with a_redis() as server:
        counts = InRedis(server.url, "quotas/test")
        server.stop()
        (problem,) = counts.problems()
    assert problem.startswith("Redis cannot be used: ")
