"""The reverse proxy of the live demo: what stands in front of the program's pages in production.

There it has the certificate. Here it has another errand: browsers do not know the certificates of simulated
vendors, so the links to their consent pages are led to the same simulators without TLS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

_OF_ONE_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip
"""RFC 9110 section 7.6.1."""


def passed_on(request: Request, port: int, led: Mapping[str, str]) -> Response:
    """The answer of the pages on that port of this machine; ``led`` are addresses that stand for others."""
    behind = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        behind.request(request.method, _target(request), request.get_data(), dict(_asked(request)))
        answer = behind.getresponse()
        body, headers = answer.read(), answer.getheaders()
    except OSError:
        return Response("The pages do not answer: the daemon is starting, or has ended.", 502)
    finally:
        behind.close()
    response = Response(_led(body, led), answer.status)
    response.headers.clear()
    for name, value in headers:
        if name.lower() not in _OF_ONE_HOP:
            response.headers.add(name, value)
    return response


def _target(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _asked(request: Request) -> Iterable[tuple[str, str]]:
    for name, value in request.headers.items():
        if name.lower() not in _OF_ONE_HOP and not name.lower().startswith("x-forwarded"):
            yield name, value
    yield "X-Forwarded-For", request.remote_addr or "127.0.0.1"
    yield "X-Forwarded-Proto", request.scheme


def _led(body: bytes, led: Mapping[str, str]) -> bytes:
    for known, other in led.items():
        body = body.replace(known.encode(), other.encode())
    return body
