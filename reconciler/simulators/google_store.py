"""Accounts, calendars and events as Google keeps them, and the switches for what is not documented.

All instants are in UTC. Everything is reached by mailbox, calendar and id, or through an index of
private properties, so that the cost of a request does not grow with the number of accounts.
"""

from __future__ import annotations

import itertools
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from reconciler.simulators.google_errors import standard
from reconciler.simulators.google_times import Moment, rfc3339_milliseconds

ID_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
Role = Literal["freeBusyReader", "reader", "writer", "owner"]


@dataclass(frozen=True)
class GoogleSwitches:
    """One switch for each fact on which Google's own texts conflict or say nothing.

    ``collisions``: what an insert with a used id does: refused with 409; answered 200 while it
    ``overwrites`` the event; answered 200 and ``doubled`` under another id.
    ``revive``: whether a cancelled event may be written to; ``any_write_revives``: also by a write
    that does not name a status. ``cancelled_keeps_details``: a cancelled event is answered whole.
    ``tombstones_match_private_property``: ``showDeleted`` with a private property finds them.
    ``repeated_private_property``: how several such constraints combine.
    ``sync_token_with_private_property``: the list then gives a sync token.
    ``listing_delay_seconds`` and ``listing_delay_count``: for how long, and for how many listings of
    its calendar, a fresh event is not listed yet.
    ``page_ceiling``: a page never holds more, whatever was asked; ``empty_page_first``: every list
    begins with an empty page. ``read_only_fields_refused``: ``created`` or ``updated`` in a body is
    refused. ``tombstones_of_moved_bare``: a moved event leaves an id and nothing else.
    ``client_ids_refused``: an insert may not choose its id at all. ``longest_summary`` and
    ``longest_description``: characters, cut without a word. ``patch_units``: what a PATCH costs of
    the quota. ``full_sync_reason_named``: a 410 for a sync token says ``fullSyncRequired``.
    ``id_tokens_follow_real_time``: for clients whose own clock is not the simulated one.
    """

    collisions: Literal["detected", "overwrites", "doubled"] = "detected"
    revive: Literal["allowed", "forbidden"] = "allowed"
    any_write_revives: bool = True
    cancelled_keeps_details: bool = True
    tombstones_match_private_property: bool = True
    repeated_private_property: Literal["and", "or"] = "and"
    sync_token_with_private_property: bool = False
    listing_delay_seconds: float = 0.0
    listing_delay_count: int = 0
    page_ceiling: int | None = None
    empty_page_first: bool = False
    read_only_fields_refused: bool = True
    tombstones_of_moved_bare: bool = True
    client_ids_refused: bool = False
    longest_summary: int | None = None
    longest_description: int | None = None
    patch_units: int = 3
    full_sync_reason_named: bool = True
    id_tokens_follow_real_time: bool = False


@dataclass
class StoredEvent:
    """One event in one calendar; ``fields`` holds what callers may write, but for start and end."""

    id: str
    ical_uid: str
    number: int
    fields: dict[str, Any]
    start: Moment
    end: Moment
    status: str
    created: datetime
    updated: datetime
    creator: str
    sequence: int = 0
    revision: int = 0
    stamp: int = 0
    bare: bool = False
    hidden_until: datetime | None = None
    hidden_listings: int = 0

    @property
    def etag(self) -> str:
        """Strong, quoted, new with every change."""
        return f'"{self.stamp}"'

    @property
    def cancelled(self) -> bool:
        """Deleted, but remembered."""
        return self.status == "cancelled"

    def private(self) -> dict[str, str]:
        """The private properties, by name."""
        properties: dict[str, str] = self.fields.get("extendedProperties", {}).get("private", {})
        return properties


