"""The program as processes: two at once, and killed between an effect and its answer."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.model import State
from tests.support.house import MONDAY, TUESDAY, WEDNESDAY, HouseBed, a_house

PEOPLE = {"ana": "google", "gil": "google", "ben": "microsoft", "mia": "microsoft"}


@contextmanager
def a_crowd(folder: Path, state: str) -> Iterator[HouseBed]:
    """Four people with two sessions in their calendars, of which one is renamed since and one called off,
    and a new one to come."""
    with a_house(folder, state) as house:
        house.cli("schema", "upgrade")
        kept = house.lms.add_session(MONDAY, TUESDAY, title="Before")
        dropped = house.lms.add_session(TUESDAY, title="Dropped")
        for person, vendor in PEOPLE.items():
            house.newcomer(person, vendor, kept, dropped)
        house.once()
        house.lms.change(kept, title="After")
        house.lms.cancel_session(dropped)
        new = house.lms.add_session(WEDNESDAY, title="New")
        for person in PEOPLE:
            house.lms.book(person, new)
        house.close()
        house.count_anew()
        yield house


@pytest.fixture
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HouseBed]:
    """Our state on the kind of database that is asked for."""
    if request.param == "sqlite":
        state = f"sqlite:///{tmp_path}/state.db"
    else:
        state = request.getfixturevalue("postgresql_url")
    with a_crowd(tmp_path, state) as house:
        yield house


def as_it_should_be(house: HouseBed) -> bool:
    wanted = ["After", "After", "New"]
    return all(house.titles(person) == wanted for person in PEOPLE)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize("crowd", ["sqlite", "postgresql"], indirect=True)
def test_two_processes_at_once_do_everything_once(crowd: HouseBed) -> None:
    running = [crowd.start("once", *crowd.at()) for _ in range(2)]
    ended = [finish(process) for process in running]
    assert [code for code, _, _ in ended] == [0, 0], ended
    crowd.once()
    assert as_it_should_be(crowd)
    calls = crowd.calls()
    assert calls["create"] == len(PEOPLE)
    assert calls["delete"] == len(PEOPLE)
    assert calls["update"] == 2 * len(PEOPLE)


@pytest.mark.parametrize(
    ("crowd", "vendor", "operation"),
    [
        ("sqlite", "google", "create"),
        ("sqlite", "google", "update"),
        ("sqlite", "microsoft", "create"),
        ("sqlite", "microsoft", "delete"),
        ("postgresql", "google", "delete"),
        ("postgresql", "microsoft", "update"),
    ],
    indirect=["crowd"],
)
def test_killed_between_an_effect_and_its_answer_nothing_is_doubled_or_lost(
    crowd: HouseBed, vendor: str, operation: str
) -> None:
    process = crowd.start("once", *crowd.at())
    struck = Counter[str]()

    def strike(had_effect: str) -> None:
        if had_effect == operation and not struck:
            struck[operation] += 1
            process.kill()
            process.wait()  # dead before the answer leaves

    at = crowd.google if vendor == "google" else crowd.microsoft
    at.on_effect = strike
    code, _, _ = finish(process)
    at.on_effect = None
    assert (code, struck) == (-9, {operation: 1})
    for _ in range(2):
        assert {run.result for run in crowd.once()} == {"success"}
    assert as_it_should_be(crowd)
    assert {state for person in PEOPLE for state in crowd.states(person)} == {State.LIVE, State.GONE}
    crowd.count_anew()
    crowd.audit()
    assert crowd.writes() == 0
