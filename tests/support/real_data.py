"""Real data beside the project, for tests that hold it against the code; absent, they are skipped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "data"
Row = dict[str, Any]


def real(name: str) -> Path:
    """A file of the real data. Where it is missing the test is skipped; in CI (``CI=true``) it fails."""
    path = FOLDER / name
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing")
        pytest.skip(f"{name} is not here")
    return path


def rows(name: str) -> list[Row]:
    """The rows of a file of JSON lines."""
    with real(name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
