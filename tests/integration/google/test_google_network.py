"""How we reach Google: through a company's proxy, with a company's own authorities, in many threads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httplib2
import pytest
from werkzeug.wrappers import Request, Response

from reconciler.errors import VendorUnavailable
from reconciler.providers.google.transport import Transport
from reconciler.simulators.certificates import Certificates, make_certificates
from tests.support.builders import NOW
from tests.support.google import Google, a_draft_of, running, serving


class Proxy:
    """A forward proxy that knows CONNECT and nothing else, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(caller,), daemon=True).start()

    def _tunnel(self, caller: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += caller.recv(4096)
        self.asked.append(head.decode())
        if self.refuses:
            caller.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            caller.close()
            return
        host, _, port = head.split()[1].decode().partition(":")
        far = socket.create_connection((host, int(port)))
        caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pump, args=(far, caller), daemon=True).start()
        _pump(caller, far)

    def close(self) -> None:
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with closing(Proxy()) as running_proxy:
        yield running_proxy


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("tls", [False, True])
def test_everything_goes_through_the_proxy(proxy: Proxy, certificates: Certificates, tls: bool) -> None:
    secure = certificates if tls else None
    with running(
        certificates=secure,
        ca_file=str(certificates.ca_file),
        proxy=f"http://ilt:p%40ss@{proxy.address}",
    ) as google:
        google.calendar.create(a_draft_of())
        assert len(google.calendar.listing(NOW).events) == 1
        assert proxy.asked
        host = google.url.partition("//")[2]
        for head in proxy.asked:
            assert head.startswith(f"CONNECT {host} HTTP/1")
            assert "Proxy-Authorization: Basic aWx0OnBAc3M=\r\n" in head
        assert not any("proxy-authorization" in seen.headers for seen in google.sim.recorder.seen)


def test_without_a_configured_proxy_the_environments_is_used(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "")
    with running() as google:
        google.calendar.listing(NOW)
        assert proxy.asked


def test_hosts_that_the_environment_excepts_are_reached_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "localhost")
    with running() as google:
        google.calendar.listing(NOW)
        assert not proxy.asked


def test_a_proxy_that_refuses_is_never_gone_round(proxy: Proxy) -> None:
    proxy.refuses = True
    with running(proxy=f"http://{proxy.address}") as google:
        with pytest.raises(VendorUnavailable):
            google.calendar.listing(NOW)
        assert google.sim.recorder.seen == []


def test_a_companys_authority_is_trusted_when_configured_and_not_otherwise(
    certificates: Certificates,
) -> None:
    with running(certificates=certificates) as google, pytest.raises(VendorUnavailable, match="SSLCert"):
        google.calendar.listing(NOW)
    with running(certificates=certificates, ca_file=str(certificates.ca_file)) as google:
        assert google.calendar.listing(NOW).events == ()


def test_a_configured_authority_wins_over_the_environments(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = make_certificates(tmp_path)
    monkeypatch.setattr(httplib2, "CA_CERTS", str(another.ca_file))
    with running(certificates=certificates, ca_file=str(certificates.ca_file)) as google:
        assert google.calendar.listing(NOW).events == ()


def test_the_environments_authority_is_used_where_none_is_configured(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httplib2, "CA_CERTS", str(certificates.ca_file))
    with running(certificates=certificates) as google:
        assert google.calendar.listing(NOW).events == ()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(VendorUnavailable, match="ConnectionRefused"):
        Transport(timeout=1).request(address)


def test_a_redirect_is_not_followed_with_somebodys_token() -> None:
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.path)
        return Response(status=302, headers={"Location": "/elsewhere"})

    with serving(answer) as url:
        response, _ = Transport().request(f"{url}/events", headers={"authorization": "Bearer secret"})
    assert response.status == 302
    assert asked == ["/events"]


def test_threads_do_not_get_in_each_others_way(google: Google) -> None:
    people = [google.connect(number, f"p{number}@example.org") for number in range(2, 14)]

    def work(number: int) -> int:
        calendar = google.open(people[number])
        for session in range(5):
            calendar.create(a_draft_of(f"s{session}"))
        return len(calendar.listing(NOW).events)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(12))) == [5] * 12
    for person in people:
        assert len(google.alive(person.address)) == 5
