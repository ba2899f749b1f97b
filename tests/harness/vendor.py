"""Two vendors behind the port, in this process, with the real ones' oddities and none of their wires.

Google: the id we choose is the event's id in its calendar for ever; a deleted event leaves it used; an
event moved to another calendar reads as cancelled in the first; an etag of a deleted event does not match.
Microsoft: ids are the vendor's and follow an event to another calendar; a repeated creation is absorbed by
its transaction id; what was just made is not found by its marker for a while.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.errors import (
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    ReauthorizationNeeded,
    Throttled,
    VendorUnavailable,
)
from reconciler.model import ActualEvent, Connection, Draft, EventKey, Found, Listing, Written
from reconciler.ports import CalendarMemory, CalendarProvider, Capabilities, Clock, Heard
from tests.harness.boundaries import Boundaries
from tests.harness.mailbox import LIES, Mailbox, Stored, Trouble

Result = TypeVar("Result")
STALE = timedelta(minutes=5)


@dataclass
class Vendor:
    """A vendor with everybody's mailboxes. ``wrongs`` is what must never happen and did.

    ``losing``: half of all writes have their effect and no answer; ``lost`` counts those, by what they were.
    ``searchable``: an event of ours is found by its marker whatever name another program has given it.
    """

    name: str
    clock: Clock
    boundaries: Boundaries
    client_ids: bool
    index_delay: timedelta
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    troubles: set[Trouble] = field(default_factory=set)
    wrongs: list[str] = field(default_factory=list)
    calls: int = 0
    wrote: int = 0
    losing: random.Random | None = None
    lost: Counter[str] = field(default_factory=Counter)
    searchable: bool = True

    def provider(self, memory: CalendarMemory) -> CalendarProvider:
        """This vendor as one process sees it."""
        return self

    def new_mailbox(self, person: str) -> Mailbox:
        mailbox = self.mailboxes[f"subject-{person}"] = Mailbox(person, f"calendar-{person}")
        return mailbox

    def open(self, connection: Connection) -> VendorCalendar:
        return VendorCalendar(self, self.mailboxes[connection.subject])

    def keep_alive(self, connection: Connection) -> None:
        """Nothing of a grant is used here."""

    def no_second(self, mailbox: Mailbox, key: EventKey) -> None:
        """At most one event of ours for each person, day and calendar; what its owner put there aside, and
        what nothing is known of any more, nor seen at it."""
        for event in mailbox.there(key):
            hidden = event.returned or bool((self.troubles | mailbox.troubles) & LIES)
            hidden |= event.forgotten and event.marker is None
            if event.ours and event.calendar_id == mailbox.default and not hidden:
                self.wrong(f"made a second event for {key} beside {event.event_id}")

    def wrong(self, what: str) -> None:
        self.wrongs.append(f"{self.name}: {what}")

    def close(self) -> None:
        """Nothing is open."""


def google(clock: Clock, boundaries: Boundaries) -> Vendor:
    return Vendor("google", clock, boundaries, client_ids=True, index_delay=timedelta())


def microsoft(clock: Clock, boundaries: Boundaries) -> Vendor:
    return Vendor("microsoft", clock, boundaries, client_ids=False, index_delay=timedelta(seconds=20))


class VendorCalendar:
    """The port, over one mailbox."""

    def __init__(self, vendor: Vendor, mailbox: Mailbox) -> None:
        self._vendor = vendor
        self._mailbox = mailbox
        self.capabilities = Capabilities(client_ids=vendor.client_ids)
        self.heard: Sequence[Heard] = ()  # nothing comes over a wire

    # Reading --------------------------------------------------------------------------------------

    def listing(self, since: datetime) -> Listing:
        def read() -> Listing:
            self._default_is_there()
            events = self._listed(lambda event: event.marker is not None and _ends_after(event, since))
            default = self._mailbox.default
            return Listing(default, since, tuple(one for one in events if one.calendar_id == default))

        return self._call("list", read)

    def find(self, token: str) -> Found:
        def read() -> Found:
            self._default_is_there()
            events = self._listed(lambda event: event.marker is not None and event.marker.token == token)
            default = self._mailbox.default
            if Trouble.HIDDEN in self._troubles:
                shown = tuple(one for one in events if one.calendar_id == default)
                return Found(shown, (default,), everywhere=False)
            there = tuple(one for one in self._mailbox.calendars if one not in self._mailbox.lost)
            return Found(tuple(events), there, everywhere=True)

        return self._call("find", read)

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        def read() -> ActualEvent | None:
            if self._vendor.client_ids and calendar_id in self._mailbox.lost:
                self._default_is_there()
                raise EventRefused("the calendar it was moved to is lost")
            if Trouble.LYING in self._troubles:
                return None
            event = self._stored(event_id, calendar_id)
            return event.actual() if event is not None and event.there else None

        return self._call("get", read)

    def _listed(self, wanted: Callable[[Stored], bool]) -> Iterator[ActualEvent]:
        if self._troubles & {Trouble.EMPTY_LISTING, Trouble.LYING}:
            return
        now = self._vendor.clock()
        lag = STALE if Trouble.STALE_LISTING in self._troubles else self._vendor.index_delay
        for event in self._mailbox.events:
            shown = event.there and event.made_at + lag <= now
            if Trouble.STALE_LISTING in self._troubles and not event.there:
                shown = event.removed_at is not None and event.removed_at + lag > now
            if shown and event.calendar_id not in self._mailbox.lost and wanted(event):
                yield event.actual()

    # Writing --------------------------------------------------------------------------------------

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """Nothing needs to be read first."""

    def create(self, draft: Draft) -> Written:
        return self._call("create", lambda: self._create(draft))

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        def write() -> Written:
            event = self._as_known(known.event_id, known.calendar_id, known.etag, raw=known.raw is not None)
            if event.key is None:
                self._vendor.wrong(f"wrote to {event.event_id}, which is none of ours")
            return self._lay(draft, event)

        return self._call("update", write)

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        def remove() -> None:
            event = self._as_known(event_id, calendar_id, etag, raw=False)
            if not event.ours:
                self._vendor.wrong(f"deleted {event.event_id}, which we did not make")
            self._mailbox.delete(event, self._vendor.clock(), by="us")

        self._call("delete", remove)

    def _create(self, draft: Draft) -> Written:
        self._default_is_there()
        mailbox, default, key = self._mailbox, self._mailbox.default, draft.marker.key
        if self._vendor.client_ids:
            if self._stored(draft.made_as, default) is not None:
                raise EventIdUsed("the id is in use or was used before", whose=str(key))
            event_id = draft.made_as
        else:
            earlier = mailbox.transactions.get(draft.made_as)
            if earlier is not None and earlier.there:
                return self._lay(draft, earlier)
            if earlier is not None:
                raise EventIdUsed("the transaction id was used for an event that is gone", whose=str(key))
            event_id = f"event-{mailbox.owner}-{mailbox.fresh()}"
        self._vendor.no_second(mailbox, key)
        event = Stored(
            event_id, default, 0, "", "", None, None, None, draft.made_as, key, True, self._vendor.clock()
        )
        mailbox.events.append(event)
        mailbox.transactions[draft.made_as] = event
        return self._lay(draft, event)

    def _lay(self, draft: Draft, event: Stored) -> Written:
        if event.removed_by == "owner":
            self._vendor.wrong(f"brought back {event.event_id}, which its owner had deleted")
        event.title, event.location = draft.content.title, draft.content.location
        event.block, event.day, event.marker = draft.content.block, draft.day, draft.marker
        event.written = draft.day
        event.version = self._mailbox.fresh()
        return Written(event.event_id, event.calendar_id, event.etag)

    def _as_known(self, event_id: str, calendar_id: str, etag: str | None, raw: bool) -> Stored:
        """The event to be written, as both vendors would let it be; Google revives what is deleted."""
        if self._mailbox.conflicts:
            self._mailbox.conflicts -= 1
            raise EventChanged("another change came in between", whose=event_id)
        event = self._stored(event_id, calendar_id)
        if event is None or Trouble.LYING in self._troubles:
            raise EventGone("the event is not there", whose=event_id)
        if etag and etag != event.etag:
            gone = not event.there and not (self._vendor.client_ids and raw)
            raise (EventGone if gone else EventChanged)("it is not as it was read", whose=event_id)
        if not event.there and not (self._vendor.client_ids and raw):
            raise EventGone("the event is not there", whose=event_id)
        return event

    # What they share ------------------------------------------------------------------------------

    @property
    def _troubles(self) -> set[Trouble]:
        return self._vendor.troubles | self._mailbox.troubles

    def _stored(self, event_id: str, calendar_id: str) -> Stored | None:
        """Google's events are a calendar's; Microsoft's are the mailbox's."""
        found = [event for event in self._mailbox.events if event.event_id == event_id]
        if self._vendor.client_ids:
            found = [event for event in found if event.calendar_id == calendar_id]
        return next((event for event in found if event.there), found[0] if found else None)

    def _default_is_there(self) -> None:
        if self._mailbox.default in self._mailbox.lost:
            raise MailboxUnavailable("the default calendar is gone")

    def _call(self, operation: str, effect: Callable[[], Result]) -> Result:
        self._vendor.calls += 1
        troubles = self._troubles
        if Trouble.REVOKED in troubles:
            raise ReauthorizationNeeded("invalid_grant")
        if Trouble.NO_MAILBOX in troubles:
            raise MailboxUnavailable("no mailbox")
        if Trouble.THROTTLED in troubles:
            raise Throttled("too fast", retry_after=120, scope="person")
        if Trouble.DOWN in troubles or (operation in ("list", "find") and Trouble.CUT_LISTING in troubles):
            raise VendorUnavailable("no answer")
        writes = operation in ("create", "update", "delete")
        self._vendor.wrote += writes
        if writes and (Trouble.REFUSES in troubles or self._mailbox.refusals):
            self._mailbox.refusals = max(0, self._mailbox.refusals - 1)
            raise EventRefused("the event is refused")
        result = self._vendor.boundaries.cross(
            f"{self._vendor.name} {operation}", effect, lambda: VendorUnavailable("no answer")
        )
        losing = self._vendor.losing
        if writes and (Trouble.REPLIES_LOST in troubles or (losing and losing.random() < 0.5)):
            self._vendor.lost[operation] += 1
            raise VendorUnavailable("the answer was lost")
        return result


def _ends_after(event: Stored, since: datetime) -> bool:
    return event.day is None or event.day.end_instant > since
