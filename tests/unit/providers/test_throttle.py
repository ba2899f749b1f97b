"""What a throttle promises: under the quota by itself, and silent for as long as the vendor asks."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from reconciler.errors import Throttled
from reconciler.providers.throttle import (
    SHORT,
    InMemory,
    Quota,
    Throttle,
    per_minute,
    seconds_of,
)
from reconciler.simulators.google_quota import Quota as SimulatedQuota
from reconciler.simulators.google_quota import QuotaLimits


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_700_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Counting:
    """An observer that counts."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        self.seen["request", operation] += 1

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        self.seen["throttled", scope] += 1

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        self.seen["waited", scope] += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def most_in_any_window(times: list[float], seconds: float) -> int:
    return max(sum(1 for other in times if moment <= other < moment + seconds) for moment in times)


def test_any_window_holds_no_more_than_the_quota(clock: Clock) -> None:
    throttle = Throttle("google", [Quota(10, 60)], [], sleep=clock.sleep, share=1)
    times = []
    for number in range(45):
        throttle.admit(str(number % 7))
        times.append(clock.now)
        clock.sleep(number % 3)
    assert most_in_any_window(times, 60) == 10


def test_one_persons_quota_does_not_slow_another(clock: Clock) -> None:
    throttle = Throttle("google", [], [Quota(2, 60)], sleep=clock.sleep, share=1)
    throttle.admit("ana")
    throttle.admit("ana")
    before = clock.now
    throttle.admit("ben")
    with pytest.raises(Throttled) as caught:
        throttle.admit("ana")
    assert clock.now == before
    assert 59 < caught.value.retry_after <= 61
    assert (caught.value.scope, caught.value.whose) == ("google/ana", "ana")
    clock.now += caught.value.retry_after - SHORT + 0.1  # beyond the jitter, which is another one each time
    throttle.admit("ana")  # so short a wait is waited out
    assert clock.now > before + 60


def test_a_request_takes_as_many_units_as_it_costs(clock: Clock) -> None:
    throttle = Throttle("google", [Quota(6, 60)], [], sleep=clock.sleep, share=1)
    throttle.admit("ana", units=3)
    throttle.admit("ana", units=3)
    before = clock.now
    throttle.admit("ana")
    assert clock.now >= before + 60


def test_a_share_is_left_unused(clock: Clock) -> None:
    throttle = Throttle("google", [Quota(100, 60)], [], sleep=clock.sleep, share=0.9)
    times = []
    for _ in range(200):
        throttle.admit("ana")
        times.append(clock.now)
    assert most_in_any_window(times, 60) == 90


def test_where_no_room_comes_up_in_time_the_caller_is_told_when(clock: Clock) -> None:
    throttle = Throttle("microsoft", [], [Quota(1, 600)], sleep=clock.sleep, patience=90)
    throttle.admit("ana")
    with pytest.raises(Throttled) as caught:
        throttle.admit("ana")
    assert 590 < caught.value.retry_after <= 601
    assert caught.value.scope == "microsoft/ana"


def test_a_day_is_counted_too_and_a_full_one_is_no_matter_of_waiting(clock: Clock) -> None:
    throttle = Throttle("google", [Quota(1000, 60), Quota(50, 86_400)], [], sleep=clock.sleep, share=1)
    for _ in range(50):
        throttle.admit("ana")
    assert throttle.used(86_400) == 1.0
    assert throttle.used(60) == pytest.approx(0.05)
    with pytest.raises(Throttled) as full:
        throttle.admit("ana")
    assert full.value.retry_after > 90


def test_nothing_is_admitted_before_the_stated_time(clock: Clock) -> None:
    throttle = Throttle("google", [Quota(100, 60)], [], sleep=clock.sleep)
    start = clock.now
    refusal = throttle.refused("429", person=None, retry_after=30)
    assert (refusal.retry_after, refusal.scope) == (30, "google")
    for _ in range(2):
        with pytest.raises(Throttled):
            throttle.admit("ana")
    clock.now = start + 29.5
    throttle.admit("ana")
    assert clock.now >= start + 30


def test_a_short_pause_is_waited_out(clock: Clock) -> None:
    throttle = Throttle("google", [], [], sleep=clock.sleep)
    start = clock.now
    throttle.refused("429", person="ana", retry_after=SHORT)
    throttle.admit("ana")
    assert clock.now == start + SHORT


def test_one_persons_pause_is_nobody_elses(clock: Clock) -> None:
    throttle = Throttle("google", [], [], sleep=clock.sleep)
    throttle.refused("quotaExceeded", person="ana", retry_after=4 * 3600)
    start = clock.now
    throttle.admit("ben")
    assert clock.now == start
    with pytest.raises(Throttled) as caught:
        throttle.admit("ana")
    assert caught.value.scope == "google/ana"


def test_a_later_refusal_never_shortens_a_pause(clock: Clock) -> None:
    throttle = Throttle("google", [], [], sleep=clock.sleep)
    throttle.refused("quotaExceeded", person="ana", retry_after=3600)
    throttle.refused("429", person="ana", retry_after=1)
    with pytest.raises(Throttled) as caught:
        throttle.admit("ana")
    assert caught.value.retry_after == pytest.approx(3600)


