"""Each scenario ends as it should whatever happens at a boundary; at all of them by ``make boundaries``."""

from __future__ import annotations

import pytest

from tests.harness.boundaries import How
from tests.harness.boundary_runs import HOWS, boundaries_of, run
from tests.harness.scenarios import ALL, Scenario
from tests.harness.site import Templates

RUNS = 8
"""Of each scenario in the ordinary test run."""


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_it_ends_as_it_should(templates: Templates, scenario: Scenario) -> None:
    assert run(templates, scenario, None) == []


@pytest.mark.parametrize("number", range(len(ALL)), ids=[scenario.name for scenario in ALL])
def test_it_ends_as_it_should_whatever_happens_on_the_way(templates: Templates, number: int) -> None:
    scenario = ALL[number]
    crossed = len(boundaries_of(templates, scenario))
    wrongs = []
    for turn in range(RUNS):
        at, how = (turn * crossed + number) // RUNS % crossed, HOWS[(turn + number) % len(HOWS)]
        wrongs += [f"boundary {at}, {how}: {wrong}" for wrong in run(templates, scenario, at, how)]
    assert wrongs == []


@pytest.mark.parametrize("number", range(0, len(ALL), 3), ids=[scenario.name for scenario in ALL[::3]])
def test_a_second_crash_in_the_recovery_changes_nothing(templates: Templates, number: int) -> None:
    scenario = ALL[number]
    at = number * 7 % len(boundaries_of(templates, scenario))
    assert run(templates, scenario, at, How.CRASH_AFTER, recovery=number % 11) == []
