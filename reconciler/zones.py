"""Which rules for time zones are in force here."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

import tzdata


def tz_database() -> str:
    """The release of the time-zone database that Python uses: a system's own goes before the package.
    ``unknown`` where the system's does not say. https://docs.python.org/3/library/zoneinfo.html#data-sources
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "Europe" / "London").exists():
            return _system_release(folder)
    return str(tzdata.IANA_VERSION)


def _system_release(folder: Path) -> str:
    for name in ("tzdata.zi", "+VERSION"):
        try:
            return (folder / name).read_text().splitlines()[0].removeprefix("# version ").strip()
        except (OSError, IndexError):
            continue
    return "unknown"
