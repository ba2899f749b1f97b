"""Mailboxes as Exchange keeps them: calendars, events, the bin, and an index over extended properties."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.simulators.microsoft_directory import Account
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.microsoft_times import Moment
from reconciler.simulators.wire import SimClock

Fields = dict[str, Any]


@dataclass(slots=True)
class StoredEvent:
    """One event. ``fields`` are as last set, in Graph's shape; times are kept apart, as moments.

    ``properties`` are the single-value extended properties by normalised id. The plain id changes with the
    folder the event lies in, the immutable id does not.
    """

    immutable_id: str
    plain_id: str
    calendar: str
    fields: Fields
    start: Moment
    end: Moment
    properties: dict[str, str]
    created: datetime
    modified: datetime
    transaction_id: str | None = None
    version: int = 1
    deleted: bool = False
    unindexed_listings: int = 0
    unindexed_until: datetime | None = None
    occurrence_of: str | None = None

    @property
    def change_key(self) -> str:
        """Changes with every write; Base64, with the slashes and plus signs that come with it."""
        digest = hashlib.sha256(f"{self.immutable_id}|{self.version}".encode()).digest()
        return base64.b64encode(b"\x0f\x00\x00\x00" + digest[:18]).decode()

    @property
    def attendees(self) -> list[Any]:
        """The guests; without any, nothing is ever mailed."""
        return self.fields.get("attendees") or []


@dataclass
class Calendar:
    """A calendar folder; its id is constant."""

    id: str
    name: str
    is_default: bool = False


@dataclass(frozen=True)
class SentMail:
    """A mail Exchange sent to an event's guests by itself: ``kind`` is invite, update or cancel."""

    kind: str
    event: str
    to: tuple[str, ...]


