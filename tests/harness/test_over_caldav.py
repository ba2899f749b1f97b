"""The same over CalDAV, at simulated servers with real ones' oddities; more by ``make ... VENDOR=caldav``."""

from __future__ import annotations

import pytest

from reconciler.simulators.caldav_store import DAVICAL, WORST
from tests.harness.boundaries import How
from tests.harness.boundary_runs import HOWS, run
from tests.harness.histories import SERVERS, history, play, shortened
from tests.harness.lost_replies import lose_replies
from tests.harness.scenarios import CALDAV
from tests.harness.site import Templates

LATEST = 40
"""Boundaries are drawn from so many of the first: a story that has fewer may be told undisturbed twice."""
GROUPS, OF = 4, 6


@pytest.mark.parametrize("number", range(len(CALDAV)), ids=[scenario.name for scenario in CALDAV])
def test_it_ends_as_it_should_whatever_happens_on_the_way(templates: Templates, number: int) -> None:
    scenario = CALDAV[number]
    assert run(templates, scenario, None) == []
    at, how = number * 13 % LATEST, HOWS[number % len(HOWS)]
    assert run(templates, scenario, at, how) == []
    assert run(templates, scenario, at, How.CRASH_AFTER, recovery=number * 7 % 23) == []


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_must_hold_holds_in_every_history(templates: Templates, group: int) -> None:
    for seed in range(group * OF, (group + 1) * OF):
        told = history(seed, vendor="caldav")
        outcome = play(templates, told)
        assert outcome.wrongs == [], f"{shortened(templates, told)}"


@pytest.mark.parametrize("seed", [SERVERS.index(DAVICAL), SERVERS.index(WORST)])
def test_writes_whose_replies_are_lost_leave_nothing_twice(templates: Templates, seed: int) -> None:
    lost, wrongs = lose_replies(templates, "caldav", seed)
    assert wrongs == []
    assert all(lost[kind] > 0 for kind in ("create", "update", "delete"))
