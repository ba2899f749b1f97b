"""A time zone's rules as a ``VTIMEZONE`` (RFC 5545 section 3.6.5), for the years around an event. Pure.

Made here, because icalendar 7.3 writes the onset of summer time in the wall time after the change, where the
RFC wants the one before it: an hour late. Servers and clients that know the zone by its name do not look.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from reconciler.model import zone
from reconciler.zones import clock_changes


@lru_cache(maxsize=512)
def rules_of(name: str, year: int) -> tuple[str, ...]:
    """The lines of the zone's rules from the year before this one to the year after it."""
    begin = datetime(year - 1, 1, 1, tzinfo=UTC)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}", *_observance(name, begin, begin)]
    for change in clock_changes(name, begin, datetime(year + 2, 1, 1, tzinfo=UTC)):
        lines += _observance(name, change.instant, change.instant - timedelta(seconds=1))
    return (*lines, "END:VTIMEZONE")


def _observance(name: str, onset: datetime, before: datetime) -> list[str]:
    """What holds from an instant on; ``before`` is when the other offset still held."""
    there = zone(name)
    new, old = onset.astimezone(there), before.astimezone(there)
    old_offset, new_offset = old.utcoffset() or timedelta(), new.utcoffset() or timedelta()
    kind = "DAYLIGHT" if new.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{(onset + old_offset):%Y%m%dT%H%M%S}",
        f"TZOFFSETFROM:{_offset(old_offset)}",
        f"TZOFFSETTO:{_offset(new_offset)}",
        f"TZNAME:{new.tzname()}",
        f"END:{kind}",
    ]


def _offset(offset: timedelta) -> str:
    seconds = round(abs(offset.total_seconds()))
    sign = "-" if offset < timedelta() else "+"
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{sign}{hours:02}{minutes:02}" + (f"{rest:02}" if rest else "")
