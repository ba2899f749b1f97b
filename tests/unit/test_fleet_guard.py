"""When so many seats vanish at one vendor that an operator has to look."""

from __future__ import annotations

import pytest

from reconciler.model import Service
from reconciler.ports import Fleet, FleetLimit
from tests.support.builders import NOW

LIMIT = FleetLimit(Service("google"), NOW, NOW, seats=5, share=0.01)


@pytest.mark.parametrize(
    ("vanished", "live", "held"),
    [(5, 100, False), (6, 100, True), (6, 594, False), (7, 693, False), (8, 692, True), (0, 0, False)],
    ids=str,
)
def test_more_than_five_seats_and_more_than_one_in_a_hundred_are_held(
    vanished: int, live: int, held: bool
) -> None:
    assert LIMIT.exceeded_by(Fleet(live, vanished, live, vanished)) is held


@pytest.mark.parametrize(
    ("vanished_people", "live_people", "held"), [(2, 0, True), (1, 0, False), (2, 1, False)], ids=str
)
def test_every_calendar_empty_at_once_is_held(vanished_people: int, live_people: int, held: bool) -> None:
    fleet = Fleet(live=3 * live_people, vanished=2, live_people=live_people, vanished_people=vanished_people)
    assert LIMIT.exceeded_by(fleet) is held
