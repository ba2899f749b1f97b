"""A place from which people are mailed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.ledger.store import SqlLedger
from tests.support.postal import Postal, a_postal


@pytest.fixture
def postal(tmp_path: Path, ledger: SqlLedger) -> Postal:
    """On each kind of state database in turn."""
    return a_postal(tmp_path, ledger)
