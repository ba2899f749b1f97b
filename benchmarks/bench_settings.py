"""How long the settings of a site with many accounts take to load: what a reload costs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from reconciler.settings import load

ACCOUNTS = 1_000


def main() -> None:
    """Load a file with a thousand accounts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_text("x")
        (folder / "key").chmod(0o600)
        accounts = "".join(f"    account-{n}: {{mode: observe, people: ['{n}']}}\n" for n in range(ACCOUNTS))
        path = folder / "reconciler.yaml"
        path.write_text(
            "installation: {id: bench}\nlms: {adapter: reference, url: 'sqlite:///lms.db'}\n"
            f"tokens: {{key_files: [key]}}\naccounts:\n  each:\n{accounts}"
        )
        began = time.perf_counter()
        load(path)
        print(f"{ACCOUNTS} accounts: {time.perf_counter() - began:.2f} s")
