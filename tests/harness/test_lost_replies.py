"""Lost replies and long times, a little of each; as much as one likes by make lost-replies and make soak."""

from __future__ import annotations

import pytest

from tests.harness.lost_replies import lose_replies
from tests.harness.site import Templates
from tests.harness.soak import soak


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_writes_whose_replies_are_lost_leave_nothing_twice(templates: Templates, vendor: str) -> None:
    lost, wrongs = lose_replies(templates, vendor, seed=0)
    assert wrongs == []
    assert all(lost[kind] > 0 for kind in ("create", "update", "delete"))


def test_days_go_by_and_everything_stays_as_it_should(templates: Templates) -> None:
    made = soak(templates, days=20, year=10)
    assert made.wrongs == []
    assert made.unregistered > 0
