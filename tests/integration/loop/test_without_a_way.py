"""An LMS without a way to give seats back, as Moodle is by default: deleted events come back, seats stay."""

from __future__ import annotations

import pytest

from reconciler.model import State
from tests.support.house import MINUTE, MONDAY, HouseBed

SAFETY = "101"


@pytest.fixture
def ana(house: HouseBed) -> HouseBed:
    """Her event is there."""
    house.configure(lms={"unregister": {"way": "none"}})
    house.newcomer("ana", "google", house.lms.add_session(MONDAY, id=SAFETY, title="Safety"))
    house.once()
    return house


def deleted(house: HouseBed) -> list[State]:
    """Her event's state, once she has deleted it and every time of grace is over."""
    house.remove("ana")
    assert house.cli("resync", "ana", *house.at()).exit_code == 0
    for _ in range(3):
        house.once()
        house.clock.move(31 * MINUTE)
    assert set(house.lms.statuses("ana", SAFETY).values()) == {"booked"}
    return house.states("ana")


def test_it_is_put_back_once_and_deleted_again_it_stays_away(ana: HouseBed) -> None:
    assert (deleted(ana), ana.titles("ana")) == ([State.LIVE], ["Safety"])
    assert "seats are not given back by deleting events" in ana.explained("ana")
    assert (deleted(ana), ana.titles("ana")) == ([State.DISMISSED], [])


def test_a_pilot_that_only_reports_needs_no_way(ana: HouseBed) -> None:
    ana.configure(unregister={"mode": "report"})
    for _ in range(2):
        assert (deleted(ana), ana.titles("ana")) == ([State.LIVE], ["Safety"])
    assert "recorded only (unregister.mode: report)" in ana.explained("ana")
