"""How CalDAV goes through a proxy, which is the operator's."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from reconciler.errors import VendorUnavailable
from reconciler.providers.caldav.guard import Guard, Refused
from reconciler.providers.caldav.transport import Transport

NAMED = ("http://plain.invalid", "https://cloud.invalid")
LOGIN = "Basic " + b64encode(b"ilt:s/t").decode()


class _Proxy(BaseHTTPRequestHandler):
    """Answers by itself what it is asked to ask; makes no tunnel."""

    asked: list[tuple[str, str, str | None]]

    def do_PROPFIND(self) -> None:
        self.asked.append((self.command, self.path, self.headers["Proxy-Authorization"]))
        self.send_response(207)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self) -> None:
        self.asked.append((self.command, self.path, self.headers["Proxy-Authorization"]))
        self.send_error(502)

    def log_message(self, *given: object) -> None:
        """Nothing of it is of interest."""


@pytest.fixture
def proxy() -> Iterator[HTTPServer]:
    handler = type("Proxy", (_Proxy,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_everything_goes_through_the_proxy_with_its_login_and_only_what_is_named(proxy: HTTPServer) -> None:
    url = f"http://ilt:s%2Ft@127.0.0.1:{proxy.server_address[1]}"
    transport = Transport(Guard([*NAMED, "*"], proxied=True), proxy=url)
    assert transport.send("PROPFIND", "http://plain.invalid/dav/", {}).status == 207
    with pytest.raises(VendorUnavailable):
        transport.send("PROPFIND", "https://cloud.invalid/dav/", {})
    with pytest.raises(Refused):
        transport.send("PROPFIND", "https://other.invalid/dav/", {})
    assert proxy.RequestHandlerClass.asked == [  # type: ignore[attr-defined]
        ("PROPFIND", "http://plain.invalid/dav/", LOGIN),
        ("CONNECT", "cloud.invalid:443", LOGIN),
    ]
