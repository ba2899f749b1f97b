"""A folder with a configuration file that loads, and the secrets it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SECRETS = (
    "token-key",
    "token-key-2",
    "lms-password",
    "state-password",
    "google-client-secret",
    "microsoft-client-secret",
    "microsoft-certificate.pem",
    "lms-writer-password",
    "moodle-key",
    "moodle-known-hosts",
    "webhook-key",
    "acme-launch-secret-2026",
    "smtp-password",
    "broker-password",
    "quotas-password",
)

MINIMAL = """\
installation: {id: acme}
lms:
  adapter: reference
  url: sqlite:///lms.db
tokens:
  key_files: [token-key]
"""


@pytest.fixture(autouse=True)
def _no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def minimal() -> str:
    """The smallest file that loads: six lines."""
    return MINIMAL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SECRETS:
        (tmp_path / name).write_text(f"secret of {name}\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def configuration(folder: Path) -> Callable[[str | bytes], Path]:
    """Writes a configuration file beside the secrets."""

    def write(text: str | bytes) -> Path:
        path = folder / "reconciler.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write
