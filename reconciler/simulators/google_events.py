"""The methods on single events and on calendars.

Source: discovery document; guides "Create events", "Get specific versions of resources", "Handle API
errors". What a deleted event does: it stays as ``cancelled`` under its id, is answered by ``get``,
refuses an insert of the same id, and lives again when it is written to.
"""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import ETags

from reconciler.simulators.google_bodies import (
    Draft,
    checked_ids,
    draft,
    parse_json,
    patching,
    replacing,
)
from reconciler.simulators.google_errors import GoogleError, invalid, required, standard
from reconciler.simulators.google_series import occurrences
from reconciler.simulators.google_store import Account, Calendar, StoredEvent, fresh_until, rendered
from reconciler.simulators.google_visit import Visit, seal, unseal

Resource = dict[str, Any]


def get_event(visit: Visit) -> Resource:
    """An event, live or cancelled, or one time of a series; 404 for an id that never was."""
    calendar = visit.calendar()
    event_id = str(visit.call.args["event_id"])
    if event_id not in calendar.events and "_" in event_id:
        return _instance(visit, calendar, event_id)
    event = _found(visit, calendar)
    return rendered(event, calendar, visit.zone(), visit.switches)


def insert_event(visit: Visit) -> Resource:
    """A new event, answered 200; 409 for a used id, be its event alive or cancelled."""
    calendar, body = visit.calendar(), parse_json(visit.call.request.get_data())
    event_id, ical_uid = checked_ids(body, visit.switches)
    made = draft(body, visit.switches)
    _check_guests(visit, made)
    there = calendar.events.get(event_id) if event_id else None
    if there is not None and visit.switches.collisions == "detected":
        raise standard(409)
    if there is not None and visit.switches.collisions == "overwrites":
        visit.store.change(calendar, there, visit.now, **_values(made, made.status or "confirmed"))
        return rendered(there, calendar, visit.zone(), visit.switches)
    event = visit.store.new_event(
        calendar, None if there else event_id, made.fields, made.start, made.end, visit.now,
        creator=visit.account.mailbox, status=made.status or "confirmed", ical_uid=ical_uid,
    )  # fmt: skip
    event.sequence = made.sequence or 0
    event.hidden_until = fresh_until(visit.switches, visit.now)
    event.hidden_listings = visit.switches.listing_delay_count
    return rendered(event, calendar, visit.zone(), visit.switches)


def update_event(visit: Visit) -> Resource:
    """PUT: replaces all; the body must be whole."""
    calendar = visit.calendar()
    event = _writable(visit, calendar)
    body = parse_json(visit.call.request.get_data())
    return _written(visit, calendar, event, replacing(event, body, visit.switches))


def patch_event(visit: Visit) -> Resource:
    """PATCH: merges."""
    calendar = visit.calendar()
    event = _writable(visit, calendar)
    body = parse_json(visit.call.request.get_data())
    return _written(visit, calendar, event, patching(event, body, visit.switches))


def delete_event(visit: Visit) -> None:
    """Cancels; 410 for what is cancelled already."""
    calendar = visit.calendar()
    event = _found(visit, calendar)
    if event.cancelled:
        raise standard(410)
    _check_version(visit, event)
    visit.store.change(calendar, event, visit.now, status="cancelled")


def move_event(visit: Visit) -> Resource:
    """To another calendar of the caller's; the first keeps a cancelled event under the id."""
    calendar, destination = visit.calendar(), visit.args.get("destination")
    if not destination:
        raise required("Required parameter: destination")
    target, event = visit.calendar(destination), _found(visit, calendar)
    if event.cancelled:
        raise standard(410)
    if event.fields.get("eventType", "default") != "default":
        raise standard(400, "malformed", "Only default events can be moved.")
    if target is calendar:
        raise invalid("Cannot move an event to the calendar it is in.")
    if event.id in target.events and not target.events[event.id].cancelled:
        raise standard(409)
    _check_version(visit, event)
    visit.store.move(event, calendar, target, visit.now, visit.switches.tombstones_of_moved_bare)
    return rendered(target.events[event.id], target, visit.zone(), visit.switches)


def get_calendar(visit: Visit) -> Resource:
    """What a calendar is called and which zone it is in."""
    calendar = visit.calendar()
    return {
        "kind": "calendar#calendar", "etag": calendar.etag, "id": calendar.id, "summary": calendar.summary,
        "timeZone": calendar.zone,
    }  # fmt: skip


