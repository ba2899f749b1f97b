"""Two schedulers and three workers as processes, on a real PostgreSQL and a broker that goes away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.bootstrap import PROGRAM
from reconciler.simulators.lms import When
from tests.support.fleet import Fleet, a_fleet
from tests.support.house import HouseBed, a_house
from tests.support.rabbitmq import a_rabbitmq
from tests.support.redis_server import RedisServer, a_redis

TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))
PEOPLE = {f"p{number:02}": ("google", "microsoft")[number % 2] for number in range(24)}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with a_redis() as server:
        yield server


@contextmanager
def a_site(folder: Path, state: str, installation: str, dispatch: dict[str, object]) -> Iterator[Fleet]:
    """Everybody has one session to get."""
    intervals = {"push": "2s", "confirm": "2s"}
    shared = {"kind": "celery", "threads": 2, **dispatch}
    with a_house(
        folder, state, dispatch=shared, intervals=intervals, installation={"id": installation}
    ) as house:
        house.clock.now = datetime.now(UTC)
        house.cli("schema", "upgrade")
        session = house.lms.add_session(IN_SPRING, title="Safety")
        for person, vendor in PEOPLE.items():
            house.newcomer(person, vendor, session)
        house.count_anew()
        with a_fleet(house) as members:
            yield members


@pytest.fixture
def fleet(redis: RedisServer, tmp_path: Path, postgresql_url: str) -> Iterator[Fleet]:
    """Work goes through Redis."""
    with a_site(tmp_path, postgresql_url, "test", {"broker": redis.url}) as site:
        yield site


def all_have(house: HouseBed, title: str) -> bool:
    return all(house.titles(person) == [title] for person in PEOPLE)


def retitled(house: HouseBed, title: str) -> datetime:
    """Another title from now on; when that is."""
    house.count_anew()
    house.lms.change("session-1", title=title)
    return datetime.now(UTC)


def right_within_two_intervals(fleet: Fleet, title: str, since: datetime) -> None:
    """By the story's clock, which ticks with each push: no more than two begin until all is right."""
    ledger = fleet.house.house.ledger
    fleet.until(lambda: all_have(fleet.house, title))
    right = datetime.now(UTC)
    fleet.until(lambda: (ledger.last_whole("push") or since) > right)
    begun = [run for run in ledger.runs_since(since) if run.cycle == "push" and run.started > since]
    working = [number for number, run in enumerate(begun, 1) if run.counts.get("update ok")]
    assert max(working, default=0) <= 2, [run.sentence for run in begun]


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
    since = retitled(house, "Safety first")
    right_within_two_intervals(fleet, "Safety first", since)
    assert struck
    house.google.on_effect = None

    # The broker forgets everything, and another time is away for a while.
    redis.client().flushall()
    since = retitled(house, "Safety second")
    right_within_two_intervals(fleet, "Safety second", since)
    redis.stop()
    retitled(house, "Safety third")
    fleet.until(lambda: "The broker at redis://127.0.0.1" in first.log)
    assert "NOT OK  broker" in first.asked("/ready")
    assert "NOT OK  broker" in workers[1].asked("/ready")
    redis.start()
    right_within_two_intervals(fleet, "Safety third", datetime.now(UTC))

    # The scheduler dies; the other one goes on.
    first.kill()
    since = retitled(house, "Safety fourth")
    right_within_two_intervals(fleet, "Safety fourth", since)
    assert "this scheduler leads" in second.log
    assert house.calls()["create"] == house.calls()["delete"] == 0
    for member in (workers[1], second):
        member.stop()


def test_over_rabbitmq_a_worker_that_dies_and_a_queue_that_is_emptied_cost_nothing(
    redis: RedisServer, tmp_path: Path, postgresql_url: str
) -> None:
    installation = f"test-{uuid.uuid4().hex[:24]}"
    with ExitStack() as stack:
        rabbit = stack.enter_context(a_rabbitmq())
        password = tmp_path / "broker-password"
        password.touch(0o600)
        password.write_text(rabbit.password)
        dispatch = {"broker": rabbit.address, "broker_password_file": str(password), "quotas": redis.url}
        fleet = stack.enter_context(a_site(tmp_path, postgresql_url, installation, dispatch))
        house = fleet.house
        scheduler, workers = fleet.scheduler(), [fleet.worker(), fleet.worker()]
        fleet.until(lambda: all_have(house, "Safety"))
        assert house.calls()["create"] == len(PEOPLE)
        struck: list[str] = []

        def strike(operation: str) -> None:
            if operation == "update" and not struck:
                struck.append(operation)
                workers[0].kill()
                rabbit.empty(f"reconciler.{installation}.{PROGRAM}")

        house.google.on_effect = strike
        since = retitled(house, "Safety first")
        right_within_two_intervals(fleet, "Safety first", since)
        assert struck
        assert house.calls()["create"] == house.calls()["delete"] == 0
        for member in (workers[1], scheduler):
            member.stop()