@dataclass
class Calendar:
    """A calendar with its events, an index of their private properties, and the order of its changes."""

    id: str
    summary: str
    zone: str
    owner: str
    made_by_app: bool = False
    events: dict[str, StoredEvent] = field(default_factory=dict)
    revision: int = 0
    purged_revision: int = 0
    stamp: int = 0
    _by_property: defaultdict[tuple[str, str], dict[str, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _changed: dict[str, None] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """Strong, quoted, new with every change."""
        return f'"p{self.stamp}"'

    def with_property(self, name: str, value: str) -> Iterable[str]:
        """The ids of the events that bear this private property."""
        return self._by_property.get((name, value), ())

    def changed_since(self, revision: int) -> Iterator[StoredEvent]:
        """Newest change first; costs as much as there are changes."""
        for event_id in reversed(self._changed):
            event = self.events[event_id]
            if event.revision <= revision:
                return
            yield event

    def index(self, event: StoredEvent) -> None:
        """Into the indices, and last in the order of changes."""
        for pair in event.private().items():
            self._by_property[pair][event.id] = None
        self._changed.pop(event.id, None)
        self._changed[event.id] = None

    def forget(self, event: StoredEvent) -> None:
        """Out of the indices, before the event is changed."""
        for pair in event.private().items():
            ids = self._by_property.get(pair, {})
            ids.pop(event.id, None)
            if not ids:
                self._by_property.pop(pair, None)

    def expire_sync_tokens(self) -> None:
        """Every sync token given so far asks for a full sync from now on."""
        self.revision += 1
        self.purged_revision = self.revision

    def purge(self) -> int:
        """Tombstones disappear, and with them the sync tokens that have not reported them."""
        gone = [event for event in self.events.values() if event.cancelled]
        for event in gone:
            self.forget(event)
            self._changed.pop(event.id, None)
            del self.events[event.id]
            self.purged_revision = max(self.purged_revision, event.revision)
        return len(gone)


@dataclass
class Account:
    """A Google account: its address, the ``sub`` that never changes, the calendars it sees and how.
    ``personal``: of nobody's organisation, whatever its address is."""

    mailbox: str
    sub: str
    zone: str
    calendars: dict[str, Role]
    service: bool = False
    hidden: set[str] = field(default_factory=set)
    personal: bool = False


class GoogleStore:
    """All accounts and calendars; not thread-safe by itself, the simulator holds its lock around it."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.calendars: dict[str, Calendar] = {}
        self._stamp = 0
        self._numbers = itertools.count(1)

    def add_account(self, mailbox: str, zone: str = "UTC", *, service: bool = False) -> Account:
        """An account with its own calendar, whose id is the address; a known one is given back."""
        if mailbox not in self.accounts:
            sub = str(secrets.randbelow(9 * 10**20) + 10**20)
            self.accounts[mailbox] = Account(mailbox, sub, zone, {mailbox: "owner"}, service)
            self.calendars[mailbox] = Calendar(mailbox, mailbox, zone, mailbox)
        return self.accounts[mailbox]

    def add_calendar(
        self, mailbox: str, summary: str, zone: str | None = None, *, made_by_app: bool = False
    ) -> Calendar:
        """A secondary calendar of an account."""
        account = self.accounts[mailbox]
        calendar_id = f"c_{secrets.token_hex(16)}@group.calendar.google.com"
        account.calendars[calendar_id] = "owner"
        self.calendars[calendar_id] = Calendar(
            calendar_id, summary, zone or account.zone, mailbox, made_by_app=made_by_app
        )
        return self.calendars[calendar_id]

    def delete_calendar(self, calendar_id: str) -> None:
        """A calendar and all that is in it, for everybody who sees it."""
        del self.calendars[calendar_id]
        for account in self.accounts.values():
            account.calendars.pop(calendar_id, None)

    def calendar(self, account: Account, calendar_id: str) -> Calendar:
        """The calendar an account means; 404 for one that it does not see."""
        real = account.mailbox if calendar_id == "primary" else calendar_id
        if real not in account.calendars or real not in self.calendars:
            raise standard(404, message="Not Found")
        return self.calendars[real]

    def new_event(
        self, calendar: Calendar, event_id: str | None, fields: dict[str, Any], start: Moment, end: Moment,
        now: datetime, *, creator: str, status: str = "confirmed", ical_uid: str | None = None,
    ) -> StoredEvent:  # fmt: skip
        """A new event, committed to the calendar."""
        event_id = event_id or random_id()
        event = StoredEvent(
            event_id, ical_uid or f"{event_id}@google.com", next(self._numbers), fields, start, end, status,
            created=now, updated=now, creator=creator,
        )  # fmt: skip
        calendar.events[event_id] = event
        self._commit(calendar, event, now)
        return event

    def change(self, calendar: Calendar, event: StoredEvent, now: datetime, **values: Any) -> None:
        """Change an event: indices, etag, the order of changes, and ``updated`` but for mere reminders."""
        calendar.forget(event)
        moved = (values.get("start", event.start), values.get("end", event.end)) != (event.start, event.end)
        quiet = not moved and _only_reminders(event, values)
        for name, value in values.items():
            setattr(event, name, value)
        if moved and "sequence" not in values:
            event.sequence += 1
        self._commit(calendar, event, event.updated if quiet else now)

    def move(self, event: StoredEvent, source: Calendar, target: Calendar, now: datetime, bare: bool) -> None:
        """To another calendar under the same id; a cancelled event stays behind in the first."""
        there = target.events.get(event.id)
        if there is not None:
            target.forget(there)
        self.new_event(
            target, event.id, dict(event.fields), event.start, event.end, now,
            creator=event.creator, ical_uid=event.ical_uid,
        )  # fmt: skip
        left = {"fields": {}, "bare": True} if bare else {}
        self.change(source, event, now, status="cancelled", **left)

    def _commit(self, calendar: Calendar, event: StoredEvent, updated: datetime) -> None:
        self._stamp = max(self._stamp + 2, int(updated.timestamp() * 1000) * 2000)
        calendar.revision += 1
        calendar.stamp = event.stamp = self._stamp
        event.revision = calendar.revision
        event.updated = updated
        calendar.index(event)


def random_id() -> str:
    """An id as Google makes them."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(26))


def rendered(
    event: StoredEvent, calendar: Calendar, zone: str | None, switches: GoogleSwitches
) -> dict[str, Any]:
    """An event as it is answered; times with the offset of the zone asked for or of the calendar."""
    head = {"kind": "calendar#event", "etag": event.etag, "id": event.id, "status": event.status}
    if event.cancelled and (event.bare or not switches.cancelled_keeps_details):
        return head
    zone = zone or calendar.zone
    organizer: dict[str, Any] = {"email": calendar.id, "self": True}
    if calendar.id != calendar.owner:
        organizer["displayName"] = calendar.summary
    return {
        **head,
        "htmlLink": f"https://www.google.com/calendar/event?eid={event.id}",
        "created": rfc3339_milliseconds(event.created.replace(microsecond=0)),
        "updated": rfc3339_milliseconds(event.updated),
        "creator": {"email": event.creator, "self": event.creator == calendar.owner},
        "organizer": organizer,
        "start": event.start.rendered(zone),
        "end": event.end.rendered(zone),
        "iCalUID": event.ical_uid,
        "sequence": event.sequence,
        "reminders": {"useDefault": True},
        "eventType": "default",
        **event.fields,
    }


def _only_reminders(event: StoredEvent, values: dict[str, Any]) -> bool:
    if "fields" not in values:
        return False
    if any(values[name] != getattr(event, name) for name in values.keys() - {"fields"}):
        return False
    before, after = ({**fields, "reminders": None} for fields in (event.fields, values["fields"]))
    return before == after and event.fields.get("reminders") != values["fields"].get("reminders")


def fresh_until(switches: GoogleSwitches, now: datetime) -> datetime | None:
    """When a new event begins to be listed, where listings lag by time."""
    if not switches.listing_delay_seconds:
        return None
    return now + timedelta(seconds=switches.listing_delay_seconds)
