"""A CalDAV server of the harness: the real adapter over HTTP, in front of a simulated server with oddities.

Mailboxes are the harness's own, as at the other vendors: what their owners do is carried to the server, and
what the program writes there is carried back. Every request is a boundary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.errors import VendorUnavailable
from reconciler.model import Connection, Content, Draft, Marker
from reconciler.ports import CalendarMemory, CalendarProvider, Clock
from reconciler.providers.caldav import mapping
from reconciler.providers.caldav.client import Login, Server, Wire
from reconciler.providers.caldav.discovery import manners_of
from reconciler.providers.caldav.guard import Guard, origin_of
from reconciler.providers.caldav.lines import parse
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.provider import CalDavProvider
from reconciler.providers.caldav.transport import Answer, Transport
from reconciler.providers.throttle import AtOnce, InMemory, Throttle
from reconciler.simulators.caldav import Ask, CalDavSimulator, Reply
from reconciler.simulators.caldav_store import Oddities, Resource, Store
from tests.harness.boundaries import Boundaries
from tests.harness.mailbox import Mailbox, Stored, Trouble
from tests.harness.vendor import STALE, Vendor
from tests.support.caldav_bed import DENTIST

_FOUND_OUT: dict[Oddities, str] = {}
"""The manners of each kind of server, found out once as on connecting."""
_WRITES = ("PUT", "DELETE")


class CalDavMailbox(Mailbox):
    """An account on the server. ``published``: the version of each event that lies there."""

    store: Store

    def publish(self) -> None:
        if not hasattr(self, "store"):
            return
        wanted = {_path(one): one for one in self.events if one.there and one.calendar_id not in self.lost}
        for calendar in self.store.accounts[self.owner].calendars.values():
            for path in calendar.there.keys() - wanted.keys():
                self.store.delete(path)
        for path, event in wanted.items():
            if self.published.get(path) != event.version:
                self.store.put(path, _text(event))
                self.published[path] = event.version

    def restore(self, event: Stored) -> None:
        """Taken back to where it was: over what has come to lie there under the same name."""
        for other in self.events:
            if other is not event and other.there and _path(other) == _path(event):
                other.there, other.removed_by = False, "replaced"
        super().restore(event)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.published: dict[str, int] = {}


class CalDav(Vendor):
    """The server, started when somebody has a calendar on it."""

    def __init__(self, clock: Clock, boundaries: Boundaries, oddities: Oddities) -> None:
        super().__init__("caldav", clock, boundaries, client_ids=True, index_delay=timedelta())
        self.searchable = oddities.filters
        self.simulator = CalDavSimulator(oddities, clock)
        self.simulator.before, self.simulator.wrote = self._before, self._wrote
        self.simulator.loses = self._loses
        self._open = ExitStack()
        self._address = ""

    def new_mailbox(self, person: str) -> Mailbox:
        if not self._address:
            self._address = self._open.enter_context(self.simulator.serve())
        default, second = (self.simulator.store.add_calendar(person, name) for name in ("work", "second"))
        mailbox = CalDavMailbox(person, default, [default, second])
        mailbox.store = self.simulator.store
        self.mailboxes[f"subject-{person}"] = mailbox
        return mailbox

    def provider(self, memory: CalendarMemory) -> CalendarProvider:
        if not self._address:
            return self
        manners = self.manners()
        return CalDavProvider(
            _wire(_Watched(self), self.clock), _Logins(self._address, manners), memory, "harness", self.clock
        )

    def manners(self) -> str:
        """What is found out about this server when somebody connects."""
        oddities = self.simulator.oddities
        if oddities not in _FOUND_OUT:
            path = self.simulator.store.add_calendar("nobody", "work")
            login = Login(origin_of(self._address), "nobody", "secret")
            wire = _wire(Transport(Guard([self._address])), self.clock)
            _FOUND_OUT[oddities] = str(manners_of(Server(wire, login), path))
        return _FOUND_OUT[oddities]

    def close(self) -> None:
        self._open.close()

    # What the server is made to do ----------------------------------------------------------------

    def _before(self, ask: Ask) -> Reply | None:
        mailbox = self.mailboxes.get(f"subject-{ask.user}")
        if mailbox is None:
            return None
        troubles, writes = self.troubles | mailbox.troubles, ask.method in _WRITES
        self.calls += 1
        self.wrote += writes
        account = self.simulator.store.accounts[ask.user]
        account.absent, account.alone = Trouble.LYING in troubles, Trouble.HIDDEN in troubles
        account.blind = bool(troubles & {Trouble.LYING, Trouble.EMPTY_LISTING})
        account.lag = STALE if Trouble.STALE_LISTING in troubles else timedelta()
        lost = any(ask.path.startswith(calendar) for calendar in mailbox.lost)
        if Trouble.NO_MAILBOX in troubles or lost:
            return Reply(409 if ask.method == "PUT" else 404)
        for trouble, reply in _ANSWERS.items():
            if trouble in troubles:
                return reply
        if Trouble.CUT_LISTING in troubles and ask.method == "REPORT":
            return Reply(207, DENTIST, cut=True)
        return self._to_a_write(ask, mailbox, troubles) if writes else None

    def _to_a_write(self, ask: Ask, mailbox: Mailbox, troubles: set[Trouble]) -> Reply | None:
        if Trouble.REFUSES in troubles or mailbox.refusals:
            mailbox.refusals = max(0, mailbox.refusals - 1)
            return Reply(403)
        known = "If-Match" in ask.headers
        if known and Trouble.LYING in troubles:
            return Reply(404 if ask.method == "DELETE" else 412)
        if known and mailbox.conflicts:
            mailbox.conflicts -= 1
            return Reply(412)
        return None

    def _loses(self, ask: Ask) -> bool:
        mailbox = self.mailboxes.get(f"subject-{ask.user}")
        if mailbox is None:
            return False
        always = Trouble.REPLIES_LOST in self.troubles | mailbox.troubles
        lost = always or (self.losing is not None and self.losing.random() < 0.5)
        self.lost[_operation(ask)] += lost
        return lost

    def _wrote(self, ask: Ask, made: Resource | None) -> None:
        mailbox = self.mailboxes.get(f"subject-{ask.user}")
        if mailbox is None:
            return
        event = next((one for one in mailbox.events if one.there and _path(one) == ask.path), None)
        if made is None:
            assert event is not None
            if not event.ours:
                self.wrong(f"deleted {event.event_id}, which we did not make")
            mailbox.delete(event, self.clock(), by="us")
            return
        raw = Raw(ask.path, made.etag, made.text)
        if "ATTENDEE" in made.text or "ORGANIZER" in made.text:
            self.wrong(f"invited somebody to {ask.path}")
        self._lay(raw, event or self._created(raw, mailbox), mailbox)

    def _created(self, raw: Raw, mailbox: Mailbox) -> Stored:
        here = raw.path.rpartition("/")[0] + "/"
        actual = mapping.event_of(raw, here)
        key = actual.marker.key if actual.marker else None
        if key is not None:
            self.no_second(mailbox, key)
        name, now = actual.event_id, self.clock()
        made = Stored(name, here, 0, "", "", None, None, None, name, key, key is not None, now)
        mailbox.events.append(made)
        return made

    def _lay(self, raw: Raw, event: Stored, mailbox: Mailbox) -> None:
        if event.key is None:
            self.wrong(f"wrote to {event.event_id}, which is none of ours")
        actual = mapping.event_of(raw, event.calendar_id)
        event.title, event.location, event.block = actual.title, actual.location, actual.block
        event.day = event.written = actual.day
        event.marker, event.version = actual.marker, mailbox.fresh()
        assert isinstance(mailbox, CalDavMailbox)
        mailbox.published[raw.path] = event.version


_ANSWERS = {
    Trouble.REVOKED: Reply(401),
    Trouble.THROTTLED: Reply(429, headers={"Retry-After": "120"}),
    Trouble.DOWN: Reply(500),
}


class _Watched(Transport):
    """Every request is a boundary."""

    def __init__(self, vendor: CalDav) -> None:
        super().__init__(Guard([vendor._address]))
        self._boundaries = vendor.boundaries

    def send(self, method: str, *given: Any) -> Answer:
        return self._boundaries.cross(
            f"caldav {method}",
            lambda: super(_Watched, self).send(method, *given),
            lambda: VendorUnavailable("no answer"),
        )


@dataclass
class _Logins:
    """A token store that knows everybody's way in."""

    address: str
    manners: str
    written: dict[int, Mapping[str, str]] = field(default_factory=dict)

    def get(self, connection: Connection) -> Mapping[str, str]:
        user = connection.subject.removeprefix("subject-")
        known = {"server": self.address, "user": user, "password": "secret", "home": f"/{user}/"}
        return {**known, "manners": self.manners}

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        """They are known already."""

    def remove(self, connection: Connection) -> None:
        """They stay known: who is disconnected is not opened."""


