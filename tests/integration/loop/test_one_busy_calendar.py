"""One person with very many events has a turn like everybody: it is put off where the person's own quota is
used up, or has taken long enough, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import reconciler.turn
from reconciler.simulators.lms import When
from tests.support.house import MONDAY, TUESDAY, HouseBed

QUOTA, SESSIONS = 20, 50
OTHERS = ("ann", "ben", "cid")


@pytest.fixture
def crowd(house: HouseBed, vendor: str) -> Iterator[HouseBed]:
    """Bea with fifty sessions, the first before anybody else's, and three others; one thread for all."""
    house.configure(dispatch={"threads": 1})
    allow(house, vendor, QUOTA)
    first, second = house.lms.add_session(MONDAY), house.lms.add_session(TUESDAY)
    begin = datetime(2026, 11, 27, 8)
    hours = [begin + timedelta(hours=n) for n in range(SESSIONS)]
    house.newcomer(
        "bea", vendor, *(house.lms.add_session(When(hour, hour + timedelta(hours=1))) for hour in hours)
    )
    for person in OTHERS:
        house.newcomer(person, vendor, first, second)
    yield house
    house.close()
    house.count_anew()
    house.push()
    assert len(house.seen("bea")) == SESSIONS
    assert house.writes() == 0


def allow(house: HouseBed, vendor: str, calls: int) -> None:
    """So many calls a minute for each person from now on."""
    house.configure(providers={vendor: {"quota": {"per_person_per_minute": calls}}})


def a_minute_later(house: HouseBed) -> int:
    """Another push, once the minute's quota is whole again; how many requests of Bea's there were."""
    house.close()
    house.count_anew()
    house.push()
    return sum(house.calls().values())


def test_whoever_has_used_up_their_own_quota_is_put_off_and_the_others_go_on(crowd: HouseBed) -> None:
    run = crowd.push()
    assert run.counts["throttled"] == 1
    assert run.counts["create ok"] == crowd.calls()["create"]
    assert {person: len(crowd.seen(person)) for person in OTHERS} == dict.fromkeys(OTHERS, 2)
    assert 0 < len(crowd.seen("bea")) < QUOTA
    made = [len(crowd.seen("bea"))]
    while made[-1] < SESSIONS:
        assert a_minute_later(crowd) < QUOTA
        made.append(len(crowd.seen("bea")))
        assert crowd.calls()["create"] == made[-1] - made[-2] > 0
    assert len(made) <= 2 + SESSIONS / (QUOTA / 3)
    assert "throttled" not in crowd.audit().counts


def test_whoever_is_put_off_is_not_asked_for_before_there_is_room(crowd: HouseBed) -> None:
    crowd.push()
    (state,) = crowd.house.ledger.states(["bea"]).values()
    assert state.retry_at is not None
    assert 40 < (state.retry_at - crowd.clock()).total_seconds() <= 61
    crowd.count_anew()
    crowd.clock.move(timedelta(seconds=-30))
    crowd.push()
    assert crowd.calls().total() == 0
    while len(crowd.seen("bea")) < SESSIONS:
        a_minute_later(crowd)


def test_what_a_look_found_absent_is_not_looked_for_again(crowd: HouseBed) -> None:
    vendor = crowd.addresses["bea"][0].name
    allow(crowd, vendor, 600)
    crowd.push()
    crowd.disconnect("bea")
    crowd.remove("bea")
    crowd.connect("bea", vendor)
    allow(crowd, vendor, SESSIONS - 5)  # too few to ask for all of them in one look
    pushes = 0
    while len(crowd.seen("bea")) < SESSIONS:
        a_minute_later(crowd)
        pushes += 1
        assert pushes < 10
    assert len(set(crowd.titles("bea"))) == SESSIONS


def test_a_turn_that_has_taken_long_ends_after_its_next_change(
    crowd: HouseBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(crowd, crowd.addresses["bea"][0].name, 600)
    with monkeypatch.context() as patched:
        patched.setattr(reconciler.turn, "TURN_SECONDS", -1.0)
        for number in (1, 2):
            assert crowd.push().counts["create ok"] == 1 + len(OTHERS)
            assert {len(crowd.seen(person)) for person in ("bea", *OTHERS)} == {number}
    crowd.count_anew()
    crowd.push()
    assert crowd.calls()["create"] == SESSIONS - 2
