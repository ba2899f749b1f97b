"""One day's entry as an iCalendar object (RFC 5545) for a message (iTIP, RFC 5546; iMIP, RFC 6047). Pure.

Times bear the day's zone with its VTIMEZONE, so that the entry keeps its wall time when a zone's rules
change; they are in UTC where a wall time would be ambiguous, or the zone cannot be told to every receiver.
"""

from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar, Event, Timezone, vCalAddress, vText, vUri

from reconciler.cleaning import clean, one_line
from reconciler.mail.letter import Invite, Mailbox, Method
from reconciler.mail.zones import described
from reconciler.model import Day, zone

_PRODUCT = "-//ILT calendar reconciler//EN"
_UTC_NAMES = ("UTC", "Etc/UTC")


def calendar_object(invite: Invite, stamp: datetime) -> bytes:
    """The object, CRLF and folded. ``stamp`` is the instant at which this message was made."""
    whole = Calendar()
    whole.add("PRODID", _PRODUCT)
    whole.add("VERSION", "2.0")
    whole.add("METHOD", invite.method.value)
    times, told = _times(invite.day)
    if told is not None:
        whole.add_component(told)
    event = _event(invite, stamp)
    for name, value in times.items():
        event.add(name, value)
    whole.add_component(event)
    return bytes(whole.to_ical())


def _event(invite: Invite, stamp: datetime) -> Event:
    """All but its times. RFC 5546 sections 3.2.2 and 3.2.5 say what must be there."""
    event = Event()
    event.add("UID", one_line(invite.uid))
    event.add("SEQUENCE", invite.sequence)
    event.add("DTSTAMP", stamp.astimezone(UTC))
    event.add("SUMMARY", one_line(invite.title))
    event.add("ORGANIZER", _address(invite.organizer))
    event.add("ATTENDEE", _attendee(invite.attendee))
    event.add("STATUS", "CANCELLED" if invite.method is Method.CANCEL else "CONFIRMED")
    event.add("TRANSP", "OPAQUE")
    if location := one_line(invite.location):
        event.add("LOCATION", location)
    if description := _without_blank_ends(clean(invite.description)):
        event.add("DESCRIPTION", description)
    if invite.url and one_line(invite.url).split() == [invite.url]:
        event.add("URL", vUri(invite.url))
    return event


def _without_blank_ends(text: str) -> str:
    """Without white space at the ends of lines, which relays and folds may lose."""
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _address(mailbox: Mailbox) -> vCalAddress:
    """With quotation marks of a kind that parameters may hold (RFC 5545 section 3.2); RFC 6868 is not read by
    many."""
    address = vCalAddress("mailto:" + "".join(one_line(mailbox.address).split()))
    if name := one_line(mailbox.name).replace('"', "'"):
        address.params["CN"] = vText(name)
    return address


def _attendee(mailbox: Mailbox) -> vCalAddress:
    """No reply is asked for (RFC 5545 section 3.2.17): nobody reads the sender's mailbox for them."""
    address = _address(mailbox)
    address.params["CUTYPE"] = vText("INDIVIDUAL")
    address.params["ROLE"] = vText("REQ-PARTICIPANT")
    address.params["PARTSTAT"] = vText("NEEDS-ACTION")
    address.params["RSVP"] = vText("FALSE")
    return address


def _times(day: Day) -> tuple[dict[str, object], Timezone | None]:
    """DTSTART and DTEND, and the zone they need. An end that is the start is left out: it must be later
    (RFC 5545 section 3.8.2.2), and without one the event ends when it starts (section 3.6.1)."""
    if day.all_day:
        return {"DTSTART": day.start_wall.date(), "DTEND": day.end_wall.date()}, None
    told = _zone_told(day)
    target = UTC if told is None else zone(day.zone)
    times: dict[str, object] = {"DTSTART": day.start_instant.astimezone(target)}
    if day.end_instant > day.start_instant:
        times["DTEND"] = day.end_instant.astimezone(target)
    return times, told


def _zone_told(day: Day) -> Timezone | None:
    starts, ends = day.start_instant, day.end_instant
    if day.zone in _UTC_NAMES or _shown_twice(starts, day.zone) or _shown_twice(ends, day.zone):
        return None
    return described(day.zone, starts, ends)


def _shown_twice(instant: datetime, zone_name: str) -> bool:
    """Whether clocks show this instant's wall time twice. It would mean the first (RFC 5545 section 3.3.5);
    some receivers take the second."""
    wall = instant.astimezone(zone(zone_name))
    return wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
