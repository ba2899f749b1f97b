"""Between our values and Graph's event resource, both ways. Pure.

Source: https://learn.microsoft.com/graph/api/resources/event and, for the marker,
https://learn.microsoft.com/graph/api/resources/extended-properties-overview.

*Times.* A day is sent as wall time and IANA zone; where that would be ambiguous (an hour that occurs twice
when clocks go back) or where Graph does not know the zone, as UTC. Graph is asked to answer in UTC
(``Prefer: outlook.timezone``); in which zone the event is shown, ``originalStartTimeZone`` tells, as IANA or
Windows name. All-day days are midnight to midnight, sent as such, and read back as dates.

*Marker.* Three single-value extended properties in a name space of ours: ``Installation`` and ``Token``
are searched for by Graph, which compares values without regard to case; ``Marker`` holds key, generation
and digest, percent-encoded, separated by slashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote, unquote

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from reconciler.diff.fields import folded
from reconciler.errors import VendorNonsense
from reconciler.model import ActualEvent, Day, Draft, EventKey, Marker, zone
from reconciler.providers import block

Json = Mapping[str, Any]

_SPACE = "{6d1f7c0e-6f0b-4b56-9a53-3c1f0d2a8e47}"
INSTALLATION = f"String {_SPACE} Name Installation"
TOKEN = f"String {_SPACE} Name Token"
MARKER = f"String {_SPACE} Name Marker"

EXPAND = (
    f"singleValueExtendedProperties($filter=id eq '{INSTALLATION}' or id eq '{TOKEN}' or id eq '{MARKER}')"
)
SELECT = "id,subject,body,start,end,isAllDay,isCancelled,location,originalStartTimeZone,transactionId,iCalUId"

_UTC = "UTC"
_UTC_NAMES = frozenset({"UTC", "tzone://Microsoft/Utc"})


def prefer(body: str) -> str:
    """The ``Prefer`` header of a request; ``body`` is ``text`` or ``html``.

    Immutable ids survive a move to another folder, but only where every request asks for them
    (https://learn.microsoft.com/graph/outlook-immutable-id).
    """
    return f'IdType="ImmutableId", outlook.timezone="{_UTC}", outlook.body-content-type="{body}"'


# Searching ----------------------------------------------------------------------------------------


def of_installation(installation: str) -> str:
    """``$filter`` for every event of an installation."""
    return _bearing(INSTALLATION, installation)


def of_token(token: str) -> str:
    """``$filter`` for the events of one key."""
    return _bearing(TOKEN, token)


def of_uid(uid: str) -> str:
    """``$filter`` for the event with this ``iCalUId``."""
    return f"iCalUId eq {_literal(uid)}"


def _bearing(name: str, value: str) -> str:
    return (
        f"singleValueExtendedProperties/Any(ep: ep/id eq {_literal(name)} and ep/value eq {_literal(value)})"
    )


def _literal(text: str) -> str:
    """A string of OData (version 4.01, part 2, section 5.1.1.14.1): a quote in it is doubled."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


# Writing ------------------------------------------------------------------------------------------


def new_event(draft: Draft, *, in_utc: bool = False) -> dict[str, Any]:
    """The whole event. Reminders are left to what the mailbox's owner has chosen as their default.

    ``isOnlineMeeting`` and ``responseRequested`` are said outright, lest a policy of the mailbox sets them.
    """
    return {
        **_managed(draft, in_utc),
        "location": {"displayName": draft.content.location},
        "body": {"contentType": "text", "content": block.wrap(draft.content.block)},
        "transactionId": draft.made_as,
        "showAs": "busy",
        "sensitivity": "private" if draft.private else "normal",
        "isOnlineMeeting": False,
        "responseRequested": False,
    }


def changed_event(draft: Draft, known: ActualEvent, *, in_utc: bool = False) -> dict[str, Any]:
    """The managed fields but the body, laid over an event that is there.

    The location is left out where it is known to say the same: setting it would drop what else its owner
    put beside it (address, further locations).
    """
    changes = _managed(draft, in_utc)
    if known.raw is None or folded(known.location) != folded(draft.content.location):
        changes["location"] = {"displayName": draft.content.location}
    return changes


def body_with(draft: Draft, raw: Json) -> dict[str, str]:
    """The event's body, read with :func:`prefer` ``("html")``, with our block in it, its owner's text around
    it untouched."""
    html = _body_is_html(raw)
    content = block.replace(_body(raw), draft.content.block, html=html)
    return {"contentType": "html" if html else "text", "content": content}


def properties(marker: Marker) -> list[dict[str, str]]:
    """The marker as extended properties."""
    key = marker.key
    parts = (key.person, key.session, str(key.slot), str(marker.generation), marker.digest)
    values = {
        INSTALLATION: marker.installation,
        TOKEN: marker.token,
        MARKER: "/".join(quote(part, safe="") for part in parts),
    }
    return [{"id": name, "value": value} for name, value in values.items()]


def _managed(draft: Draft, in_utc: bool) -> dict[str, Any]:
    return {
        "subject": draft.content.title,
        **times(draft.day, in_utc=in_utc),
        "isAllDay": draft.day.all_day,
        "singleValueExtendedProperties": properties(draft.marker),
    }


def times(day: Day, *, in_utc: bool = False) -> dict[str, dict[str, str]]:
    """``start`` and ``end``. ``in_utc`` where Graph does not know the zone."""
    if day.all_day:
        name = _UTC if in_utc else day.zone
        return {"start": _moment(day.starts, name), "end": _moment(day.ends, name)}
    instants = (day.start_instant, day.end_instant)
    name = _UTC if in_utc or any(_ambiguous(one, day.zone) for one in instants) else day.zone
    start, end = (one.astimezone(zone(name)).replace(tzinfo=None) for one in instants)
    return {"start": _moment(start, name), "end": _moment(end, name)}


def _moment(wall: datetime, zone_name: str) -> dict[str, str]:
    return {"dateTime": wall.replace(tzinfo=None).isoformat(), "timeZone": zone_name}


def _ambiguous(instant: datetime, zone_name: str) -> bool:
    """Whether the wall clock of the zone shows this instant's time twice."""
    local = instant.astimezone(zone(zone_name))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


# Reading ------------------------------------------------------------------------------------------


def actual_event(raw: Json, calendar_id: str) -> ActualEvent:
    """Graph's answer, read with :func:`prefer` ``("text")``, as our value.

    Raises ``VendorNonsense`` where it has no id or etag.
    """
    event_id = raw.get("id")
    if not isinstance(event_id, str):
        raise VendorNonsense("an event without an id")
    return ActualEvent(
        event_id=event_id,
        calendar_id=calendar_id,
        etag=etag_of(raw),
        marker=marker_of(raw),
        made_as=raw.get("transactionId"),
        title=raw.get("subject") or "",
        location=(raw.get("location") or {}).get("displayName") or "",
        block=block.split(_body(raw), html=_body_is_html(raw)).block,
        day=day_of(raw),
        raw=raw,
    )


def etag_of(raw: Json) -> str:
    """What the event's next version will have another of; ``VendorNonsense`` without."""
    etag = raw.get("@odata.etag")
    if not isinstance(etag, str):
        raise VendorNonsense("an event without an etag")
    return etag


def property_of(raw: Json, name: str) -> str | None:
    """The value of one extended property of an event that was read with :data:`EXPAND`."""
    for one in raw.get("singleValueExtendedProperties") or ():
        if str(one.get("id")).lower() == name.lower():  # a GUID comes back in either case
            value: str | None = one.get("value")
            return value
    return None


def marker_of(raw: Json) -> Marker | None:
    """The marker; ``None`` where any part of it is missing or spoilt."""
    installation, token, rest = (property_of(raw, name) for name in (INSTALLATION, TOKEN, MARKER))
    if not installation or not token or not rest:
        return None
    try:
        person, session, slot, generation, digest = (unquote(part) for part in rest.split("/"))
        key = EventKey(person, session, int(slot))
        return Marker(installation, key, token, int(generation), digest)
    except ValueError:
        return None


def day_of(raw: Json) -> Day | None:
    """When it takes place: UTC instants, or dates for an all-day event; ``None`` if it cannot be read."""
    start, end = _instant(raw.get("start")), _instant(raw.get("end"))
    if start is None or end is None:
        return None
    name = iana_name(raw.get("originalStartTimeZone")) or _UTC
    if raw.get("isAllDay"):
        return Day(_midnight(start, name), _midnight(end, name), name, all_day=True)
    return Day(start, end, name)


def iana_name(name: str | None) -> str | None:
    """The IANA name of a zone under whichever of its names; ``None`` for a custom or unknown one."""
    if not name:
        return None
    known = _UTC if name in _UTC_NAMES else WINDOWS_TO_OLSON.get(name, name)
    try:
        zone(known)
    except (KeyError, ValueError, OSError):
        return None
    return known


def _instant(given: Any) -> datetime | None:
    """A ``dateTimeTimeZone`` with up to seven decimals. The year 1 stands for "no value"."""
    if not isinstance(given, Mapping):
        return None
    name = iana_name(given.get("timeZone") or _UTC)
    try:
        moment = datetime.fromisoformat(given.get("dateTime") or "")
    except ValueError:
        return None
    if name is None or moment.year == 1:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone(name))).astimezone(UTC)


def _midnight(instant: datetime, zone_name: str) -> datetime:
    """The midnight an all-day event begins or ends with, which Graph gives either as such, in whatever zone
    it was asked for, or as the instant it is in the event's own zone (rounded: there may be no midnight)."""
    if instant.time() == time(0):
        return instant.replace(tzinfo=None)
    local = instant.astimezone(zone(zone_name)).replace(tzinfo=None)
    return datetime.combine((local + timedelta(hours=12)).date(), time(0))


def _body(raw: Json) -> str:
    return (raw.get("body") or {}).get("content") or ""


def _body_is_html(raw: Json) -> bool:
    return str((raw.get("body") or {}).get("contentType", "text")).lower() == "html"
