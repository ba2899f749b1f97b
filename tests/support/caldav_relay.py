"""A real Radicale as a house's vendor: each person's account on it, and a relay in front that sees what is
asked, and lets something happen once a request has had its effect and its answer has not left yet."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from icalendar import Calendar

from tests.support.caldav_bed import DENTIST, OWN
from tests.support.caldav_servers import CalDavServer, radicale
from tests.support.vendors import Seen

_OWN_MARK = b"SUMMARY:Dentist"
_HOP = frozenset({"connection", "date", "server", "content-length", "transfer-encoding", "keep-alive"})
_OPERATIONS = {"PUT": "write", "DELETE": "delete", "GET": "get", "REPORT": "list", "PROPFIND": "list"}


@dataclass
class Recorder:
    """What was asked: the operation of each request."""

    seen: list[str] = field(default_factory=list)

    def clear(self) -> None:
        self.seen.clear()


@dataclass
class Radicale:
    """See the module. ``address`` is the relay's: what the program may connect to."""

    server: CalDavServer
    address: str = ""
    on_effect: Callable[[str], None] | None = None
    recorder: Recorder = field(default_factory=Recorder)
    shown: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    name = "caldav"

    def move_in(self, person: str) -> None:
        """A calendar for a person whom the server knows, with an event of their own in it."""
        self.people.append(person)
        made = self.server.ask("MKCALENDAR", f"/{person}/work/", user=person)
        assert made.status_code == 201, made.text
        put = self.server.ask("PUT", f"/{person}/work/{OWN}", DENTIST, person, Content_Type="text/calendar")
        assert put.status_code == 201, put.text

    def events(self, address: str, person: str = "") -> list[Seen]:
        """All events of a person, their own left out."""
        return [
            _seen(person or address, file)
            for file in self._files(address)
            if _OWN_MARK not in file.read_bytes()
        ]

    def own_events(self) -> str:
        """Every event of the owners' own, as stored."""
        return "".join(
            file.read_text("utf-8")
            for person in self.people
            for file in self._files(person)
            if _OWN_MARK in file.read_bytes()
        )

    def remove(self, address: str, event_id: str) -> None:
        """Its owner deletes an event."""
        gone = self.server.ask("DELETE", f"/{address}/work/{event_id}", user=address)
        assert gone.status_code in (200, 204), gone.text

    def wrongs(self) -> list[str]:
        """What was asked or shown that must never be."""
        return list(self.shown)

    def calls(self) -> Counter[str]:
        """What was asked so far, by operation."""
        return Counter(self.recorder.seen)

    def passed(self, method: str, asked: bytes, answered: bytes) -> None:
        """A request has had its effect."""
        operation = _OPERATIONS.get(method, method.lower())
        self.recorder.seen.append(operation)
        if _OWN_MARK in answered:
            self.shown.append(f"a {method} was answered with an event of its owner's own")
        if b"\nATTENDEE" in asked or b"\nORGANIZER" in asked:
            self.shown.append("an event with guests was written")
        if self.on_effect is not None:
            self.on_effect(operation)

    def _files(self, person: str) -> list[Path]:
        assert self.server.folder is not None
        return sorted((self.server.folder / "data/collection-root" / person / "work").glob("*.ics"))


def _seen(person: str, file: Path) -> Seen:
    (event,) = Calendar.from_ical(file.read_bytes()).walk("VEVENT")
    starts, ends = (_moment(event[name].dt) for name in ("DTSTART", "DTEND"))
    return Seen(person, str(event["SUMMARY"]), starts, ends, str(event.get("LOCATION", "")), file.name)


def _moment(given: datetime) -> datetime:
    return given.astimezone(UTC)


class _Relay(BaseHTTPRequestHandler):
    """Passes on what it is asked, and the answer."""

    vendor: Radicale

    def _pass(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # whoever asked died in the middle of it
            self.close_connection = True
            return
        there = http.client.HTTPConnection(*self.vendor.server.origin.removeprefix("http://").split(":"))
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        content = answer.read()
        self.vendor.passed(self.command, body, content)
        with suppress(OSError):  # whoever asked may be dead by now
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        there.close()

    do_GET = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = do_OPTIONS = _pass

    def log_message(self, *given: object) -> None:
        """Nothing of it is of interest."""


@contextmanager
def a_radicale(people: Sequence[str]) -> Iterator[Radicale]:
    """A Radicale that knows these people, behind a relay."""
    with radicale(people) as server:
        vendor = Radicale(server)
        handler = type("Relay", (_Relay,), {"vendor": vendor})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as relay:
            vendor.address = f"http://127.0.0.1:{relay.server_address[1]}"
            threading.Thread(target=relay.serve_forever, args=(0.02,), daemon=True).start()
            yield vendor
            relay.shutdown()
