"""Random histories, the same ones at every run; other seeds by ``make histories N=20000``."""

from __future__ import annotations

import pytest

from tests.harness.histories import history, play, shortened
from tests.harness.site import Templates

GROUPS, OF = 30, 10


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_must_hold_holds_in_every_history(templates: Templates, group: int) -> None:
    for seed in range(group * OF, (group + 1) * OF):
        told = history(seed)
        outcome = play(templates, told)
        assert outcome.wrongs == [], f"{shortened(templates, told)}"


@pytest.mark.parametrize("seed", range(0, 300, 50))
def test_the_same_seed_gives_the_same_trace(templates: Templates, seed: int) -> None:
    assert play(templates, history(seed)).trace == play(templates, history(seed)).trace


AT_CALDAV = (1636, 1843, 1954)
BLAMED = "308 642 865 988 1098 1546 1676 1754 2101 2122 4343 5195 5511 5569 5941 6469 7506 12336 23086"


@pytest.mark.parametrize(
    ("seed", "vendor"),
    [*((int(seed), "") for seed in BLAMED.split()), *((seed, "caldav") for seed in AT_CALDAV)],
)
def test_the_judge_blames_nobody_for_what_could_not_be_known(
    templates: Templates, seed: int, vendor: str
) -> None:
    """A vendor that denies the only calendar it serves; an event made again since it was deleted; a list that
    is late, and shows an etag that nobody had seen; a copy of one day of a seat whose other day was deleted;
    an event without marker whose id is forgotten, or which was put in again under another; a day that its
    owner had moved before deleting it; a calendar deleted before anybody knew what was in it; an answer to a
    deletion that was taken back, and done again; what was forgotten with the state, and waits for a question
    to be answered before it is deleted; a mailbox that was gone while nobody looked: each of these was once
    held against the program."""
    assert play(templates, history(seed, vendor=vendor)).wrongs == []
