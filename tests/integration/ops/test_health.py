"""What makes the process not alive, and what makes it not ready."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from reconciler.ops import serving
from reconciler.pulse import PATIENCE, Pulse
from tests.support.house import MONDAY, HouseBed
from tests.support.listener import Listener

HOUR = timedelta(hours=1)


class Watch:
    """A clock that never jumps, but for a test."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch(house: HouseBed, listener: Listener) -> Watch:
    """The clock by which the pulse of the house is felt; a push is expected each minute."""
    watch = Watch()
    house.house.world.pulse.__init__(watch)  # type: ignore[misc]
    house.house.world.pulse.expect("push", 60)
    return watch


def test_a_loop_that_shows_no_sign_of_life_is_not_alive(
    house: HouseBed, listener: Listener, watch: Watch
) -> None:
    house.push()
    watch.seconds += PATIENCE
    assert listener.get("/alive").status == 200
    watch.seconds += 1
    told = listener.get("/alive")
    assert (told.status, told.text) == (503, "NOT OK  push: last sign of life 601 s ago\n")
    house.push()
    assert listener.get("/alive").text == "ok  push: last sign of life 0 s ago\n"


def test_a_cycle_under_way_is_alive_as_long_as_turns_end_in_it(
    house: HouseBed, listener: Listener, watch: Watch
) -> None:
    """The first turn takes long, and each of the others sees the process alive; then one hangs."""
    session = house.lms.add_session(MONDAY)
    for person in ("ana", "ben", "cy"):
        house.newcomer(person, "google", session)
    seen = []

    def slow(operation: str) -> None:
        if operation == "create":
            watch.seconds += PATIENCE - 1
            seen.append(listener.get("/alive").status)

    house.google.on_effect = slow
    house.push()
    house.google.on_effect = None
    assert watch.seconds > 2 * PATIENCE
    assert seen == [200, 200, 200]


def test_a_loop_that_hangs_is_not_alive_though_its_process_answers(
    house: HouseBed, listener: Listener, watch: Watch
) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(operation: str) -> None:
        if operation == "create":
            hangs.set()
            goes_on.wait()

    house.google.on_effect = hang
    push = threading.Thread(target=house.push)
    push.start()
    hangs.wait()
    watch.seconds += PATIENCE + 1
    told = listener.get("/alive")
    goes_on.set()
    push.join()
    house.google.on_effect = None
    assert told.status == 503
    assert listener.get("/alive").status == 200


def test_long_intervals_are_waited_for_three_times() -> None:
    watch = Watch()
    pulse = Pulse(watch)
    pulse.expect("upkeep", 86_400)
    watch.seconds = 3 * 86_400
    assert pulse.stuck() == {}
    watch.seconds += 1
    assert pulse.stuck() == {"upkeep": 3 * 86_400 + 1}


def test_it_is_ready_once_a_push_has_ended_and_as_long_as_the_last_one_is_no_error(
    house: HouseBed, listener: Listener
) -> None:
    assert "NOT OK  push: none has ended yet" in listener.get("/ready").text
    house.push()
    assert listener.get("/ready").status == 200
    house.rename_lms_table("sessions", "away")
    house.push()
    told = listener.get("/ready")
    assert told.status == 503
    assert "NOT OK  push: 0 s ago: push: ended, nothing concluded" in told.text
    house.rename_lms_table("away", "sessions")
    house.push()
    assert listener.get("/ready").status == 200


def test_a_push_long_ago_is_not_ready(house: HouseBed, listener: Listener) -> None:
    house.push()
    house.clock.move(HOUR)
    told = listener.get("/ready")
    assert (told.status, "NOT OK  push: 3600 s ago" in told.text) == (503, True)


def test_a_state_database_that_cannot_be_read_is_not_ready(house: HouseBed, listener: Listener) -> None:
    house.push()
    house.house.ledger.close()
    state = house.folder / "state.db"
    state.rename(house.folder / "away")
    state.mkdir()
    told = listener.get("/ready")
    state.rmdir()
    (house.folder / "away").rename(state)
    assert (told.status, "NOT OK  state database" in told.text) == (503, True)


def test_a_copy_of_another_installation_is_not_ready(house: HouseBed, listener: Listener) -> None:
    house.push()
    strange = house.house.installation.__class__("test", "elsewhere", "")
    house.house.ledger.adopt_installation(strange, "test", "test", house.clock())
    told = listener.get("/ready")
    assert (told.status, "NOT OK  installation: another one" in told.text) == (503, True)


def test_one_that_was_adopted_is_not_ready_before_its_process_is_restarted(
    house: HouseBed, port: int
) -> None:
    house.push()
    strange = house.house.installation.__class__("test", "elsewhere", "")
    house.house.ledger.adopt_installation(strange, "test", "test", house.clock())
    house.configure(ops={"listen": f"127.0.0.1:{port}"})
    at_work = house.house.take_up()
    with serving(at_work) as served:
        assert "Installation: another one" in Listener(served.port).get("/").text
        said = house.cli("status")
        assert (said.exit_code, "reconciler adopt-installation" in said.stdout) == (1, True)
        assert "until it is restarted" in house.cli("adopt-installation").stdout
        told = Listener(served.port).get("/ready")
    assert (told.status, "NOT OK  installation: adopted since" in told.text) == (503, True)
    assert house.push().result == "success"
    house.close()
    assert house.house.take_up().stranger == ""