class _Pauses(InMemory):
    """What servers have asked for lasts by the simulated clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._until: dict[str, datetime] = {}

    def parked(self, scopes: Sequence[str]) -> Sequence[float]:
        now = self._clock()
        return [max(0.0, (self._until.get(scope, now) - now).total_seconds()) for scope in scopes]

    def park(self, scope: str, seconds: int) -> None:
        self._until[scope] = self._clock() + timedelta(seconds=seconds)


def _wire(transport: Transport, clock: Clock) -> Wire:
    """Nobody really sleeps."""
    throttle = Throttle("caldav", [], [], counts=_Pauses(clock), sleep=lambda _: None)
    return Wire(transport, throttle, AtOnce(4))


def _operation(ask: Ask) -> str:
    if ask.method == "DELETE":
        return "delete"
    return "create" if "If-None-Match" in ask.headers else "update"


def _path(event: Stored) -> str:
    return f"{event.calendar_id}{event.event_id}.ics"


def _text(event: Stored) -> str:
    """As its owner's program stores it."""
    if event.day is None or event.key is None:
        return DENTIST
    marker = event.marker or Marker("", event.key, "", 0, "")
    content = Content(event.title, event.location, event.block or "")
    draft = Draft(content, event.day, marker, event.event_id)
    there = parse(mapping.object_of(draft, event.made_at))
    lines = [one for one in there.event if event.marker or not one.name.startswith("X-ILT-")]
    return there.with_event(lines)
