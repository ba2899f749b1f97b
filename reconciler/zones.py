"""Which rules for time zones are in force here, and when they change a zone's clocks."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import tzdata

from reconciler.model import zone

_STEP, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of a zone's clocks: its instant (UTC), and their offsets from UTC."""

    instant: datetime
    before: timedelta
    after: timedelta


def clock_changes(zone_name: str, since: datetime, until: datetime) -> Iterator[ClockChange]:
    """The changes of a zone's clocks between two instants in UTC, to the second."""
    while since < until:
        following = min(since + _STEP, until)
        before, after = offset_at(zone_name, since), offset_at(zone_name, following)
        if before != after:
            yield ClockChange(_change(zone_name, since, following), before, after)
        since = following


def offset_at(zone_name: str, instant: datetime) -> timedelta:
    """How far a zone's clocks are ahead of UTC at an instant."""
    offset = instant.astimezone(zone(zone_name)).utcoffset()
    assert offset is not None
    return offset


def _change(zone_name: str, since: datetime, until: datetime) -> datetime:
    """The second between these two at which the offset changes."""
    before = offset_at(zone_name, since)
    while until - since > _SECOND:
        middle = (since + (until - since) / 2).replace(microsecond=0)
        since, until = (middle, until) if offset_at(zone_name, middle) == before else (since, middle)
    return until


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
