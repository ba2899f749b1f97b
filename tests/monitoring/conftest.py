"""A house of its own for each test, on SQLite."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import HouseBed, a_house


@pytest.fixture
def house(tmp_path: Path, ledger_file: Path) -> Iterator[HouseBed]:
    """Nobody in it yet, and nothing in its ledger."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    with a_house(tmp_path, f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@pytest.fixture
def port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free: int = probe.getsockname()[1]
    return free
