"""The port :class:`~reconciler.ports.CalendarProvider` over Microsoft Graph.

Graph has no ids of the client's choice. What comes nearest is ``transactionId``, meant to absorb a repeated
POST; what a second one answers is not documented (the first event, another one, a refusal), nor what happens
once the first is deleted. So after every create the event is looked for by its marker; what is found decides.

An item in Deleted Items may still answer to its immutable id, so an event counts as present only where some
calendar lists it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from reconciler.diff.fields import folded
from reconciler.errors import (
    EventChanged,
    EventError,
    EventGone,
    EventIdUsed,
    MailboxUnavailable,
    VendorNonsense,
)
from reconciler.model import ActualEvent, Connection, Draft, Found, Listing, Written
from reconciler.ports import Capabilities, Heard
from reconciler.providers.microsoft import mapping
from reconciler.providers.microsoft.client import NAME, Graph, Mailbox, ZoneNotKnown, segment
from reconciler.providers.microsoft.mapping import Json

_EVENT = {"$select": mapping.SELECT, "$expand": mapping.EXPAND}
_ID = {"$select": "id"}


class MicrosoftProvider:
    """Microsoft 365 and Outlook.com.

    A connection's subject is ``tenant:oid``, both as in the id token's claims ``tid`` and ``oid``.
    """

    name = NAME

    def __init__(self, graph: Graph, installation: str) -> None:
        self._graph = graph
        self._installation = installation

    def open(self, connection: Connection) -> MicrosoftCalendar:
        """The calendars of this connection; talks to nobody yet."""
        return MicrosoftCalendar(Mailbox(self._graph, connection), connection.calendar_id, self._installation)

    def keep_alive(self, connection: Connection) -> None:
        """A refresh token that is not used for 90 days dies; each use gives a new one."""
        self._graph.tokens.get(connection)


class MicrosoftCalendar:
    """One person's calendars. ``calendar_id`` is their default one."""

    capabilities = Capabilities(client_ids=False)

    def __init__(self, mailbox: Mailbox, calendar_id: str, installation: str) -> None:
        self._mailbox = mailbox
        self.heard: Sequence[Heard] = mailbox.heard
        self._calendar_id = calendar_id
        self._installation = installation

    # Reading --------------------------------------------------------------------------------------

    def listing(self, since: datetime) -> Listing:
        """See the port. Filtered by time here: that Graph would do so beside a filter by extended property
        is not documented."""
        condition = mapping.of_installation(self._installation)
        found = self._search(self._calendar_id, condition, operation="list")
        return Listing(
            self._calendar_id, since, tuple(event for event in found if not _ended_by(event, since))
        )

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        """See the port. The event's ``calendar_id`` is where it lies now."""
        try:
            raw = self._mailbox.get(_event(event_id), _EVENT)
        except EventGone:
            return None
        place = None if raw.get("isCancelled") else self._place(raw, calendar_id)
        return mapping.actual_event(raw, place) if place is not None else None

    def find(self, token: str) -> Found:
        """See the port. A calendar that cannot be read, as one that somebody shares half-heartedly, makes the
        search incomplete; the default one has to be readable."""
        events: list[ActualEvent] = []
        calendars, everywhere = self._calendars(), True
        for calendar_id in calendars:
            try:
                events += self._search(calendar_id, mapping.of_token(token))
            except MailboxUnavailable:
                if calendar_id == self._calendar_id:
                    raise
                everywhere = False
        return Found(tuple(events), tuple(calendars), everywhere)

    def _search(self, calendar_id: str, condition: str, operation: str = "find") -> list[ActualEvent]:
        """The events of a calendar that meet a ``$filter`` and bear this installation's marker."""
        return [
            mapping.actual_event(raw, calendar_id)
            for raw in self._listed(calendar_id, condition, operation)
            if mapping.property_of(raw, mapping.INSTALLATION) == self._installation
        ]

    def _listed(self, calendar_id: str, condition: str, operation: str = "find") -> list[Json]:
        path = f"/calendars/{segment(calendar_id)}/events"
        with _collection(f"calendar {calendar_id}"):
            found = list(self._mailbox.pages(operation, path, {"$filter": condition, **_EVENT}))
        return [raw for raw in found if not raw.get("isCancelled")]

    def _calendars(self) -> list[str]:
        """The ids of all calendars, the default one first."""
        with _collection("the list of calendars"):
            found = [str(one.get("id")) for one in self._mailbox.pages("find", "/calendars", _ID)]
        return sorted(found, key=lambda calendar_id: calendar_id != self._calendar_id)

    def _place(self, raw: Json, likely: str) -> str | None:
        """The calendar that lists this event, ``None`` where none does: it lies in the bin.

        Looked for by its marker where it most likely is, then by its ``iCalUId`` everywhere: an event just
        made, moved, or stripped of its marker may not be found by that.
        """
        token = mapping.property_of(raw, mapping.TOKEN)
        if token and self._lists(likely, mapping.of_token(token), raw):
            return likely
        condition = mapping.of_uid(str(raw.get("iCalUId")))
        if self._lists(likely, condition, raw):
            return likely
        others = (one for one in self._calendars() if one != likely)
        return next((one for one in others if self._lists(one, condition, raw)), None)

    def _lists(self, calendar_id: str, condition: str, raw: Json) -> bool:
        try:
            return any(one.get("id") == raw.get("id") for one in self._listed(calendar_id, condition))
        except MailboxUnavailable:
            return False  # the calendar is gone, or another mailbox's

    # Writing --------------------------------------------------------------------------------------

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """An update names what changes, and needs the rest of an event only where its block does."""

    def create(self, draft: Draft) -> Written:
        """See the port. ``EventIdUsed`` also where the answer is an event its owner has since deleted."""
        path = f"/calendars/{segment(self._calendar_id)}/events"
        try:
            raw = _said(lambda in_utc: self._mailbox.post(path, mapping.new_event(draft, in_utc=in_utc)))
        except EventGone as problem:
            raise MailboxUnavailable(f"the default calendar is gone: {problem.what}") from problem
        except EventIdUsed:
            event = self._made_before(draft)
            if event is None:
                raise
        else:
            event = self._made_now(draft, mapping.actual_event(raw, self._calendar_id).event_id)
        if event.marker == draft.marker:
            return Written(event.event_id, event.calendar_id, event.etag)
        # Accounts of consumers lose extended properties on creation; an earlier attempt had earlier content.
        return self.update(draft, event)

    def _made_before(self, draft: Draft) -> ActualEvent | None:
        """The event an earlier attempt at this very creation has left."""
        found = self.find(draft.marker.token).events
        return next((event for event in found if event.made_as == draft.made_as), None)

    def _made_now(self, draft: Draft, event_id: str) -> ActualEvent:
        """The event a create answered with, as it is in the calendar."""
        for event in self._search(self._calendar_id, mapping.of_token(draft.marker.token)):
            if event.event_id == event_id:
                return event
        event_there = self.get(event_id, self._calendar_id)
        if event_there is None:
            raise EventIdUsed("Graph answered a creation with an event that is in no calendar")
        return event_there

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        """See the port. The body is read and written only where our block has to change."""
        etag, body = known.etag, {}
        if not etag or known.block is None or folded(known.block) != folded(draft.content.block):
            raw = self._as_known(known)
            etag, body = mapping.etag_of(raw), {"body": mapping.body_with(draft, raw)}

        def patch(in_utc: bool) -> Json:
            changes = {**mapping.changed_event(draft, known, in_utc=in_utc), **body}
            return self._mailbox.patch(_event(known.event_id), changes, etag)

        written = mapping.actual_event(_said(patch), known.calendar_id)
        return Written(written.event_id, written.calendar_id, written.etag)

    def _as_known(self, known: ActualEvent) -> Json:
        """The event with its body as HTML, if it is still the one known."""
        raw = self._mailbox.get(_event(known.event_id), {"$select": "body,isCancelled"}, body="html")
        if raw.get("isCancelled"):
            raise EventGone("the event is cancelled")
        if known.etag and mapping.etag_of(raw) != known.etag:
            raise EventChanged("the event has another etag than the one known")
        return raw

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        """See the port. It goes to Deleted Items, where its owner may find it."""
        self._mailbox.delete(_event(event_id), etag)


def _event(event_id: str) -> str:
    return f"/events/{segment(event_id)}"


def _ended_by(event: ActualEvent, since: datetime) -> bool:
    return event.day is not None and event.day.end_instant <= since


def _said(write: Callable[[bool], Json]) -> Json:
    """Write with wall time and zone, or in UTC where Graph has not learnt of the zone yet."""
    try:
        return write(False)
    except ZoneNotKnown:
        return write(True)


@contextmanager
def _collection(what: str) -> Iterator[None]:
    """No event is meant by a refusal of a whole collection: it is gone, or we were not understood."""
    try:
        yield
    except EventGone as problem:
        raise MailboxUnavailable(f"{what} is not there: {problem.what}") from problem
    except EventError as problem:
        raise VendorNonsense(f"{what} cannot be read: {problem.what}") from problem
