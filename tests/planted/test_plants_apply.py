"""A planted bug whose place has gone proves nothing any more: it is found here, at once."""

from __future__ import annotations

from tests.planted.__main__ import not_applicable, plants


def test_every_planted_bug_still_has_its_place() -> None:
    assert not_applicable() == []


def test_each_planted_bug_has_a_name_of_its_own() -> None:
    names = [plant.name for plant in plants()]
    assert len(set(names)) == len(names) >= 25
