"""What a caller sends as an event: checked, cut to Google's limits, laid over what is there.

Source: discovery document, schema Event; Calendar API guides "Extended properties" and "Events".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reconciler.simulators.google_errors import GoogleError, empty_range, invalid, required, standard
from reconciler.simulators.google_series import rule_of
from reconciler.simulators.google_store import ID_ALPHABET, GoogleSwitches, StoredEvent
from reconciler.simulators.google_times import Moment, parse_moment

_TEXTS = ("summary", "description", "location", "colorId", "transparency", "visibility")
_FLAGS = ("anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests")
_OTHER = ("attendees", "extendedProperties", "recurrence", "reminders", "source", "eventType")
_WRITABLE = {*_TEXTS, *_FLAGS, *_OTHER}
_DEFAULTS = {
    "transparency": "opaque",
    "visibility": "default",
    "eventType": "default",
    "anyoneCanAddSelf": False,
    "guestsCanInviteOthers": True,
    "guestsCanModify": False,
    "guestsCanSeeOtherGuests": True,
}
_ALLOWED = {
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
}


@dataclass(frozen=True)
class Draft:
    """A checked body: ``status`` and ``sequence`` are None where the caller named none."""

    fields: dict[str, Any]
    start: Moment
    end: Moment
    status: str | None
    sequence: int | None


def parse_json(text: bytes) -> dict[str, Any]:
    """The JSON object in a body; 400 ``parseError`` for anything else."""
    try:
        body = json.loads(text)
    except ValueError:
        raise GoogleError(400, "parseError", "Parse Error") from None
    if not isinstance(body, dict):
        raise GoogleError(400, "parseError", "Parse Error")
    return body


def checked_ids(body: dict[str, Any], switches: GoogleSwitches) -> tuple[str | None, str | None]:
    """The id or the iCalUID that an insert may choose, not both."""
    event_id, ical_uid = body.get("id"), body.get("iCalUID")
    if event_id is None:
        return None, ical_uid
    if ical_uid is not None:
        raise invalid("Only one of id and iCalUID may be given.")
    known = isinstance(event_id, str) and 5 <= len(event_id) <= 1024
    if switches.client_ids_refused or not known or any(letter not in ID_ALPHABET for letter in event_id):
        raise invalid("Invalid resource id value.")
    return event_id, None


def draft(body: dict[str, Any], switches: GoogleSwitches) -> Draft:
    """A whole event from a body, as insert and update take it."""
    if switches.read_only_fields_refused and ("created" in body or "updated" in body):
        raise invalid("Read-only fields cannot be set.")
    start, end = parse_moment(body.get("start") or {}, "start"), parse_moment(body.get("end") or {}, "end")
    if (start.day is None) != (end.day is None):
        raise invalid("Start and end times must either both be date or both be dateTime.")
    if end.at("UTC") < start.at("UTC"):
        raise empty_range("endTime")
    fields = {name: body[name] for name in body.keys() & _WRITABLE if body[name] is not None}
    _check_texts(fields)
    _cut(fields, "summary", switches.longest_summary)
    _cut(fields, "description", switches.longest_description)
    _check_reminders(fields.get("reminders", {}))
    _check_source(fields.get("source", {}))
    _check_recurrence(fields.get("recurrence"), start)
    _limit_properties(fields)
    status = body.get("status")
    if status not in (None, "confirmed", "tentative", "cancelled"):
        raise invalid("Invalid value for status.")
    sequence = body.get("sequence")
    if sequence is not None and not isinstance(sequence, int):
        raise invalid("Invalid sequence value.")
    fields = {name: value for name, value in fields.items() if _DEFAULTS.get(name) != value}
    return Draft(fields, start, end, status, sequence)


def replacing(event: StoredEvent, body: dict[str, Any], switches: GoogleSwitches) -> Draft:
    """A PUT: all that the caller may write is replaced, what it does not name is lost."""
    made = draft(body, switches)
    _check_against(event, made)
    return made


def patching(event: StoredEvent, body: dict[str, Any], switches: GoogleSwitches) -> Draft:
    """A PATCH: merged name by name, null deletes, arrays are replaced whole."""
    before = {**event.fields, "start": event.start.rendered("UTC"), "end": event.end.rendered("UTC")}
    for name, moment in (("start", event.start), ("end", event.end)):
        if moment.instant is not None and moment.zone is None:
            before[name].pop("timeZone")
    merged: dict[str, Any] = _merged(before, body)
    made = draft(merged, switches)
    _check_against(event, made)
    return made


def _check_against(event: StoredEvent, made: Draft) -> None:
    if made.fields.get("eventType", "default") != event.fields.get("eventType", "default"):
        raise invalid("Event type cannot be changed.")
    if made.sequence is not None and made.sequence < event.sequence:
        raise invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number "
            "of the resource."
        )


def _merged(before: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _check_texts(fields: dict[str, Any]) -> None:
    for name in _TEXTS:
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise standard(400)
        if value is not None and value not in _ALLOWED.get(name, {value}):
            raise invalid(f"Invalid value for: {value} is not a valid value")
        if value == "":
            del fields[name]


def _cut(fields: dict[str, Any], name: str, longest: int | None) -> None:
    if name in fields:
        fields[name] = fields[name][:longest]


def _check_reminders(reminders: Any) -> None:
    if not isinstance(reminders, dict):
        raise standard(400)
    overrides = reminders.get("overrides") or []
    if reminders.get("useDefault") and overrides:
        raise GoogleError(
            400, "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.", domain="calendar",
        )  # fmt: skip
    if len(overrides) > 5:
        raise invalid("Too many override reminders specified.")
    for one in overrides:
        minutes = one.get("minutes")
        if one.get("method") not in ("email", "popup") or not isinstance(minutes, int):
            raise invalid("Invalid override reminder.")
        if not 0 <= minutes <= 40320:
            raise invalid("Invalid override reminder minutes.")


def _check_source(source: Any) -> None:
    if source and not str(source.get("url", "")).startswith(("http://", "https://")):
        raise invalid("Invalid source URL.")


def _check_recurrence(rules: Any, start: Moment) -> None:
    if not rules:
        return
    if start.instant is not None and start.zone is None:
        raise required("Missing time zone definition for start time.")
    rule_of(rules)


def _limit_properties(fields: dict[str, Any]) -> None:
    """Keys over 44 characters are dropped and values cut at 1024 without a word."""
    given = fields.get("extendedProperties")
    if given is None:
        return
    kept: dict[str, dict[str, str]] = {}
    for half in ("private", "shared"):
        values = given.get(half) or {}
        if not all(value is None or isinstance(value, str) for value in values.values()):
            raise standard(400)
        cut = {key: value[:1024] for key, value in values.items() if value is not None and len(key) <= 44}
        if cut:
            kept[half] = cut
    pairs = [pair for values in kept.values() for pair in values.items()]
    if len(pairs) > 300 or sum(len(key) + len(value) for key, value in pairs) > 32 * 1024:
        raise invalid("Too many or too large extended properties.")
    fields["extendedProperties"] = kept
    if not kept:
        del fields["extendedProperties"]
