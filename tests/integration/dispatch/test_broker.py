"""The broker carries ids of batches to workers of one installation and version, or says that it cannot."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from reconciler.dispatch.celery_app import Broker
from reconciler.errors import NotDispatched
from tests.support.ports import free_port
from tests.support.rabbitmq import RabbitMq, a_rabbitmq
from tests.support.redis_server import RedisServer, a_redis


@pytest.fixture(params=["redis", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer | RabbitMq]:
    """Each kind of broker in turn."""
    with a_redis() if request.param == "redis" else a_rabbitmq() as made:
        yield made


@pytest.fixture
def acme() -> str:
    """An installation that nobody else has."""
    return f"acme-{uuid.uuid4().hex}"


def test_work_waits_for_workers_of_its_own_installation_and_version(
    server: RedisServer | RabbitMq, acme: str
) -> None:
    broker = Broker(server.url, acme, "1.0")
    broker.send("some-id")
    waiting = {
        name: server.waiting(f"reconciler.{name}") for name in (f"{acme}.1.0", f"{acme}.2.0", "other.1.0")
    }
    assert waiting == {f"{acme}.1.0": 1, f"{acme}.2.0": 0, "other.1.0": 0}
    broker.close()


def test_nothing_but_the_id_passes_through_the_broker(server: RedisServer | RabbitMq, acme: str) -> None:
    broker = Broker(server.url, acme, "1.0")
    broker.send("some-id")
    assert server.waiting(f"reconciler.{acme}.1.0") == 1
    message = server.first(f"reconciler.{acme}.1.0")
    assert b"some-id" in message
    assert b"python" not in message  # pickled
    broker.close()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_named_without_its_password(scheme: str) -> None:
    port = free_port()
    broker = Broker(f"{scheme}://worker:secret@127.0.0.1:{port}/0", "acme", "1.0")
    for attempt in (broker.reach, lambda: broker.send("some-id")):
        with pytest.raises(NotDispatched) as away:
            attempt()
        assert f"The broker at {scheme}://127.0.0.1:{port}/0 cannot be used" in str(away.value)
        assert "secret" not in str(away.value)
    broker.close()


def test_a_broker_without_memory_says_so() -> None:
    with a_redis() as server:
        server.client().config_set("maxmemory", 1)
        broker = Broker(server.url, "acme", "1.0")
        with pytest.raises(NotDispatched, match="maxmemory"):
            broker.send("some-id")
        broker.close()
