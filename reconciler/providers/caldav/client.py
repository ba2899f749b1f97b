"""Requests to one person's CalDAV server: credentials, retries, and errors made ours.

Requests and what comes back never leave the origin the connection was made with. Reads are repeated after no
usable answer. So are writes, but only where the server closed the connection before it answered (which busy
ones do): each is conditional, so that a second one finds what the first has done. A 404 is believed only of a
calendar that is still there. Errors carry the status and the name of the precondition, never a body.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reconciler.errors import (
    EventChanged,
    EventGone,
    EventRefused,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.ports import Heard
from reconciler.providers.caldav import dav
from reconciler.providers.caldav.guard import Origin, origin_of
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.transport import Answer, ConnectionReset, Transport
from reconciler.providers.repeating import Repeating
from reconciler.providers.throttle import AtOnce, Throttle, seconds_of

log = logging.getLogger(__name__)

NAME = "caldav"

_XML = "application/xml; charset=utf-8"
_CALENDAR = "text/calendar; charset=utf-8"
_TOO_BUSY = frozenset({408, 423, 425, 429})
_CANNOT = frozenset({501, 507})
"""Not implemented, and cut: no passing trouble."""
_UNSUPPORTED = ("supported-filter", "supported-collation", "supported-report")
"""What a server says of a search that it cannot make (RFC 4791 section 7.8, RFC 3253 section 3.6)."""
_MOST_PAGES = 1_000


class TokenRefused(VendorUnavailable):
    """The server does not know this sync token any more, or never has: list anew."""


class NotTaken(EventRefused):
    """A write that the server does not take: 403 or 409, of which the UID may be the reason."""


@dataclass(frozen=True)
class Wire:
    """What all servers share. One server's requests wait for each other beyond ``at_once``."""

    transport: Transport
    throttle: Throttle
    at_once: AtOnce

    @cached_property
    def repeating(self) -> Repeating:
        """How often a request is sent."""
        return Repeating(sleep=self.throttle.sleep, writes_pass=(ConnectionReset,))


