"""Dates and times as Calendar takes and gives them.

An event's ``start`` and ``end`` hold ``date`` or ``dateTime``, never both; ``dateTime`` needs an
offset unless an IANA ``timeZone`` stands beside it. Answers carry the offset of the calendar's zone,
or of the zone the caller asked for. Source: discovery document, schema EventDateTime; RFC 3339.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.simulators.google_errors import invalid, required, standard


@dataclass(frozen=True)
class Moment:
    """A start or an end: a day, or an instant in UTC; and the zone its writer named, if any."""

    day: date | None = None
    instant: datetime | None = None
    zone: str | None = None

    def at(self, calendar_zone: str) -> datetime:
        """The instant in UTC; a day begins at midnight in the given zone."""
        if self.instant is not None:
            return self.instant
        assert self.day is not None
        return datetime.combine(self.day, time(), zone_named(calendar_zone)).astimezone(UTC)

    def rendered(self, zone: str) -> dict[str, str]:
        """As answered; an instant with the offset of the given zone."""
        if self.instant is None:
            return {"date": str(self.day)}
        return {
            "dateTime": rfc3339(self.instant.astimezone(zone_named(zone))),
            "timeZone": self.zone or zone,
        }

    def shifted(self, by: timedelta, calendar_zone: str) -> Moment:
        """As far on as this on the wall clock, which is how a series repeats."""
        if self.day is not None:
            return Moment(day=self.day + by)
        assert self.instant is not None
        zone = zone_named(self.zone or calendar_zone)
        wall = self.instant.astimezone(zone).replace(tzinfo=None) + by
        return Moment(instant=wall.replace(tzinfo=zone).astimezone(UTC), zone=self.zone)


@lru_cache(maxsize=1000)
def zone_named(name: str) -> ZoneInfo:
    """An IANA zone, kept once read."""
    return ZoneInfo(name)


def zone_known(name: str) -> bool:
    """Whether this is the name of an IANA zone."""
    try:
        zone_named(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def rfc3339(instant: datetime) -> str:
    """To the second, with ``Z`` for UTC as Google writes it."""
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def rfc3339_milliseconds(instant: datetime) -> str:
    """With three digits of a second, as ``created`` and ``updated`` have."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(given: object, which: str) -> Moment:
    """A ``start`` or ``end`` of a body; ``which`` is the word for messages."""
    if not isinstance(given, dict):
        raise invalid(f"Invalid {which} time.")
    day, instant, zone = given.get("date"), given.get("dateTime"), given.get("timeZone")
    if day is None and instant is None:
        raise required(f"Missing {which} time.")
    if day is not None and instant is not None:
        raise invalid(f"Invalid {which} time: either date or dateTime.")
    if zone is not None and not (isinstance(zone, str) and zone_known(zone)):
        raise invalid(f"Invalid time zone definition for {which} time.")
    try:
        if day is not None:
            return Moment(day=date.fromisoformat(day))
        parsed = datetime.fromisoformat(str(instant))
    except (TypeError, ValueError):
        raise invalid(f"Invalid {which} time.") from None
    if "T" not in str(instant):
        raise invalid(f"Invalid {which} time.")
    if parsed.tzinfo is None:
        if zone is None:
            raise required(f"Missing time zone definition for {which} time.")
        parsed = parsed.replace(tzinfo=zone_named(zone))
    return Moment(instant=parsed.astimezone(UTC).replace(microsecond=0), zone=zone)


def parse_parameter(text: str) -> datetime:
    """``timeMin``, ``timeMax``, ``updatedMin``: RFC 3339, offset mandatory, parts of a second ignored."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise standard(400) from None
    if parsed.tzinfo is None or "T" not in text:
        raise standard(400)
    return parsed.astimezone(UTC).replace(microsecond=0)
