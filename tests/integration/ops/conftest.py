"""A house of its own for each test, on SQLite."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.ops import serving
from tests.support.house import HouseBed, a_house
from tests.support.listener import Listener
from tests.support.ports import free_port


@pytest.fixture
def house(tmp_path: Path, ledger_file: Path) -> Iterator[HouseBed]:
    """Nobody in it yet, and nothing in its ledger."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    with a_house(tmp_path, f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@pytest.fixture
def port() -> int:
    """Where nobody listens."""
    return free_port()


@pytest.fixture
def listener(house: HouseBed, port: int) -> Iterator[Listener]:
    """The operations listener of the house, which is opened anew with it."""
    house.configure(ops={"listen": f"127.0.0.1:{port}"})
    with serving(house.house) as served:
        yield Listener(served.port)
