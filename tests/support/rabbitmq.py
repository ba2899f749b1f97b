"""The RabbitMQ of this machine: what waits in one of its queues, and that it is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import kombu
import pytest

URL = os.environ.get("TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")


@dataclass
class RabbitMq:
    """``url`` has the password in it, ``address`` has not; queues that were asked for go at the end."""

    connection: kombu.Connection
    url: str = URL
    asked: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()

    @property
    def password(self) -> str:
        return urlsplit(self.url).password or ""

    def waiting(self, queue: str) -> int:
        """How many messages nobody has taken yet; none where there is no such queue."""
        self.asked.add(queue)
        with self.connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except self.connection.channel_errors:
                return 0

    def first(self, queue: str) -> bytes:
        """The body and the headers of the message that waits longest."""
        with self.connection.channel() as channel:
            message = channel.basic_get(queue)
            assert message is not None
            return f"{message.body} {message.headers} {message.properties}".encode()

    def empty(self, queue: str) -> None:
        """Whatever waits is lost."""
        self.asked.add(queue)
        with self.connection.channel() as channel:
            channel.queue_purge(queue)


@contextmanager
def a_rabbitmq() -> Iterator[RabbitMq]:
    """The one on loopback, or where ``TEST_RABBITMQ`` says; skips where there is none, but not in CI."""
    with kombu.Connection(URL, connect_timeout=5) as connection:
        try:
            connection.ensure_connection(max_retries=1)
        except connection.connection_errors as error:
            if os.environ.get("CI"):
                pytest.fail(f"no RabbitMQ for tests: {error}")
            pytest.skip(f"needs RabbitMQ on loopback: {error}")
        server = RabbitMq(connection)
        yield server
        with connection.channel() as channel:
            for queue in server.asked:
                channel.queue_delete(queue)
