"""A Redis of the tests' own: it may be stopped, emptied, and left without memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import tenacity

from tests.support.ports import free_port


class RedisServer:
    """Keeps nothing on disk. ``url`` stays the same when it is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        log = (self._folder / "redis.log").open("ab")
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        log.close()
        ping = tenacity.retry(
            retry=tenacity.retry_if_exception_type(redis.ConnectionError),
            wait=tenacity.wait_fixed(0.02),
            stop=tenacity.stop_after_delay(30),
        )(self.client().ping)
        ping()

    def stop(self) -> None:
        """As a power cut would: what it had is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def waiting(self, queue: str) -> int:
        """How many messages nobody has taken yet."""
        return int(self.client().llen(queue))

    def first(self, queue: str) -> bytes:
        """The message that waits longest."""
        message: bytes = self.client().lindex(queue, -1)
        return message

    def client(self) -> redis.Redis:
        """To look at it, and to set it."""
        return redis.Redis.from_url(self.url)


@contextmanager
def a_redis() -> Iterator[RedisServer]:
    """A running one; skips where there is no ``redis-server``, but not in CI."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("needs redis-server")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
