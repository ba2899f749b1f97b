"""A folder with everything the program needs: settings, secrets, databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reconciler.simulators.google import CLIENT
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET
from reconciler.tokens.cipher import generate_key

_MEMORY = Path("/dev/shm")


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """A folder while the context lasts, in memory where the machine has such a place."""
    place = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="reconciler-bench-", dir=place) as name:
        yield Path(name)


def write_settings(folder: Path, lms: dict[str, Any], state: str, **sections: Any) -> Path:
    """The settings' file for this LMS and state database; ``sections`` are further ones."""
    _secret(folder / "token-key", generate_key())
    _secret(folder / "google-secret", CLIENT.secret)
    _secret(folder / "microsoft-secret", DEFAULT_SECRET)
    settings = {
        "installation": {"id": "bench"},
        "lms": {"adapter": "reference", **lms},
        "state": {"url": state, "witness_file": "witness"},
        "tokens": {"key_files": ["token-key"]},
        "providers": {
            "google": {"client_id": CLIENT.id, "client_secret_file": "google-secret"},
            "microsoft": {"client_id": DEFAULT_CLIENT_ID, "secret_file": "microsoft-secret"},
        },
        "accounts": {"defaults": {"vendors": ["google", "microsoft"]}},
        **sections,
    }
    file = folder / "reconciler.yaml"
    file.write_text(json.dumps(settings, indent=1), "utf-8")  # every JSON text is YAML
    return file


def _secret(file: Path, text: str) -> None:
    file.touch(0o600)
    file.write_text(text, "utf-8")