@dataclass
class Mailbox:
    """Everything of one account."""

    account: Account
    clock: SimClock
    switches: MicrosoftSwitches
    calendars: dict[str, Calendar] = field(default_factory=dict)
    events: dict[str, StoredEvent] = field(default_factory=dict)
    mails: list[SentMail] = field(default_factory=list)
    _plain: dict[str, str] = field(default_factory=dict)
    _index: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    _transactions: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _serial: int = 0

    def __post_init__(self) -> None:
        self.default = self.add_calendar("Calendar", is_default=True)

    # calendars --------------------------------------------------------------------------------
    def add_calendar(self, name: str, is_default: bool = False) -> Calendar:
        """A new, empty calendar."""
        calendar = Calendar(self._new_id("AAMkAGI", 120), name, is_default)
        self.calendars[calendar.id] = calendar
        return calendar

    def remove_calendar(self, calendar: Calendar) -> None:
        """The calendar and all that lies in it; nothing of it goes to the bin."""
        del self.calendars[calendar.id]
        for event in [one for one in self.events.values() if one.calendar == calendar.id]:
            self.purge(event)

    def calendar(self, name_or_id: str) -> Calendar | None:
        """By id or name; None if there is none."""
        found = self.calendars.get(name_or_id)
        return found or next((one for one in self.calendars.values() if one.name == name_or_id), None)

    # events -----------------------------------------------------------------------------------
    def add(
        self,
        fields: Fields,
        times: tuple[Moment, Moment],
        properties: dict[str, str],
        calendar: Calendar,
        transaction_id: str | None = None,
    ) -> StoredEvent:
        """A new event in a calendar, unknown to the index for as long as the switches say."""
        now = self.clock.now()
        event = StoredEvent(
            immutable_id=self._new_id("AAkALgAAAAAAHYQDEapmEc2byACqAC-E", 100),
            plain_id=self._new_id("AAMkAGI", 150),
            calendar=calendar.id,
            fields=fields,
            start=times[0],
            end=times[1],
            properties=properties,
            created=now,
            modified=now,
            transaction_id=transaction_id,
            unindexed_listings=self.switches.index_delay_listings,
            unindexed_until=now + timedelta(seconds=self.switches.index_delay_seconds),
        )
        fields.setdefault("iCalUId", self._new_id("040000008200E00074C5B7101A82E008", 32, hexadecimal=True))
        self.events[event.immutable_id] = event
        self._plain[event.plain_id] = event.immutable_id
        if transaction_id is not None:
            self._transactions[transaction_id] = (event.immutable_id, now)
        self._enter(event)
        return event

    def find(self, event_id: str) -> StoredEvent | None:
        """By either kind of id, in the bin too. Ids are case-sensitive."""
        return self.events.get(self._plain.get(event_id, event_id))

    def set_properties(self, event: StoredEvent, properties: dict[str, str]) -> None:
        """Replace the extended properties, index included."""
        self._leave(event)
        event.properties = properties
        self._enter(event)

    def touch(self, event: StoredEvent) -> None:
        """A new version: change key and modification time."""
        event.version += 1
        event.modified = self.clock.now()

    def move(self, event: StoredEvent, calendar: Calendar) -> None:
        """Into another calendar: the plain id changes, the immutable one stays."""
        event.calendar = calendar.id
        self._new_plain_id(event)
        self.touch(event)

    def delete(self, event: StoredEvent) -> None:
        """Into Deleted Items: a folder like any other, hence a new plain id."""
        self._leave(event)
        event.deleted = True
        self._new_plain_id(event)
        self.touch(event)

    def restore(self, event: StoredEvent) -> StoredEvent:
        """Out of Deleted Items, into the calendar it came from."""
        event.deleted = False
        self._new_plain_id(event)
        if not self.switches.restore_keeps_immutable_id:
            del self.events[event.immutable_id]
            event.immutable_id = self._new_id("AAkALgAAAAAAHYQDEapmEc2byACqAC-E", 100)
            self.events[event.immutable_id] = event
            self._plain[event.plain_id] = event.immutable_id
        self.touch(event)
        self._enter(event)
        return event

    def purge(self, event: StoredEvent) -> None:
        """For good, the bin included."""
        self._leave(event)
        self._plain.pop(event.plain_id, None)
        self.events.pop(event.immutable_id, None)

    def copy(self, event: StoredEvent, calendar: Calendar) -> StoredEvent:
        """As its owner copies it: the extended properties come along, the transaction id does not."""
        fields = {name: value for name, value in event.fields.items() if name != "iCalUId"}
        return self.add(fields, (event.start, event.end), dict(event.properties), calendar)

    def of_transaction(self, transaction_id: str) -> StoredEvent | None:
        """The event once made with this transaction id, also from the bin, while that is remembered."""
        known = self._transactions.get(transaction_id)
        memory = self.switches.transaction_memory_seconds
        if known is None or (memory is not None and self.clock.now() - known[1] > timedelta(seconds=memory)):
            return None
        return self.events.get(known[0])

    def listing(self, calendar: str | None, tag: tuple[str, str] | None) -> Iterable[StoredEvent]:
        """The live events of a calendar (None: of all), newest first, narrowed by one indexed property."""
        if tag is None:
            found: Iterable[StoredEvent] = reversed(self.events.values())
        else:
            found = (self.events[one] for one in reversed(self._index.get(tag, {})))
        return (one for one in found if not one.deleted and calendar in (None, one.calendar))

    def mail(self, kind: str, event: StoredEvent) -> None:
        """Count the mail Exchange sends to the guests, if there are any."""
        to = tuple((one.get("emailAddress") or {}).get("address", "") for one in event.attendees)
        if to:
            self.mails.append(SentMail(kind, event.immutable_id, to))

    # ------------------------------------------------------------------------------------------
    def _enter(self, event: StoredEvent) -> None:
        for key in index_keys(event.properties):
            self._index.setdefault(key, {})[event.immutable_id] = None

    def _leave(self, event: StoredEvent) -> None:
        for key in index_keys(event.properties):
            holders = self._index.get(key, {})
            holders.pop(event.immutable_id, None)
            if not holders:
                self._index.pop(key, None)

    def _new_plain_id(self, event: StoredEvent) -> None:
        self._plain.pop(event.plain_id, None)
        event.plain_id = self._new_id("AAMkAGI", 150)
        self._plain[event.plain_id] = event.immutable_id

    def _new_id(self, prefix: str, length: int, hexadecimal: bool = False) -> str:
        self._serial += 1
        digest = hashlib.sha512(f"{self.account.oid}|{self._serial}".encode()).digest() * 2
        if hexadecimal:
            return prefix + digest.hex().upper()[:length]
        return prefix + base64.urlsafe_b64encode(digest).decode()[: length - len(prefix) - 1] + "="


def index_keys(properties: dict[str, str]) -> Iterable[tuple[str, str]]:
    """Values are compared without regard to case, names are not."""
    return ((name, value.lower()) for name, value in properties.items())


def occurrence(master: StoredEvent, shift: timedelta) -> StoredEvent:
    """One occurrence of a series, ``shift`` of wall time after its first."""
    start, end = (
        Moment(one.wall + shift, one.zone, one.instant + shift) for one in (master.start, master.end)
    )
    tail = hashlib.sha256(f"{master.immutable_id}|{shift}".encode()).hexdigest()[:12]
    return replace(
        master,
        immutable_id=master.immutable_id[:-1] + tail + "=",
        plain_id=master.plain_id[:-1] + tail + "=",
        start=start,
        end=end,
        occurrence_of=master.immutable_id,
    )
