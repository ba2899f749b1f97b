"""Real data beside the project, for tests that hold it against the code; absent, they are skipped."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from reconciler.model import Day

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


def edges(*kinds: str) -> list[Row]:
    """The time-zone cases of these kinds: ``gap``, ``fold``, ``oddity``, ``tzdb-change``."""
    return [row for row in rows("tz-edges.jsonl") if row["kind"] in kinds]


def around(edge: Row) -> list[Day]:
    """Days that begin and end at any two moments around a gap or fold, as wall times and as instants."""
    wall = datetime.fromisoformat(edge["local_from"])
    change = datetime.fromisoformat(edge["transition_utc"])
    steps = [timedelta(minutes=minutes) for minutes in (-60, -30, -1, 0, 1, 30, 59, 60, 90)]
    pairs = [*product([wall + step for step in steps], repeat=2)]
    pairs += product([change + step for step in steps], repeat=2)
    return [Day(start, end, edge["tz"]) for start, end in pairs if start <= end]


def real_sessions() -> list[Row]:
    """Real training sessions of open communities."""
    return rows("ilt-sessions.jsonl")


def days_of(session: Row) -> list[Day]:
    """The days of a real session, as the program would have them."""
    if session["all_day"]:
        dates = [datetime.fromisoformat(day["date"]) for day in session["days"]]
        return [Day(one, one + timedelta(days=1), session["timezone"], all_day=True) for one in dates]
    moments = [[datetime.fromisoformat(one) for one in pair] for pair in session["utc"]]
    return [Day(start, end, session["timezone"]) for start, end in moments]
