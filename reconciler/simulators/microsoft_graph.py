"""Graph's calendar endpoints, over the mailboxes of the store."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from reconciler.simulators.microsoft_accept import (
    Draft,
    add_online_meeting,
    check_times,
    merge,
    merged_properties,
    read_draft,
)
from reconciler.simulators.microsoft_errors import GraphProblem
from reconciler.simulators.microsoft_odata import (
    Node,
    asks_for,
    asks_for_property,
    index_key,
    matches,
    parse_expand,
    parse_filter,
    parse_orderby,
)
from reconciler.simulators.microsoft_render import (
    Preferences,
    View,
    read_select,
    series,
    show_calendar,
    show_event,
)
from reconciler.simulators.microsoft_store import Calendar, Mailbox, StoredEvent, occurrence
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.microsoft_times import parse_wall
from reconciler.simulators.wire import Call, SimClock, json_response

OPERATIONS = {
    "list_events": "list",
    "calendar_view": "list",
    "create_event": "create",
    "get_event": "get",
    "update_event": "update",
    "delete_event": "delete",
    "list_calendars": "calendars",
    "get_calendar": "calendars",
    "get_user": "profile",
}
WRITES = frozenset({"create_event", "update_event", "delete_event"})


def graph_rules() -> Iterator[Rule]:
    """Every path, below /me and below /users/{id}."""
    for root in ("/v1.0/me", "/v1.0/users/<user>"):
        yield Rule(root, endpoint="get_user", methods=["GET"])
        yield Rule(f"{root}/calendar", endpoint="get_calendar", methods=["GET"])
        yield Rule(f"{root}/calendars", endpoint="list_calendars", methods=["GET"])
        yield Rule(f"{root}/calendars/<calendar>", endpoint="get_calendar", methods=["GET"])
        for parent in (root, f"{root}/calendar", f"{root}/calendars/<calendar>"):
            yield Rule(f"{parent}/calendarView", endpoint="calendar_view", methods=["GET"])
            yield Rule(f"{parent}/events", endpoint="list_events", methods=["GET"])
            yield Rule(f"{parent}/events", endpoint="create_event", methods=["POST"])
            yield Rule(f"{parent}/events/<event>", endpoint="get_event", methods=["GET"])
            yield Rule(f"{parent}/events/<event>", endpoint="update_event", methods=["PATCH"])
            yield Rule(f"{parent}/events/<event>", endpoint="delete_event", methods=["DELETE"])


@dataclass(frozen=True)
class ForeignEvent:
    """An event that a listing showed although it bears no property the client asked for."""

    mailbox: str
    event: str
    path: str


class GraphCalendar:
    """The endpoints. Each takes the call and the mailbox it concerns, and is run under the store's lock."""

    def __init__(self, clock: SimClock, switches: MicrosoftSwitches) -> None:
        self.foreign: list[ForeignEvent] = []
        self._clock = clock
        self._switches = switches

    # people and calendars ---------------------------------------------------------------------
    def get_user(self, call: Call, mailbox: Mailbox) -> Response:
        """The account itself."""
        account = mailbox.account
        shown = {
            "id": account.oid,
            "displayName": account.name,
            "mail": account.upn,
            "userPrincipalName": account.upn,
        }
        context = f"{_service(call)}/$metadata#users/$entity"
        return json_response({"@odata.context": context, **_selected(call, shown)})

    def list_calendars(self, call: Call, mailbox: Mailbox) -> Response:
        """Every calendar of the mailbox, in pages."""
        shown = [_selected(call, show_calendar(one, mailbox)) for one in mailbox.calendars.values()]
        page = _Page.read(call, self._switches, Preferences())
        return page.answer(call, f"users('{mailbox.account.oid}')/calendars", shown)

    def get_calendar(self, call: Call, mailbox: Mailbox) -> Response:
        """One calendar, or the default one."""
        context = f"{_service(call)}/$metadata#users('{mailbox.account.oid}')/calendars/$entity"
        shown = _selected(call, show_calendar(_calendar(call, mailbox), mailbox))
        return json_response({"@odata.context": context, **shown})

    # listings ---------------------------------------------------------------------------------
    def list_events(self, call: Call, mailbox: Mailbox) -> Response:
        """Single events and series masters of a calendar."""
        within = None if self._lists_everything(call) else _calendar(call, mailbox).id
        condition = _condition(call)
        found = [
            event
            for event in mailbox.listing(within, index_key(condition))
            if condition is None or matches(condition, event)
        ]
        return self._answer_list(call, mailbox, found, condition)

    def calendar_view(self, call: Call, mailbox: Mailbox) -> Response:
        """What happens in a window of time, series expanded."""
        begin, end = (_bound(call, name) for name in ("startDateTime", "endDateTime"))
        condition = _condition(call)
        found = [
            event
            for one in mailbox.listing(_calendar(call, mailbox).id, index_key(condition))
            for event in _instances(one, end)
            if event.start.instant < end and event.end.instant > begin
            if condition is None or matches(condition, event)
        ]
        found.sort(key=lambda event: event.start.instant)
        return self._answer_list(call, mailbox, found, condition)

    def _lists_everything(self, call: Call) -> bool:
        """Whether /me/events means every calendar: the vendor's pages can be read either way."""
        is_top_level = "calendar" not in call.args and not call.request.path.endswith("/calendar/events")
        return is_top_level and self._switches.events_span_calendars

    def _answer_list(
        self, call: Call, mailbox: Mailbox, found: list[StoredEvent], condition: Node | None
    ) -> Response:
        view = self._view(call, mailbox)
        page = _Page.read(call, self._switches, view.preferences)
        if asks_for_property(condition):
            found = [event for event in found if not _unindexed(event, self._clock, page.skip == 0)]
        if "$orderby" in call.request.args:
            key, descending = parse_orderby(call.request.args["$orderby"])
            found.sort(key=key, reverse=descending)
        chosen = page.choose(call, found)
        for event in chosen:
            if not asks_for(condition, event):
                self.foreign.append(ForeignEvent(mailbox.account.upn, event.immutable_id, call.request.path))
        shown = [show_event(event, view) for event in chosen]
        context = f"users('{mailbox.account.oid}')/events"
        return _with_preferences(page.wrap(call, context, shown, len(found)), view.preferences)

    # single events ----------------------------------------------------------------------------
    def create_event(self, call: Call, mailbox: Mailbox) -> Response:
        """A new event, or what a repeated transaction id answers."""
        calendar = _calendar(call, mailbox)
        draft = read_draft(_body(call), self._switches)
        times = check_times(draft.start, draft.end, bool(draft.fields.get("isAllDay")))
        earlier = mailbox.of_transaction(draft.transaction_id) if draft.transaction_id else None
        repeated = self._repeated(call, mailbox, earlier) if earlier else None
        if repeated is not None:
            return repeated
        self._add_meeting(draft)
        kept = mailbox.account.kind not in self._switches.strips_properties_on_create
        properties = {name: value for name, value in draft.properties.items() if value is not None and kept}
        event = mailbox.add(draft.fields, times, properties, calendar, draft.transaction_id)
        mailbox.mail("invite", event)
        return self._answer_event(call, mailbox, event, 201)

    def _repeated(self, call: Call, mailbox: Mailbox, earlier: StoredEvent) -> Response | None:
        """The answer to a second POST with the transaction id of ``earlier``; None: make another event."""
        way: str = self._switches.transaction_repeat
        if earlier.deleted:
            way = self._switches.transaction_after_delete
        if way == "another":
            return None
        if way == "conflict_409":
            raise GraphProblem(409, "ErrorDuplicateTransactionId", "The transaction id was used before.")
        return self._answer_event(call, mailbox, earlier, 200 if way == "first_200" else 201)

    def _add_meeting(self, draft: Draft) -> None:
        wish = draft.fields.get("isOnlineMeeting")
        if wish or (wish is None and self._switches.adds_online_meeting):
            add_online_meeting(draft.fields, with_location=not wish)

    def get_event(self, call: Call, mailbox: Mailbox) -> Response:
        """One event by either of its ids."""
        answers_from_bin = self._switches.soft_deleted_answers_get
        return self._answer_event(call, mailbox, _event(call, mailbox, answers_from_bin), 200)

    def update_event(self, call: Call, mailbox: Mailbox) -> Response:
        """Merge the fields given; guests, if any, are sent mail."""
        event = _event(call, mailbox)
        _check_match(call, event, self._switches.stale_update)
        draft = read_draft(_body(call), self._switches)
        merge(event, draft)
        mailbox.set_properties(event, merged_properties(event, draft))
        mailbox.touch(event)
        mailbox.mail("update", event)
        return self._answer_event(call, mailbox, event, 200)

    def delete_event(self, call: Call, mailbox: Mailbox) -> Response:
        """Into Deleted Items; guests, if any, are sent mail."""
        event = _event(call, mailbox)
        _check_match(call, event, self._switches.stale_delete)
        mailbox.delete(event)
        mailbox.mail("cancel", event)
        return Response(status=204)

    def _answer_event(self, call: Call, mailbox: Mailbox, event: StoredEvent, status: int) -> Response:
        view = self._view(call, mailbox)
        shown = {"@odata.context": f"{view.context}/$entity", **show_event(event, view)}
        response = json_response(shown, status)
        response.headers["ETag"] = shown["@odata.etag"]
        if status == 201:
            response.headers["Location"] = (
                f"{_service(call)}/users('{mailbox.account.oid}')/events('{shown['id']}')"
            )
        return _with_preferences(response, view.preferences)

    def _view(self, call: Call, mailbox: Mailbox) -> View:
        query = call.request.args
        return View(
            mailbox=mailbox,
            preferences=Preferences.read(call.request.headers.get("Prefer", ""), self._switches),
            select=read_select(query.get("$select")),
            expand=parse_expand(query.get("$expand")),
            context=f"{_service(call)}/$metadata#users('{mailbox.account.oid}')/events",
        )


