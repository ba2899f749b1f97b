"""``events.list``: filters, pages, sync tokens.

Source: discovery document, method calendar.events.list; guides "Synchronize resources efficiently"
and "Extended properties".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.simulators.google_errors import GoogleError, empty_range, invalid, standard
from reconciler.simulators.google_series import Occurrence, occurrences
from reconciler.simulators.google_store import Calendar, StoredEvent, rendered
from reconciler.simulators.google_times import parse_parameter, rfc3339_milliseconds
from reconciler.simulators.google_visit import Visit, seal, unseal

_NOT_WITH_SYNC = (
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax",
    "updatedMin",
)  # fmt: skip
_SAME_IN_SYNC = ("singleEvents", "eventTypes", "showHiddenInvitations", "maxAttendees")
_SAME_IN_PAGES = (*_NOT_WITH_SYNC, *_SAME_IN_SYNC, "showDeleted", "syncToken")
_NO_TOKEN_AFTER = ("iCalUID", "orderBy", "q", "sharedExtendedProperty", "updatedMin")

Key = list[Any]


@dataclass(frozen=True)
class Page:
    """Where a page begins: after ``key``, in the state of the calendar at ``revision``."""

    key: Key | None
    revision: int
    first: bool


def list_events(visit: Visit) -> dict[str, Any]:
    """One page of a list; raises GoogleError as Google refuses it."""
    calendar = visit.calendar()
    page = _page(visit, calendar)
    wanted, since = _Wanted(visit, calendar), _since(visit, calendar)
    fault = visit.call.fault.kind if visit.call.fault else None
    if page.first and (fault == "empty_page" or visit.switches.empty_page_first):
        return _answer(visit, calendar, [], _next_page(visit, None, page.revision))
    if fault == "empty_list":
        found: list[tuple[Key, Occurrence]] = []
    else:
        found = sorted(wanted.keyed(_candidates(visit, calendar, since), page.first), key=lambda one: one[0])
    rest = [one for one in found if page.key is None or one[0] > page.key]
    size = visit.number("maxResults", 250, min(2500, visit.switches.page_ceiling or 2500))
    cut = fault == "cut_page"
    if cut:
        size = min(size, max(1, len(rest) // 2))
    shown = rest[:size]
    if cut or len(rest) > size:
        token = _next_page(visit, shown[-1][0] if shown else None, page.revision, cut=cut)
    else:
        token = _sync_token(visit, calendar, min(page.revision, wanted.settled))
    return _answer(visit, calendar, [one for _, one in shown], token)


def _page(visit: Visit, calendar: Calendar) -> Page:
    given = visit.args.get("pageToken")
    if not given:
        return Page(None, calendar.revision, first=True)
    token = unseal(given)
    if token is None or token.get("q") != visit.digest(*_SAME_IN_PAGES):
        raise invalid("Invalid page token value.", "pageToken")
    if token.get("cut"):
        raise standard(500)
    return Page(token["k"], token["r"], first=False)


def _next_page(visit: Visit, key: Key | None, revision: int, cut: bool = False) -> dict[str, str]:
    token = {"k": key, "r": revision, "q": visit.digest(*_SAME_IN_PAGES), "cut": cut}
    return {"nextPageToken": seal(token)}


def _since(visit: Visit, calendar: Calendar) -> int | None:
    """The revision that the caller's sync token stands for."""
    given = visit.args.get("syncToken")
    if not given:
        return None
    if any(name in visit.args for name in _NOT_WITH_SYNC):
        raise GoogleError(400, "badRequest", "Sync token cannot be used with other query restrictions.")
    if visit.flag("showDeleted") is False:
        raise GoogleError(400, "badRequest", "Sync token requires that deleted events are shown.")
    token = unseal(given)
    if token is None or token.get("c") != calendar.id or token["r"] < calendar.purged_revision:
        named = visit.switches.full_sync_reason_named
        raise standard(410, "fullSyncRequired") if named else standard(410, "gone", "Gone")
    if token["p"] != visit.digest(*_SAME_IN_SYNC):
        raise GoogleError(400, "badRequest", "Query parameters differ from those of the initial sync.")
    revision: int = token["r"]
    return revision


def _sync_token(visit: Visit, calendar: Calendar, revision: int) -> dict[str, str]:
    if any(name in visit.args for name in _NO_TOKEN_AFTER):
        return {}
    if "privateExtendedProperty" in visit.args and not visit.switches.sync_token_with_private_property:
        return {}
    token = {"r": revision, "c": calendar.id, "p": visit.digest(*_SAME_IN_SYNC)}
    return {"nextSyncToken": seal(token)}


