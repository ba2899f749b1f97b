"""HTTP for CalDAV: one request, one answer, as far as :class:`~reconciler.providers.caldav.guard.Guard` lets.

Network trouble becomes :class:`~reconciler.errors.VendorUnavailable` here, and what is too large
:class:`~reconciler.errors.VendorNonsense`. Nothing is sent twice, no redirect followed, no cookie kept; the
environment's proxies and ``.netrc`` are not read. Over urllib3 and not requests, which doubles the CPU that a
request takes; straight to the pool of an origin, since addresses are not worth taking apart for each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

import certifi
from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPResponse,
    HTTPSConnectionPool,
    ProxyManager,
    Timeout,
    make_headers,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from reconciler.errors import VendorUnavailable
from reconciler.providers.bounded import whole
from reconciler.providers.caldav.guard import Guard, Origin, Refused, check_target

_USUAL = {"User-Agent": "ilt-calendar-reconciler", "Accept-Encoding": "gzip, deflate"}
_ONCE = {"retries": False, "redirect": False, "preload_content": False}
_CHUNK = 65536

_SERVERS = 256
"""Servers to which connections are kept open."""


class ConnectionReset(VendorUnavailable):
    """The server closed the connection before it answered: some do when all their workers are busy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived. ``headers`` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text: CalDAV speaks UTF-8 (RFC 4791 section 5.3.1)."""
        return self.body.decode("utf-8", "replace")


class Transport:
    """Sends requests from any thread over one pool of connections.

    ``proxy`` (empty: none) and ``ca_file`` replace whatever the environment says. ``connect_seconds`` and
    ``read_seconds`` limit each wait on the socket, ``total_seconds`` the reading of an answer;
    ``max_body_bytes`` its unpacked size.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        proxy: str = "",
        ca_file: str | None = None,
        connect_seconds: float = 10.0,
        read_seconds: float = 30.0,
        total_seconds: float = 120.0,
        max_body_bytes: int = 8 * 1024 * 1024,
        connections: int = 64,
    ) -> None:
        self.guard = guard
        certificates = ca_file or certifi.where()
        self._proxy = _proxy(proxy, connections, certificates) if proxy else None
        self._pool = lru_cache(_SERVERS)(partial(_pool, guard, connections, certificates))
        self._timeout = Timeout(connect_seconds, read_seconds)
        self._total_seconds = total_seconds
        self._max_body_bytes = max_body_bytes

    def send(
        self,
        method: str,
        origin: Origin,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """One request, once. ``target`` is the path, and the query if there is one (RFC 9112 section 3.2)."""
        self.guard.admit(origin)
        check_target(target)
        given = {"headers": {**_USUAL, **headers}, "body": body, "timeout": self._timeout, **_ONCE}
        try:
            with self._opened(method, origin, target, given) as response:
                # `stream` would wait for a whole chunk, however slowly its bytes drip in.
                parts = iter(lambda: response.read1(_CHUNK), b"")
                read = whole(parts, self._max_body_bytes, self._total_seconds)
                return Answer(response.status, response.headers, read)
        except Refused:
            raise
        except (HTTPError, OSError) as problem:
            # The class says what is needed; the message may quote people's addresses.
            kind = ConnectionReset if _was_reset(problem) else VendorUnavailable
            raise kind(f"no answer: {type(problem).__name__}") from problem

    def _opened(self, method: str, origin: Origin, target: str, given: Mapping[str, Any]) -> BaseHTTPResponse:
        if self._proxy is not None:
            return self._proxy.urlopen(method, f"{origin}{target}", **given)
        return self._pool(origin).urlopen(method, target, assert_same_host=False, **given)


def _was_reset(problem: BaseException) -> bool:
    """Whether a reset is what is behind this, however deeply it was wrapped."""
    seen: list[Any] = [problem]
    while seen:
        one = seen.pop()
        if isinstance(one, ConnectionResetError | BrokenPipeError):
            return True  # http.client.RemoteDisconnected is one of them
        seen += [inner for inner in getattr(one, "args", ()) if isinstance(inner, BaseException)]
    return False


# Connections that ask the guard first ---------------------------------------------------------------


class _InOnePiece(HTTPConnection):
    """Sends a request's header and body together, when its answer is asked for: for each event that is
    written, ``http.client`` spends a system call, a packet and a record of TLS on the header alone."""

    _unsent = b""

    def send(self, data: Any) -> None:
        """Connect, and keep what is to be sent."""
        if self.sock is None:
            self.connect()
        self._unsent += data

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        """Send what was kept; the answer to it."""
        try:
            self.sock.sendall(self._unsent)
        except BrokenPipeError:
            pass  # a server may answer, and close, before it has read the whole
        finally:
            self._unsent = b""
        return super().getresponse()


class _GuardedHttp(_InOnePiece):
    """Without TLS, for servers that are allowed so by name."""

    scheme = "http"

    def __init__(self, *given: Any, guard: Guard, **named: Any) -> None:
        super().__init__(*given, **named)
        self._guard = guard

    def _new_conn(self) -> Any:
        return self._guard.connect(
            Origin(self.scheme, self.host.strip("[]"), self.port), _seconds(self.timeout)
        )


class _GuardedHttps(_GuardedHttp, HTTPSConnection):
    """With TLS; the certificate is checked against the name, whatever the address."""

    scheme = "https"


class _HttpPool(HTTPConnectionPool):
    """Connections to one server without TLS."""

    ConnectionCls = _GuardedHttp


class _HttpsPool(HTTPSConnectionPool):
    """Connections to one server with TLS."""

    ConnectionCls = _GuardedHttps


def _seconds(timeout: object) -> float | None:
    return float(timeout) if isinstance(timeout, int | float) else None


def _pool(guard: Guard, connections: int, certificates: str, origin: Origin) -> HTTPConnectionPool:
    """Connections to one server, each made by the guard."""
    given: dict[str, Any] = {"maxsize": connections, "guard": guard}
    if origin.scheme == "http":
        return _HttpPool(origin.netloc_host, origin.port, **given)
    return _HttpsPool(origin.netloc_host, origin.port, ca_certs=certificates, **given)


def _proxy(address: str, connections: int, certificates: str) -> ProxyManager:
    """Connections through a proxy, which is the operator's, and is connected to as usual."""
    login = parse_url(address).auth
    headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
    given: dict[str, Any] = {"maxsize": connections, "ca_certs": certificates}
    return ProxyManager(address, num_pools=_SERVERS, proxy_headers=headers, **given)
