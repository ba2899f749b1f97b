"""One authorised request to Calendar, with its parameters read as Google reads them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from reconciler.simulators.google_errors import GoogleError, standard
from reconciler.simulators.google_store import Account, Calendar, GoogleStore, GoogleSwitches
from reconciler.simulators.google_times import parse_parameter, zone_known
from reconciler.simulators.wire import Call

_SCOPE = "https://www.googleapis.com/auth/"


def _scopes(names: str) -> frozenset[str]:
    return frozenset(_SCOPE + name for name in names.split())


_READ_EVENTS = _scopes(
    "calendar calendar.app.created calendar.events calendar.events.freebusy calendar.events.owned "
    "calendar.events.owned.readonly calendar.events.public.readonly calendar.events.readonly "
    "calendar.readonly"
)
_WRITE_EVENTS = _scopes("calendar calendar.app.created calendar.events calendar.events.owned")
_OWNED = _scopes("calendar.events.owned calendar.events.owned.readonly")
APP_CREATED = _SCOPE + "calendar.app.created"


@dataclass(frozen=True)
class Method:
    """A method of the API: its name in Google's logs, the operation it counts as, the scopes it takes."""

    name: str
    operation: str
    scopes: frozenset[str]
    writes: bool = False


METHODS = {
    "events_list": Method("Events.List", "list", _READ_EVENTS),
    "events_get": Method("Events.Get", "get", _READ_EVENTS),
    "events_insert": Method("Events.Insert", "create", _WRITE_EVENTS, writes=True),
    "events_update": Method("Events.Update", "update", _WRITE_EVENTS, writes=True),
    "events_patch": Method("Events.Patch", "update", _WRITE_EVENTS, writes=True),
    "events_delete": Method("Events.Delete", "delete", _WRITE_EVENTS, writes=True),
    "events_move": Method("Events.Move", "move", _WRITE_EVENTS - {APP_CREATED}, writes=True),
    "calendar_list": Method(
        "CalendarList.List", "calendars",
        _scopes("calendar calendar.calendarlist calendar.calendarlist.readonly calendar.readonly"),
    ),
    "calendar_list_get": Method(
        "CalendarList.Get", "calendars",
        _scopes("calendar calendar.calendarlist calendar.calendarlist.readonly calendar.readonly"),
    ),
    "calendars_get": Method(
        "Calendars.Get", "calendars",
        _scopes(
            "calendar calendar.app.created calendar.calendars calendar.calendars.readonly calendar.readonly"
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """Who asks what of which store, and when (UTC)."""

    store: GoogleStore
    switches: GoogleSwitches
    account: Account
    scopes: frozenset[str]
    call: Call
    now: datetime

    @property
    def writes(self) -> bool:
        """Whether the method changes anything."""
        return METHODS[self.call.endpoint].writes

    @property
    def args(self) -> MultiDict[str, str]:
        """The query's parameters."""
        return self.call.request.args

    def calendar(self, name: str | None = None) -> Calendar:
        """The calendar in the path, or the named one, as far as this caller may reach it."""
        calendar = self.store.calendar(self.account, name or str(self.call.args["calendar_id"]))
        method = METHODS[self.call.endpoint]
        role, granted = self.account.calendars[calendar.id], self.scopes & method.scopes
        if granted <= {APP_CREATED} and not calendar.made_by_app:
            raise standard(404, message="Not Found")
        if granted <= {APP_CREATED, *_OWNED} and role != "owner":
            raise standard(404, message="Not Found")
        if method.writes and role not in ("writer", "owner"):
            raise standard(403, "requiredAccessLevel")
        return calendar

    def flag(self, name: str) -> bool | None:
        """A parameter that is true or false, or None where it is not given."""
        given = self.args.get(name)
        if given is None:
            return None
        if given not in ("true", "false"):
            raise _bad_parameter(name, given)
        return given == "true"

    def number(self, name: str, default: int, ceiling: int) -> int:
        """A positive number; more than the ceiling is quietly cut down to it."""
        given = self.args.get(name, str(default))
        if not given.isdecimal() or int(given) < 1:
            raise _bad_parameter(name, given)
        return min(int(given), ceiling)

    def instant(self, name: str) -> datetime | None:
        """A parameter that is a time, in UTC."""
        given = self.args.get(name)
        return None if given is None else parse_parameter(given)

    def zone(self) -> str | None:
        """The zone that the answer's times shall have."""
        given = self.args.get("timeZone")
        if given is not None and not zone_known(given):
            raise _bad_parameter("timeZone", given)
        return given

    def digest(self, *names: str) -> str:
        """A fingerprint of some parameters, by which a token knows the list it belongs to."""
        given = [(name, self.args.getlist(name)) for name in names]
        return hashlib.sha256(repr(given).encode()).hexdigest()[:16]


def seal(token: dict[str, Any]) -> str:
    """An opaque token."""
    return base64.urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode()


def unseal(text: str) -> dict[str, Any] | None:
    """What a token holds; None for one that was not made here."""
    try:
        token = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except ValueError:
        return None
    return token if isinstance(token, dict) else None


def _bad_parameter(name: str, given: str) -> GoogleError:
    return GoogleError(400, "invalidParameter", f"Invalid value for {name}: {given}", location=name)
