"""How CalDAV goes over the network: straight to an origin, or through the operator's proxy."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.errors import VendorUnavailable
from reconciler.providers.caldav.guard import Guard, Refused, origin_of
from reconciler.providers.caldav.transport import Transport
from reconciler.simulators.certificates import make_certificates

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
    assert transport.send("PROPFIND", origin_of("http://plain.invalid"), "/dav/", {}).status == 207
    with pytest.raises(VendorUnavailable):
        transport.send("PROPFIND", origin_of("https://cloud.invalid"), "/dav/", {})
    with pytest.raises(Refused):
        transport.send("PROPFIND", origin_of("https://other.invalid"), "/dav/", {})
    assert proxy.RequestHandlerClass.asked == [  # type: ignore[attr-defined]
        ("PROPFIND", "http://plain.invalid/dav/", LOGIN),
        ("CONNECT", "cloud.invalid:443", LOGIN),
    ]


class _Plain(BaseHTTPRequestHandler):
    """Answers what it was asked, and of whom."""

    def do_GET(self) -> None:
        said = f"{self.path} of {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server6(HTTPServer):
    address_family = socket.AF_INET6


def test_a_server_at_an_address_of_version_6_is_asked_for_what_stands_behind_its_origin() -> None:
    with _Server6(("::1", 0), _Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://[::1]:{server.server_address[1]}"
        answer = Transport(Guard([address])).send("GET", origin_of(address), "/dav/%C3%A4?x=1", {})
        assert answer.text == f"/dav/%C3%A4?x=1 of {address.removeprefix('http://')}"
        server.shutdown()


def test_over_https_a_server_is_believed_only_with_a_certificate_for_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)  # for 127.0.0.1, not for 127.0.0.2
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))  # the environment decides nothing
    with ThreadingHTTPServer(("0.0.0.0", 0), _Plain) as server:
        server.socket = certificates.server_context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        named, another = (f"https://127.0.0.{last}:{server.server_port}" for last in (1, 2))
        trusting = Transport(Guard([named, another]), ca_file=str(certificates.ca_file))
        assert trusting.send("GET", origin_of(named), "/dav/", {}).status == 200
        with pytest.raises(VendorUnavailable, match="no answer: SSLError"):
            trusting.send("GET", origin_of(another), "/dav/", {})
        with pytest.raises(VendorUnavailable, match="no answer: SSLError"):
            Transport(Guard([named])).send("GET", origin_of(named), "/dav/", {})
        server.shutdown()


class _Counting(ThreadingHTTPServer):
    """Counts the connections that are made to it."""

    accepted = 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.accepted += 1
        return super().get_request()


def test_the_connections_to_many_servers_are_kept() -> None:
    with _Counting(("0.0.0.0", 0), type("Kept", (_Plain,), {"protocol_version": "HTTP/1.1"})) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers = [f"http://127.0.0.{last}:{server.server_port}" for last in range(1, 31)]
        transport = Transport(Guard(servers))
        for address in servers * 2:
            transport.send("GET", origin_of(address), "/dav/", {})
        assert server.accepted == 30
        server.shutdown()


def test_what_is_written_is_sent_together_with_its_header() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arrived: list[bytes] = []

        def answer_the_first_piece() -> None:
            with listening.accept()[0] as connection:
                arrived.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 201 Created\r\nETag: 1\r\nContent-Length: 0\r\n\r\n")

        server = threading.Thread(target=answer_the_first_piece)
        server.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answer = Transport(Guard([address])).send(
            "PUT", origin_of(address), "/dav/x.ics", {}, b"BEGIN:VEVENT"
        )
        server.join()
    assert (answer.status, answer.headers["etag"]) == (201, "1")
    assert arrived[0].startswith(b"PUT /dav/x.ics HTTP/1.1\r\n")
    assert arrived[0].endswith(b"\r\n\r\nBEGIN:VEVENT")


@pytest.mark.parametrize(
    "target", ["", "dav/", "@evil.invalid/", "//a b", "/a\r\nHost: evil", "/a\x00", "/a\\b"]
)
def test_what_is_not_plainly_a_path_is_not_asked_for(target: str) -> None:
    with pytest.raises(Refused):
        Transport(Guard(["http://127.0.0.1:9"])).send("GET", origin_of("http://127.0.0.1:9"), target, {})
