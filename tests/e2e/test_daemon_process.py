"""`reconciler run` as the process that a unit starts: it works, it is measured, it stops when told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model import State
from reconciler.simulators.lms import When
from tests.support.house import HouseBed

PATIENCE = 60.0
TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))
"""A daemon lives in real time: it takes no other clock."""


@pytest.fixture
def port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free: int = probe.getsockname()[1]
    return free


@pytest.fixture
def acme(house: HouseBed, port: int) -> HouseBed:
    """Ana and Ben, each with an event to get; every cycle begins each second."""
    house.clock.now = datetime.now(UTC)
    session = house.lms.add_session(IN_SPRING, title="Safety")
    house.newcomer("ana", "google", session)
    house.newcomer("ben", "microsoft", session)
    house.configure(ops={"listen": f"127.0.0.1:{port}"}, intervals={"push": "1s", "confirm": "1s"})
    return house


@contextmanager
def daemon(house: HouseBed) -> Iterator[subprocess.Popen[str]]:
    """A daemon at work; killed at the end unless it has ended."""
    process = house.start("run")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Told to stop, with which code it ends and what it has logged."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=PATIENCE)
    return process.returncode, log


def until(condition: Callable[[], object]) -> None:
    """Wait for what will be so soon; fail if it never is."""
    latest = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < latest, "it never was so"
        time.sleep(0.05)


def metric(port: int, name: str) -> float:
    """The value of a series; 0 while there is nothing to ask."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            text = answer.read().decode()
    except OSError:
        return 0.0
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def cycles(port: int, cycle: str, result: str) -> float:
    return metric(port, f'reconciler_cycles_total{{cycle="{cycle}",result="{result}"}}')


def test_it_fills_calendars_follows_the_lms_shows_what_it_does_and_stops(acme: HouseBed, port: int) -> None:
    with daemon(acme) as process:
        until(lambda: acme.titles("ana") == acme.titles("ben") == ["Safety"])
        acme.lms.change("session-1", title="Safety for all")
        until(lambda: acme.titles("ana") == acme.titles("ben") == ["Safety for all"])
        until(lambda: all(cycles(port, cycle, "success") for cycle in ("push", "audit", "confirm")))
        until(lambda: metric(port, 'reconciler_events{provider="google",state="live"}') == 1)
        assert metric(port, "reconciler_lms_up") == 1
        assert acme.cli("status").exit_code == 0
        code, log = stop(process)
    assert code == 0
    assert "push: 2 people changed: 2 created" in log
    assert log.splitlines()[-1].endswith("msg=stopped")
    assert "Traceback" not in log


def test_told_to_stop_in_the_middle_it_finishes_that_change_and_leaves_the_rest_to_the_next_start(
    acme: HouseBed,
) -> None:
    with daemon(acme) as process:

        def tell_it_to_stop(operation: str) -> None:
            if operation == "create":
                acme.google.on_effect = None
                process.send_signal(signal.SIGTERM)

        acme.google.on_effect = tell_it_to_stop
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, log
    assert "then told to stop" in log
    assert acme.states("ana") == [State.LIVE]
    assert acme.states("ben") == []
    assert [run.result for run in acme.once()][:1] == ["success"]
    assert acme.states("ben") == [State.LIVE]
    assert len(acme.seen()) == 2


def test_an_lms_that_is_away_at_first_stops_it_from_nothing_but_its_cycles(acme: HouseBed, port: int) -> None:
    away = (acme.folder / "lms.db").rename(acme.folder / "away.db")
    with daemon(acme) as process:
        until(lambda: cycles(port, "push", "error"))
        assert acme.seen() == []
        away.rename(acme.folder / "lms.db")
        until(lambda: len(acme.seen()) == 2)
        code, log = stop(process)
    assert code == 0
    assert "nothing concluded" in log


def test_where_its_port_is_taken_it_ends_as_badly_configured(acme: HouseBed, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), daemon(acme) as process:
        _, log = process.communicate(timeout=PATIENCE)
    assert process.returncode == 78
    assert f"ops.listen: cannot listen on 127.0.0.1 port {port}: Address already in use" in log
    assert acme.seen() == []
