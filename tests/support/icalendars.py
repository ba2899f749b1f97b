"""What each kind of receiver makes of one entry, and whether it is what RFC 5545 asks for.

No parser here is the one that wrote it: libical; vobject with dateutil; and a reader of our own that knows
no more of a time zone than Outlook does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import vobject

from reconciler.mail.letter import Invite, Method
from reconciler.model import Day
from tests.support import libical

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
Line = tuple[str, dict[str, str], str]


def problems(raw: bytes, invite: Invite) -> list[str]:
    """Everything wrong with an entry, by every reader."""
    found = [*form_problems(raw), *_itip_problems(raw, invite), *_outlook_problems(raw, invite)]
    return [*found, *_libical_problems(raw, invite), *_vobject_problems(raw, invite)]


# Its form: what no parser rejects -----------------------------------------------------------------


def form_problems(raw: bytes) -> list[str]:
    """Line ends, folds, characters, zones."""
    found = []
    if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
        found.append("a bare CR or LF")
    if not raw.endswith(b"\r\n"):
        found.append("no line end at its end")
    if any(len(line) > 75 for line in raw.split(b"\r\n")):
        found.append("a line of more than 75 octets")
    if b"" in raw.split(b"\r\n")[:-1]:
        found.append("an empty line")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", raw.decode("utf-8")):
        found.append("a control character")
    told = {value for name, _, value in lines(raw) if name == "TZID"}
    used = {parameters["TZID"] for _, parameters, _ in lines(raw) if "TZID" in parameters}
    if told != used:
        found.append(f"zones used: {used}, told: {told}")
    return found


@lru_cache(maxsize=4)
def lines(raw: bytes) -> list[Line]:
    """The content lines: name, parameters, value."""
    found = []
    for line in re.sub(r"\r\n[ \t]", "", raw.decode("utf-8")).split("\r\n")[:-1]:
        head, value = re.match(r'((?:[^":]|"[^"]*")*):(.*)', line, re.DOTALL).groups()
        name, *parameters = re.findall(r'(?:[^";]|"[^"]*")+', head)
        named = dict(parameter.split("=", 1) for parameter in parameters)
        found.append((name, {key: text.strip('"') for key, text in named.items()}, value))
    return found


# By the books of calendars ------------------------------------------------------------------------


def _differing(who: str, day: Day, starts: datetime | date, ends: datetime | date | None) -> list[str]:
    wanted: tuple[object, object] = (day.start_instant, day.end_instant)
    if day.all_day:
        wanted = (day.start_wall.date(), day.end_wall.date())
    return [] if (starts, ends) == wanted else [f"{who}: {starts} to {ends}, not {wanted[0]} to {wanted[1]}"]


def _libical_problems(raw: bytes, invite: Invite) -> list[str]:
    read = libical.read(raw)
    found = [f"libical: {fault}" for fault in read.faults]
    if (read.uid, read.summary) != (invite.uid, invite.title):
        found.append(f"libical: {read.uid} {read.summary}")
    if (read.location or "", read.description or "") != (invite.location, invite.description):
        found.append(f"libical: {read.location} {read.description}")
    return found + _differing("libical", invite.day, read.starts, read.ends)


def _vobject_problems(raw: bytes, invite: Invite) -> list[str]:
    vars(vobject.icalendar)["__tzidMap"].clear()  # it keeps the first description of a zone for ever
    vobject.icalendar.registerTzid("UTC", UTC)
    event = vobject.readOne(raw.decode("utf-8")).vevent
    starts = event.dtstart.value
    ends = event.dtend.value if hasattr(event, "dtend") else starts
    if isinstance(starts, datetime):
        starts, ends = starts.astimezone(UTC), ends.astimezone(UTC)
    found = _differing("vobject", invite.day, starts, ends)
    there = [name for name in ("summary", "location", "description") if hasattr(event, name)]
    texts = [getattr(event, name).value for name in there]
    if texts != [text for text in (invite.title, invite.location, invite.description) if text]:
        found.append(f"vobject: {texts}")
    return found


def _itip_problems(raw: bytes, invite: Invite) -> list[str]:
    """RFC 5546 sections 3.2.2 and 3.2.5, and what Gmail wants for its card: the method, one attendee who is
    the recipient, an organizer, a title."""
    names = [name for name, _, _ in lines(raw)]
    values = {name: value for name, _, value in lines(raw)}
    wanted = {
        "VERSION": "2.0",
        "METHOD": invite.method,
        "SEQUENCE": str(invite.sequence),
        "ORGANIZER": f"mailto:{invite.organizer.address}",
        "ATTENDEE": f"mailto:{invite.attendee.address}",
        "STATUS": "CANCELLED" if invite.method is Method.CANCEL else "CONFIRMED",
    }
    found = [f"{name}: {values.get(name)}" for name, value in wanted.items() if values.get(name) != value]
    once = ("UID", "DTSTAMP", "SEQUENCE", "SUMMARY", "ORGANIZER", "ATTENDEE", "STATUS", "METHOD", "PRODID")
    found += [f"{name}: {names.count(name)} times" for name in once if names.count(name) != 1]
    if not re.fullmatch(r"\d{8}T\d{6}Z", values["DTSTAMP"]):
        found.append("DTSTAMP is not in UTC")
    if values.get("URL", "") != invite.url:
        found.append(f"URL: {values.get('URL')}")
    return found


# As Outlook reads it ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Half:
    """A STANDARD or DAYLIGHT part, of which Outlook reads this and no more."""

    daylight: bool
    starts: datetime
    rule: dict[str, str] | None
    offset: timedelta

    def in_year(self, year: int) -> datetime:
        """Its onset, by the clocks' time: the n-th or last weekday of a month."""
        if self.rule:
            assert self.rule.keys() == {"FREQ", "BYDAY", "BYMONTH"}, self.rule
            place, weekday = re.fullmatch(r"(-1|[1-4])([A-Z]{2})", self.rule["BYDAY"]).groups()
            month, nth = int(self.rule["BYMONTH"]), int(place)
            days = [self.starts.replace(year=year, month=month, day=day) for day in range(1, 29)]
            days += [days[-1] + timedelta(days=more) for more in (1, 2, 3)]
            same = [d for d in days if d.month == month and _WEEKDAYS[d.weekday()] == weekday]
            return same[nth if nth < 0 else nth - 1]
        return self.starts.replace(year=year)


