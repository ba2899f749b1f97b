"""The program, killed for good at random instants; as often as one likes by ``make kills N=500``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.harness.kills import kill


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_instant_it_recovers_within_two_rounds(
    tmp_path: Path, ledger_file: Path, seed: int
) -> None:
    shutil.copy(ledger_file, tmp_path / "state.db")
    made = kill(tmp_path, 13 - seed, seed)
    assert made.wrongs == []
    assert made.counts["killed"] == 13 - seed
