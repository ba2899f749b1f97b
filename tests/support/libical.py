"""libical, the strictest of the iCalendar parsers, by ctypes: what it finds wrong, and what it reads."""

from __future__ import annotations

import os
from ctypes import CDLL, Structure, c_char_p, c_int, c_longlong, c_void_p
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import pytest

_VEVENT = 4
"""``ICAL_VEVENT_COMPONENT`` of ``enum icalcomponent_kind``."""


class _Time(Structure):
    """``struct icaltimetype`` of libical 3."""

    _fields_ = [
        *((name, c_int) for name in ("year", "month", "day", "hour", "minute", "second")),
        ("is_date", c_int),
        ("is_daylight", c_int),
        ("zone", c_void_p),
    ]


@dataclass(frozen=True)
class Read:
    """What libical makes of an object. ``starts`` and ``ends`` are instants, or dates of a whole day."""

    faults: list[str]
    starts: datetime | date
    ends: datetime | date
    summary: str
    location: str | None
    description: str | None
    uid: str


@cache
def _library() -> CDLL:
    try:
        found = CDLL("libical.so.3")
    except OSError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("libical is not here: apt install libical3")
    for name in ("summary", "location", "description", "uid"):
        getter = getattr(found, f"icalcomponent_get_{name}")
        getter.restype, getter.argtypes = c_char_p, [c_void_p]
    for name in ("dtstart", "dtend"):
        getter = getattr(found, f"icalcomponent_get_{name}")
        getter.restype, getter.argtypes = _Time, [c_void_p]
    signatures = {
        "icalparser_parse_string": (c_void_p, [c_char_p]),
        "icalrestriction_check": (c_int, [c_void_p]),
        "icalcomponent_count_errors": (c_int, [c_void_p]),
        "icalcomponent_get_first_component": (c_void_p, [c_void_p, c_int]),
        "icalcomponent_as_ical_string": (c_char_p, [c_void_p]),
        "icalcomponent_free": (None, [c_void_p]),
        "icaltime_as_timet_with_zone": (c_longlong, [_Time, c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def read(raw: bytes) -> Read:
    """Parse one object with one event."""
    library = _library()
    whole = library.icalparser_parse_string(raw)
    assert whole, "libical cannot parse it at all"
    try:
        return _read(library, whole)
    finally:
        library.icalcomponent_free(whole)


def _read(library: CDLL, whole: int) -> Read:
    allowed = library.icalrestriction_check(whole)
    errors = library.icalcomponent_count_errors(whole)
    faults = []
    if errors or not allowed:
        text = library.icalcomponent_as_ical_string(whole).decode()
        faults = [line for line in text.splitlines() if "LIC-ERROR" in line] or ["icalrestriction_check"]
    event = library.icalcomponent_get_first_component(whole, _VEVENT)
    assert event, "libical finds no event"
    starts, ends = library.icalcomponent_get_dtstart(event), library.icalcomponent_get_dtend(event)

    def text_of(name: str) -> str | None:
        found = getattr(library, f"icalcomponent_get_{name}")(event)
        return None if found is None else found.decode()

    return Read(
        faults=faults,
        starts=_moment(library, starts),
        ends=_moment(library, ends),
        summary=text_of("summary") or "",
        location=text_of("location"),
        description=text_of("description"),
        uid=text_of("uid") or "",
    )


def _moment(library: CDLL, time: _Time) -> datetime | date:
    if time.is_date:
        return date(time.year, time.month, time.day)
    return datetime.fromtimestamp(library.icaltime_as_timet_with_zone(time, time.zone), UTC)
