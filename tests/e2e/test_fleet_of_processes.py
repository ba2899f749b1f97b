"""Two schedulers and three workers as processes, on a real PostgreSQL and a broker that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.simulators.lms import When
from tests.support.fleet import Fleet, a_fleet
from tests.support.house import HouseBed, a_house
from tests.support.redis_server import RedisServer, a_redis

TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))
PEOPLE = {f"p{number:02}": ("google", "microsoft")[number % 2] for number in range(24)}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@pytest.fixture
def fleet(redis: RedisServer, tmp_path: Path, postgresql_url: str) -> Iterator[Fleet]:
    """Everybody has one session to get."""
    dispatch = {"kind": "celery", "broker": redis.url, "threads": 2}
    intervals = {"push": "2s", "confirm": "2s"}
    with a_house(tmp_path, postgresql_url, dispatch=dispatch, intervals=intervals) as house:
        house.clock.now = datetime.now(UTC)
        house.cli("schema", "upgrade")
        session = house.lms.add_session(IN_SPRING, title="Safety")
        for person, vendor in PEOPLE.items():
            house.newcomer(person, vendor, session)
        house.count_anew()
        with a_fleet(house) as members:
            yield members


def all_have(house: HouseBed, title: str) -> bool:
    return all(house.titles(person) == [title] for person in PEOPLE)


def retitled(house: HouseBed, title: str) -> None:
    house.count_anew()
    house.lms.change("session-1", title=title)


def test_everybody_gets_everything_once_whoever_is_killed_or_emptied(
    fleet: Fleet, redis: RedisServer
) -> None:
    house = fleet.house
    first = fleet.scheduler()
    workers = [fleet.worker() for _ in range(3)]
    fleet.until(lambda: "scheduler: leads" in first.asked("/ready"))
    second = fleet.scheduler()
    fleet.until(lambda: all_have(house, "Safety"))
    assert house.calls()["create"] == len(PEOPLE)
    fleet.until(lambda: "stands by" in second.asked("/ready"))
    assert "proves nothing" not in second.log

    # A worker dies in the middle of a batch.
    struck: list[str] = []

    def strike(operation: str) -> None:
        if operation == "update" and not struck:
            struck.append(operation)
            workers[0].kill()

    house.google.on_effect = strike
    retitled(house, "Safety first")
    fleet.until(lambda: struck and all_have(house, "Safety first"))
    house.google.on_effect = None

    # The broker forgets everything, and another time is away for a while.
    redis.client().flushall()
    retitled(house, "Safety second")
    fleet.until(lambda: all_have(house, "Safety second"))
    redis.stop()
    retitled(house, "Safety third")
    fleet.until(lambda: "The broker at redis://127.0.0.1" in first.log)
    assert "NOT OK  broker" in first.asked("/ready")
    assert "NOT OK  broker" in workers[1].asked("/ready")
    redis.start()
    fleet.until(lambda: all_have(house, "Safety third"))

    # The scheduler dies; the other one goes on.
    first.kill()
    retitled(house, "Safety fourth")
    fleet.until(lambda: all_have(house, "Safety fourth"))
    assert "this scheduler leads" in second.log
    assert house.calls()["create"] == house.calls()["delete"] == 0
    for member in (workers[1], second):
        member.stop()
