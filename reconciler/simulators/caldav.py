"""A small CalDAV server over HTTP, as odd as one likes: RFC 4791 and RFC 6578 as far as the program asks.

``before`` may answer instead of the server; ``wrote`` is told of what was written; ``loses`` says of a write
that has had its effect whether the connection ends before the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from lxml import etree

from reconciler.simulators.caldav_store import Account, Collection, Oddities, Resource, Store

_D, _C = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
_SYNC = "http://sim.invalid/sync/"


@dataclass(frozen=True)
class Ask:
    """A request. ``user`` is whose calendars its path lies in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def user(self) -> str:
        return self.path.split("/")[1]


@dataclass(frozen=True)
class Reply:
    """An answer. ``cut``: it ends before it is whole."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class CalDavSimulator:
    """See the module."""

    def __init__(self, oddities: Oddities, clock: Callable[[], datetime]) -> None:
        self.store = Store(oddities, clock)
        self.oddities = oddities
        self.before: Callable[[Ask], Reply | None] = lambda _: None
        self.wrote: Callable[[Ask, Resource | None], None] = lambda ask, made: None
        self.loses: Callable[[Ask], bool] = lambda _: False
        self._lock = threading.RLock()
        self._asked = 0

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a port of its own: the address."""
        handler = type("Handler", (_Handler,), {"simulator": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            server.block_on_close = False
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()

    def answer(self, ask: Ask) -> Reply | None:
        """What is answered; ``None``: the connection ends instead."""
        with self._lock:
            self._asked += 1
            if self.oddities.resets and self._asked % self.oddities.resets == 0:
                return None
            reply = self.before(ask) or self._answered(ask)
            writes = ask.method in ("PUT", "DELETE") and reply.status < 300
            return None if writes and self.loses(ask) else reply

    def _answered(self, ask: Ask) -> Reply:
        here, account = self.store.calendar(ask.path), self.store.accounts.get(ask.user)
        if ask.method == "OPTIONS":
            return Reply(200, headers={"DAV": "1, 3, calendar-access"})
        if ask.method == "PROPFIND":
            return self._propfind(ask, here)
        if here is None or account is None:
            return Reply(409 if ask.method == "PUT" else 404)
        match ask.method:
            case "REPORT":
                return self._report(ask, account, here)
            case "GET":
                return self._get(account, here, ask.path)
            case "PUT":
                return self._put(ask, here)
            case _:
                return self._delete(ask, here)

    # Collections ----------------------------------------------------------------------------------

    def _propfind(self, ask: Ask, here: Collection | None) -> Reply:
        account = self.store.accounts.get(ask.user)
        if ask.path in ("/", "/.well-known/caldav"):
            user = next(iter(self.store.accounts), "")
            return self._multi(
                [(ask.path, f"<current-user-principal><href>/{user}/</href></current-user-principal>")]
            )
        if account is not None and here is not None and ask.path == here.path:
            return self._multi([(here.path, f"<sync-token>{self._token(account, here)}</sync-token>")])
        if account is None or ask.path != f"/{account.user}/":
            return Reply(404)
        if ask.headers.get("Depth") != "1":
            home = f"<C:calendar-home-set><href>{ask.path}</href></C:calendar-home-set>"
            return self._multi([(ask.path, home)])
        if account.alone:
            return Reply(403)
        kind = "<resourcetype><collection/><C:calendar/></resourcetype>"
        return self._multi(
            (one.path, f"{kind}<displayname>{escape(one.name)}</displayname>")
            for one in account.calendars.values()
        )

    def _report(self, ask: Ask, account: Account, here: Collection) -> Reply:
        root = etree.fromstring(ask.body)
        if root.tag == f"{_D}sync-collection":
            return self._sync(root, account, here)
        whole = root.find(f"{_D}prop/{_C}calendar-data") is not None
        if root.tag == f"{_C}calendar-query":
            found = {
                path: one for path, one in self.store.shown(account, here).items() if self._matches(root, one)
            }
            return self._multi((path, _props(one, whole)) for path, one in found.items())
        wanted = [unquote(str(href.text).strip()) for href in root.iterchildren(f"{_D}href")]
        there = {} if account.absent else here.there
        named = [path for path in wanted if path in there or not self.oddities.omits]
        return self._multi((path, _props(there[path], whole) if path in there else None) for path in named)

    def _matches(self, root: Any, one: Resource) -> bool:
        event = root.find(f".//{_C}comp-filter[@name='VEVENT']")
        time, ends = event.find(f"{_C}time-range"), one.ends()
        if time is not None and ends is not None:
            since = datetime.strptime(time.get("start"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            if ends <= since:
                return False
        asked = {one.get("name"): one.findtext(f"{_C}text-match") for one in event.iter(f"{_C}prop-filter")}
        if not self.oddities.filters:
            asked = {name: text for name, text in asked.items() if name == "UID"}
        return all(text in one.prop(name) for name, text in asked.items())

    def _sync(self, root: Any, account: Account, here: Collection) -> Reply:
        token = root.findtext(f"{_D}sync-token") or ""
        if account.lag and token in here.tokens:
            return self._multi([], token)
        if account.blind or (token and token not in here.tokens):
            if self.oddities.bad_token != 207:
                return Reply(self.oddities.bad_token, _error("valid-sync-token"))
            token = ""
        shown = self.store.shown(account, here)
        since = int(token.removeprefix(_SYNC)) if token else -1
        changed = {path: one for path, one in shown.items() if self._later(one.change, one.changed_at, since)}
        gone = {
            path
            for path, one in here.removed.items()
            if self._later(one.change, one.at, since) and (token or self.oddities.tells_removed)
        }
        rows: list[tuple[str, str | None]] = [(path, _props(one, False)) for path, one in changed.items()]
        rows += [(path, None) for path in sorted(gone - shown.keys())]
        if self.oddities.truncates and (limit := root.findtext(f".//{_D}nresults")):
            rows = rows[: int(limit)]
        return self._multi(rows, self._token(account, here))

    def _later(self, change: int, at: datetime, since: int) -> bool:
        """By number; or by seconds, with what happened in that very second told again."""
        return int(at.timestamp()) >= since if self.oddities.seconds else change > since

    def _token(self, account: Account, here: Collection) -> str:
        latest = self.store.latest(account, here)
        token = f"{_SYNC}{int(self.store.clock().timestamp()) if self.oddities.seconds else latest}"
        here.tokens.add(token)
        return token

    def _multi(self, rows: Iterable[tuple[str, str | None]], token: str = "") -> Reply:
        pad = "\n   " if self.oddities.pads else ""
        told = "".join(_response(f"{pad}{path}{pad}", props) for path, props in rows)
        tail = f"<sync-token>{token}</sync-token>" if token else ""
        names = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
        return Reply(207, f"<multistatus {names}>{told}{tail}</multistatus>")

    # Events ---------------------------------------------------------------------------------------

    def _get(self, account: Account, here: Collection, path: str) -> Reply:
        one = None if account.absent else here.there.get(path)
        return Reply(200, one.text, {"ETag": one.etag}) if one else Reply(404)

    def _put(self, ask: Ask, here: Collection) -> Reply:
        old, match = here.there.get(ask.path), ask.headers.get("If-Match")
        taken = old is not None and ask.headers.get("If-None-Match") == "*"
        if self.oddities.heeds_conditions and (taken or (match and old is None)):
            return Reply(412)
        if self.oddities.heeds_updates and match and old is not None and old.etag != match:
            return Reply(412)
        text = ask.body.decode()
        uid = Resource(text, "", 0, self.store.clock(), self.store.clock()).prop("UID")
        same = (path for path, one in here.there.items() if one.prop("UID") == uid and path != ask.path)
        if self.oddities.unique_uids and any(same):
            return Reply(409, _error("no-uid-conflict"))
        made = self.store.put(ask.path, text)
        self.wrote(ask, made)
        return Reply(204 if old else 201, headers={"ETag": made.etag})

    def _delete(self, ask: Ask, here: Collection) -> Reply:
        old, match = here.there.get(ask.path), ask.headers.get("If-Match")
        if old is None:
            return Reply(404)
        if self.oddities.heeds_conditions and match and match != old.etag:
            return Reply(412)
        self.store.delete(ask.path)
        self.wrote(ask, None)
        return Reply(204)


def _props(one: Resource, whole: bool) -> str:
    data = f"<C:calendar-data>{escape(one.text)}</C:calendar-data>" if whole else ""
    return f"<getetag>{escape(one.etag)}</getetag>{data}"


def _response(path: str, props: str | None) -> str:
    href = f"<href>{escape(path)}</href>"
    if props is None:
        return f"<response>{href}<status>HTTP/1.1 404 Not Found</status></response>"
    found = f"<propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat>"
    return f"<response>{href}{found}</response>"


def _error(condition: str) -> str:
    return f'<error xmlns="DAV:"><{condition}/></error>'


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open."""

    simulator: CalDavSimulator
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        reply = self.simulator.answer(Ask(self.command, unquote(self.path), dict(self.headers), body))
        if reply is None:
            self.close_connection = True
            return
        content = reply.body.encode()
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if reply.cut else content)
        self.close_connection = self.close_connection or reply.cut

    do_GET = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = do_OPTIONS = _answer

    def log_message(self, *given: object) -> None:
        """What was asked is of no interest."""
