"""What the owner of a calendar does to it by hand, in Google's own pages. Never a vendor request."""

from __future__ import annotations

import re
from datetime import timedelta
from html import escape
from threading import RLock
from typing import Any

from reconciler.simulators.google_series import rule_of
from reconciler.simulators.google_store import Calendar, GoogleStore, StoredEvent, random_id, rendered
from reconciler.simulators.google_store import GoogleSwitches as Switches
from reconciler.simulators.google_times import parse_moment
from reconciler.simulators.wire import SimClock

Resource = dict[str, Any]
_HTML = re.compile(r"</?(a|b|br|div|i|li|ol|p|span|u|ul)\b[^<>]*>|&(amp|lt|gt|nbsp|#\d+);", re.IGNORECASE)


class Owner:
    """The hands of calendars' owners. Events are named by id; KeyError for one that is nowhere."""

    def __init__(self, store: GoogleStore, clock: SimClock, lock: RLock, switches: Switches) -> None:
        self._store, self._clock, self._lock, self._switches = store, clock, lock, switches

    def delete(self, mailbox: str, event_id: str) -> None:
        """Into the bin."""
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            self._store.change(calendar, event, self._clock.now(), status="cancelled")

    def delete_all(self, mailbox: str) -> int:
        """Everything in all calendars of the account, into the bin; how many that were."""
        with self._lock:
            live = [(one, event) for one in self._calendars(mailbox) for event in one.events.values()]
            doomed = [pair for pair in live if not pair[1].cancelled]
            for calendar, event in doomed:
                self._store.change(calendar, event, self._clock.now(), status="cancelled")
            return len(doomed)

    def restore(self, mailbox: str, event_id: str) -> None:
        """Out of the bin, under the same id."""
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            if event.bare:
                raise KeyError(event_id)
            self._store.change(calendar, event, self._clock.now(), status="confirmed")

    def move(self, mailbox: str, event_id: str, to: str) -> None:
        """To another calendar of the account, under the same id."""
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            bare = self._switches.tombstones_of_moved_bare
            self._store.move(event, calendar, self._store.calendars[to], self._clock.now(), bare)

    def copy(self, mailbox: str, event_id: str, to: str | None = None) -> str:
        """Duplicate: the same content and private properties under a new id, which is given back."""
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            target = self._store.calendars[to] if to else calendar
            made = self._store.new_event(
                target, random_id(), dict(event.fields), event.start, event.end, self._clock.now(),
                creator=mailbox,
            )  # fmt: skip
            return made.id

    def edit(self, mailbox: str, event_id: str, *, as_html: bool = False, **fields: Any) -> None:
        """Change fields under their names in the API; None removes one.

        ``as_html`` rewrites the description as Google's editor does when its owner touches it.
        """
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            values: Resource = {
                name: parse_moment(fields.pop(name), name) for name in ("start", "end") if name in fields
            }
            merged = {name: value for name, value in {**event.fields, **fields}.items() if value is not None}
            if as_html and "description" in merged:
                merged["description"] = _as_html(merged["description"])
            self._store.change(calendar, event, self._clock.now(), fields=merged, **values)

    def shift(self, mailbox: str, event_id: str, minutes: int) -> None:
        """Drag it to another time."""
        with self._lock:
            calendar, event = self._find(mailbox, event_id)
            by = timedelta(minutes=minutes)
            self._store.change(
                calendar, event, self._clock.now(),
                start=event.start.shifted(by, calendar.zone), end=event.end.shifted(by, calendar.zone),
            )  # fmt: skip

    def make_recurring(self, mailbox: str, event_id: str, rule: str = "RRULE:FREQ=WEEKLY;COUNT=4") -> None:
        """Let it repeat."""
        rule_of([rule])
        self.edit(mailbox, event_id, recurrence=[rule])

    def add(
        self, mailbox: str, start: Resource, end: Resource, *, to: str | None = None, **fields: Any
    ) -> str:
        """An event of their own, without any private property; its id."""
        with self._lock:
            target = self._store.calendars[to or mailbox]
            made = self._store.new_event(
                target, None, fields, parse_moment(start, "start"), parse_moment(end, "end"),
                self._clock.now(), creator=mailbox,
            )  # fmt: skip
            return made.id

    def add_calendar(self, mailbox: str, summary: str) -> str:
        """A secondary calendar; its id."""
        with self._lock:
            return self._store.add_calendar(mailbox, summary).id

    def hide_calendar(self, mailbox: str, calendar: str) -> None:
        """Out of their list of calendars; its events are still there for who asks by its id."""
        with self._lock:
            self._store.accounts[mailbox].hidden.add(calendar)

    def delete_calendar(self, mailbox: str, calendar: str) -> None:
        """One of their secondary calendars, with all that is in it."""
        with self._lock:
            if calendar == mailbox or calendar not in self._store.accounts[mailbox].calendars:
                raise KeyError(calendar)
            self._store.delete_calendar(calendar)

    def dump(self, mailbox: str, *, deleted: bool = False) -> list[Resource]:
        """The events of all calendars of the account, in order of start, with ``calendarId`` beside."""
        with self._lock:
            shown = [
                (event.start.at(calendar.zone), rendered(event, calendar, None, Switches())
                 | {"calendarId": calendar.id})
                for calendar in self._calendars(mailbox)
                for event in calendar.events.values()
                if deleted or not event.cancelled
            ]  # fmt: skip
        return [event for _, event in sorted(shown, key=lambda one: one[0])]

    def purge(self, mailbox: str) -> int:
        """Let the tombstones of the account disappear; how many there were."""
        with self._lock:
            return sum(calendar.purge() for calendar in self._calendars(mailbox))

    def _calendars(self, mailbox: str) -> list[Calendar]:
        known = self._store.accounts[mailbox].calendars
        return [self._store.calendars[one] for one in known if one in self._store.calendars]

    def _find(self, mailbox: str, event_id: str) -> tuple[Calendar, StoredEvent]:
        """The live event of that id; failing that, its tombstone."""
        found = [(one, one.events[event_id]) for one in self._calendars(mailbox) if event_id in one.events]
        if not found:
            raise KeyError(event_id)
        return min(found, key=lambda pair: pair[1].cancelled)


def _as_html(text: str) -> str:
    """A description "can contain HTML" (discovery document): what is HTML already is not escaped again."""
    html = text if _HTML.search(text) else escape(text, quote=False)
    return html.replace("\n", "<br>")
