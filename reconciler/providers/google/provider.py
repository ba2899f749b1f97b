"""Google Calendar behind the ports ``CalendarProvider`` and ``Calendar``.

What deserves to be known of Google here: the id we choose is the event's id, for ever; a deleted event
stays under its id as ``cancelled`` and comes back to life when it is written to; an update replaces the
whole event. Sources: discovery document calendar v3; guides "Create events", "Extended properties".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from reconciler.errors import EventChanged, EventGone, EventRefused, MailboxUnavailable, VendorNonsense
from reconciler.model import ActualEvent, Connection, Draft, Found, Listing, Written
from reconciler.ports import Capabilities, Heard
from reconciler.providers.google import mapping
from reconciler.providers.google.client import PROVIDER, About, Client, NotFound, ScopeMissing

_EVENTS_A_PAGE = 250  # whole events of up to some 20 kB each: a page stays within the limit for a body
_CALENDARS_A_PAGE = 250


class GoogleProvider:
    """Google. ``installation`` is what our events are listed by."""

    name = PROVIDER

    def __init__(self, client: Client, installation: str) -> None:
        self._client = client
        self._installation = installation

    def open(self, connection: Connection) -> GoogleCalendar:
        """The calendars of this connection; talks to nobody."""
        return GoogleCalendar(self._client, connection, self._installation)

    def keep_alive(self, connection: Connection) -> None:
        """A refresh token that is not used for six months dies."""
        self._client.authorize(connection)


class GoogleCalendar:
    """One person's Google calendars. No request ever names guests of ours or sends a notification."""

    capabilities = Capabilities(client_ids=True)

    def __init__(self, client: Client, connection: Connection, installation: str) -> None:
        self.heard: list[Heard] = []
        self._client = client.noting(self.heard)
        self._connection = connection
        self._default = connection.calendar_id
        self._installation = installation

    def listing(self, since: datetime) -> Listing:
        """All events of our installation in the default calendar; two of one id are one."""
        found = self._marked(
            "list",
            self._default,
            mapping.INSTALLATION,
            self._installation,
            timeMin=mapping.timestamp(since),
        )
        events = {event.event_id: event for event in found}
        return Listing(self._default, since, tuple(events.values()))

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        """One event by id; a cancelled one is none."""
        try:
            raw = self._raw(event_id, calendar_id)
        except EventGone:
            return None
        return mapping.event_of(raw, calendar_id)

    def find(self, token: str) -> Found:
        """The events of one key in every calendar its owner could have moved it to."""
        calendars, everywhere = self._calendars()
        found: dict[tuple[str, str], ActualEvent] = {}
        for calendar_id in calendars:
            try:
                for event in self._marked("find", calendar_id, mapping.TOKEN, token):
                    found[calendar_id, event.event_id] = event
            except MailboxUnavailable:
                if calendar_id == self._default:
                    raise
                everywhere = False  # it went away, or was closed to us, between the two questions
        return Found(tuple(found.values()), tuple(calendars), everywhere)

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """A listing has the whole of each event; of others only some are ever updated at once."""

    def create(self, draft: Draft) -> Written:
        """Create in the default calendar under the draft's own id."""
        request = self._client.events.insert(
            calendarId=self._default, body=mapping.body_of(draft), sendUpdates="none"
        )
        raw = self._client.write(self._connection, "create", About.CREATION, request)
        return self._written(raw, self._default)

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        """Lay our fields over the event: one request if ``known`` was read from Google, else two."""
        raw = known.raw
        if not isinstance(raw, dict):
            raw = self._raw(known.event_id, known.calendar_id)
            if raw.get("etag") != known.etag:
                raise EventChanged("Its etag is no longer the one known", whose=known.event_id)
        if mapping.is_cancelled(raw):
            raise EventGone("It is cancelled", whose=known.event_id)
        request = self._client.events.update(
            calendarId=known.calendar_id,
            eventId=known.event_id,
            body=mapping.laid_over(draft, raw),
            sendUpdates="none",
            **mapping.options_for(raw),
        )
        return self._written(self._write("update", request, known.calendar_id, known.etag), known.calendar_id)

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        """Delete one event, if it still bears this etag."""
        request = self._client.events.delete(calendarId=calendar_id, eventId=event_id, sendUpdates="none")
        self._write("delete", request, calendar_id, etag)

    def _write(self, operation: str, request: Any, calendar_id: str, etag: str | None) -> dict[str, Any]:
        if etag is not None:
            request.headers["If-Match"] = etag
        with self._event_or_calendar(calendar_id):
            return self._client.write(self._connection, operation, About.EVENT, request)

    def _raw(self, event_id: str, calendar_id: str) -> dict[str, Any]:
        """The event as Google answers it; ``EventGone`` if it is not there or cancelled."""
        request = self._client.events.get(calendarId=calendar_id, eventId=event_id)
        with self._event_or_calendar(calendar_id):
            raw = self._client.read(self._connection, "get", About.EVENT, request)
        if mapping.is_cancelled(raw):
            raise EventGone("It is cancelled", whose=event_id)
        return raw

    def _marked(
        self, operation: str, calendar_id: str, name: str, value: str, **more: Any
    ) -> Iterator[ActualEvent]:
        """The events of one calendar that bear this property. One such filter only: Google's texts do not
        agree whether several are combined by "and" or "or"."""
        pages = self._client.pages(
            self._connection,
            operation,
            self._client.events.list,
            "calendar#events",
            calendarId=calendar_id,
            privateExtendedProperty=f"{name}={value}",
            singleEvents=False,
            showDeleted=False,
            maxResults=_EVENTS_A_PAGE,
            **more,
        )
        for page in pages:
            for raw in page.get("items", []):
                event = mapping.event_of(raw, calendar_id)
                if not mapping.is_cancelled(raw):
                    yield event

    def _calendars(self) -> tuple[list[str], bool]:
        """The default calendar and all others that its owner may write to, hidden ones too; and whether
        the grant shows them."""
        others: list[str] = []
        pages = self._client.pages(
            self._connection,
            "find",
            self._client.calendar_list.list,
            "calendar#calendarList",
            minAccessRole="writer",
            showHidden=True,
            maxResults=_CALENDARS_A_PAGE,
        )
        try:
            for page in pages:
                others += [_calendar_id(entry) for entry in page.get("items", [])]
        except ScopeMissing:
            return [self._default], False
        return list(dict.fromkeys([self._default, *others])), True

    def _written(self, raw: dict[str, Any], calendar_id: str) -> Written:
        event = mapping.event_of(raw, calendar_id)
        return Written(event.event_id, calendar_id, event.etag)

    @contextmanager
    def _event_or_calendar(self, calendar_id: str) -> Iterator[None]:
        """An event that is not found may be one whose calendar is lost, which is no deletion: ask for the
        calendar too. ``MailboxUnavailable`` if the default one is lost; where it is another, to which its
        owner moved the event, that concerns this event alone: ``EventRefused``."""
        try:
            try:
                yield
            except NotFound:
                self._probe(calendar_id)
                raise
        except MailboxUnavailable as lost:
            if calendar_id == self._default:
                raise
            raise EventRefused("The calendar it was moved to is lost, or closed to us") from lost

    def _probe(self, calendar_id: str) -> None:
        """Ask for a calendar by a list that can show no event."""
        request = self._client.events.list(
            calendarId=calendar_id,
            privateExtendedProperty=f"{mapping.INSTALLATION}={self._installation}",
            maxResults=1,
            fields="kind,accessRole",
        )
        self._client.read(self._connection, "list", About.CALENDAR, request)


def _calendar_id(entry: object) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise VendorNonsense("Google's calendar list holds something that is not a calendar")
    return str(entry["id"])
