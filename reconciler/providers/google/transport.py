"""The HTTP below googleapiclient: a connection per thread, through a proxy, with limits.

httplib2's ``Http`` is not safe to share between threads, reads bodies of any size, and without a further
package sends past a configured proxy without a word. Its connections are therefore replaced by those of
the standard library, made here: tunnelled (RFC 9110 section 9.3.6), with one TLS context for all.

What httplib2 keeps: it sends a request again, POST included, when a kept-alive connection turns out to
be closed. A create may so meet its own first attempt.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

import httplib2
from httplib2.decode import DecodeLimitError, DecodeRatioError

from reconciler.errors import VendorNonsense, VendorUnavailable

_NONSENSE = (
    DecodeLimitError,
    DecodeRatioError,
    httplib2.FailedToDecompressContent,
    httplib2.MalformedHeader,
    httplib2.RelativeURIError,
)


class Transport:
    """Sends requests; to be shared by all threads.

    ``proxy`` is a URL (``http://user:password@host:port``), empty for none; where it is ``None`` the
    environment decides.
    ``ca_file`` replaces the usual authorities, whatever the environment says. ``timeout`` is in seconds
    and concerns connecting and each wait for bytes; ``max_body_bytes`` an answer, unpacked.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        ca_file: str | None = None,
        timeout: float = 30.0,
        max_body_bytes: int = 10_000_000,
    ) -> None:
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        context = ssl.create_default_context(cafile=ca_file or httplib2.CA_CERTS)
        self._connections = _connections(context, proxy, max_body_bytes)
        self._mine = threading.local()

    def request(
        self, uri: str, method: str = "GET", body: bytes | str | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[httplib2.Response, bytes]:
        """The answer, whatever its status. ``VendorUnavailable`` if none came, ``VendorNonsense`` if it
        cannot be read or is too large; after either this thread begins with new connections."""
        session = self._session()
        connection = self._connections[urlsplit(uri).scheme]
        try:
            answer = session.request(
                uri, method, body=body, headers=dict(headers), connection_type=connection
            )
        except VendorNonsense:
            session.close()
            raise
        except _NONSENSE as error:
            session.close()
            raise VendorNonsense(f"Google's answer cannot be read: {type(error).__name__}") from error
        except (OSError, http.client.HTTPException, httplib2.HttpLib2Error) as error:
            session.close()
            raise VendorUnavailable(f"no answer from Google: {type(error).__name__}") from error
        return cast("tuple[httplib2.Response, bytes]", answer)

    def _session(self) -> httplib2.Http:
        session = getattr(self._mine, "session", None)
        if session is None:
            limit = self._max_body_bytes
            session = httplib2.Http(
                timeout=self._timeout, decode_limit_hard=limit, decode_limit_safe=limit, proxy_info=None
            )
            session.follow_redirects = False
            self._mine.session = session
        return session


def _connections(context: ssl.SSLContext, proxy: str | None, limit: int) -> dict[str, type]:
    """The classes of connections that httplib2 shall make, by scheme."""

    class Answer(http.client.HTTPResponse):
        """An answer that is read up to the limit and no further."""

        def read(self, amt: int | None = None) -> bytes:
            if amt is not None:
                return super().read(amt)
            content = super().read(limit + 1)
            if len(content) > limit:
                raise VendorNonsense(f"Google's answer is larger than {limit} bytes")
            return content

    class Plain(http.client.HTTPConnection):
        response_class = Answer

        def __init__(self, authority: str, timeout: float, proxy_info: object = None) -> None:
            through = _proxy("http", authority, proxy)
            super().__init__(through.host or authority, through.port, timeout=timeout)
            if through.host:
                self.set_tunnel(authority, headers=through.headers)

    class Secure(http.client.HTTPSConnection):
        response_class = Answer

        def __init__(self, authority: str, timeout: float, proxy_info: object = None) -> None:
            through = _proxy("https", authority, proxy)
            super().__init__(through.host or authority, through.port, timeout=timeout, context=context)
            if through.host:
                self.set_tunnel(authority, headers=through.headers)

    return {"http": Plain, "https": Secure}


class _Proxy(NamedTuple):
    """Where a connection is to be made instead, and with which headers."""

    host: str | None = None
    port: int | None = None
    headers: Mapping[str, str] = {}


def _proxy(scheme: str, authority: str, configured: str | None) -> _Proxy:
    """The proxy for this destination, if any."""
    url = configured
    if url is None and not urllib.request.proxy_bypass(authority):
        url = urllib.request.getproxies().get(scheme)
    if not url:
        return _Proxy()
    parts = urlsplit(url if "://" in url else f"http://{url}")
    headers: dict[str, str] = {}
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + b64encode(login.encode()).decode()
    return _Proxy(parts.hostname, parts.port or 8080, headers)


class Bearer:
    """What googleapiclient takes for its ``http``: one person's token in front of a transport.

    ``answered`` is told of each answer, which googleapiclient keeps for itself.
    """

    def __init__(
        self, transport: Transport, token: str, answered: Callable[[httplib2.Response], None]
    ) -> None:
        self._transport = transport
        self._authorization = f"Bearer {token}"
        self._answered = answered

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Mapping[str, str] = {}
    ) -> tuple[httplib2.Response, bytes]:
        """Send with the token; errors as of :meth:`Transport.request`."""
        ours = {**headers, "authorization": self._authorization}
        answer, content = self._transport.request(uri, method, body, ours)
        self._answered(answer)
        return answer, content
