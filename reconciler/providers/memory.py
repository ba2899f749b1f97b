"""The reference provider: calendars in memory, with the manners the port asks for. For tests and for reading.

A deleted event leaves its id used, as Google's do; etags count up; nothing that its owner added to an
event is lost by an update.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from reconciler.errors import EventChanged, EventGone, EventIdUsed
from reconciler.model import ActualEvent, Connection, Draft, Found, Listing, Written
from reconciler.ports import Capabilities, Heard


@dataclass
class MemoryMailbox:
    """One account's calendars: events by calendar and id; ``deleted`` ids stay used."""

    default: str
    calendars: dict[str, dict[str, ActualEvent]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.calendars.setdefault(self.default, {})

    def events(self) -> Iterator[ActualEvent]:
        for calendar in self.calendars.values():
            yield from calendar.values()


class MemoryProvider:
    """A vendor whose mailboxes are dictionaries. ``calls`` counts what was asked, by operation."""

    name = "google"

    def __init__(self) -> None:
        self.mailboxes: dict[str, MemoryMailbox] = {}
        self.calls: list[str] = []
        self.lock = threading.RLock()
        self.etags = count(1)

    def open(self, connection: Connection) -> MemoryCalendar:
        mailbox = self.mailboxes.setdefault(connection.subject, MemoryMailbox(connection.calendar_id))
        return MemoryCalendar(self, mailbox)

    def keep_alive(self, connection: Connection) -> None:
        """Nothing dies here."""


class MemoryCalendar:
    """The port, over one mailbox."""

    capabilities = Capabilities(client_ids=True)
    heard: Sequence[Heard] = ()  # nothing comes over a wire

    def __init__(self, vendor: MemoryProvider, mailbox: MemoryMailbox) -> None:
        self._vendor = vendor
        self._mailbox = mailbox

    def listing(self, since: datetime) -> Listing:
        with self._call("list"):
            events = self._mailbox.calendars[self._mailbox.default].values()
            ours = tuple(event for event in events if event.marker and _ends_after(event, since))
            return Listing(self._mailbox.default, since, ours)

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        with self._call("get"):
            return self._mailbox.calendars.get(calendar_id, {}).get(event_id)

    def find(self, token: str) -> Found:
        with self._call("find"):
            events = (event for event in self._mailbox.events() if event.marker)
            found = tuple(event for event in events if event.marker and event.marker.token == token)
            return Found(found, tuple(self._mailbox.calendars), everywhere=True)

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """All is at hand."""

    def create(self, draft: Draft) -> Written:
        with self._call("create"):
            default = self._mailbox.default
            if draft.made_as in self._mailbox.deleted or draft.made_as in self._mailbox.calendars[default]:
                raise EventIdUsed("the id is in use or was used before", whose=str(draft.marker.key))
            blank = ActualEvent(draft.made_as, default, "", None, draft.made_as, "", "", None, None)
            return self._store(blank, draft)

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        with self._call("update"):
            return self._store(self._present(known.event_id, known.calendar_id, known.etag), draft)

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        with self._call("delete"):
            self._present(event_id, calendar_id, etag)
            del self._mailbox.calendars[calendar_id][event_id]
            self._mailbox.deleted.add(event_id)

    def _call(self, operation: str) -> threading.RLock:
        self._vendor.calls.append(operation)
        return self._vendor.lock

    def _present(self, event_id: str, calendar_id: str, etag: str | None) -> ActualEvent:
        event = self._mailbox.calendars.get(calendar_id, {}).get(event_id)
        if event is None:
            raise EventGone("the event is not there", whose=event_id)
        if etag is not None and etag != event.etag:
            raise EventChanged("the event is no longer as it was read", whose=event_id)
        return event

    def _store(self, event: ActualEvent, draft: Draft) -> Written:
        stored = replace(
            event,
            etag=f'"{next(self._vendor.etags)}"',
            marker=draft.marker,
            title=draft.content.title,
            location=draft.content.location,
            block=draft.content.block,
            day=draft.day,
        )
        self._mailbox.calendars[stored.calendar_id][stored.event_id] = stored
        return Written(stored.event_id, stored.calendar_id, stored.etag)


def _ends_after(event: ActualEvent, since: datetime) -> bool:
    return event.day is None or event.day.end_instant > since
