"""The CalDAV provider, whole, in front of a real server, and the calendar's owner with another program.

::

    with a_caldav(server) as bed:
        written = bed.calendar.create(a_draft())
        bed.remove(written.event_id)
        assert bed.calendar.get(written.event_id, written.calendar_id) is None
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model import Connection
from reconciler.ports import Granted, SignIn
from reconciler.providers.caldav.client import Server, Wire, login_of
from reconciler.providers.caldav.connect import CalDavSignIn
from reconciler.providers.caldav.guard import Guard, Origin
from reconciler.providers.caldav.manners import Manners
from reconciler.providers.caldav.provider import CalDavCalendar, CalDavProvider
from reconciler.providers.caldav.transport import Answer, Transport
from reconciler.providers.throttle import AtOnce, Throttle
from tests.support.builders import INSTALLATION, a_connection
from tests.support.caldav_servers import PASSWORD, USER, CalDavServer

OWN = "dentist.ics"
DENTIST = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other program//EN\r\nBEGIN:VEVENT\r\nUID:dentist\r\n"
    "DTSTAMP:20261101T080000Z\r\nDTSTART:20261207T080000Z\r\nDTEND:20261207T083000Z\r\nCLASS:PUBLIC\r\n"
    "SUMMARY:Dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Remembering:
    """A ledger's memory of calendars, in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}

    def recall(self, connection: Connection) -> str | None:
        return self.kept.get(connection.id)

    def remember(self, connection: Connection, text: str) -> None:
        self.kept[connection.id] = text


class OneLogin:
    """A token store that holds one connection's credentials."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = dict(credentials)

    def get(self, connection: Connection) -> Mapping[str, str]:
        return self.credentials

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        self.credentials = dict(credentials)

    def remove(self, connection: Connection) -> None:
        self.credentials = {}


class Recording(Transport):
    """Counts what is asked, and keeps what was answered."""

    def __init__(self, guard: Guard, **given: Any) -> None:
        super().__init__(guard, **given)
        self.seen: list[tuple[str, str, Answer]] = []

    def send(self, method: str, origin: Origin, target: str, *given: Any) -> Answer:
        answer = super().send(method, origin, target, *given)
        self.seen.append((method, f"{origin}{target}", answer))
        return answer


@dataclass
class CalDavBed:
    """Alice's new calendar on a server, connected, with an event of her own in it."""

    server: CalDavServer
    transport: Recording
    wire: Wire
    tokens: OneLogin
    memory: Remembering
    connection: Connection
    others: list[str] = field(default_factory=list)

    @property
    def calendar(self) -> CalDavCalendar:
        """As a turn opens it."""
        return self.provider.open(self.connection)

    @property
    def provider(self) -> CalDavProvider:
        return CalDavProvider(self.wire, self.tokens, self.memory, INSTALLATION)

    @property
    def manners(self) -> Manners:
        """What was found out about the server."""
        return Manners.of(self.tokens.credentials["manners"])

    @property
    def raw(self) -> Server:
        return Server(self.wire, login_of(self.tokens.credentials, "test"))

    def asked(self) -> list[str]:
        """The methods of all requests since the last time this was asked."""
        seen, self.transport.seen = self.transport.seen, []
        return [method for method, _, _ in seen]

    # What the owner does --------------------------------------------------------------------------

    def path(self, event_id: str) -> str:
        """Where an event lies, under whatever name."""
        return self.calendar._path_of(event_id, self.connection.calendar_id)

    def text(self, event_id: str) -> str:
        """An event as it lies there."""
        answer = self.server.ask("GET", self.path(event_id))
        assert answer.status_code == 200, answer.status_code
        return re.sub(r"\r?\n[ \t]", "", answer.content.decode())

    def put(self, path: str, text: str) -> None:
        """Another program writes, whatever is there."""
        answer = self.server.ask("PUT", path, text, Content_Type="text/calendar; charset=utf-8")
        assert answer.status_code in (200, 201, 204), (answer.status_code, answer.text)

    def edit(self, event_id: str, pattern: str, new: str) -> None:
        """Its owner changes something."""
        text = self.text(event_id)
        changed = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
        assert changed != text
        self.put(self.path(event_id), changed)

    def add_line(self, event_id: str, line: str) -> None:
        """Its owner adds a property, or a part."""
        self.edit(event_id, r"END:VEVENT", f"{line}\r\nEND:VEVENT")

    def retitle(self, event_id: str, title: str) -> None:
        self.edit(event_id, r"^SUMMARY[:;][^\r\n]*", f"SUMMARY:{title}")

    def annotate(self, event_id: str, note: str) -> None:
        """Below our block."""
        self.edit(event_id, r"(=== End of training details ===)", rf"\1\\n\\n{note}")

    def remove(self, event_id: str) -> None:
        assert self.server.ask("DELETE", self.path(event_id)).status_code in (200, 204)

    def move(self, event_id: str) -> str:
        """To another calendar of the same account, as programs do it: written there, deleted here."""
        if not self.others:
            self.others.append(self.server.new_calendar())
        text = self.text(event_id)
        self.remove(event_id)
        self.put(f"{self.others[0]}{event_id}.ics", text)
        return self.others[0]

    def rename(self, event_id: str, name: str) -> None:
        """To another resource of the same calendar."""
        text = self.text(event_id)
        self.remove(event_id)
        self.put(f"{self.connection.calendar_id}{name}", text)

    def own(self) -> bytes:
        """The owner's own event, as it lies there."""
        return self.server.ask("GET", f"{self.connection.calendar_id}{OWN}").content

    def with_manners(self, **changes: bool) -> None:
        """As if something else had been found out about the server."""
        manners = replace(self.manners, **changes)
        self.tokens.credentials["manners"] = str(manners)


def a_wire(server: CalDavServer, sleep: Any = None) -> tuple[Recording, Wire]:
    """A wire to this server alone. Nobody really sleeps."""
    transport = Recording(Guard([server.address]))
    return transport, Wire(transport, Throttle("caldav", [], [], sleep=sleep or (lambda _: None)), AtOnce(4))


def _connected(wire: Wire, server: CalDavServer, path: str) -> Granted:
    sign_in, flow = SignIn(server.address, USER, PASSWORD), CalDavSignIn(wire)
    assert path in {one.id for one in flow.calendars(sign_in)}
    return flow.finish(sign_in, path)


@contextmanager
def a_caldav(server: CalDavServer) -> Iterator[CalDavBed]:
    """A new calendar on a server, connected as the pages connect it; the second time as the first. Afterwards
    the owner's own event must be what it was, and must never have been shown to us."""
    transport, wire = a_wire(server)
    path = server.new_calendar()
    if server.granted is None:
        server.granted = _connected(wire, server, path)
    granted = server.granted
    connection = a_connection(provider="caldav", subject=granted.subject, calendar_id=path)
    bed = CalDavBed(server, transport, wire, OneLogin(granted.credentials), Remembering(), connection)
    bed.put(f"{path}{OWN}", DENTIST)
    before = bed.own()
    assert b"SUMMARY:Dentist" in before
    bed.asked()
    try:
        yield bed
        assert bed.own() == before
    finally:
        for calendar in (path, *bed.others):
            server.ask("DELETE", calendar)
    assert not [url for _, url, answer in bed.transport.seen if b"Dentist" in answer.body]
