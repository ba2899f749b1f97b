"""A simulated Google for each test; afterwards every request it saw must have been a proper one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.discovery import problems
from tests.support.google import Google, Known, running


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        yield started
        assert problems(started.sim.recorder.seen) == []
        assert started.sim.foreign_events_shown() == []


@pytest.fixture
def known(google: Google) -> Known:
    return Known(google)
