"""Partial responses: the ``fields`` parameter.

``a,b`` several fields; ``a/b`` a field within a field; ``a(b,c)`` several within one; ``*`` all.
A field that the resource does not know is refused. What is not selected is not answered: a list
asked for ``items(id)`` gives no ``nextPageToken``. Source: Google API guide "Performance tips",
discovery document for the names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from reconciler.simulators.google_errors import GoogleError

Selection: TypeAlias = dict[str, "Selection | None"]
Known: TypeAlias = dict[str, "Known | None"]


def _names(text: str) -> Known:
    return dict.fromkeys(text.split())


_ANY: Known = {"*": None}
_TIME: Known = _names("date dateTime timeZone")
_PERSON: Known = _names("displayName email id self")
_REMINDER: Known = _names("method minutes")

EVENT: Known = {
    **_names(
        "anyoneCanAddSelf attachments attendees attendeesOmitted birthdayProperties colorId "
        "conferenceData created description endTimeUnspecified etag eventLabelId eventType "
        "focusTimeProperties gadget guestsCanInviteOthers guestsCanModify guestsCanSeeOtherGuests "
        "hangoutLink htmlLink iCalUID id kind location locked outOfOfficeProperties privateCopy "
        "recurrence recurringEventId sequence status summary transparency updated visibility "
        "workingLocationProperties"
    ),
    "attendees": _ANY,
    "creator": _PERSON,
    "organizer": _PERSON,
    "start": _TIME,
    "end": _TIME,
    "originalStartTime": _TIME,
    "extendedProperties": {"private": _ANY, "shared": _ANY},
    "reminders": {"useDefault": None, "overrides": _REMINDER},
    "source": _names("title url"),
}  # fmt: skip
EVENT_LIST: Known = {
    **_names("accessRole description etag kind nextPageToken nextSyncToken summary timeZone updated"),
    "defaultReminders": _REMINDER,
    "items": EVENT,
}
_ENTRY: Known = _names(
    "accessRole autoAcceptInvitations backgroundColor colorId conferenceProperties dataOwner "
    "defaultReminders deleted description etag foregroundColor hidden id kind location "
    "notificationSettings primary selected summary summaryOverride timeZone"
)
CALENDAR_LIST: Known = {**_names("etag kind nextPageToken nextSyncToken"), "items": _ENTRY}
CALENDAR: Known = _names(
    "autoAcceptInvitations conferenceProperties dataOwner description etag id kind labelProperties "
    "location summary timeZone workingHours"
)
_KNOWN = {
    "event": EVENT,
    "events": EVENT_LIST,
    "calendarList": CALENDAR_LIST,
    "calendarListEntry": _ENTRY,
    "calendar": CALENDAR,
}

_TOKEN = re.compile(r"[A-Za-z0-9_.\-]+|\*|[(),/]")


def select(resource: Any, fields: str | None, kind: str) -> Any:
    """The part of a resource that ``fields`` asks for; ``kind`` is a key of the schemas known here."""
    if fields is None or fields == "*":
        return resource
    return _pick(resource, _selection(fields, kind))


@lru_cache(maxsize=500)
def _selection(fields: str, kind: str) -> Selection:
    tokens = _TOKEN.findall(fields)
    if not tokens or "".join(tokens) != fields.replace(" ", ""):
        raise _refused(fields)
    selection, end = _several(tokens, 0, fields)
    if end != len(tokens):
        raise _refused(fields)
    _check(selection, _KNOWN[kind], fields)
    return selection


def _several(tokens: list[str], place: int, text: str) -> tuple[Selection, int]:
    chosen: Selection = {}
    while True:
        name, below, place = _one(tokens, place, text)
        before = chosen.get(name, {})
        chosen[name] = None if below is None or before is None else {**before, **below}
        if place == len(tokens) or tokens[place] != ",":
            return chosen, place
        place += 1


def _one(tokens: list[str], place: int, text: str) -> tuple[str, Selection | None, int]:
    if place >= len(tokens) or tokens[place] in "(),/":
        raise _refused(text)
    name, place = tokens[place], place + 1
    following = tokens[place] if place < len(tokens) else ""
    if following == "/":
        inner, below, place = _one(tokens, place + 1, text)
        return name, {inner: below}, place
    if following == "(":
        several, place = _several(tokens, place + 1, text)
        if place >= len(tokens) or tokens[place] != ")":
            raise _refused(text)
        return name, several, place + 1
    return name, None, place


def _check(selection: Selection, known: Known, text: str) -> None:
    for name, below in selection.items():
        if name == "*" or "*" in known:
            continue
        if name not in known:
            raise _refused(name)
        inner = known[name]
        if below is not None and inner is not None:
            _check(below, inner, text)


def _pick(resource: Any, selection: Selection) -> Any:
    if isinstance(resource, list):
        return [_pick(one, selection) for one in resource]
    if not isinstance(resource, dict):
        return resource
    picked = {}
    for name, value in resource.items():
        if name in selection or "*" in selection:
            below = selection.get(name, selection.get("*"))
            picked[name] = value if below is None else _pick(value, below)
    return picked


def _refused(what: str) -> GoogleError:
    return GoogleError(400, "invalidParameter", f"Invalid field selection {what}", location="fields")