def _candidates(visit: Visit, calendar: Calendar, since: int | None) -> Iterable[StoredEvent]:
    """The events worth looking at: by change, by private property, or all."""
    if since is not None:
        return calendar.changed_since(since)
    constraints = visit.args.getlist("privateExtendedProperty")
    if not constraints:
        return calendar.events.values()
    found = [dict.fromkeys(calendar.with_property(*_constraint(one))) for one in constraints]
    ids = found[0]
    for other in found[1:]:
        if visit.switches.repeated_private_property == "or":
            ids = ids | other
        else:
            ids = {one: None for one in ids if one in other}
    return [calendar.events[one] for one in ids]


def _constraint(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise invalid(f"Invalid value for privateExtendedProperty: {text}", "privateExtendedProperty")
    return name, value


class _Wanted:
    """The conditions of one list; ``settled`` is the last revision of which nothing is withheld."""

    def __init__(self, visit: Visit, calendar: Calendar) -> None:
        self._visit, self._calendar = visit, calendar
        self._from, self._to = visit.instant("timeMin"), visit.instant("timeMax")
        if self._from and self._to and self._from >= self._to:
            raise empty_range("timeMax")
        self._updated = _updated_min(visit)
        self._single, self._order = bool(visit.flag("singleEvents")), visit.args.get("orderBy")
        if self._order not in (None, "startTime", "updated"):
            raise invalid(f"Invalid value for orderBy: {self._order}", "orderBy")
        if self._order == "startTime" and not self._single:
            raise standard(400, message="The requested ordering is not available for the particular query.")
        told = visit.args.get("syncToken") or self._updated
        self._deleted = bool(visit.flag("showDeleted") or told)
        self._words = visit.args.get("q", "").lower()
        self.settled = calendar.revision

    def keyed(self, events: Iterable[StoredEvent], first: bool) -> Iterator[tuple[Key, Occurrence]]:
        for event in events:
            if not self._takes(event):
                continue
            if _withheld(event, self._visit.now, first):
                self.settled = min(self.settled, event.revision - 1)
                continue
            times = (one for one in occurrences(event, self._calendar) if self._in_window(one))
            if self._single:
                yield from ((self._key(one), one) for one in times)
            elif next(times, None) is not None:
                whole = Occurrence(event, 0, event.start, event.end, single=True)
                yield self._key(whole), whole

    def _takes(self, event: StoredEvent) -> bool:
        args = self._visit.args
        if event.cancelled and not self._deleted:
            return False
        if event.cancelled and "privateExtendedProperty" in args:
            return self._visit.switches.tombstones_match_private_property
        if self._updated and event.updated < self._updated:
            return False
        if "iCalUID" in args and event.ical_uid != args["iCalUID"]:
            return False
        for text in args.getlist("sharedExtendedProperty"):
            name, _, value = text.partition("=")
            if event.fields.get("extendedProperties", {}).get("shared", {}).get(name) != value:
                return False
        return not self._words or self._words in _searched(event)

    def _in_window(self, one: Occurrence) -> bool:
        zone = self._calendar.zone
        if self._from is not None and one.end.at(zone) <= self._from:
            return False
        return self._to is None or one.start.at(zone) < self._to

    def _key(self, one: Occurrence) -> Key:
        if self._order == "startTime":
            return [one.start.at(self._calendar.zone).isoformat(), one.id]
        return [one.event.revision if self._order == "updated" else one.event.number, one.place]


def _updated_min(visit: Visit) -> datetime | None:
    given = visit.args.get("updatedMin")
    if given is None:
        return None
    instant = parse_parameter(given)
    if visit.now - instant > timedelta(days=28):
        raise standard(410, "updatedMinTooLongAgo")
    return instant


def _withheld(event: StoredEvent, now: datetime, first: bool) -> bool:
    if event.hidden_until is not None and now < event.hidden_until:
        return True
    if not event.hidden_listings:
        return False
    event.hidden_listings -= first
    return True


def _searched(event: StoredEvent) -> str:
    return " ".join(
        str(event.fields.get(name, "")) for name in ("summary", "description", "location")
    ).lower()


def _answer(
    visit: Visit, calendar: Calendar, items: list[Occurrence], token: dict[str, str]
) -> dict[str, Any]:
    zone = visit.zone()
    shown_zone = zone or calendar.zone
    last = max((one.event.updated for one in items), default=visit.now)
    return {
        "kind": "calendar#events",
        "etag": calendar.etag,
        "summary": calendar.summary,
        "updated": rfc3339_milliseconds(last),
        "timeZone": shown_zone,
        "accessRole": visit.account.calendars[calendar.id],
        "defaultReminders": [{"method": "popup", "minutes": 10}],
        **token,
        "items": [one.over(rendered(one.event, calendar, zone, visit.switches), shown_zone) for one in items],
    }
