"""How the provider reaches Microsoft: by the proxy, and trusting the authority, it is told of."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from reconciler.errors import VendorUnavailable
from reconciler.providers.microsoft.transport import Transport
from tests.support.builders import NOW
from tests.support.connect_proxy import a_proxy
from tests.support.microsoft_bed import a_microsoft, certificates

SINCE = NOW - timedelta(days=1)


def test_the_authority_told_of_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")
    with a_microsoft() as bed:
        assert bed.calendar.listing(SINCE).events == ()


def test_an_authority_nobody_told_of_is_not_trusted() -> None:
    with a_microsoft() as bed, pytest.raises(VendorUnavailable, match="SSLError"):
        Transport().send("GET", bed.url)


def test_sign_in_and_calendar_both_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with a_proxy() as proxy, a_microsoft(transport={"proxy": proxy.url}) as bed:
        assert bed.calendar.listing(SINCE).events == ()
        assert set(proxy.asked_for) == {bed.url.removeprefix("https://")}
    before = len(proxy.asked_for)
    with a_microsoft() as bed:
        bed.calendar.listing(SINCE)
    assert len(proxy.asked_for) == before > 0


def test_a_proxy_that_is_not_there_is_no_answer() -> None:
    transport = Transport(proxy="http://127.0.0.1:9", ca_file=str(certificates().ca_file))
    with a_microsoft() as bed, pytest.raises(VendorUnavailable, match="ProxyError"):
        transport.send("GET", bed.url)


def test_no_proxy_at_all_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = make_server("127.0.0.1", 0, Request.application(lambda request: Response("here")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        assert Transport(proxy="").send("GET", address).text == "here"
        with pytest.raises(VendorUnavailable):
            Transport().send("GET", address)
    finally:
        server.shutdown()
        server.server_close()


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    cookies: list[str | None] = []

    def redirecting(request: Request) -> Response:
        cookies.append(request.headers.get("Cookie"))
        return Response(status=302, headers={"Location": "https://evil.example/", "Set-Cookie": "a=b"})

    server = make_server("127.0.0.1", 0, Request.application(redirecting))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    transport = Transport()
    for _ in range(2):
        answer = transport.send("GET", f"http://127.0.0.1:{server.server_port}/")
        assert answer.status == 302
    server.shutdown()
    server.server_close()
    assert cookies == [None, None]
