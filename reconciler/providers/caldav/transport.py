"""HTTP for CalDAV: one request, one answer, as far as :class:`~reconciler.providers.caldav.guard.Guard` lets.

Network trouble becomes :class:`~reconciler.errors.VendorUnavailable` here, and what is too large
:class:`~reconciler.errors.VendorNonsense`. Nothing is sent twice, no redirect followed, no cookie kept; the
environment's proxies and ``.netrc`` are not read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from reconciler.errors import VendorNonsense, VendorUnavailable
from reconciler.providers.caldav.guard import Guard, Origin, Refused, origin_of

_CHUNK = 65536


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
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._verify: str | bool = ca_file or True
        self._timeout = (connect_seconds, read_seconds)
        self._total_seconds = total_seconds
        self._max_body_bytes = max_body_bytes
        self._adapter = _GuardedAdapter(guard, connections)
        self._local = threading.local()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """One request, once."""
        self.guard.admit(origin_of(url))
        try:
            response = self._session().request(
                method,
                url,
                headers=headers,
                data=body,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
                proxies=self._proxies,
            )
            with response:
                return Answer(response.status_code, response.headers, self._read(response))
        except Refused:
            raise
        except (requests.RequestException, HTTPError, OSError) as problem:
            # The class says what is needed; the message may quote people's addresses.
            kind = ConnectionReset if _was_reset(problem) else VendorUnavailable
            raise kind(f"no answer: {type(problem).__name__}") from problem

    def _session(self) -> requests.Session:
        """A session of this thread's own: ``requests`` does not promise that one may be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.mount("https://", self._adapter)
            session.mount("http://", self._adapter)
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.headers["User-Agent"] = "ilt-calendar-reconciler"
        return session

    def _read(self, response: requests.Response) -> bytes:
        deadline = time.monotonic() + self._total_seconds
        parts = bytearray()
        for part in response.iter_content(_CHUNK):
            parts += part
            if len(parts) > self._max_body_bytes:
                raise VendorNonsense(f"an answer of more than {self._max_body_bytes} bytes")
            if time.monotonic() > deadline:
                raise VendorUnavailable(f"an answer not complete after {self._total_seconds:g} seconds")
        return bytes(parts)


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


class _GuardedHttp(HTTPConnection):
    """Without TLS, for servers that are allowed so by name."""

    guard: Guard

    def _new_conn(self) -> Any:
        return self.guard.connect(Origin("http", self.host.strip("[]"), self.port), _seconds(self.timeout))


class _GuardedHttps(HTTPSConnection):
    """With TLS; the certificate is checked against the name, whatever the address."""

    guard: Guard

    def _new_conn(self) -> Any:
        return self.guard.connect(Origin("https", self.host.strip("[]"), self.port), _seconds(self.timeout))


def _seconds(timeout: object) -> float | None:
    return float(timeout) if isinstance(timeout, int | float) else None


class _GuardedAdapter(HTTPAdapter):
    """Pools whose connections are made by the guard. A proxy is the operator's, and is connected to as
    usual."""

    def __init__(self, guard: Guard, connections: int) -> None:
        self._guard = guard
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        http = type("Http", (_GuardedHttp,), {"guard": self._guard})
        https = type("Https", (_GuardedHttps,), {"guard": self._guard})
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
            "https": type("HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
        }
