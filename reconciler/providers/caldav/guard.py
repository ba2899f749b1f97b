"""Which addresses may be spoken to, and how: people type them, and the program stands inside a network.

A server that the operator allows by name may lie anywhere, and be spoken to without TLS if the entry says
``http://``. Any other one only where the operator allows everybody's (``*``, ``*.example.org``), over TLS,
and only if every address its name resolves to is public. A name is resolved once for each connection and
the checked address is the one connected to, so that no second answer of a resolver can lead elsewhere.
Whoever is refused is told the same as where nobody answers: nothing can be learnt about the inside.

Sources: OWASP "Server-Side Request Forgery Prevention"; RFC 6890 (special-purpose addresses); RFC 6052
(addresses of version 4 within version 6).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import VendorUnavailable

EVERYBODY = "*"

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"{}|^`]")
_EMBEDDING = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(VendorUnavailable):
    """This address is not spoken to, or nobody answers there: which of them is not told."""

    def __init__(self) -> None:
        super().__init__("no CalDAV server can be used at this address")


class Origin(NamedTuple):
    """Scheme, host (lower case) and port: what a request and its credentials never leave."""

    scheme: str
    host: str
    port: int

    @property
    def netloc_host(self) -> str:
        """The host as it stands in an address: one of version 6 in brackets (RFC 3986 section 3.2.2)."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        usual = _PORTS[self.scheme] == self.port
        address = f"{self.scheme}://{self.netloc_host}"
        return address if usual else f"{address}:{self.port}"


def origin_of(address: str) -> Origin:
    """The origin of an absolute address; raises :class:`Refused` for what is not plainly one."""
    if _UNPRINTABLE.search(address):
        raise Refused
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        raise Refused from problem
    if parts.scheme not in _PORTS or "@" in parts.netloc or port == 0:
        raise Refused
    return Origin(parts.scheme, _host(host), port or _PORTS[parts.scheme])


def check_target(target: str) -> None:
    """Raise :class:`Refused` for what is not plainly a path on an origin, perhaps with a query."""
    if not target.startswith("/") or _UNPRINTABLE.search(target):
        raise Refused


def _host(name: str) -> str:
    if ":" in name:
        try:
            return str(ipaddress.IPv6Address(name))  # a zone index names an interface of ours
        except ValueError as problem:
            raise Refused from problem
    try:
        ascii_name = name.encode("idna").decode("ascii").lower() if not name.isascii() else name.lower()
    except UnicodeError as problem:
        raise Refused from problem
    if not _HOST.fullmatch(ascii_name) or len(ascii_name) > 253:
        raise Refused
    return ascii_name.rstrip(".")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public Internet, however it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        inner = _within(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of version 4 that one of version 6 stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if address.teredo:
        return address.teredo[1]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (int(address) >> 32 == 0 or any(address in net for net in _EMBEDDING)):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner


class Guard:
    """``allowed`` are the operator's entries: a host, ``host:port``, a whole address, ``*.domain`` or ``*``.
    With ``proxied`` it is the proxy that resolves names, so only hosts that are allowed by name are asked
    for."""

    def __init__(self, allowed: Sequence[str], *, proxied: bool = False) -> None:
        self.offered = tuple(_absolute(entry) for entry in allowed if not entry.startswith("*"))
        self._named = frozenset(origin_of(entry) for entry in self.offered)
        self._domains = tuple(entry[1:].lower() for entry in allowed if entry.startswith("*."))
        self.everybody = EVERYBODY in allowed
        self._proxied = proxied

    @property
    def any_address(self) -> bool:
        """Whether people may type an address of their own."""
        return self.everybody or bool(self._domains)

    def admit(self, origin: Origin) -> None:
        """Raise :class:`Refused` unless this origin may be spoken to, as far as its name tells."""
        if origin in self._named:
            return
        anybody = self.everybody or self._vouched(origin)
        if not anybody or origin.scheme != "https" or self._proxied:
            raise Refused

    def follows(self, origin: Origin, to: Origin) -> bool:
        """Whether an address given by a server may be followed: on the same origin, or to one that the
        operator vouches for by name or domain (iCloud's calendars lie on other hosts than its entrance)."""
        return to == origin or to in self._named or (to.scheme == "https" and self._vouched(to))

    def _vouched(self, origin: Origin) -> bool:
        return origin.host.endswith(self._domains) if self._domains else False

    def connect(self, origin: Origin, timeout: float | None) -> socket.socket:
        """A connection to this origin: its name is resolved once, all its addresses are checked, and one of
        those is connected to. :class:`Refused` before any packet, ``OSError`` where nobody answers."""
        self.admit(origin)
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        if origin not in self._named and not all(_public(target) for *_, target in found):
            raise Refused
        problem: OSError = OSError("the name has no address")
        for family, kind, protocol, _, target in found:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(timeout)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(target)
                return connection
            except OSError as error:
                connection.close()
                problem = error
        raise problem


def _absolute(entry: str) -> str:
    return entry if "://" in entry else f"https://{entry}"


def _public(target: tuple[object, ...]) -> bool:
    if len(target) == 4 and target[3]:  # an interface of ours is named
        return False
    return is_public(ipaddress.ip_address(str(target[0])))
