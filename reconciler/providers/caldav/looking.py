"""Listing one calendar, whole: with as little traffic as the server can be trusted with.

Where the server's sync-collection can be trusted, it is asked what has changed since the last look; what it
does not mention is as it was. Of what has changed, only what is known as ours is read, from the last look or
because it was made since; any other path may be anybody's event, so our own are then asked for by their
marker. Where it cannot be trusted, all etags of ours are asked for and compared; where its etags cannot be
trusted either, all of ours are read. Once a day everything is listed anew, whatever the server.

Sources: RFC 6578; RFC 4791 sections 7.8 and 7.9.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.errors import VendorNonsense
from reconciler.model import Connection
from reconciler.ports import CalendarMemory, Clock
from reconciler.providers.caldav import dav, mapping
from reconciler.providers.caldav.client import Server, TokenRefused
from reconciler.providers.caldav.manners import Manners
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.memory import Known, Memory

WHOLE_EVERY = timedelta(days=1)
_OUR_NAME = re.compile(r"/[0-9a-v]{32}\.ics$")
BATCH = 50
"""Events read at a time: some 5 kB each, so an answer stays far below the limit for a body."""


class Made:
    """The paths that this process has created, by connection, until its calendar is next looked at."""

    def __init__(self) -> None:
        self._paths: dict[int, set[str]] = {}

    def add(self, connection: Connection, path: str) -> None:
        """An event of ours is there."""
        self._paths.setdefault(connection.id, set()).add(path)

    def taken(self, connection: Connection) -> Set[str]:
        """Those of a connection, once."""
        return self._paths.pop(connection.id, frozenset())


@dataclass(frozen=True)
class Looking:
    """How one connection's calendar is listed."""

    server: Server
    connection: Connection
    manners: Manners
    memory: CalendarMemory
    installation: str
    clock: Clock
    made: Made

    @property
    def calendar(self) -> str:
        """The calendar's path."""
        return self.connection.calendar_id

    def recall(self) -> Memory | None:
        """What was remembered of this calendar."""
        return Memory.of(self.memory.recall(self.connection), self.calendar)

    def look(self, since: datetime) -> tuple[Mapping[str, Known], Mapping[str, Raw]]:
        """Our events ending after an instant, by path; and those just read, as they lie there."""
        old, read = self.recall(), dict[str, Raw]()
        new = self._since_then(old, since, read) or self._anew(old, since, read)
        new = Memory(new.calendar, new.token, new.whole_at, _ending_after(new.events, since))
        if new != old:
            self.memory.remember(self.connection, str(new))
        return new.events, read

    def _since_then(self, old: Memory | None, since: datetime, read: dict[str, Raw]) -> Memory | None:
        """By what has changed; ``None`` where that cannot be told, or not be trusted."""
        if old is None or not old.token or self.clock() - old.whole_at >= WHOLE_EVERY:
            return None
        try:
            entries, token = self.server.changes(self.calendar, old.token)
        except TokenRefused:
            return None
        present = {one.path: one.text(dav.ETAG) for one in entries if _is_event(one)}
        removed = {one.path for one in entries if one.status in (404, 410)}
        repeated = any(etag == old.events[path].event.etag for path, etag in _common(present, old.events))
        if repeated:  # everything over again, in the guise of what has changed
            return None
        kept = {path: known for path, known in old.events.items() if path not in removed | present.keys()}
        if present.keys() - old.events.keys() - self.made.taken(self.connection):
            return Memory(self.calendar, token, old.whole_at, self._compared(kept, since, read))
        return Memory(self.calendar, token, old.whole_at, kept | self._read(present, read))

    def _anew(self, old: Memory | None, since: datetime, read: dict[str, Raw]) -> Memory:
        """Everything: the token first, so that whatever changes meanwhile is mentioned next time."""
        now, token = self.clock(), self._token() if self.manners.syncs else ""
        trusted = old.events if old and self.manners.conditional else {}
        found = self._compared(trusted, since, read)
        if not found:
            # A server that shows nothing may be out of order, and what it shows again is no change to it.
            return old if old and not (old.token or old.events) else Memory(self.calendar, "", now)
        return Memory(self.calendar, token, now, found)

    def _token(self) -> str:
        found = self.server.propfind(self.calendar, 0, dav.SYNC_TOKEN)
        return next((entry.text(dav.SYNC_TOKEN) for entry in found.entries), "")

    def _compared(
        self, known: Mapping[str, Known], since: datetime, read: dict[str, Raw]
    ) -> dict[str, Known]:
        """By the etags of all events that bear our marker."""
        request = dav.query({mapping.INSTALLATION: self.installation}, since=since)
        etags = self.etags(self.calendar, request, "list")
        same = {path: known[path] for path, etag in _common(etags, known) if known[path].event.etag == etag}
        return same | self._read(etags.keys() - same.keys(), read)

    def etags(self, calendar: str, request: bytes, operation: str) -> dict[str, str]:
        """The etags of what a search by our marker finds. A server that does not heed the filter answers with
        everybody's: of those only the ones under names of our making may be read."""
        found = self.server.report(calendar, request, operation)
        etags = {entry.path: entry.text(dav.ETAG) for entry in found.entries if _is_event(entry)}
        if self.manners.filters:
            return etags
        return {path: etag for path, etag in etags.items() if _OUR_NAME.search(path)}

    def _read(self, paths: Collection[str], read: dict[str, Raw]) -> dict[str, Known]:
        """These events, those left out that are not ours (any more)."""
        found: dict[str, Known] = {}
        for raw in self.raws(self.calendar, paths):
            if mapping.installation_of(raw) == self.installation:
                read[raw.path] = raw
                found[raw.path] = known_of(raw, self.calendar)
        return found

    def raws(self, calendar: str, paths: Collection[str]) -> Iterable[Raw]:
        """These events as they lie there. What an answer leaves out is asked for by itself: that alone says
        that it is gone."""
        ordered = sorted(paths)
        for start in range(0, len(ordered), BATCH):
            some = ordered[start : start + BATCH]
            got = {raw.path: raw for raw in self.server.multiget(calendar, some)}
            for path in some:
                raw = got.get(path) or self.server.get(path)
                if raw is not None:
                    yield raw


def known_of(raw: Raw, calendar: str) -> Known:
    """What is remembered of an event: not its text, which holds what its owner wrote."""
    event = mapping.event_of(raw, calendar)
    return Known(raw.path, mapping.has_guests(raw), mapping.without_raw(event))


def _is_event(entry: dav.Entry) -> bool:
    """Whether an entry is an event that is there; ``VendorNonsense`` for one that says neither yes nor no."""
    if entry.status not in (200, 404, 410):
        raise VendorNonsense(f"the server answered {entry.status} for an event in a list")
    return entry.status == 200 and not entry.path.endswith("/") and bool(entry.text(dav.ETAG))


def _common(etags: Mapping[str, str], known: Mapping[str, Known]) -> Iterable[tuple[str, str]]:
    return ((path, etag) for path, etag in etags.items() if path in known)


def _ending_after(events: Mapping[str, Known], since: datetime) -> dict[str, Known]:
    def ended(known: Known) -> bool:
        return known.event.day is not None and known.event.day.end_instant <= since

    return {path: known for path, known in events.items() if not ended(known)}
