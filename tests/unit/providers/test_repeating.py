"""How often a vendor's calls are sent."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from reconciler.errors import EventGone, EventRefused, Throttled, VendorUnavailable
from reconciler.providers.repeating import Repeating
from reconciler.providers.throttle import SHORT


def tries(error: Exception, send: str, **given: tuple[type[Exception], ...]) -> int:
    count = 0

    def call() -> None:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)):
        getattr(Repeating(sleep=lambda seconds: None, **given), send)(call)
    return count


def test_a_read_without_an_answer_is_repeated_a_write_is_not() -> None:
    lost = VendorUnavailable("no answer")
    assert tries(lost, "read") == 3
    assert tries(lost, "write") == 1


def test_a_refusal_is_repeated_where_the_wait_is_short() -> None:
    assert tries(Throttled("429", retry_after=SHORT, scope="google"), "write") == 3
    assert tries(Throttled("429", retry_after=SHORT + 1, scope="google"), "read") == 1


def test_no_other_error_is_repeated() -> None:
    assert tries(EventRefused("400"), "read") == 1


def test_an_error_that_may_pass_is_repeated() -> None:
    gone = EventGone("404")
    assert tries(gone, "read", reads_pass=(EventGone,)) == 3
    assert tries(gone, "write", reads_pass=(EventGone,)) == 1
    assert tries(gone, "write", writes_pass=(EventGone,)) == 3


def test_each_call_of_many_threads_has_its_own_repetitions() -> None:
    everybody_has_failed = threading.Barrier(4)
    repeating = Repeating(sleep=lambda seconds: None)
    sent: Counter[int] = Counter()

    def call(number: int) -> None:
        sent[number] += 1
        everybody_has_failed.wait()
        raise VendorUnavailable("no answer")

    def work(number: int) -> None:
        with pytest.raises(VendorUnavailable):
            repeating.read(call, number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == dict.fromkeys(range(4), 3)


def test_repeated_reads_are_spread_out() -> None:
    waits: list[float] = []

    def call() -> None:
        raise VendorUnavailable("no answer")

    with pytest.raises(VendorUnavailable):
        Repeating(attempts=5, sleep=waits.append).read(call)
    assert len(waits) == len(set(waits)) == 4
    assert max(waits) <= 8.5
