"""The pages of a house of its own for each test, on SQLite."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import Pages, the_pages


@pytest.fixture
def pages(tmp_path: Path, ledger_file: Path) -> Iterator[Pages]:
    """Ana and Ben are in the LMS, and nobody has connected anything."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    with the_pages(tmp_path, f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@pytest.fixture(params=["google", "microsoft"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    name: str = request.param
    return name