@dataclass(frozen=True, slots=True)
class Login:
    """A person's way into their server. ``whose`` names a connection, for errors."""

    origin: Origin
    user: str
    password: str
    whose: str = "this account"

    def __repr__(self) -> str:
        return f"Login({self.origin}, hidden)"

    @property
    def header(self) -> str:
        """HTTP's Basic authentication (RFC 7617): what app passwords are for."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class _Request:
    """A request but for its credentials. ``operation`` is what metrics count it as."""

    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Server:
    """One person's server."""

    def __init__(self, wire: Wire, login: Login) -> None:
        self._wire = wire
        self._login = login
        self._authorization = login.header
        self._name = str(login.origin)
        self.heard: list[Heard] = []

    @property
    def origin(self) -> Origin:
        """Where all requests go."""
        return self._login.origin

    # Collections ----------------------------------------------------------------------------------

    def propfind(self, path: str, depth: int, *names: str, operation: str = "list") -> dav.Multistatus:
        """These properties of a resource, or of those in it."""
        return self._asked(operation, "PROPFIND", path, dav.propfind(*names), depth)

    def report(self, path: str, body: bytes, operation: str = "list") -> dav.Multistatus:
        """A report over a calendar. Complete, or an error: an answer that was cut is one."""
        found = self._asked(operation, "REPORT", path, body, 1)
        if any(entry.status == 507 for entry in found.entries):
            raise VendorNonsense("the server cut its answer", whose=self._login.whose)
        return found

    def changes(self, path: str, token: str) -> tuple[list[dav.Entry], str]:
        """What has changed in a calendar since a token, and the next token (RFC 6578). Where the server cuts
        the answer and says so, the rest is asked for. :class:`TokenRefused`."""
        entries: list[dav.Entry] = []
        for _ in range(_MOST_PAGES):
            found = self._asked("list", "REPORT", path, dav.sync_collection(token), 1)
            cut = [entry for entry in found.entries if entry.status == 507 and entry.path == path]
            entries += [entry for entry in found.entries if entry not in cut and entry.path != path]
            if not found.sync_token:
                raise VendorNonsense("the server answered no sync token", whose=self._login.whose)
            if not cut:
                return entries, found.sync_token
            token = found.sync_token
        raise VendorNonsense("the server's changes have no end", whose=self._login.whose)

    def search(self, path: str, body: bytes, operation: str) -> list[Raw]:
        """The events of a report that asks for them whole. ``VendorNonsense`` where it names one and does not
        show it: that is not to say that there is none."""
        found = self.report(path, body, operation)
        events = raws_of(found)
        shown = {raw.path for raw in events}
        for entry in found.entries:
            itself = entry.path.rstrip("/") == path.rstrip("/")
            if entry.path not in shown and entry.status not in (404, 410) and not itself:
                raise VendorNonsense(
                    "the server names an event and does not show it", whose=self._login.whose
                )
        return events

    def multiget(self, path: str, wanted: Sequence[str], operation: str = "list") -> list[Raw]:
        """These events, those left out that are not there."""
        if not wanted:
            return []
        return raws_of(self.report(path, dav.multiget(wanted), operation))

    def _asked(self, operation: str, method: str, path: str, body: bytes, depth: int) -> dav.Multistatus:
        headers = {"Content-Type": _XML, "Depth": str(depth)}
        answer = self._call(_Request(operation, method, path, headers, body))
        if answer.status == 207:
            return dav.multistatus(answer.body, self._wire.transport.guard, self.origin)
        what = self._what(answer)
        if answer.status in (403, 409, 412) and "valid-sync-token" in what:
            raise TokenRefused(what, whose=self._login.whose)
        if answer.status == 403 and any(one in what for one in _UNSUPPORTED):
            raise VendorNonsense(what, whose=self._login.whose)
        if answer.status in (403, 404, 410):
            raise MailboxUnavailable(f"the calendar is not there: {what}", whose=self._login.whose)
        raise VendorNonsense(what, whose=self._login.whose)

    # Events ---------------------------------------------------------------------------------------

    def get(self, path: str) -> Raw | None:
        """One event; ``None`` where there is none at this path. Not compressed: on the way a front server
        would give it another etag (a weak one, or with a suffix), which no condition would meet."""
        wanted = {"Accept": "text/calendar", "Accept-Encoding": "identity"}
        answer = self._call(_Request("get", "GET", path, wanted))
        if answer.status in (404, 410):
            return None
        etag = answer.headers.get("ETag", "")
        if answer.status != 200 or not etag:
            raise VendorNonsense(self._what(answer), whose=self._login.whose)
        return Raw(path, etag, answer.text)

    def create(self, path: str, text: str) -> tuple[int, str]:
        """Create, unless there is something at this path: ``EventChanged`` then, :class:`NotTaken` where the
        server does not take it. The status (201 is new) and the etag, empty where it is not told."""
        return self._put("create", path, text, {"If-None-Match": "*"})

    def update(self, path: str, text: str, etag: str) -> tuple[int, str]:
        """Write, if the etag is still this one; ``EventChanged``. The status (201 is new) and the etag."""
        return self._put("update", path, text, {"If-Match": etag})

    def _put(self, operation: str, path: str, text: str, headers: Mapping[str, str]) -> tuple[int, str]:
        given = {"Content-Type": _CALENDAR, **headers}
        answer = self._call(_Request(operation, "PUT", path, given, text.encode()))
        if answer.status in (200, 201, 204):
            return answer.status, answer.headers.get("ETag", "")
        what = self._what(answer)
        if answer.status == 412 and "uid" not in what:
            raise EventChanged(what, whose=self._login.whose)
        if answer.status in (404, 410):
            raise MailboxUnavailable(f"the calendar is not there: {what}", whose=self._login.whose)
        kind = NotTaken if answer.status in (403, 409, 412) else EventRefused
        raise kind(what, whose=self._login.whose)

    def delete(self, path: str, etag: str | None) -> None:
        """Delete, if the etag is still this one; ``EventChanged``, ``EventGone``."""
        answer = self._call(_Request("delete", "DELETE", path, {"If-Match": etag} if etag else {}))
        if answer.status in (200, 204):
            return
        what = self._what(answer)
        if answer.status in (404, 410):
            raise EventGone(what, whose=self._login.whose)
        kind = EventChanged if answer.status in (409, 412) else EventRefused
        raise kind(what, whose=self._login.whose)

    # Looking around -------------------------------------------------------------------------------

    def raw_propfind(self, path: str, *names: str) -> Answer:
        """A PROPFIND whose answer may be anything, a redirect too: for finding one's way in."""
        headers = {"Content-Type": _XML, "Depth": "0"}
        return self._call(_Request("find", "PROPFIND", path, headers, dav.propfind(*names)))

    def options(self, path: str) -> frozenset[str]:
        """What the server says it can do (``DAV`` header of RFC 4918, RFC 4791, RFC 6638); what answers
        without ``calendar-access`` is no CalDAV server, but something in front of it."""
        answer = self._call(_Request("find", "OPTIONS", path, {}))
        return frozenset(part.strip() for part in answer.headers.get("DAV", "").split(","))

    # One call -------------------------------------------------------------------------------------

    def _call(self, request: _Request) -> Answer:
        writes = request.method in ("PUT", "DELETE")
        repeating = self._wire.repeating
        return (repeating.write if writes else repeating.read)(self._measured, request)

    def _measured(self, request: _Request) -> Answer:
        throttle = self._wire.throttle
        throttle.admit(self._name)
        with self._wire.at_once.through(self._name):
            begun, outcome = time.monotonic(), "ok"
            try:
                answer = self._sent(request)
                outcome = "not_found" if answer.status in (404, 410) else "ok"
                return answer
            except ReconcilerError as problem:
                outcome = type(problem).__name__
                raise
            finally:
                throttle.observer.request(NAME, request.operation, outcome, time.monotonic() - begun)

    def _sent(self, request: _Request) -> Answer:
        headers = {**request.headers, "Authorization": self._authorization}
        answer = self._wire.transport.send(request.method, self.origin, request.path, headers, request.body)
        named = (answer.headers.get(name, "") for name in ("Date", "X-Request-Id"))
        self.heard.append(Heard(request.operation, answer.status, *named))
        problem = self._problem(answer)
        if problem is not None:
            log.info("%s of %s: %s", request.operation, self._login.whose, problem.what)
            raise problem
        return answer

    def _problem(self, answer: Answer) -> ReconcilerError | None:
        """What concerns more than the one event or calendar asked for."""
        status, wait = answer.status, seconds_of(answer.headers.get("Retry-After"))
        if status == 401:
            return ReauthorizationNeeded(self._what(answer), whose=self._login.whose)
        if status == 429 or (status == 503 and wait is not None):
            return self._wire.throttle.refused(self._what(answer), person=self._name, retry_after=wait)
        if status in _TOO_BUSY or (status >= 500 and status not in _CANNOT):
            return VendorUnavailable(self._what(answer), whose=self._login.whose)
        return None

    def _what(self, answer: Answer) -> str:
        named = ", ".join(sorted(dav.conditions(answer.body))) or "without a reason"
        return f"the server answered {answer.status} ({named})"


def raws_of(found: dav.Multistatus) -> list[Raw]:
    """The events of a report that asked for them whole."""
    return [
        Raw(entry.path, entry.text(dav.ETAG), _data(entry))
        for entry in found.entries
        if entry.status == 200 and dav.DATA in entry.found and entry.text(dav.ETAG)
    ]


def _data(entry: dav.Entry) -> str:
    return str(entry.found[dav.DATA].text or "")


def login_of(credentials: Mapping[str, str], whose: str) -> Login:
    """The way in that was stored; ``ReauthorizationNeeded`` where what was stored is not whole."""
    try:
        return Login(origin_of(credentials["server"]), credentials["user"], credentials["password"], whose)
    except KeyError as problem:
        raise ReauthorizationNeeded(
            "What is stored of this connection is not whole", whose=whose
        ) from problem
