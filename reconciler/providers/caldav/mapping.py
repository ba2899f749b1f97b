"""Between our events and iCalendar objects (RFC 5545), both ways. Pure.

The marker lies in properties of our own (``X-ILT-...``), which all servers tried keep. Nothing here ever
writes ``ATTENDEE`` or ``ORGANIZER``, which would make a server send invitations (RFC 6638); an owner's own
ones are kept as they are, like everything else that is not managed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from icalendar import vDDDTypes, vDuration

from reconciler.diff.fields import folded
from reconciler.errors import EventRefused, VendorNonsense
from reconciler.model import ActualEvent, Day, Draft, EventKey, Marker, zone
from reconciler.providers import block
from reconciler.providers.caldav.lines import Line, Parsed, made, own_lines, parse, text_line
from reconciler.providers.caldav.zones import rules_of

INSTALLATION = "X-ILT-INSTALLATION"
TOKEN = "X-ILT-TOKEN"  # noqa: S105 - the name of a property, not a secret
_KEY = "X-ILT-KEY"
_GENERATION = "X-ILT-GENERATION"
_DIGEST = "X-ILT-DIGEST"

_DURATION: Any = vDuration
_MOMENT: Any = vDDDTypes
"""Whose types are not told."""

PRODUCT = "-//ILT calendar reconciler//EN"
_MARKER = (INSTALLATION, TOKEN, _KEY, _GENERATION, _DIGEST)
_TIMES = ("DTSTART", "DTEND", "DURATION")
_INSTANT = "X-ILT-INSTANT"
_SHORTEST = timedelta(minutes=1)
"""How an event that begins and ends at once is written, beside that property: one server refuses an event
without length, another makes it an hour long."""
_STAMPS = ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE")
_ALTERNATIVE = "X-ALT-DESC"
"""The description once more, as HTML: out of date when the description is written anew."""


_said = lru_cache(maxsize=512)(text_line)
"""What all who sit in one session have in common is written out once."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An event as it lies on the server: its path, its etag, and the whole object."""

    path: str
    etag: str
    text: str


# Ours to iCalendar ----------------------------------------------------------------------------------


def object_of(draft: Draft, now: datetime) -> str:
    """A new calendar object. Its time counts as busy; reminders are left to the calendar's own default."""
    event = [
        Line("BEGIN", "BEGIN:VEVENT"),
        text_line("UID", draft.made_as),
        *_stamped(now, 0),
        *_times(draft.day),
        _said("SUMMARY", draft.content.title),
        *_location(draft),
        _said("DESCRIPTION", block.replace("", draft.content.block, html=False)),
        made("TRANSP", "OPAQUE"),
        *([made("CLASS", "PRIVATE")] if draft.private else []),
        *_marked(draft.marker),
        Line("END", "END:VEVENT"),
    ]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", *_zone_lines(draft.day)]
    return "\r\n".join([*head, *(line.stands for line in event), "END:VCALENDAR"]) + "\r\n"


def laid_over(draft: Draft, raw: Raw, now: datetime) -> str:
    """The whole object with our managed fields laid over it; every other line stays as it stands."""
    there = parse(raw.text)
    replaced = {*_TIMES, _INSTANT, *_STAMPS, *_MARKER, "SUMMARY", "LOCATION"}
    described = _described(draft, there)
    if described:
        replaced |= {"DESCRIPTION", _ALTERNATIVE}
    new = [
        *_stamped(now, _sequence(there) + 1),
        *_times(draft.day),
        _said("SUMMARY", draft.content.title),
        *_location(draft),
        *described,
        *_marked(draft.marker),
    ]
    ours = {id(line) for line in own_lines(there.event) if line.name in replaced}
    kept = [line for line in there.event if id(line) not in ours]
    missing = _zone_lines(draft.day) if not _has_zone(there, draft.day) else ()
    zones = [Line("", line) for line in missing]
    # A time zone stands before the event that uses it.
    return there.with_event([*zones, kept[0], *new, *kept[1:]])


def _described(draft: Draft, there: Parsed) -> list[Line]:
    """The description with our block in it; none where it has it already."""
    old = there.text("DESCRIPTION")
    found = block.split(old, html=False).block
    if found is not None and folded(found) == folded(draft.content.block):
        return []
    return [text_line("DESCRIPTION", block.replace(old, draft.content.block, html=False))]


def _stamped(now: datetime, sequence: int) -> list[Line]:
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return [made("DTSTAMP", stamp), made("LAST-MODIFIED", stamp), made("SEQUENCE", str(sequence))]


def _sequence(there: Parsed) -> int:
    line = there.own.get("SEQUENCE")
    return int(line.value) if line and line.value.strip().isdecimal() else 0


def _location(draft: Draft) -> list[Line]:
    return [_said("LOCATION", draft.content.location)] if draft.content.location else []


def _marked(marker: Marker) -> list[Line]:
    key = marker.key
    name = f"{quote(key.person, safe='')}/{quote(key.session, safe='')}/{key.slot}"
    values = (marker.installation, marker.token, name, str(marker.generation), marker.digest)
    return [text_line(*pair) for pair in zip(_MARKER, values, strict=True)]


