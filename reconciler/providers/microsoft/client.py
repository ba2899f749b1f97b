"""Requests to Microsoft Graph for one mailbox: addressing, paging, retries, and errors made ours.

Mailboxes are addressed by the account's object id, never by name: names change, and Graph's knowledge of
them can be stale. Accounts of consumers are no directory objects and are addressed as ``/me``.

Error codes: https://learn.microsoft.com/graph/errors. A refusal is believed only in Graph's own envelope: a
proxy's 404 page is no proof that an event is gone. Graph's error texts may quote addresses and titles, so
errors and logs carry its code and request id only.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

from reconciler.errors import (
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import Connection
from reconciler.ports import Heard
from reconciler.providers.microsoft.mapping import Json, prefer
from reconciler.providers.microsoft.oauth import parts_of
from reconciler.providers.microsoft.transport import Answer, Transport
from reconciler.providers.repeating import Repeating
from reconciler.providers.throttle import AtOnce, Quota, Throttle, seconds_of

log = logging.getLogger(__name__)

NAME = "microsoft"

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant all personal accounts are in."""

PROJECT_QUOTAS = (Quota(130_000, 10),)
PERSON_QUOTAS = (Quota(10_000, 600),)
"""Graph's limits: per application, and per application and mailbox
(https://learn.microsoft.com/graph/throttling-limits)."""

AT_ONCE = 3
"""Requests in flight for one mailbox. Four are allowed, but at five one in eight was seen to be refused,
and a connection given up here is given up there a little later."""

_PAGE_SIZE = 100
_GONE = frozenset({"ErrorItemNotFound", "ErrorInvalidIdMalformed", "ErrorInvalidMailboxItemId"})
_DEAD_MAILBOX = frozenset(
    {
        "AccessDenied",
        "Authorization_RequestDenied",
        "ErrorAccessDenied",
        "ErrorInvalidUser",
        "ErrorNonExistentMailbox",
        "Forbidden",
        "MailboxNotEnabledForRESTAPI",
        "MailboxNotSupportedForRESTAPI",
        "Request_ResourceNotFound",
        "ResourceNotFound",
    }
)
_PASSING = frozenset({"ErrorMailboxMoveInProgress", "ErrorMailboxStoreUnavailable", "MailboxInfoStale"})


class ZoneNotKnown(EventRefused):
    """Graph does not know the time zone: the same can be said in UTC."""


class Tokens(Protocol):
    """Where access tokens come from: :class:`~reconciler.providers.microsoft.oauth.AccessTokens`."""

    def get(self, connection: Connection, rejected: str | None = None) -> str:
        """A token for Graph; never the ``rejected`` one."""


@dataclass(frozen=True)
class Graph:
    """What all mailboxes share. ``url`` is the cloud's address with version, without a slash at its end."""

    transport: Transport
    tokens: Tokens
    throttle: Throttle
    at_once: AtOnce
    url: str = "https://graph.microsoft.com/v1.0"

    @cached_property
    def repeating(self) -> Repeating:
        """How often a request is sent."""
        return Repeating(sleep=self.throttle.sleep)


class _Request(NamedTuple):
    """A request but for its token. ``operation`` is what metrics count it as."""

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    payload: bytes | None