def _outlook_problems(raw: bytes, invite: Invite) -> list[str]:
    """[MS-OXCICAL] 2.1.3.1.1.19: at most one yearly onset of each kind; one kind alone is a fixed offset."""
    if invite.day.all_day:
        return []
    halves = list(_halves(raw))
    if len(halves) > 2 or len({half.daylight for half in halves}) != len(halves):
        return ["Outlook: more than one rule of a kind"]
    event = lines(raw)[_event_at(raw) :]
    times = {name: (parameters, value) for name, parameters, value in event if name in ("DTSTART", "DTEND")}
    starts = _outlook_instant(*times["DTSTART"], halves)
    ends = _outlook_instant(*times["DTEND"], halves) if "DTEND" in times else starts
    return _differing("Outlook", invite.day, starts, ends)


def _event_at(raw: bytes) -> int:
    return [(name, value) for name, _, value in lines(raw)].index(("BEGIN", "VEVENT"))


def _halves(raw: bytes) -> list[_Half]:
    found, part = [], {}
    for name, _, value in lines(raw):
        if (name, value) in (("BEGIN", "STANDARD"), ("BEGIN", "DAYLIGHT")):
            part = {"kind": value}
        elif name == "END" and value in ("STANDARD", "DAYLIGHT"):
            rule = dict(piece.split("=") for piece in part["RRULE"].split(";")) if "RRULE" in part else None
            starts = datetime.strptime(part["DTSTART"], "%Y%m%dT%H%M%S")
            sign, hours, minutes = re.fullmatch(r"([+-])(\d\d)(\d\d)", part["TZOFFSETTO"]).groups()
            offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
            found.append(_Half(value == "DAYLIGHT", starts, rule, offset))
        elif part is not None:
            part[name] = value
    return found


def _outlook_instant(parameters: dict[str, str], value: str, halves: list[_Half]) -> datetime:
    if "TZID" not in parameters:
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    wall = datetime.strptime(value, "%Y%m%dT%H%M%S")
    if len(halves) == 1:
        assert halves[0].rule is None
        return (wall - halves[0].offset).replace(tzinfo=UTC)
    onsets = [(half.in_year(year), half) for half in halves for year in (wall.year - 1, wall.year)]
    last = max((onset for onset in onsets if onset[0] <= wall), key=lambda onset: onset[0])
    return (wall - last[1].offset).replace(tzinfo=UTC)
