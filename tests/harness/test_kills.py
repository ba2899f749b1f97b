"""The program, killed for good at random instants; as often as one likes by ``make kills N=500``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.harness.kills import kill


@pytest.mark.parametrize(("seed", "count", "vendor"), [(0, 13, ""), (1, 12, ""), (0, 3, "caldav")])
def test_killed_at_any_instant_it_recovers_within_two_rounds(
    tmp_path: Path, ledger_file: Path, seed: int, count: int, vendor: str
) -> None:
    shutil.copy(ledger_file, tmp_path / "state.db")
    made = kill(tmp_path, count, seed, vendor)
    assert made.wrongs == []
    assert made.counts["killed"] == count
