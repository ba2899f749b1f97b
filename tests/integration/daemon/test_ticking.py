"""How the daemon ticks: coalescing, going on after anything, and timed anew when the clock jumps."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from reconciler.daemon import CLOCK_JUMP, Daemon, Schedule, Surroundings, Tick

SOON = timedelta(milliseconds=20)
NEVER = timedelta(days=365)
PATIENCE = 20.0


class Counted:
    """A cycle that does nothing but tell that it began."""

    def __init__(self, name: str, every: timedelta, first: timedelta = timedelta(0)) -> None:
        self._begun: queue.Queue[None] = queue.Queue()
        self.tick = Tick(name, every, lambda: self._begun.put(None), first)

    def wait(self, times: int = 1) -> None:
        """Until it has begun so often, once more each time it is asked."""
        for _ in range(times):
            self._begun.get(timeout=PATIENCE)

    @property
    def idle(self) -> bool:
        """Whether it has not begun since it was last waited for."""
        return self._begun.empty()


class Clock:
    """How far the wall clock runs ahead of the monotonic one, in seconds."""

    offset = 0.0

    def __call__(self) -> float:
        return self.offset


@contextmanager
def running(*ticks: Tick, clock: Clock | None = None) -> Iterator[Daemon]:
    """A daemon in a thread of its own; stopped, and waited for, at the end."""
    around = Surroundings(offset=clock or Clock(), watch=0.01)
    daemon = Daemon(Schedule({tick.name: tick for tick in ticks}, jitter=0.0), around=around)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_every_cycle_begins_at_once_and_then_at_its_own_pace() -> None:
    push, audit = Counted("push", SOON), Counted("audit", NEVER)
    with running(push.tick, audit.tick):
        audit.wait()
        push.wait(5)
        assert audit.idle


def test_a_cycle_with_a_delay_does_not_begin_before_it() -> None:
    push, upkeep = Counted("push", SOON), Counted("upkeep", NEVER, first=NEVER)
    with running(push.tick, upkeep.tick):
        push.wait(5)
        assert upkeep.idle


def test_ticks_that_come_while_a_cycle_runs_are_coalesced_into_it() -> None:
    running_now, most, begun, go_on = [0], [0], threading.Semaphore(0), threading.Semaphore(0)

    def cycle() -> None:
        running_now[0] += 1
        most[0] = max(most[0], running_now[0])
        begun.release()
        go_on.acquire(timeout=PATIENCE)
        running_now[0] -= 1

    other = Counted("audit", SOON)
    with running(Tick("push", SOON, cycle), other.tick):
        assert begun.acquire(timeout=PATIENCE)
        other.wait(10)  # ten intervals pass while the first push is under way
        go_on.release()
        assert begun.acquire(timeout=PATIENCE)
        assert not begun.acquire(blocking=False)  # one more begins, not the ten that were missed
        go_on.release(1_000)
    assert most == [1]


def test_a_cycle_that_raises_is_logged_and_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    begun = threading.Semaphore(0)

    def cycle() -> None:
        begun.release()
        raise ZeroDivisionError("nobody thought of this")

    with caplog.at_level(logging.ERROR), running(Tick("push", SOON, cycle)):
        for _ in range(3):
            assert begun.acquire(timeout=PATIENCE)
    assert "nobody thought of this" in caplog.text


@pytest.mark.parametrize("jump", [timedelta(hours=-5), timedelta(hours=5)], ids=["back", "ahead"])
def test_when_the_clock_jumps_every_cycle_is_timed_anew(
    jump: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    """After a jump back the next one would else be due only when the clock is there again."""
    clock, push = Clock(), Counted("push", NEVER)
    with caplog.at_level(logging.WARNING), running(push.tick, clock=clock):
        push.wait()
        clock.offset += jump.total_seconds()
        push.wait()
    assert f"the clock jumped by {jump.total_seconds():.0f} s" in caplog.text


def test_a_clock_that_is_only_trimmed_times_nothing_anew() -> None:
    clock, push, other = Clock(), Counted("push", NEVER), Counted("audit", SOON)
    with running(push.tick, other.tick, clock=clock):
        push.wait()
        clock.offset += CLOCK_JUMP.total_seconds() / 2
        other.wait(10)
        assert push.idle


def test_stopping_waits_for_what_is_under_way() -> None:
    begun, ended, go_on = threading.Event(), threading.Event(), threading.Event()

    def cycle() -> None:
        begun.set()
        go_on.wait(PATIENCE)
        ended.set()

    daemon = Daemon(Schedule({"push": Tick("push", NEVER, cycle)}, jitter=0.0))
    thread = threading.Thread(target=daemon.run)
    thread.start()
    assert begun.wait(PATIENCE)
    daemon.stop()
    assert thread.is_alive()
    assert not ended.is_set()
    go_on.set()
    thread.join(PATIENCE)
    assert ended.is_set()
    assert not thread.is_alive()
