"""What ``capacity`` says of an LMS as it is."""

from __future__ import annotations

import json
from datetime import datetime

from reconciler.simulators.lms import When
from tests.support.house import MONDAY, HouseBed

TOMORROW = When(datetime(2026, 11, 23, 9), datetime(2026, 11, 23, 17))


def people(house: HouseBed) -> None:
    near, far = house.lms.add_session(TOMORROW, title="Near"), house.lms.add_session(MONDAY, title="Far")
    house.newcomer("ana", "google", near, far)
    house.newcomer("ben", "google", far)
    house.newcomer("mia", "microsoft", far)
    house.lms.add_person("omar")
    house.lms.book("omar", far)
    house.lms.add_person("uma")


def test_people_are_counted_by_vendor_and_by_how_near_their_next_session_is(house: HouseBed) -> None:
    people(house)
    said = json.loads(house.cli("capacity", "--format", "json", *house.at()).output)
    google = said["vendors"]["google"]
    assert google["as_it_is"]["people"] == {"soon": 1, "fortnight": 0, "later": 1}
    assert google["twice_as_many"]["people"] == {"soon": 2, "fortnight": 0, "later": 2}
    assert said["vendors"]["microsoft"]["as_it_is"]["people"]["later"] == 1
    assert said["without_calendar"] == 1
    assert google["as_it_is"]["noticed_seconds"]["soon"]["p95"] == 855


def test_a_calendar_that_is_not_kept_costs_no_calls(house: HouseBed) -> None:
    people(house)
    house.switch(vendors=frozenset({"google"}))
    said = json.loads(house.cli("capacity", "--format", "json", *house.at()).output)
    assert sum(said["vendors"]["microsoft"]["as_it_is"]["people"].values()) == 0
    assert said["without_calendar"] == 2


def test_it_is_told_in_a_table(house: HouseBed) -> None:
    people(house)
    said = house.cli("capacity", *house.at()).output
    assert "google: 2 calendars kept, their next session 1 within 48 hours, 0 within 14 days, 1 later" in said
    assert "as it is" in said
    assert "8 min, 14 min" in said
    assert "No calendar, so no calls: 1" in said