def list_calendars(visit: Visit) -> Resource:
    """The caller's calendar list; 100 entries a page, at most 250."""
    account, size = visit.account, visit.number("maxResults", 100, 250)
    ids = [one for one in account.calendars if one in visit.store.calendars]
    if not visit.flag("showHidden"):
        ids = [one for one in ids if one not in account.hidden]
    role = visit.args.get("minAccessRole")
    if role is not None:
        ids = [one for one in ids if _at_least(account.calendars[one], role)]
    token = unseal(visit.args["pageToken"]) if "pageToken" in visit.args else {"n": 0}
    if token is None or "n" not in token:
        raise invalid("Invalid page token value.", "pageToken")
    start = token["n"]
    answer: Resource = {"kind": "calendar#calendarList", "etag": f'"p{len(ids)}"'}
    if start + size < len(ids):
        answer["nextPageToken"] = seal({"n": start + size})
    items = [_entry(visit.store.calendars[one], account) for one in ids[start : start + size]]
    return answer | {"items": items}


def get_calendar_entry(visit: Visit) -> Resource:
    """One entry of the caller's calendar list."""
    return _entry(visit.calendar(), visit.account)


def _entry(calendar: Calendar, account: Account) -> Resource:
    entry: Resource = {
        "kind": "calendar#calendarListEntry", "etag": calendar.etag, "id": calendar.id,
        "summary": calendar.summary, "timeZone": calendar.zone, "colorId": "14", "selected": True,
        "accessRole": account.calendars[calendar.id], "defaultReminders": [],
    }  # fmt: skip
    if calendar.id in account.hidden:
        entry |= {"hidden": True, "selected": False}
    return entry | {"primary": True} if calendar.id == account.mailbox else entry


def _at_least(role: str, least: str) -> bool:
    roles = ("freeBusyReader", "reader", "writer", "owner")
    if least not in roles:
        raise invalid(f"Invalid value for minAccessRole: {least}", "minAccessRole")
    return roles.index(role) >= roles.index(least)


def _found(visit: Visit, calendar: Calendar) -> StoredEvent:
    event = calendar.events.get(str(visit.call.args["event_id"]))
    if event is None:
        raise standard(404, message="Not Found")
    return event


def _instance(visit: Visit, calendar: Calendar, event_id: str) -> Resource:
    event = calendar.events.get(event_id.partition("_")[0])
    if event is not None:
        for one in occurrences(event, calendar):
            if one.id == event_id:
                whole = rendered(event, calendar, visit.zone(), visit.switches)
                return one.over(whole, visit.zone() or calendar.zone)
    raise standard(404, message="Not Found")


def _check_version(visit: Visit, event: StoredEvent) -> None:
    given = visit.call.request.headers.get("If-Match")
    if given is None:
        return
    wanted: ETags = visit.call.request.if_match
    if not (wanted.star_tag or event.etag.strip('"') in wanted):
        raise standard(412)


def _writable(visit: Visit, calendar: Calendar) -> StoredEvent:
    event = _found(visit, calendar)
    _check_version(visit, event)
    if event.cancelled and visit.switches.revive == "forbidden":
        raise standard(403)
    return event


def _written(visit: Visit, calendar: Calendar, event: StoredEvent, made: Draft) -> Resource:
    _check_guests(visit, made)
    status = made.status
    if status is None:
        dead = event.cancelled and not visit.switches.any_write_revives
        status = "cancelled" if dead else "confirmed"
    values = _values(made, status)
    if made.sequence is not None and made.sequence > event.sequence:
        values["sequence"] = made.sequence
    visit.store.change(calendar, event, visit.now, **values)
    return rendered(event, calendar, visit.zone(), visit.switches)


def _values(made: Draft, status: str) -> Resource:
    values: Resource = {"fields": made.fields, "start": made.start, "end": made.end, "status": status}
    if status != "cancelled":
        values["bare"] = False
    return values


def _check_guests(visit: Visit, made: Draft) -> None:
    if visit.account.service and made.fields.get("attendees"):
        raise GoogleError(
            403, "forbiddenForServiceAccounts",
            "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority.",
            domain="calendar",
        )  # fmt: skip
