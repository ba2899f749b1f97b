"""A planted bug whose place has gone proves nothing any more: it is found here, at once."""

from __future__ import annotations

from tests.planted.__main__ import not_applicable, plants
from tests.planted.incidents import INCIDENTS


def test_every_planted_bug_still_has_its_place() -> None:
    assert not_applicable() == []


def test_each_planted_bug_has_a_name_of_its_own() -> None:
    names = [plant.name for plant in plants()]
    assert len(set(names)) == len(names) >= 25


def test_each_incident_of_other_programs_has_its_planted_bugs() -> None:
    assert list(INCIDENTS) == list(range(1, 26))
    names = {plant.name for plant in plants()}
    assert [name for planted in INCIDENTS.values() for name in planted if name not in names] == []


def test_each_planted_bug_is_tried_first_on_something_quick() -> None:
    """One test, or the tests of one file, but not all of the harness's: what takes minutes is asked last."""
    first = {plant.name: plant.by[0] for plant in plants()}
    slow = [name for name, by in first.items() if not _is_quick(by)]
    assert slow == []


def _is_quick(by: str) -> bool:
    return "::" in by or (by.endswith(".py") and not by.startswith("tests/harness"))
