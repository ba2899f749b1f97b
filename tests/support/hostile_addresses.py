"""Addresses that lead into a network rather than out of it, and what is seen on the wire when they are typed.

Run within a network namespace of its own, as ``python -m tests.support.hostile_addresses``: prints, as JSON,
how each address was answered and how many packets were seen, and how many when somebody really knocks.
"""

from __future__ import annotations

import json
import socket
import sys
from contextlib import suppress

from reconciler.errors import ConsentRefused
from reconciler.ports import SignIn
from reconciler.providers.caldav.client import Wire
from reconciler.providers.caldav.connect import CalDavSignIn
from reconciler.providers.caldav.guard import Guard
from reconciler.providers.caldav.transport import Transport
from reconciler.providers.throttle import AtOnce, Throttle

NAMES = {
    "inside.example.org": "127.0.0.1",
    "metadata.example.org": "169.254.169.254",
    "intranet.example.org": "10.1.2.3",
    "router.example.org": "192.168.0.1",
    "six.example.org": "::1",
    "unique-local.example.org": "fd00::1",
    "mapped.example.org": "::ffff:127.0.0.1",
    "unspecified.example.org": "0.0.0.0",
}
"""Names that resolve to the inside, as an attacker's own name server would answer."""

_HOSTS = (
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1", "127.0.0.1.", "127.8.8.8"),
    *("2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "017700000001", "0", "0.0.0.0"),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "192.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]"),
    *("[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]"),
    *("[fe80::1%25lo]", "[ff02::1]", "[2001:db8::1]", "[100::1]"),
)

ADDRESSES = (
    *(f"https://{host}/" for host in _HOSTS),
    *(f"https://{name}/" for name in NAMES),
    "http://example.org/",  # without TLS, not allowed by name
    "https://user@127.0.0.1/",
    "https://example.org@127.0.0.1/",
    "https://127.0.0.1:22/",
    "https://127.0.0.1\\@example.org/",
    "https://127.0.0.1\t/",
    "https://exa\r\nHost: inside/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://127.0.0.1/",
    "https:///",
    "https://[::1/",
    "https://127.0.0.1:0/",
    "https://127.0.0.1:99999/",
    "//127.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/",
)


class Listener:
    """Sees every packet on every interface of this network."""

    def __init__(self) -> None:
        everything = 3  # ETH_P_ALL of linux/if_ether.h
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(everything))
        self._socket.setblocking(False)

    def heard(self) -> int:
        """How many packets since the last time this was asked."""
        count = 0
        with suppress(BlockingIOError):
            while self._socket.recv(65536):
                count += 1
        return count


def flow_of(*allowed: str) -> CalDavSignIn:
    """The way in, where these servers are allowed."""
    transport = Transport(Guard(allowed), connect_seconds=0.5)
    return CalDavSignIn(Wire(transport, Throttle("caldav", [], [], sleep=lambda _: None), AtOnce(4)))


def answer(flow: CalDavSignIn, address: str) -> str:
    """What the person is told."""
    try:
        flow.calendars(SignIn(address, "alice", "pw"))
    except ConsentRefused as refused:
        return f"{refused.problem}: {refused.what}"
    return "let in"


def main() -> None:
    """Type them all, then knock once for real."""
    listener, anybody = Listener(), flow_of("*")
    listener.heard()
    seen = {address: (answer(anybody, address), listener.heard()) for address in ADDRESSES}
    answer(flow_of("http://127.0.0.1:9"), "http://127.0.0.1:9")
    json.dump({"seen": seen, "knocked": listener.heard()}, sys.stdout)


if __name__ == "__main__":
    main()
