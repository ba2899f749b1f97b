"""The operations listener of a house."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.ops import serving
from tests.support.house import HouseBed
from tests.support.listener import Listener


@pytest.fixture
def listener(house: HouseBed, port: int) -> Iterator[Listener]:
    """Opened anew with the house."""
    house.configure(ops={"listen": f"127.0.0.1:{port}"})
    with serving(house.house) as served:
        yield Listener(served.port)