class Mailbox:
    """One person's mailbox. Paths are relative to it; ids in them must be quoted by :func:`segment`.

    Reads are repeated after no usable answer; writes are not, since they may have had their effect. Both
    are after a refusal for their rate, which has none.
    """

    def __init__(self, graph: Graph, connection: Connection) -> None:
        tenant, oid = parts_of(connection.subject)
        root = "/me" if tenant == CONSUMERS else f"/users/{segment(oid)}"
        self._root = f"{graph.url}{root}"
        self._graph = graph
        self._connection = connection
        self.heard: list[Heard] = []

    def get(self, path: str, query: Mapping[str, str], body: str = "text") -> Json:
        """One resource."""
        return self._get("get", self._url(path, query), body)

    def pages(self, operation: str, path: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Every item of a collection. A page that fails fails the whole; an empty one is not the end."""
        url: str | None = self._url(path, {**query, "$top": str(_PAGE_SIZE)})
        seen: set[str] = set()
        while url is not None:
            if url in seen:
                raise self._nonsense("pages that go round in a circle")
            seen.add(url)
            page = self._get(operation, url, "text")
            items = page.get("value")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise self._nonsense("a page without a list")
            yield from items
            url = self._next(page)

    def post(self, path: str, content: Json) -> Json:
        """Create; the answer is the event."""
        return self._resource(self._call("create", "POST", self._url(path), content=content))

    def post_for_status(self, path: str, content: Json) -> tuple[int, Json]:
        """The same with the status, which tells a new event from one that was there."""
        answer = self._call("create", "POST", self._url(path), content=content)
        return answer.status, self._resource(answer)

    def patch(self, path: str, content: Json, etag: str) -> Json:
        """Change, if the etag is still this one; the answer is the event."""
        return self._resource(self._call("update", "PATCH", self._url(path), content=content, etag=etag))

    def delete(self, path: str, etag: str | None) -> None:
        """Delete, if the etag is still this one."""
        answer = self._call("delete", "DELETE", self._url(path), etag=etag)
        if answer.status != 204:
            raise self._nonsense(f"{answer.status} for a deletion")

    # ----------------------------------------------------------------------------------------------

    def _get(self, operation: str, url: str, body: str) -> Json:
        return self._resource(self._call(operation, "GET", url, body=body))

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        # Graph takes a plus sign for itself, not for a space.
        return f"{self._root}{path}" + (f"?{urlencode(query, quote_via=quote, safe='$')}" if query else "")

    def _next(self, page: Json) -> str | None:
        """The next page's address, to be used as it is; never outside Graph: it would get our token."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        if not isinstance(link, str) or _origin(link) != _origin(self._graph.url):
            raise self._nonsense("a next page outside Graph")
        return link

    def _resource(self, answer: Answer) -> Json:
        if isinstance(answer.json, dict):
            found: Json = answer.json
            return found
        raise self._nonsense(f"{answer.status} without JSON")

    def _nonsense(self, what: str) -> VendorNonsense:
        return VendorNonsense(f"Graph answered {what}", whose=self._whose)

    @property
    def _whose(self) -> str:
        return f"connection {self._connection.id}"

    # One call -------------------------------------------------------------------------------------

    def _call(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        content: Json | None = None,
        etag: str | None = None,
        body: str = "text",
    ) -> Answer:
        headers = {"Prefer": prefer(body), "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if etag is not None:
            headers["If-Match"] = etag
        payload = None if content is None else json.dumps(content).encode()
        request = _Request(operation, method, url, headers, payload)
        repeating = self._graph.repeating
        return (repeating.read if method == "GET" else repeating.write)(self._authorized, request)

    def _authorized(self, request: _Request) -> Answer:
        """The call, once more with a new token where Graph does not take the one we hold."""
        tokens, connection = self._graph.tokens, self._connection
        token = tokens.get(connection)
        try:
            return self._measured(request, token)
        except ReauthorizationNeeded:
            return self._measured(request, tokens.get(connection, rejected=token))

    def _measured(self, request: _Request, token: str) -> Answer:
        person = self._connection.subject
        throttle = self._graph.throttle
        throttle.admit(person)
        with self._graph.at_once.through(person):
            begun = time.monotonic()
            outcome = "ok"
            try:
                return self._sent(request, token)
            except ReconcilerError as problem:
                outcome = type(problem).__name__
                raise
            finally:
                throttle.observer.request(NAME, request.operation, outcome, time.monotonic() - begun)

    def _sent(self, request: _Request, token: str) -> Answer:
        ours = {"Authorization": f"Bearer {token}", "client-request-id": str(uuid.uuid4())}
        headers = {**request.headers, **ours}
        answer = self._graph.transport.send(
            request.method, request.url, headers=headers, data=request.payload
        )
        named = (answer.headers.get(name, "") for name in ("Date", "request-id"))
        self.heard.append(Heard(request.operation, answer.status, *named))
        if 200 <= answer.status < 300:
            return answer
        problem = self._problem(request.operation, answer)
        log.info("%s of %s: %s", request.operation, self._whose, problem.what)
        raise problem

    # Errors ---------------------------------------------------------------------------------------

    def _problem(self, operation: str, answer: Answer) -> ReconcilerError:
        """What a status other than success means."""
        status, code = answer.status, _code(answer)
        request_id = answer.headers.get("request-id", "unknown")
        what = f"Graph answered {status} {code or 'without a code'} (request-id {request_id})"
        wait = seconds_of(answer.headers.get("Retry-After"))
        throttle, person = self._graph.throttle, self._connection.subject
        if status == 429:
            return throttle.refused(what, person=person, retry_after=wait)
        if status >= 500 or status == 408 or code in _PASSING:
            if wait is not None:
                throttle.refused(what, person=person, retry_after=wait)
            return VendorUnavailable(what, whose=self._whose)
        if status < 400 or code is None:
            return VendorNonsense(what, whose=self._whose)
        return _refusal(operation, status, code)(what, whose=self._whose)


def _refusal(operation: str, status: int, code: str) -> type[ReconcilerError]:
    """The error for a 4xx in Graph's own words."""
    if status == 401:
        return ReauthorizationNeeded
    if code in _DEAD_MAILBOX:
        return MailboxUnavailable
    if code in _GONE or (operation == "delete" and code == "ErrorCannotDeleteObject"):
        return EventGone  # the latter is said of what lies in the bin already
    if status in (404, 410):
        return VendorNonsense
    if status == 409:
        return EventIdUsed if operation == "create" else EventChanged
    if status == 412:
        return EventChanged
    return ZoneNotKnown if code == "TimeZoneNotSupportedException" else EventRefused


def segment(name: str) -> str:
    """An id as one segment of a path: ids may hold slashes, plus and equals signs."""
    return quote(name, safe="")


def _code(answer: Answer) -> str | None:
    """The code in Graph's error envelope, ``None`` where the answer has none."""
    content: Any = answer.json
    error = content.get("error") if isinstance(content, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