@lru_cache(maxsize=512)
def _times(day: Day) -> tuple[Line, ...]:
    """``DTSTART`` and ``DTEND``: dates (the end exclusive), wall times with their zone, or UTC where a wall
    time would not mean the instant (the second pass of an hour that a clock shows twice)."""
    if day.all_day:
        return tuple(
            made(name, f"{wall:%Y%m%d}", {"VALUE": "DATE"})
            for name, wall in (("DTSTART", day.start_wall), ("DTEND", day.end_wall))
        )
    instants, length = {"DTSTART": day.start_instant, "DTEND": day.end_instant}, list[Line]()
    if day.starts == day.ends:
        instants["DTEND"] += _SHORTEST
        length = [made(_INSTANT, "1")]
    if not _in_zone(day):
        times = [made(name, f"{instant:%Y%m%dT%H%M%SZ}") for name, instant in instants.items()]
        return (*times, *length)
    there = zone(day.zone)
    times = [
        made(name, f"{instant.astimezone(there):%Y%m%dT%H%M%S}", {"TZID": day.zone})
        for name, instant in instants.items()
    ]
    return (*times, *length)


def _in_zone(day: Day) -> bool:
    """Whether both times can be said as wall times of the zone (a fold's second pass cannot)."""
    there = zone(day.zone)
    walls = [instant.astimezone(there) for instant in (day.start_instant, day.end_instant)]
    return day.zone != "UTC" and not any(wall.fold for wall in walls)


@lru_cache(maxsize=512)
def _zone_lines(day: Day) -> tuple[str, ...]:
    if day.all_day or not _in_zone(day):
        return ()
    return rules_of(day.zone, day.start_instant.year)


def _has_zone(there: Parsed, day: Day) -> bool:
    lines = (*there.before, *there.behind)
    return any(line.name == "TZID" and line.value == day.zone for line in lines)


# iCalendar to ours ----------------------------------------------------------------------------------


def event_of(raw: Raw, calendar_id: str) -> ActualEvent:
    """An event as it is now; raises ``VendorNonsense`` for what is not an event with a UID."""
    there = parse(raw.text)
    uid = there.text("UID")
    if not uid:
        raise VendorNonsense("the server answered an event without a UID")
    return ActualEvent(
        event_id=uid,
        calendar_id=calendar_id,
        etag=raw.etag,
        marker=_marker_of(there),
        made_as=uid,
        title=there.text("SUMMARY"),
        location=there.text("LOCATION"),
        block=block.split(there.text("DESCRIPTION"), html=False).block,
        day=_day_of(there),
        raw=raw,
    )


def installation_of(raw: Raw) -> str:
    """Whose event it is, by its marker; empty without one."""
    return parse(raw.text).text(INSTALLATION)


def has_guests(raw: Raw) -> bool:
    """Whether its owner has invited somebody, who would be written to by a server that schedules."""
    return "ATTENDEE" in parse(raw.text).own


def _marker_of(there: Parsed) -> Marker | None:
    """The marker; ``None`` if there is none, or not a whole one."""
    installation, token, name, generation, digest = (there.text(part) for part in _MARKER)
    try:
        person, session, slot = name.split("/")
        key = EventKey(unquote(person), unquote(session), int(slot))
        number = int(generation)
    except ValueError:
        return None
    return Marker(installation, key, token, number, digest) if installation and token else None


def _day_of(there: Parsed) -> Day | None:
    """The day of an event; ``None`` where its times make no sense.

    Hours are given as instants, with the zone they are shown in (``UTC`` where that is not known here);
    all-day days as naive midnights.
    """
    try:
        start = _moment(there, "DTSTART")
        if "DTEND" in there.own:
            end = _moment(there, "DTEND")
        elif "DURATION" in there.own:
            end = start + _DURATION.from_ical(there.own["DURATION"].value)
        else:
            end = start if isinstance(start, datetime) else start + timedelta(days=1)
        if not isinstance(start, datetime):
            return Day(_midnight(start), _midnight(end), "UTC", all_day=True)
        if not isinstance(end, datetime):
            return None
        begins, ends = start.astimezone(UTC), end.astimezone(UTC)
        if _INSTANT in there.own and ends - begins == _SHORTEST:
            ends = begins
        return Day(begins, ends, _zone_of(there))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _moment(there: Parsed, name: str) -> datetime | date:
    """A date, or an aware datetime: RFC 5545's reading of gaps and folds is ``fold=0``."""
    line = there.own[name]
    moment = _MOMENT.from_ical(line.value.strip())
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=zone(_tzid(line)))
    if isinstance(moment, date):
        return moment
    raise ValueError(name)


def _tzid(line: Line) -> str:
    name = line.params.get("TZID", "UTC")
    # Some write a path before the name: /freeassociation.sourceforge.net/Europe/Berlin
    return "/".join(name.split("/")[-2:]) if name.startswith("/") else name


def _midnight(moment: date) -> datetime:
    return datetime.combine(moment, time())


def _zone_of(there: Parsed) -> str:
    line = there.own["DTSTART"]
    return "UTC" if line.value.strip().upper().endswith("Z") else _tzid(line)


def refuse_guests(raw: Raw) -> None:
    """Raise ``EventRefused`` for an event to which its owner has invited people."""
    if has_guests(raw):
        raise EventRefused(
            "Its owner has invited people to it, and this server would write to them about every change"
        )


def without_raw(event: ActualEvent) -> ActualEvent:
    """The same without the object it was read from."""
    return replace(event, raw=None)


def with_raw(event: ActualEvent, raw: Raw | None) -> ActualEvent:
    """The same with the object it was read from."""
    return event if raw is None else replace(event, raw=raw)
