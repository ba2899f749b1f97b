"""An event as Graph answers it: every default filled in, times and body as the client prefers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.simulators.microsoft_bodies import as_html, as_text, preview
from reconciler.simulators.microsoft_odata import Node, bad_query, event_type, property_meets
from reconciler.simulators.microsoft_store import Calendar, Fields, Mailbox, StoredEvent
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.microsoft_times import Moment, show, stamp, windows_name, zone

NEVER = "0001-01-01T00:00:00Z"
_PREFERENCE = re.compile(r'\s*([\w.-]+)\s*(?:=\s*(?:"([^"]*)"|([^",;\s]*)))?\s*(?:;[^,]*)?(?:,|$)')
_ALWAYS = ("@odata.etag", "id")
PROPERTIES = frozenset(
    """
    id createdDateTime lastModifiedDateTime changeKey categories transactionId
    originalStartTimeZone originalEndTimeZone iCalUId reminderMinutesBeforeStart isReminderOn
    hasAttachments subject bodyPreview importance sensitivity isAllDay isCancelled isOrganizer
    responseRequested seriesMasterId showAs type webLink onlineMeetingUrl isOnlineMeeting
    onlineMeetingProvider allowNewTimeProposals isDraft hideAttendees responseStatus body start end
    location locations recurrence attendees organizer onlineMeeting
    """.split()  # noqa: SIM905 - a list of one name a line would fill the screen
)


@dataclass(frozen=True)
class Preferences:
    """The Prefer headers of a request; several headers and comma-separated lists come to the same."""

    immutable_ids: bool = False
    zone: str = "UTC"
    text_bodies: bool = False
    page_size: int | None = None
    applied: tuple[str, ...] = ()

    @staticmethod
    def read(header: str, switches: MicrosoftSwitches) -> Preferences:
        """GraphProblem 400 for a zone that Graph does not know; what else it does not know it ignores."""
        found = dict(_preferences(header))
        applied = []
        if found.get("idtype") == "ImmutableId":
            applied.append('IdType="ImmutableId"')
        name = found.get("outlook.timezone", "UTC")
        zone(name, switches.unknown_zones)
        if "outlook.timezone" in found:
            applied.append(f'outlook.timezone="{name}"')
        body = found.get("outlook.body-content-type", "")
        if body in ("text", "html"):
            applied.append(f'outlook.body-content-type="{body}"')
        size = found.get("odata.maxpagesize", "")
        return Preferences(
            immutable_ids=found.get("idtype") == "ImmutableId",
            zone=name,
            text_bodies=body == "text",
            page_size=int(size) if size.isdigit() and int(size) > 0 else None,
            applied=tuple(applied),
        )


def _preferences(header: str) -> Iterator[tuple[str, str]]:
    for match in _PREFERENCE.finditer(header):
        name, quoted, bare = match.groups()
        yield name.lower(), quoted if quoted is not None else bare or ""


@dataclass(frozen=True)
class View:
    """How one request wants its events shown."""

    mailbox: Mailbox
    preferences: Preferences
    select: frozenset[str] = frozenset()
    expand: Node | None = None
    context: str = ""


def read_select(text: str | None) -> frozenset[str]:
    """$select; GraphProblem 400 for a property that events do not have."""
    names = frozenset(name.strip() for name in (text or "").split(",") if name.strip())
    for name in names - PROPERTIES:
        raise bad_query(
            f"Could not find a property named '{name}' on type 'Microsoft.OutlookServices.Event'."
        )
    return names


def show_event(event: StoredEvent, view: View) -> Fields:
    """The event as one request sees it."""
    shown: Fields = {"@odata.etag": f'W/"{event.change_key}"', "id": shown_id(event, view.preferences)}
    shown |= _bookkeeping(event, view)
    shown |= _own_fields(event, view)
    if view.select:
        shown = {name: value for name, value in shown.items() if name in view.select or name in _ALWAYS}
    if view.mailbox.switches.omits_nulls:
        shown = {name: value for name, value in shown.items() if value is not None}
    shown |= _expanded(event, view)
    return shown


def shown_id(event: StoredEvent, preferences: Preferences) -> str:
    """The kind of id the client prefers."""
    return event.immutable_id if preferences.immutable_ids else event.plain_id


def _bookkeeping(event: StoredEvent, view: View) -> Fields:
    account = view.mailbox.account
    original = windows_name if view.mailbox.switches.original_zone_as == "windows" else str
    shown = {
        "createdDateTime": stamp(event.created),
        "lastModifiedDateTime": stamp(event.modified),
        "changeKey": event.change_key,
        "originalStartTimeZone": original(event.start.zone),
        "originalEndTimeZone": original(event.end.zone),
        "iCalUId": event.fields["iCalUId"],
        "hasAttachments": False,
        "isCancelled": False,
        "isOrganizer": True,
        "seriesMasterId": event.occurrence_of,
        "type": event_type(event),
        "webLink": f"https://outlook.office365.com/owa/?itemid={event.plain_id}&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "isDraft": False,
        "responseStatus": {"response": "organizer", "time": NEVER},
        "organizer": {"emailAddress": {"name": account.name, "address": account.upn}},
    }
    if event.transaction_id is not None:
        shown["transactionId"] = event.transaction_id
    return shown


def _own_fields(event: StoredEvent, view: View) -> Fields:
    given = event.fields
    body = given.get("body") or {"contentType": "html", "content": ""}
    return {
        "subject": given.get("subject") or "",
        "categories": given.get("categories") or [],
        "isReminderOn": _default(given.get("isReminderOn"), True),
        "reminderMinutesBeforeStart": _default(given.get("reminderMinutesBeforeStart"), 15),
        "importance": given.get("importance") or "normal",
        "sensitivity": given.get("sensitivity") or "normal",
        "showAs": given.get("showAs") or "busy",
        "isAllDay": bool(given.get("isAllDay")),
        "responseRequested": _default(given.get("responseRequested"), True),
        "allowNewTimeProposals": _default(given.get("allowNewTimeProposals"), True),
        "hideAttendees": bool(given.get("hideAttendees")),
        "isOnlineMeeting": bool(given.get("isOnlineMeeting")),
        "onlineMeetingProvider": given.get("onlineMeetingProvider") or "unknown",
        "onlineMeeting": given.get("onlineMeeting"),
        "recurrence": None if event.occurrence_of else given.get("recurrence"),
        "location": given.get("location") or _no_location(),
        "locations": given.get("locations") or [],
        "attendees": [_attendee(one) for one in event.attendees],
        "bodyPreview": preview(**_content(body)),
        "body": _shown_body(body, view.preferences.text_bodies),
        "start": _shown_time(event, event.start, view),
        "end": _shown_time(event, event.end, view),
    }


def _default(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def _content(body: Fields) -> dict[str, str]:
    return {"content_type": body["contentType"], "content": body["content"]}


def _shown_body(body: Fields, as_plain: bool) -> Fields:
    if as_plain:
        return {"contentType": "text", "content": as_text(**_content(body))}
    return {"contentType": "html", "content": as_html(**_content(body))}


def _shown_time(event: StoredEvent, moment: Moment, view: View) -> Fields:
    name = view.preferences.zone
    if event.fields.get("isAllDay") and view.mailbox.switches.all_day_floats:
        return show(moment.wall, name)
    return show(moment.instant.astimezone(zone(name)).replace(tzinfo=None), name)


def _no_location() -> Fields:
    return {
        "displayName": "",
        "locationType": "default",
        "uniqueIdType": "unknown",
        "address": {},
        "coordinates": {},
    }


def _attendee(given: Fields) -> Fields:
    return {"type": "required", "status": {"response": "none", "time": NEVER}, **given}


def _expanded(event: StoredEvent, view: View) -> Fields:
    if view.expand is None:
        return {}
    found = [
        {"id": name, "value": value}
        for name, value in event.properties.items()
        if property_meets(view.expand, name, value)
    ]
    if not found:
        return {}
    context = f"{view.context}('{shown_id(event, view.preferences)}')/singleValueExtendedProperties"
    return {"singleValueExtendedProperties@odata.context": context, "singleValueExtendedProperties": found}


def show_calendar(calendar: Calendar, mailbox: Mailbox) -> Fields:
    """A calendar as Graph answers it."""
    account = mailbox.account
    return {
        "id": calendar.id,
        "name": calendar.name,
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": calendar.is_default,
        "changeKey": "AAAAAAA=",
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": calendar.is_default,
        "isRemovable": not calendar.is_default,
        "owner": {"name": account.name, "address": account.upn},
    }


def series(event: StoredEvent, last_day: Any) -> Iterator[timedelta]:
    """How far after the first one each occurrence of a daily or weekly series lies (wall time)."""
    recurrence = event.fields["recurrence"]
    pattern, limits = recurrence.get("pattern") or {}, recurrence.get("range") or {}
    step = int(pattern.get("interval") or 1) * (7 if pattern.get("type") == "weekly" else 1)
    count = limits.get("numberOfOccurrences") if limits.get("type") == "numbered" else None
    until = str(limits.get("endDate")) if limits.get("type") == "endDate" else str(last_day)
    place = 0
    while (count is None or place < count) and place < 3000:
        shift = timedelta(days=step * place)
        if str((event.start.wall + shift).date()) > min(until, str(last_day)):
            return
        yield shift
        place += 1
