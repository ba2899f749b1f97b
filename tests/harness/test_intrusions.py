"""A learner has deleted an event, and in the middle of the program's work something else happens."""

from __future__ import annotations

import pytest

from tests.harness.boundaries import How
from tests.harness.boundary_runs import boundaries_of, run
from tests.harness.intrusions import INTRUSIONS
from tests.harness.scenarios import ALL
from tests.harness.site import Templates

DELETED = {one.name: one for one in ALL if one.name.startswith("a learner deletes the event, ")}
RUNS = 7


@pytest.mark.parametrize("what", INTRUSIONS)
@pytest.mark.parametrize("name", DELETED)
def test_nobody_loses_a_seat_by_it(templates: Templates, name: str, what: str) -> None:
    crossed = len(boundaries_of(templates, DELETED[name]))
    wrongs = []
    for turn in range(RUNS):
        # Most of what matters happens around the proof, at the end of the story.
        at = crossed - 1 - turn * 2 if turn < RUNS - 2 else turn * crossed // RUNS // 2
        how = How.INTRUSION if turn % 2 else How.INTRUSION_AFTER
        found = run(templates, DELETED[name], at, how, intrusion=INTRUSIONS[what])
        wrongs += [f"boundary {at}, {how}: {wrong}" for wrong in found]
    assert wrongs == []
