"""Any CalDAV server behind the ports ``CalendarProvider`` and ``Calendar``.

An event's id is its UID, which we choose; its place is a resource named after it. Programs that move or copy
events may give them another name, so an event that is not where we put it is looked for by its UID. What is
known of a server's manners decides how much is asked before a write.

Sources: RFC 4791 section 5.3 (creating, UIDs); RFC 9110 section 13 (conditions).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from reconciler.errors import (
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    VendorNonsense,
)
from reconciler.model import ActualEvent, Connection, Draft, Found, Listing, Written
from reconciler.ports import CalendarMemory, Capabilities, Clock, Heard, TokenStore
from reconciler.providers.caldav import dav, mapping
from reconciler.providers.caldav.client import NAME, NotTaken, Server, Wire, login_of
from reconciler.providers.caldav.discovery import calendars_in
from reconciler.providers.caldav.looking import Looking, Made
from reconciler.providers.caldav.manners import Manners
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.memory import Known


def _now() -> datetime:
    return datetime.now(UTC)


class CalDavProvider:
    """CalDAV. ``installation`` is what our events are listed by; ``memory`` keeps what makes that cheap."""

    name = NAME

    def __init__(
        self,
        wire: Wire,
        tokens: TokenStore,
        memory: CalendarMemory,
        installation: str,
        clock: Clock = _now,
    ) -> None:
        self._wire = wire
        self._tokens = tokens
        self._memory = memory
        self._installation = installation
        self._clock = clock
        self._made = Made()

    def open(self, connection: Connection) -> CalDavCalendar:
        """The calendars of this connection; talks to nobody."""
        credentials = self._tokens.get(connection)
        server = Server(self._wire, login_of(credentials, f"connection {connection.id}"))
        manners = Manners.of(credentials.get("manners", ""))
        known = (self._memory, self._installation, self._clock, self._made)
        looking = Looking(server, connection, manners, *known)
        return CalDavCalendar(looking, credentials.get("home", ""))

    def keep_alive(self, connection: Connection) -> None:
        """No password dies of disuse; this finds one that has died."""
        self.open(connection).ask()


class CalDavCalendar:
    """One person's CalDAV calendars. Nothing written here ever has guests of ours."""

    capabilities = Capabilities(client_ids=True)

    def __init__(self, looking: Looking, home: str) -> None:
        self._looking = looking
        self._server = looking.server
        self.heard: Sequence[Heard] = looking.server.heard
        self._default = looking.calendar
        self._manners = looking.manners
        self._home = home
        self._known: dict[tuple[str, str], Known] | None = None
        self._raws: dict[str, Raw] = {}

    def ask(self) -> None:
        """Ask for the calendar itself."""
        self._server.propfind(self._default, 0, dav.ETAG, operation="get")

    # Reading --------------------------------------------------------------------------------------

    def listing(self, since: datetime) -> Listing:
        """All events of our installation in the default calendar. Of two with one UID, which one server
        takes, the one under the name we gave it."""
        known, read = self._looking.look(since)
        self._raws |= read
        self._known = {}
        for path, one in sorted(known.items(), key=lambda item: item[0] == self._path(item[1].event)):
            self._known[self._default, one.event.event_id] = known[path]
        events = (mapping.with_raw(one.event, read.get(one.path)) for one in self._known.values())
        return Listing(self._default, since, tuple(events))

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        """One event by its UID, under our name or another."""
        raw = self._raw(event_id, calendar_id)
        return mapping.event_of(raw, calendar_id) if raw else None

    def find(self, token: str) -> Found:
        """The events of one key in every calendar of the account that may hold events. Where the server
        cannot search by our marker, one that another program has given a name of its own stays unseen."""
        calendars, everywhere = self._calendars()
        everywhere = everywhere and self._manners.filters
        found: list[ActualEvent] = []
        for calendar_id in calendars:
            try:
                found += self._with_token(calendar_id, token)
            except MailboxUnavailable:
                if calendar_id == self._default:
                    raise
                everywhere = False
        return Found(tuple(found), tuple(calendars), everywhere)

    def _calendars(self) -> tuple[list[str], bool]:
        try:
            others = [one.path for one in calendars_in(self._server, self._home)] if self._home else []
        except MailboxUnavailable:
            others = []
        return list(dict.fromkeys([self._default, *others])), bool(others)

    def _with_token(self, calendar_id: str, token: str) -> list[ActualEvent]:
        if self._manners.filters:
            request = dav.query({mapping.TOKEN: token}, whole=True)
            raws = self._server.search(calendar_id, request, "find")
        else:
            paths = self._looking.etags(calendar_id, dav.query({mapping.TOKEN: token}), "find")
            raws = list(self._looking.raws(calendar_id, paths.keys()))
        events = [(raw, mapping.event_of(raw, calendar_id)) for raw in raws]
        ours = [(raw, event) for raw, event in events if event.marker and event.marker.token == token]
        self._raws |= {raw.path: raw for raw, _ in ours}
        return [event for _, event in ours]

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """Read together what is about to be written: an update needs the whole of each event."""
        if not self._manners.conditional:
            return  # each is read right before it is written
        here = [one for one in known if not one.raw and one.calendar_id == self._default]
        paths = {self._path_of(one.event_id, self._default) for one in here}
        unread = paths - self._raws.keys()
        if len(unread) > 1:
            self._raws |= {raw.path: raw for raw in self._looking.raws(self._default, unread)}

    # Writing --------------------------------------------------------------------------------------

    def create(self, draft: Draft) -> Written:
        """Create under a name of ours. ``EventIdUsed`` if there is an event of that name or UID."""
        careless = not (self._manners.conditional and self._manners.unique_uids)
        if careless and self._with_uid(draft.made_as, self._default):
            raise EventIdUsed("there is an event of this UID")
        path = self._name(draft.made_as, self._default)
        text = mapping.object_of(draft, self._looking.clock())
        try:
            _, etag = self._server.create(path, text)
        except EventChanged as problem:
            raise EventIdUsed(problem.what) from problem
        except NotTaken as problem:
            if self._with_uid(draft.made_as, self._default):
                raise EventIdUsed(problem.what) from problem
            raise
        self._looking.made.add(self._looking.connection, path)
        return self._written(path, draft.made_as, self._default, etag)

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        """Lay our fields over the event: one request if ``known`` was read or foreseen, else two."""
        raw = self._as_known(known)
        if self._manners.schedules:
            mapping.refuse_guests(raw)
        text = mapping.laid_over(draft, raw, self._looking.clock())
        self._raws.pop(raw.path, None)
        status, etag = self._server.update(raw.path, text, raw.etag)
        if status == 201 and not self._manners.conditional:
            # Its owner has deleted it since it was read, and the server took the condition for a wish.
            self._server.delete(raw.path, None)
            raise EventGone("it was deleted while it was written", whose=known.event_id)
        return self._written(raw.path, known.event_id, known.calendar_id, etag)

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        """Delete one event, if it still bears this etag. It is read first where its guests would be written
        to, or where the server does not heed conditions."""
        known = self._remembered(event_id, calendar_id)
        path = known.path if known else self._name(event_id, calendar_id)
        surely = known is not None and known.event.etag == etag and not known.guests
        must_read = not self._manners.conditional or (self._manners.schedules and not surely)
        try:
            if not must_read:
                self._server.delete(path, etag)
                return
        except EventGone:
            pass  # under this name
        raw = self._raw(event_id, calendar_id, anew=True)
        if raw is None:
            raise EventGone("the event is not there", whose=event_id)
        if etag and raw.etag != etag:
            raise EventChanged("it has another etag than the one known", whose=event_id)
        if self._manners.schedules:
            mapping.refuse_guests(raw)
        self._server.delete(raw.path, raw.etag)

    def _as_known(self, known: ActualEvent) -> Raw:
        """The event as it lies there, if it is still the one known."""
        raw = known.raw if isinstance(known.raw, Raw) else None
        if raw is None or not self._manners.conditional:
            raw = self._raw(known.event_id, known.calendar_id, anew=not self._manners.conditional)
        if raw is None:
            raise EventGone("the event is not there", whose=known.event_id)
        if known.etag and raw.etag != known.etag:
            raise EventChanged("it has another etag than the one known", whose=known.event_id)
        return raw

    def _written(self, path: str, event_id: str, calendar_id: str, etag: str) -> Written:
        """A server that changes what it stores may tell no etag (RFC 4791 section 5.3.4): it is asked for."""
        if not etag:
            raw = self._server.get(path)
            if raw is None:
                raise EventGone("it was deleted right after it was written", whose=event_id)
            etag = raw.etag
        return Written(event_id, calendar_id, etag)

    # Where an event lies --------------------------------------------------------------------------

    def _raw(self, event_id: str, calendar_id: str, anew: bool = False) -> Raw | None:
        """The event as it lies there, wherever in its calendar; as foreseen, unless ``anew``."""
        path = self._path_of(event_id, calendar_id)
        foreseen = None if anew else self._raws.pop(path, None)
        raw = foreseen or self._server.get(path)
        if raw is not None and mapping.event_of(raw, calendar_id).event_id == event_id:
            return raw
        return self._with_uid(event_id, calendar_id)

    def _with_uid(self, uid: str, calendar_id: str) -> Raw | None:
        """The event of this UID in a calendar. ``MailboxUnavailable`` if the default one is lost; where it is
        another, to which its owner moved the event, that concerns this event alone: ``EventRefused``."""
        try:
            found = self._server.search(calendar_id, dav.query({"UID": uid}, whole=True), "get")
        except MailboxUnavailable as lost:
            if calendar_id == self._default:
                raise
            raise EventRefused("The calendar it was moved to is lost, or closed to us") from lost
        same = [raw for raw in found if mapping.event_of(raw, calendar_id).event_id == uid]
        return same[0] if same else None

    def _path_of(self, event_id: str, calendar_id: str) -> str:
        known = self._remembered(event_id, calendar_id)
        return known.path if known else self._name(event_id, calendar_id)

    def _remembered(self, event_id: str, calendar_id: str) -> Known | None:
        if self._known is None:
            memory = self._looking.recall()
            events = memory.events.values() if memory else ()
            self._known = {(self._default, one.event.event_id): one for one in events}
        return self._known.get((calendar_id, event_id))

    def _path(self, event: ActualEvent) -> str:
        return self._name(event.event_id, event.calendar_id)

    def _name(self, event_id: str, calendar_id: str) -> str:
        if not calendar_id.startswith("/"):
            raise VendorNonsense("the recorded calendar is no path")
        return f"{calendar_id.rstrip('/')}/{quote(event_id, safe='@')}.ics"