def test_without_a_stated_time_the_pause_doubles_up_to_a_limit(clock: Clock) -> None:
    throttle = Throttle("google", [], [], sleep=clock.sleep)
    pauses = []
    for _ in range(8):
        pauses.append(throttle.refused("429", person="ana").retry_after)
        clock.sleep(pauses[-1])
    assert all(2 ** min(n, 6) <= pause <= 1.5 * 2 ** min(n, 6) for n, pause in enumerate(pauses[:4], 1))
    assert 64 <= max(pauses) <= 96


def test_the_observer_hears_of_pauses_and_waits_but_of_no_person(clock: Clock) -> None:
    observer = Counting()
    throttle = Throttle("google", [Quota(1, 60)], [], observer=observer, sleep=clock.sleep)
    throttle.refused("429", person="ana", retry_after=1)
    throttle.refused("429", person=None, retry_after=1)
    throttle.admit("ana")
    throttle.admit("ana")
    assert observer.seen == {
        ("throttled", "person"): 1,
        ("throttled", "project"): 1,
        ("waited", "project"): 1,
    }


def test_threads_together_stay_under_the_quota() -> None:
    throttle = Throttle("google", [Quota(50, 600)], [Quota(40, 600)], share=1, patience=0)
    admitted: list[int] = []

    def work(person: str) -> None:
        for number in range(40):
            try:
                throttle.admit(person)
            except Throttled:
                return
            admitted.append(number)

    threads = [threading.Thread(target=work, args=(f"person-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 50


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("17", 17.0),
        ("-3", 0.0),
        ("soon", None),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("1e999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, datetime(2026, 11, 23, 10, tzinfo=UTC)) == seconds


def test_memory_is_swept_of_what_no_window_needs_any_more_and_not_at_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, storage = Clock(monkeypatch), InMemory()
    throttle = Throttle("vendor", [Quota(10, 60)], [], counts=storage, sleep=clock.sleep)
    throttle.admit("7")
    assert [len(window) for window in storage.events.values()] == [1]
    clock.sleep(120)
    storage.timer.function()
    assert not any(storage.events.values())
    assert storage.timer.interval >= 1


class InTurns:
    """Threads of which one runs at a time, on a clock that moves to the next of them when all sleep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wakings: list[tuple[float, int]] = []
        self._gates: dict[int, threading.Event] = {}
        self._asleep = threading.Semaphore(0)

    def sleep(self, seconds: float) -> None:
        me = threading.get_ident()
        heapq.heappush(self._wakings, (self._clock.now + seconds, me))
        self._asleep.release()
        self._gates[me].wait()
        self._gates[me].clear()

    def run(self, work: Callable[[], None], threads: int) -> None:
        """Have so many threads do it, to its end."""

        def turn() -> None:
            self._gates[threading.get_ident()] = threading.Event()
            self.sleep(0)
            work()
            self._asleep.release()

        made = [threading.Thread(target=turn) for _ in range(threads)]
        for thread in made:
            thread.start()
            self._asleep.acquire()
        while self._wakings:
            self._clock.now, who = heapq.heappop(self._wakings)
            self._gates[who].set()
            self._asleep.acquire()
        for thread in made:
            thread.join()


@pytest.mark.parametrize("threads", [8, 40])
def test_a_vendors_quota_is_used_up_without_a_single_refusal(clock: Clock, threads: int) -> None:
    """Calls take from 20 to 180 ms to arrive, so that the vendor sees them closer together than they left."""
    quota, per_vendor_minute, minutes = SimulatedQuota(QuotaLimits(project=3_000, user=600)), 3_000, 2
    turns, chance = InTurns(clock), random.Random(1)
    throttle = Throttle("google", per_minute(per_vendor_minute), [Quota(600, 60)], sleep=turns.sleep)
    end, sent = clock.now + 60 * minutes, []

    def work() -> None:
        while clock.now < end:
            person = str(chance.randrange(500))
            throttle.admit(person)
            sent.append(clock.now)
            turns.sleep(chance.uniform(0.02, 0.18))
            quota.charge(person, 1, datetime.fromtimestamp(clock.now, UTC))

    turns.run(work, threads)
    assert quota.refused == 0
    assert most_in_any_window(sent[:500], 1) <= per_vendor_minute / 60  # also at the very start
    assert quota.spent_units >= 0.95 * per_vendor_minute * minutes


def test_calls_that_a_network_holds_up_for_a_second_are_not_refused_when_they_arrive_together(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.001)  # no luck: threads that never lose time
    quota = SimulatedQuota(QuotaLimits(project=3_000))
    throttle = Throttle("google", per_minute(3_000), [], sleep=clock.sleep)
    begun = clock.now
    while clock.now < begun + 125:
        throttle.admit("ana")
        held_up = max(clock.now, begun + 61) if clock.now >= begun + 60 else clock.now
        quota.charge(str(clock.now), 1, datetime.fromtimestamp(held_up, UTC))
    assert quota.refused == 0
