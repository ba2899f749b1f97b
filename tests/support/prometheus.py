"""A real Prometheus with a data folder and a port of its own, and its tool for checking rules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port

PATIENCE = 60.0


def program(name: str) -> str:
    """Where ``prometheus`` or ``promtool`` is; the test is skipped where there is none."""
    found = shutil.which(name)
    if found is None:
        sentence = f"no {name} for tests: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@dataclass(frozen=True)
class Prometheus:
    """One at work at this port of this machine."""

    port: int

    def get(self, path: str, **parameters: str) -> Any:
        """What its API answers; an error of it is raised with its text."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}?{query}", timeout=PATIENCE
        ) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str, **at: str) -> list[Any]:
        """The series that an expression gives."""
        result: list[Any] = self.get("/api/v1/query", query=expression, **at)["result"]
        return result

    def until(self, condition: Callable[[Prometheus], object]) -> None:
        """Wait for what will be so soon; fail if it never is."""
        latest = time.monotonic() + PATIENCE
        while not condition(self):
            assert time.monotonic() < latest, "it never was so"
            time.sleep(0.1)


@contextmanager
def at_work(folder: Path, configuration: str) -> Iterator[Prometheus]:
    """A Prometheus that follows this configuration, with its data in the folder; ended afterwards."""
    command, port = program("prometheus"), free_port()
    (folder / "prometheus.yml").write_text(configuration)
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    process = subprocess.Popen([command, *(f"--{name}={value}" for name, value in options.items())])
    started = Prometheus(port)
    try:
        started.until(lambda one: process.poll() is not None or _is_ready(one))
        assert process.poll() is None, "Prometheus has not started"
        yield started
    finally:
        process.kill()
        process.wait()


def _is_ready(prometheus: Prometheus) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{prometheus.port}/-/ready", timeout=5):
            return True
    except OSError:
        return False
