"""SIGHUP and SIGTERM to the process that a unit starts: broken files, restarts, a second signal."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulators.lms import When
from tests.support.house import HouseBed
from tests.support.ports import free_port
from tests.unit.settings.conftest import MINIMAL, SECRETS

PATIENCE = 300.0
TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))
ALL = yaml.safe_load((Path(__file__).parents[1] / "unit/settings/broken.yaml").read_text("utf-8"))
BROKEN = ALL[:: len(ALL) // 30][:30]


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana, with an event to get; every cycle begins each second."""
    house.clock.now = datetime.now(UTC)
    house.newcomer("ana", "google", house.lms.add_session(IN_SPRING, title="Safety"))
    often = {"push": "1s", "confirm": "1s"}
    listen = {"listen": f"127.0.0.1:{free_port()}"}
    house.configure(ops=listen, intervals=often, logs={"format": "json"})
    return house


class Daemon:
    """A daemon at work, and its log as it is written."""

    def __init__(self, house: HouseBed) -> None:
        self.process = house.start("run")
        assert self.process.stderr is not None
        self._log = self.process.stderr
        self.hear("running: ")

    def hear(self, words: str) -> str:
        """The next entry that begins so."""
        for line in self._log:
            message = str(json.loads(line)["msg"])
            if message.startswith(words):
                return message
        raise AssertionError(f"it ended without saying {words!r}")

    def reload(self, words: str) -> str:
        self.process.send_signal(signal.SIGHUP)
        return self.hear(words)


@pytest.fixture
def daemon(acme: HouseBed) -> Iterator[Daemon]:
    started = Daemon(acme)
    watchdog = threading.Timer(PATIENCE, started.process.kill)
    watchdog.start()
    yield started
    watchdog.cancel()
    started.process.kill()
    started.process.communicate()


def restarts_are_refused(acme: HouseBed, daemon: Daemon) -> None:
    """What only a restart can change is refused, key by key."""
    changes: dict[str, Any] = {
        "ops": {"listen": "127.0.0.1:1"},
        "network": {"timeout": "11s"},
        "installation": {"id": "another"},
    }
    values = yaml.safe_load(acme.config.read_text("utf-8"))
    for section, change in changes.items():
        acme.config.write_text(yaml.safe_dump({**values, section: {**values[section], **change}}), "utf-8")
        (key,) = change
        said = daemon.reload("not reloaded, ")
        assert said.endswith(f"{section}.{key}: cannot be changed while running: restart for it")


def test_thirty_broken_files_are_refused_by_line_and_key_and_the_daemon_works_on(
    acme: HouseBed, daemon: Daemon
) -> None:
    good, refused = acme.config.read_text("utf-8"), "not reloaded, what was in force stays so: "
    restarts_are_refused(acme, daemon)
    for name in set(SECRETS) - {"token-key"}:
        (acme.folder / name).write_text("a secret")
        (acme.folder / name).chmod(0o600)
    assert len(BROKEN) == 30
    for case in BROKEN:
        acme.config.write_text(case.get("file", MINIMAL + case.get("add", "")), "utf-8")
        said = daemon.reload(refused).replace(f"{acme.folder}/", "")
        assert said == f"{refused}reconciler.yaml:{case['says']}", case["name"]
    daemon.hear("push: ")
    assert acme.titles("ana") == ["Safety"]
    acme.lms.change("session-1", title="Safety for all")
    daemon.hear("push: 1 person changed")
    assert acme.titles("ana") == ["Safety for all"]
    acme.config.write_text(good.replace("confirm: 1s", "confirm: 2s"), "utf-8")
    assert "confirm every 0:00:02" in daemon.reload("reloaded: ")
    pilot = {**yaml.safe_load(good), "accounts": {"defaults": {"vendors": ["google"], "people": ["ana"]}}}
    acme.config.write_text(yaml.safe_dump(pilot), "utf-8")
    assert "`reconciler account set`" in daemon.reload("accounts: says what an account begins with; ")


def test_a_second_signal_ends_it_at_once_and_the_next_start_finds_its_way(acme: HouseBed) -> None:
    under_way, ended = threading.Event(), threading.Event()

    def never_answer(operation: str) -> None:
        if operation == "create":
            under_way.set()
            ended.wait(PATIENCE)

    acme.google.on_effect = never_answer
    started = Daemon(acme)
    try:
        assert under_way.wait(PATIENCE)
        started.process.send_signal(signal.SIGTERM)
        started.hear("stopping: waiting for what is under way")
        with pytest.raises(subprocess.TimeoutExpired):
            started.process.wait(0.1)
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(PATIENCE) == -signal.SIGTERM
    finally:
        started.process.kill()
        ended.set()
    acme.google.on_effect = None
    assert [run.result for run in acme.once()][:1] == ["success"]
    assert acme.titles("ana") == ["Safety"]