@dataclass(frozen=True)
class _Page:
    """Where a listing stands. ``cut``: the page that a cut_page fault promised will never come."""

    size: int
    skip: int = 0
    cut: bool = False

    @staticmethod
    def read(call: Call, switches: MicrosoftSwitches, preferences: Preferences) -> _Page:
        query = call.request.args
        size = _count(query.get("$top"), preferences.page_size or 10)
        if size > 1000:
            message = f"The limit of '1000' for Top query has been exceeded. The value is '{size}'."
            raise GraphProblem(400, "ErrorInvalidUrlQuery", message)
        size = min(size, switches.page_cap or size)
        if "$skiptoken" in query:
            return _Page(size, **_unseal(query["$skiptoken"]))
        return _Page(size, _count(query.get("$skip"), 0))

    def choose(self, call: Call, found: list[Any]) -> list[Any]:
        """What of a listing stands on this page."""
        if self.cut:
            raise GraphProblem(500, "generalException")
        kind = call.fault.kind if call.fault else None
        if kind in ("empty_list", "empty_page"):
            return []
        size = max(1, min(self.size, (len(found) - self.skip) // 2)) if kind == "cut_page" else self.size
        return found[self.skip : self.skip + size]

    def wrap(self, call: Call, context: str, shown: list[Any], total: int) -> Response:
        """The page as JSON, with the link to the next where there is, or seems to be, one."""
        answer: dict[str, Any] = {"@odata.context": f"{_service(call)}/$metadata#{context}"}
        kind = call.fault.kind if call.fault else None
        if call.request.args.get("$count") == "true":
            answer["@odata.count"] = 0 if kind == "empty_list" else total
        answer["value"] = shown
        after = self.skip + len(shown)
        if kind in ("empty_page", "cut_page") or (kind != "empty_list" and after < total):
            answer["@odata.nextLink"] = _next_link(call, after, cut=kind == "cut_page")
        return json_response(answer)

    def answer(self, call: Call, context: str, shown: list[Any]) -> Response:
        return self.wrap(call, context, self.choose(call, shown), len(shown))


def _next_link(call: Call, skip: int, cut: bool) -> str:
    rest = [(n, v) for n, v in call.request.args.items(multi=True) if n not in ("$skip", "$skiptoken")]
    token = base64.urlsafe_b64encode(json.dumps({"skip": skip, "cut": cut}).encode()).decode()
    return f"{call.request.base_url}?{urlencode([*rest, ('$skiptoken', token)], quote_via=quote)}"


def _unseal(token: str) -> dict[str, Any]:
    try:
        opened = json.loads(base64.urlsafe_b64decode(token))
        return {"skip": int(opened["skip"]), "cut": bool(opened["cut"])}
    except (ValueError, KeyError, TypeError) as problem:
        raise GraphProblem(400, "BadRequest", "Badly formed token.") from problem


def _count(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.isdigit():
        raise GraphProblem(400, "BadRequest", f"Invalid value '{text}' for a count.")
    return int(text)


def _selected(call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    """A person or calendar with what $select names; the id is always there."""
    names = set(call.request.args.get("$select", "").replace(" ", "").split(",")) - {""}
    return {name: value for name, value in shown.items() if not names or name in names or name == "id"}


def _service(call: Call) -> str:
    return f"{call.request.host_url}v1.0"


def _calendar(call: Call, mailbox: Mailbox) -> Calendar:
    wanted = call.args.get("calendar")
    found = mailbox.default if wanted is None else mailbox.calendars.get(wanted)
    if found is None:
        raise GraphProblem(404, "ErrorItemNotFound")
    return found


def _event(call: Call, mailbox: Mailbox, from_bin: bool = False) -> StoredEvent:
    """The event addressed. Below a calendar's path it must lie in that calendar."""
    event = mailbox.find(call.args["event"])
    if event is None or (event.deleted and not (from_bin and event.immutable_id == call.args["event"])):
        raise GraphProblem(404, "ErrorItemNotFound")
    if "calendar" in call.args and event.calendar != _calendar(call, mailbox).id:
        raise GraphProblem(404, "ErrorItemNotFound")
    return event


def _condition(call: Call) -> Node | None:
    text = call.request.args.get("$filter")
    return parse_filter(text) if text else None


def _bound(call: Call, name: str) -> datetime:
    if name not in call.request.args:
        raise GraphProblem(400, "ErrorInvalidParameter", f"This request requires a time window: {name}.")
    wall = parse_wall(call.request.args[name])
    return wall.replace(tzinfo=UTC) if wall.tzinfo is None else wall


def _instances(event: StoredEvent, end: datetime) -> Iterator[StoredEvent]:
    if not event.fields.get("recurrence"):
        yield event
        return
    for shift in series(event, end.date()):
        yield occurrence(event, shift)


def _unindexed(event: StoredEvent, clock: SimClock, first_page: bool) -> bool:
    """Whether the index over extended properties does not know a new event yet."""
    if event.unindexed_until is not None and clock.now() < event.unindexed_until:
        return True
    if event.unindexed_listings and first_page:
        event.unindexed_listings -= 1
        return True
    return bool(event.unindexed_listings)


def _check_match(call: Call, event: StoredEvent, stale: str) -> None:
    given = call.request.headers.get("If-Match")
    if given in (None, "*", f'W/"{event.change_key}"', f'"{event.change_key}"') or stale == "ignored":
        return
    raise GraphProblem(int(stale), "ErrorIrresolvableConflict")


def _body(call: Call) -> Any:
    try:
        return json.loads(call.request.get_data())
    except ValueError as problem:
        raise GraphProblem(400, "BadRequest", "Unable to read JSON request payload.") from problem


def _with_preferences(response: Response, preferences: Preferences) -> Response:
    if preferences.applied:
        response.headers["Preference-Applied"] = ", ".join(preferences.applied)
    return response
