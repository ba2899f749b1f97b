"""How many of one person's requests are in flight."""

from __future__ import annotations

import threading

from reconciler.providers.throttle import AtOnce


def test_one_person_never_has_more_in_flight_and_nobody_waits_for_another() -> None:
    at_once, lock = AtOnce(3), threading.Lock()
    inside = {"ana": 0, "ben": 0}
    most = {"ana": 0, "ben": 0}
    both = threading.Barrier(6, timeout=20)

    def work(person: str) -> None:
        with at_once.through(person):
            with lock:
                inside[person] += 1
                most[person] = max(most[person], inside[person])
            both.wait()  # passes only when three of each are inside at the same time
            with lock:
                inside[person] -= 1

    threads = [threading.Thread(target=work, args=(person,)) for person in ("ana", "ben") * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == {"ana": 3, "ben": 3}
