"""## Settings

How much it takes to load the settings of a site with a thousand accounts of its own: what a reload costs.
Beside it stands PyYAML reading the same file into lists and dictionaries, unchecked and without places.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.child import cpu
from benchmarks.figures import Figure, Scale, median_ratio
from benchmarks.home import folder_of_its_own, write_settings
from reconciler.settings import load

ACCOUNTS = 1_000


def main(scale: Scale) -> list[Figure]:
    """Load a file with a thousand accounts."""
    with folder_of_its_own() as folder:
        accounts = {f"account-{n}": {"mode": "observe", "people": [str(n)]} for n in range(ACCOUNTS)}
        database = f"sqlite:///{folder}/none.db"
        file = write_settings(folder, {"url": database}, database, accounts={"each": accounts})
        ratio = median_ratio([_pair(file) for _ in range(scale.runs)])
    what = f"CPU of loading settings with {ACCOUNTS:,} accounts to that of PyYAML alone"
    return [Figure("settings_load_ratio", ratio, what)]


def _pair(file: Path) -> tuple[float, float]:
    with cpu() as ours:
        load(file)
    with cpu() as bare:
        yaml.safe_load(file.read_text("utf-8"))
    return ours(), bare()
