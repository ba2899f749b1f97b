"""What the daemon tells the service manager, and how its watchdog sees a loop that stands still."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.daemon import Daemon, Schedule, Surroundings, Tick
from reconciler.errors import ConfigurationError, Stopped
from reconciler.notify import Notifier
from reconciler.pulse import Pulse
from tests.support.service_manager import Manager, a_manager

SOON, NEVER = timedelta(milliseconds=20), timedelta(days=365)
PATIENCE = 20.0
WATCHDOG = 0.4


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with a_manager(tmp_path, WATCHDOG) as listening:
        yield listening


@contextmanager
def running(daemon: Daemon) -> Iterator[None]:
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield
    finally:
        daemon.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def around(manager: Manager) -> Surroundings:
    return Surroundings(Pulse(), Notifier(manager.environment), lambda: 0.0, watch=0.01)


def seen(pulse: Pulse, name: str, work: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """A cycle that shows the signs of life that every cycle of the loop shows."""

    def cycle() -> None:
        pulse.begin(name)
        work()
        pulse.end(name)

    return cycle


def test_it_says_when_it_is_ready_how_it_stands_and_that_it_stops(manager: Manager) -> None:
    surroundings = around(manager)
    tick = Tick("push", SOON, seen(surroundings.pulse, "push"))
    schedule = Schedule({"push": tick}, headline=lambda: "4,211 in place, 3 failing")
    with running(Daemon(schedule, around=surroundings)):
        manager.hear(lambda line: line == "READY=1")
        manager.hear(lambda line: line == "WATCHDOG=1")
        manager.hear(lambda line: line.startswith("STATUS="))
    manager.hear(lambda line: line == "STOPPING=1")
    assert manager.heard[0] == "READY=1"


def test_the_watchdog_is_not_fed_once_a_cycle_stands_still_though_others_go_on(manager: Manager) -> None:
    surroundings, go_on = around(manager), threading.Event()
    ticks = (
        Tick("push", SOON, seen(surroundings.pulse, "push", lambda: go_on.wait(PATIENCE))),
        Tick("audit", SOON, seen(surroundings.pulse, "audit")),
    )
    with running(Daemon(Schedule({tick.name: tick for tick in ticks}), around=surroundings)):
        manager.hear(lambda line: line == "WATCHDOG=1")
        while not manager.is_silent(WATCHDOG, "WATCHDOG=1"):
            pass  # until push has stood still for half the watchdog's time
        go_on.set()
        manager.hear(lambda line: line == "WATCHDOG=1")


def test_a_long_cycle_that_moves_keeps_the_watchdog_fed(manager: Manager) -> None:
    surroundings, over = around(manager), threading.Event()

    def long_work() -> None:
        while not over.wait(WATCHDOG / 20):
            surroundings.pulse.beat("push")

    cycle = seen(surroundings.pulse, "push", long_work)
    with running(Daemon(Schedule({"push": Tick("push", NEVER, cycle)}), around=surroundings)):
        manager.hear(lambda line: line == "READY=1")
        for _ in range(100):  # at most one in ten milliseconds: far longer than the watchdog's time
            manager.hear(lambda line: line == "WATCHDOG=1")
        over.set()


def test_a_cycle_that_is_under_way_may_rest_less_long_than_one_that_is_not() -> None:
    clock = [0.0]
    pulse = Pulse(lambda: clock[0], patience=60.0)
    pulse.expect("upkeep", 86_400.0)
    clock[0] = 86_400.0
    assert pulse.stuck() == {}
    pulse.begin("upkeep")
    clock[0] += 61.0
    assert pulse.stuck() == {"upkeep": 61.0}
    pulse.end("upkeep")
    assert pulse.stuck() == {}


def test_told_to_stop_a_cycle_ends_at_its_next_step_and_does_not_sleep(manager: Manager) -> None:
    surroundings, begun, ended = around(manager), threading.Event(), []

    def cycle() -> None:
        begun.set()
        try:
            surroundings.pulse.sleep(3600.0)
        except Stopped:
            ended.append("stopped")

    daemon = Daemon(Schedule({"push": Tick("push", NEVER, cycle)}), around=surroundings)
    with running(daemon):
        assert begun.wait(PATIENCE)
    assert ended == ["stopped"]
    with pytest.raises(Stopped):
        surroundings.pulse.beat("push")


def test_a_reload_is_announced_with_its_instant_and_changes_the_interval_at_once(manager: Manager) -> None:
    pushed = threading.Semaphore(0)
    new = Schedule({"push": Tick("push", SOON, pushed.release)})
    old = Schedule({"push": replace(new.ticks["push"], every=NEVER)})
    daemon = Daemon(old, lambda: new, around(manager))
    with running(daemon):
        assert pushed.acquire(timeout=PATIENCE)
        assert not pushed.acquire(timeout=0.1)
        daemon.reload()
        for _ in range(5):
            assert pushed.acquire(timeout=PATIENCE)
        manager.hear(lambda line: line == "RELOADING=1")
        assert manager.hear(lambda line: line.startswith("MONOTONIC_USEC=")).partition("=")[2].isdecimal()
        manager.hear(lambda line: line == "READY=1")


def test_a_reload_in_the_middle_of_a_cycle_neither_ends_nor_doubles_it(manager: Manager) -> None:
    begun, go_on, running_now, most = threading.Semaphore(0), threading.Event(), [0], [0]

    def cycle() -> None:
        running_now[0] += 1
        most[0] = max(most[0], running_now[0])
        begun.release()
        go_on.wait(PATIENCE)
        running_now[0] -= 1

    def schedule() -> Schedule:
        return Schedule({"push": Tick("push", SOON, cycle)}, jitter=0.0)

    daemon = Daemon(schedule(), lambda: replace(schedule(), jitter=0.5), around(manager))
    with running(daemon):
        assert begun.acquire(timeout=PATIENCE)
        daemon.reload()
        assert not begun.acquire(timeout=0.2)  # ten intervals: the first push is under way
        go_on.set()
        assert begun.acquire(timeout=PATIENCE)
    assert most == [1]


def test_a_reload_that_is_refused_says_why_and_leaves_everything_as_it_is(manager: Manager) -> None:
    pushed = threading.Semaphore(0)

    def refuse() -> Schedule:
        raise ConfigurationError(["reconciler.yaml:3: lms.url: is required"])

    daemon = Daemon(Schedule({"push": Tick("push", SOON, pushed.release)}), refuse, around(manager))
    with running(daemon):
        manager.hear(lambda line: line == "READY=1")
        daemon.reload()
        assert manager.hear(lambda line: "NOT reloaded" in line).endswith("lms.url: is required")
        for _ in range(3):
            assert pushed.acquire(timeout=PATIENCE)


def test_without_a_manager_nothing_is_said_and_nothing_fails() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"WATCHDOG_USEC": "many"}):
        notifier = Notifier(environment)
        notifier.ready("running")
        notifier.alive()
        assert notifier.watchdog_seconds == 0


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_seconds == 0
    assert Notifier({"WATCHDOG_USEC": "1000000"}).watchdog_seconds == 1


def test_a_socket_in_the_abstract_namespace_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses an abstract address
        name = listening.getsockname()
        Notifier({"NOTIFY_SOCKET": "@" + name[1:].decode()}).alive()
        listening.settimeout(PATIENCE)
        assert listening.recv(100) == b"WATCHDOG=1"
