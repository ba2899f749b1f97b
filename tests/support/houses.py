"""A house of its own for each test that asks for one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import HouseBed, a_house
from tests.support.ports import free_port


@pytest.fixture
def house(tmp_path: Path, ledger_file: Path) -> Iterator[HouseBed]:
    """With a small LMS and nobody in it yet, and nothing in its ledger; all on SQLite."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    with a_house(tmp_path, f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@pytest.fixture
def port() -> int:
    """Where nobody listens."""
    return free_port()
