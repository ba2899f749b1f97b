"""A clock that is behind or far ahead at the start is doubted; one that is right is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.clocks import LONG_PAUSE, PUT_BACK, doubted

LAST = datetime(2026, 11, 22, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("gone", [timedelta(0), -PUT_BACK, LONG_PAUSE])
def test_a_clock_that_went_on_is_not_doubted(gone: timedelta) -> None:
    assert doubted(LAST, LAST + gone) is None


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (-PUT_BACK - SECOND, "ended at 2026-11-22 09:00Z: one of both is wrong"),
        (LONG_PAUSE + SECOND, "unless the program stood still for 2 days, the clock is ahead"),
    ],
)
def test_one_that_went_back_or_far_ahead_is(gone: timedelta, said: str) -> None:
    doubt = doubted(LAST, LAST + gone)
    assert doubt is not None
    assert said in doubt
    assert "timedatectl" in doubt
