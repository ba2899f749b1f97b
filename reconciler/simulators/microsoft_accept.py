"""What Graph makes of an event that a client sends: checks, then the fields as they will be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from reconciler.simulators.microsoft_errors import GraphProblem
from reconciler.simulators.microsoft_odata import property_id
from reconciler.simulators.microsoft_store import Fields, StoredEvent
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.microsoft_times import Moment, is_midnight, parse_moment

_ENUMS: dict[str, tuple[str, ...]] = {
    "showAs": ("unknown", "free", "tentative", "busy", "oof", "workingElsewhere"),
    "sensitivity": ("normal", "personal", "private", "confidential"),
    "importance": ("low", "normal", "high"),
    "onlineMeetingProvider": ("unknown", "skypeForBusiness", "skypeForConsumer", "teamsForBusiness"),
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "subject": str,
    "isAllDay": bool,
    "isReminderOn": bool,
    "isOnlineMeeting": bool,
    "responseRequested": bool,
    "allowNewTimeProposals": bool,
    "hideAttendees": bool,
    "reminderMinutesBeforeStart": int,
    "categories": list,
    "attendees": list,
    "locations": list,
    "location": dict,
    "recurrence": dict,
}
_ELEMENTS: dict[str, type] = {"categories": str, "attendees": dict, "locations": dict}
# Accepted and without effect: the server's own, or settled elsewhere.
_IGNORED = frozenset(
    """
    id iCalUId uid changeKey createdDateTime lastModifiedDateTime organizer isOrganizer
    responseStatus webLink hasAttachments bodyPreview seriesMasterId type onlineMeeting
    onlineMeetingUrl isCancelled isDraft originalStart originalStartTimeZone originalEndTimeZone
    occurrenceId cancelledOccurrences
    """.split()  # noqa: SIM905 - a list of one name a line would fill the screen
)


@dataclass
class Draft:
    """A checked request body: fields, times, extended properties (None: to be removed)."""

    fields: Fields = field(default_factory=dict)
    start: Moment | None = None
    end: Moment | None = None
    properties: dict[str, str | None] = field(default_factory=dict)
    transaction_id: str | None = None


def read_draft(body: object, switches: MicrosoftSwitches) -> Draft:
    """Check what a client sent. GraphProblem 400 with the code Graph would use."""
    if not isinstance(body, dict):
        raise GraphProblem(400, "BadRequest", "Unable to read JSON request payload.")
    draft = Draft()
    for name, value in body.items():
        if name in ("start", "end"):
            moment = parse_moment(value, switches.unknown_zones, switches.ambiguous_time_is_second)
            setattr(draft, name, moment)
        elif name == "singleValueExtendedProperties":
            draft.properties = _properties(value)
        elif name == "transactionId":
            draft.transaction_id = _checked(name, value, str)
        elif name not in _IGNORED and not name.startswith("@odata"):
            draft.fields[name] = _field(name, value)
    _keep_locations_together(draft.fields)
    return draft


def check_times(start: Moment | None, end: Moment | None, all_day: bool) -> tuple[Moment, Moment]:
    """Both given, in order (equal is fine), and midnight to midnight in one zone for all-day events."""
    if start is None or end is None:
        raise GraphProblem(400, "ErrorPropertyValidationFailure")
    if end.instant < start.instant:
        raise GraphProblem(400, "ErrorPropertyValidationFailure", "The end time is before the start time.")
    if all_day:
        if not (is_midnight(start) and is_midnight(end)):
            message = "The Event.Start property for an all-day event needs to be set to midnight."
            raise GraphProblem(400, "ErrorPropertyValidationFailure", message)
        if start.zone != end.zone:
            message = "Start and end of an all-day event must be in the same time zone."
            raise GraphProblem(400, "ErrorPropertyValidationFailure", message)
        if end.wall - start.wall < timedelta(days=1):
            message = "The duration of an all-day event must be at least 24 hours."
            raise GraphProblem(400, "ErrorPropertyValidationFailure", message)
    return start, end


def merge(event: StoredEvent, draft: Draft) -> None:
    """Lay a PATCH over an event: what it does not name stays. Nothing is changed if the result is invalid."""
    if draft.transaction_id not in (None, event.transaction_id):
        raise GraphProblem(400, "ErrorInvalidPropertySet", "transactionId cannot be changed.")
    fields = {**event.fields, **draft.fields}
    if event.fields.get("isOnlineMeeting"):
        fields["isOnlineMeeting"] = True  # documented: once online, an event stays so
    times = check_times(draft.start or event.start, draft.end or event.end, bool(fields.get("isAllDay")))
    event.start, event.end = times
    event.fields = fields


def merged_properties(event: StoredEvent, draft: Draft) -> dict[str, str]:
    """The extended properties after a PATCH; null takes one away."""
    merged = {**event.properties, **draft.properties}
    return {name: value for name, value in merged.items() if value is not None}


def add_online_meeting(fields: Fields, with_location: bool) -> None:
    """Make an online meeting of it; a mailbox policy puts it among the locations as well."""
    fields["isOnlineMeeting"] = True
    fields["onlineMeetingProvider"] = "teamsForBusiness"
    fields["onlineMeeting"] = {"joinUrl": "https://teams.microsoft.com/l/meetup-join/19%3ameeting"}
    if with_location:
        fields["locations"] = [
            *fields.get("locations", []),
            _location({"displayName": "Microsoft Teams Meeting"}),
        ]
        fields["location"] = _summary(fields["locations"])


def _field(name: str, value: Any) -> Any:
    if name == "body":
        return _body(value)
    if name in _ENUMS:
        return _enum(name, value)
    if name not in _TYPES:
        message = (
            f"The property '{name}' does not exist on type 'Microsoft.OutlookServices.Event'. "
            "Make sure to only use property names that are defined by the type."
        )
        raise GraphProblem(400, "RequestBodyRead", message)
    checked = _checked(name, value, _TYPES[name])
    if name in _ELEMENTS:
        for one in checked or []:
            _checked(name, one or 0, _ELEMENTS[name])
    if name == "attendees":
        for one in checked or []:
            _checked("emailAddress", one.get("emailAddress"), dict)
    if name == "recurrence" and checked is not None:
        _check_recurrence(checked)
    return checked


def _check_recurrence(given: Fields) -> None:
    pattern, limits = given.get("pattern"), given.get("range")
    if not isinstance(pattern, dict) or not isinstance(limits, dict):
        raise GraphProblem(400, "ErrorPropertyValidationFailure", "A recurrence has a pattern and a range.")
    _checked("interval", pattern.get("interval"), int)
    _checked("numberOfOccurrences", limits.get("numberOfOccurrences"), int)


def _checked(name: str, value: Any, wanted: type | tuple[type, ...]) -> Any:
    beyond_int32 = (
        wanted is int and isinstance(value, int) and (isinstance(value, bool) or abs(value) >= 2**31)
    )
    if value is not None and (not isinstance(value, wanted) or beyond_int32):
        raise GraphProblem(
            400, "RequestBodyRead", f"Cannot convert the value of '{name}' to the expected type."
        )
    return value


def _enum(name: str, value: Any) -> Any:
    if value is None:
        return None
    for known in _ENUMS[name]:
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise GraphProblem(400, "RequestBodyRead", f"Requested value '{value}' was not found for '{name}'.")


def _body(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or str(value.get("contentType", "text")).lower() not in ("text", "html"):
        raise GraphProblem(400, "RequestBodyRead", "The body's contentType must be text or html.")
    content = _checked("body/content", value.get("content"), str) or ""
    return {"contentType": str(value.get("contentType", "text")).lower(), "content": content}


def _properties(value: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for one in _checked("singleValueExtendedProperties", value, list) or []:
        if not isinstance(one, dict) or "value" not in one:
            raise GraphProblem(400, "RequestBodyRead", "An extended property has an id and a value.")
        found[property_id(one.get("id"))] = _checked("value", one["value"], str)
    return found


def _keep_locations_together(fields: Fields) -> None:
    """Setting either of location and locations replaces the other."""
    if "location" in fields:
        only = fields["location"]
        fields["locations"] = [_location(only)] if only and only.get("displayName") else []
    elif "locations" in fields:
        fields["locations"] = [_location(one) for one in fields["locations"] or []]
    else:
        return
    fields["location"] = _summary(fields["locations"])


def _location(given: Any) -> Fields:
    if not isinstance(given, dict):
        raise GraphProblem(400, "RequestBodyRead", "A location was expected.")
    name = _checked("displayName", given.get("displayName"), str) or ""
    return {
        "locationType": "default",
        "uniqueId": name,
        "uniqueIdType": "private",
        **given,
        "displayName": name,
    }


def _summary(locations: list[Fields]) -> Fields | None:
    if len(locations) == 1:
        return locations[0]
    if not locations:
        return None
    name = "; ".join(one["displayName"] for one in locations)
    return _location({"displayName": name})
