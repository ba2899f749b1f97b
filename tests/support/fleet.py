"""Schedulers and workers as processes of their own, with a broker that can be taken away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

import yaml

from tests.support.house import ROOT, HouseBed, laid_over
from tests.support.ports import free_port

PATIENCE = 120.0


def until(condition: Callable[[], object], told: Callable[[], str] = str) -> None:
    """Wait for what will be so soon; fail if it never is, with what is ``told`` then."""
    latest = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < latest, f"it never was so\n{told()}"
        time.sleep(0.05)


@dataclass
class Member:
    """A scheduler or a worker under way."""

    pid: int
    port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def kill(self) -> None:
        """As a power cut does."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{self.pid}").exists())

    def stop(self) -> None:
        """Told to stop; it ends well."""
        os.kill(self.pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{self.pid}").exists(), lambda: self.log)
        assert self.log.endswith("ended with 0\n"), self.log

    def asked(self, path: str) -> str:
        """What its listener says; empty while there is none."""
        with suppress(OSError):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return str(answer.read().decode())
            except HTTPError as refusal:
                return refusal.read().decode()
        return ""

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", self.asked("/metrics"), re.MULTILINE)
        return sum(float(value) for value in found)


@dataclass
class Fleet:
    """The processes around one house."""

    house: HouseBed
    forking: subprocess.Popen[str]
    members: list[Member] = field(default_factory=list)

    def scheduler(self) -> Member:
        """Another scheduler, as on another machine: with a witness of its own."""
        port, number = free_port(), len(self.members)
        own = {"ops": {"listen": f"127.0.0.1:{port}"}, "state": {"witness_file": f"witness-{number}"}}
        config = self.house.folder / f"scheduler-{number}.yaml"
        config.write_text(yaml.safe_dump(laid_over(self.house.values, own)), "utf-8")
        return self._start(config, port, "run")

    def worker(self) -> Member:
        port = free_port()
        return self._start(self.house.config, port, "worker", "--listen", f"127.0.0.1:{port}")

    def _start(self, config: Path, port: int, *arguments: str) -> Member:
        log = self.house.folder / f"{arguments[0]}-{len(self.members)}.log"
        log.touch()
        asked = {"arguments": ["--config", str(config), *arguments], "log": str(log)}
        assert self.forking.stdin
        self.forking.stdin.write(json.dumps(asked) + "\n")
        self.forking.stdin.flush()
        member = Member(int(_line(self.forking)), port, log)
        self.members.append(member)
        return member

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for it; if it never is so, show everything that was said."""
        until(condition, self._logs)

    def _logs(self) -> str:
        return "\n".join(f"== {one.log_file.name}\n{one.log}" for one in self.members)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@contextmanager
def a_fleet(house: HouseBed) -> Iterator[Fleet]:
    """Nobody yet; who is there at the end is killed."""
    pipe, command = subprocess.PIPE, [sys.executable, "-m", "tests.support.forking"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as forking:
        fleet = Fleet(house, forking)
        try:
            assert _line(forking) == "ready"
            yield fleet
        finally:
            for member in fleet.members:
                member.kill()
            assert forking.stdin
            forking.stdin.close()
