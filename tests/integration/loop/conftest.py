"""Each vendor in turn."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["google", "microsoft"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Its name."""
    name: str = request.param
    return name
