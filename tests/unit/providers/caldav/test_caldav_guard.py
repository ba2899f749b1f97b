"""Which servers may be spoken to, and where a server's own references may lead."""

from __future__ import annotations

import socket

import pytest

from reconciler.providers.caldav.guard import Guard, Origin, Refused, origin_of


def admitted(guard: Guard, address: str) -> bool:
    try:
        guard.admit(origin_of(address))
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        (["dav.example.org"], "https://dav.example.org/x", True),
        (["dav.example.org"], "https://DAV.example.org./x", True),
        (["dav.example.org"], "https://dav.example.org:8443", False),
        (["dav.example.org"], "http://dav.example.org", False),
        (["dav.example.org"], "https://evil.example.org", False),
        (["https://dav.example.org/SOGo/dav/"], "https://dav.example.org/other", True),
        (["http://127.0.0.1:5232"], "http://127.0.0.1:5232", True),
        (["http://127.0.0.1:5232"], "http://127.0.0.1:5233", False),
        (["*.icloud.com"], "https://p34-caldav.icloud.com", True),
        (["*.icloud.com"], "https://icloud.com", False),
        (["*.icloud.com"], "https://icloud.com.example.org", False),
        (["*"], "https://anything.example", True),
        (["*"], "http://anything.example", False),
    ],
)
def test_only_what_the_operator_allows_is_spoken_to(allowed: list[str], address: str, may: bool) -> None:
    assert admitted(Guard(allowed), address) is may


def test_through_a_proxy_only_hosts_allowed_by_name_are_asked_for() -> None:
    guard = Guard(["dav.example.org", "*"], proxied=True)
    assert admitted(guard, "https://dav.example.org")
    assert not admitted(guard, "https://anything.example")


@pytest.mark.parametrize(
    ("allowed", "to", "may"),
    [
        (["*"], "https://dav.example.org/home", True),
        (["*"], "https://other.example.org/home", False),
        (["*"], "http://dav.example.org/home", False),
        (["dav.example.org", "store.example.org"], "https://store.example.org/home", True),
        (["*.example.org"], "https://store.example.org/home", True),
        (["*.example.org"], "https://store.example.com/home", False),
    ],
)
def test_a_servers_reference_leaves_the_origin_only_for_a_host_allowed_by_name(
    allowed: list[str], to: str, may: bool
) -> None:
    assert Guard(allowed).follows(origin_of("https://dav.example.org"), origin_of(to)) is may


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that answers a public address first and a private one afterwards gains nothing."""
    answers = iter([["192.0.2.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def resolve(host: str, port: int, **given: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Refused):  # documentation addresses are not public either
        Guard(["*"]).connect(Origin("https", "rebinding.example", 443), 0.1)
    assert asked == ["rebinding.example"]


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused):
        Guard(["*"]).connect(Origin("https", "mixed.example", 443), 0.1)
