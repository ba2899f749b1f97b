"""Between our events and Google's ``Event`` resources, both ways. Pure.

Sources: discovery document calendar v3, schemas ``Event`` and ``EventDateTime``; Calendar API guide
"Extended properties" (keys of up to 44 characters, values of up to 1024: longer ones are dropped or cut
without a word).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import quote, unquote

from reconciler.errors import EventRefused, VendorNonsense
from reconciler.model import ActualEvent, Day, Draft, EventKey, Marker, zone
from reconciler.providers import block

Resource = dict[str, Any]

INSTALLATION = "iltInstallation"
TOKEN = "iltToken"  # noqa: S105 - the name of a property, not a secret
_KEY = "iltKey"
_GENERATION = "iltGeneration"
_DIGEST = "iltDigest"
_LONGEST_VALUE = 1024

_READ_ONLY = frozenset(
    (
        *("created", "creator", "etag", "hangoutLink", "htmlLink", "iCalUID", "id", "kind", "locked"),
        *("organizer", "originalStartTime", "privateCopy", "recurringEventId", "updated"),
        *("attendeesOmitted", "endTimeUnspecified"),
    )
)
"""What Google maintains by itself and an update must not name."""

_READ_ONLY_OF_GUESTS = frozenset({"asyncOperation", "organizer", "self"})


# Ours to Google's -----------------------------------------------------------------------------------


def body_of(draft: Draft) -> Resource:
    """A new event. Its time counts as busy; reminders are left to the calendar's own default.

    Raises ``EventRefused`` where the marker does not fit.
    """
    body = _managed(draft, {})
    body |= {"id": draft.made_as, "status": "confirmed", "transparency": "opaque"}
    if draft.private:
        body["visibility"] = "private"
    return body


def laid_over(draft: Draft, raw: Mapping[str, Any]) -> Resource:
    """The whole event as read, with our managed fields laid over it: an update replaces everything.

    How it is shown (colour, busy or free, private or not), reminders, guests, recurrence, conference and
    attachments are its owner's. Raises ``EventRefused`` where the marker does not fit.
    """
    body = {name: value for name, value in raw.items() if name not in _READ_ONLY}
    if "attendees" in body:
        body["attendees"] = [
            {name: value for name, value in guest.items() if name not in _READ_ONLY_OF_GUESTS}
            for guest in body["attendees"]
        ]
    body.pop("location", None)
    return body | _managed(draft, raw)


def options_for(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without which Google drops the conference or the attachments of an updated event."""
    options: dict[str, Any] = {}
    if "conferenceData" in raw:
        options["conferenceDataVersion"] = 1
    if "attachments" in raw:
        options["supportsAttachments"] = True
    return options


def _managed(draft: Draft, raw: Mapping[str, Any]) -> Resource:
    properties = {half: dict(values) for half, values in raw.get("extendedProperties", {}).items()}
    properties["private"] = properties.get("private", {}) | properties_of(draft.marker)
    start, end = times_of(draft.day)
    managed = {
        "summary": draft.content.title,
        "description": block.replace(raw.get("description", ""), draft.content.block),
        "start": start,
        "end": end,
        "extendedProperties": properties,
    }
    if draft.content.location:
        managed["location"] = draft.content.location
    return managed


def properties_of(marker: Marker) -> dict[str, str]:
    """The marker as private extended properties of this calendar's copy of the event."""
    key = marker.key
    properties = {
        INSTALLATION: marker.installation,
        TOKEN: marker.token,
        _KEY: f"{quote(key.person, safe='')}/{quote(key.session, safe='')}/{key.slot}",
        _GENERATION: str(marker.generation),
        _DIGEST: marker.digest,
    }
    if any(len(value) > _LONGEST_VALUE for value in properties.values()):
        raise EventRefused("The ids of person and session are too long for Google's extended properties")
    return properties


def times_of(day: Day) -> tuple[Resource, Resource]:
    """``start`` and ``end``: dates (the end exclusive), or instants with offset and IANA zone.

    The offset makes hours that a clock shows twice, or never, mean exactly one instant.
    """
    if day.all_day:
        return {"date": str(day.start_wall.date())}, {"date": str(day.end_wall.date())}
    return _date_time(day.start_instant, day.zone), _date_time(day.end_instant, day.zone)


def _date_time(instant: datetime, zone_name: str) -> Resource:
    shown = instant.astimezone(zone(zone_name))
    return {"dateTime": shown.isoformat(timespec="seconds"), "timeZone": zone_name}


def timestamp(instant: datetime) -> str:
    """An instant as a parameter (RFC 3339, UTC)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Google's to ours -----------------------------------------------------------------------------------


def event_of(raw: object, calendar_id: str) -> ActualEvent:
    """An event as it is now; raises ``VendorNonsense`` for what is not an event of Google's."""
    found = _mapping(raw)
    event_id, etag = found.get("id"), found.get("etag")
    if not isinstance(event_id, str) or not isinstance(etag, str):
        raise VendorNonsense("Google answered with something that is not an event")
    return ActualEvent(
        event_id=event_id,
        calendar_id=calendar_id,
        etag=etag,
        marker=marker_of(_mapping(_mapping(found.get("extendedProperties")).get("private"))),
        made_as=event_id,
        title=str(found.get("summary", "")),
        location=str(found.get("location", "")),
        block=block.split(str(found.get("description", ""))).block,
        day=day_of(found.get("start"), found.get("end")),
        raw=found,
    )


def is_cancelled(raw: Mapping[str, Any]) -> bool:
    """Whether this is what Google keeps of a deleted event. Writing to one brings it back to life."""
    return raw.get("status") == "cancelled"


def marker_of(private: Mapping[str, Any]) -> Marker | None:
    """The marker in private extended properties; ``None`` if there is none, or not a whole one."""
    try:
        person, session, slot = str(private[_KEY]).split("/")
        return Marker(
            installation=str(private[INSTALLATION]),
            key=EventKey(unquote(person), unquote(session), int(slot)),
            token=str(private[TOKEN]),
            generation=int(private[_GENERATION]),
            digest=str(private[_DIGEST]),
        )
    except (KeyError, ValueError):
        return None


def day_of(start: object, end: object) -> Day | None:
    """The day of an event with these ``start`` and ``end``; ``None`` where they make no sense together.

    Hours are given as instants, with the zone they are shown in (``UTC`` where that is not known here);
    all-day days as naive midnights.
    """
    first, last = _mapping(start), _mapping(end)
    try:
        if "date" in first and "date" in last:
            return Day(_midnight(first["date"]), _midnight(last["date"]), "UTC", all_day=True)
        return Day(_instant(first), _instant(last), _zone_of(first))
    except (KeyError, TypeError, ValueError):
        return None


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time())


def _instant(moment: Mapping[str, Any]) -> datetime:
    parsed = datetime.fromisoformat(moment["dateTime"])
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zone(moment["timeZone"]))
    return parsed.astimezone(UTC)


def _zone_of(moment: Mapping[str, Any]) -> str:
    name = str(moment.get("timeZone", "UTC"))
    try:
        zone(name)
    except (KeyError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return "UTC"
    return name


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
