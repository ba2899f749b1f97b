"""Times as Graph takes and gives them: a wall time without offset beside the name of a zone.

Names may be of IANA or of Windows. Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from reconciler.simulators.microsoft_errors import GraphProblem

_WINDOWS_NAMES = {iana: windows for windows, iana in reversed(WINDOWS_TO_OLSON.items())}


@dataclass(frozen=True)
class Moment:
    """A time as it was set: the wall time, the zone's name as written, and the instant that makes."""

    wall: datetime
    zone: str
    instant: datetime


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    if name in ("UTC", "tzone://Microsoft/Utc"):
        return UTC
    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (KeyError, ValueError, OSError):
        return None


def zone(name: object, unknown: frozenset[str] = frozenset()) -> tzinfo:
    """The zone of that name; GraphProblem 400 where Graph knows none."""
    found = _zone(name) if isinstance(name, str) and name not in unknown else None
    if found is None:
        message = (
            "A valid TimeZone value must be specified. "
            f"The following TimeZone value is not supported: '{name}'."
        )
        raise GraphProblem(400, "TimeZoneNotSupportedException", message)
    return found


def windows_name(name: str) -> str:
    """The Windows name of an IANA zone, or the name itself where there is none."""
    return _WINDOWS_NAMES.get(name, name)


def parse_wall(text: object) -> datetime:
    """An ISO 8601 text with up to seven decimals; GraphProblem 400 if it is none."""
    if isinstance(text, str) and "T" in text:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise GraphProblem(400, "ErrorInvalidParameter", f"The DateTime value '{text}' is not valid.")


def parse_moment(given: Any, unknown: frozenset[str], second_of_two: bool) -> Moment:
    """A dateTimeTimeZone as a client sends it. A missing zone means UTC, an offset wins over the zone."""
    if not isinstance(given, dict) or not set(given) <= {"dateTime", "timeZone", "@odata.type"}:
        raise GraphProblem(400, "RequestBodyRead", "A dateTimeTimeZone was expected.")
    name = given.get("timeZone") or "UTC"
    there = zone(name, unknown)
    wall = parse_wall(given.get("dateTime"))
    if wall.tzinfo is not None:
        wall = wall.astimezone(there).replace(tzinfo=None)
    try:
        instant = wall.replace(tzinfo=there, fold=1 if second_of_two else 0).astimezone(UTC)
    except OverflowError as problem:
        raise GraphProblem(400, "ErrorInvalidParameter", f"{wall} is out of range.") from problem
    return Moment(wall.replace(fold=0), name, instant)


def is_midnight(moment: Moment) -> bool:
    """By its own wall clock."""
    return moment.wall.time() == time(0)


def show(wall: datetime, name: str) -> dict[str, str]:
    """A dateTimeTimeZone as Graph writes it: seven decimals, no offset."""
    return {"dateTime": wall.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall.microsecond:06d}0", "timeZone": name}


def stamp(instant: datetime) -> str:
    """An instant as Graph writes createdDateTime and its like."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond:06d}0Z"
