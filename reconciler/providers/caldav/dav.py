"""WebDAV's XML: what is asked for, and what is answered. Pure.

Answers come from whoever a person has named, so the parser is a hardened one: no document type (and so no
entities to blow up), nothing fetched, no trees of more than libxml2's own limits. Sources: RFC 4918
(WebDAV), RFC 4791 (CalDAV), RFC 6578 (sync-collection).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from reconciler.errors import VendorNonsense
from reconciler.providers.caldav.guard import Guard, Origin, origin_of

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"

ETAG = f"{DAV}getetag"
DATA = f"{CALDAV}calendar-data"
SYNC_TOKEN = f"{DAV}sync-token"

_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
_STATUS = re.compile(r"HTTP/[0-9.]+ (\d{3})\b")
_KEPT = "/@:!$&'()*+,;=~"

Element = Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``response`` of a multistatus: a path, the status that holds for the whole of it (200 where each
    property has its own), and the properties that were found."""

    path: str
    status: int
    found: Mapping[str, Element]

    def text(self, name: str) -> str:
        """A property's text; empty without one."""
        element = self.found.get(name)
        return "" if element is None or element.text is None else str(element.text).strip()

    def names(self, name: str) -> frozenset[str]:
        """The names of the elements within a property, such as a resource's types."""
        element = self.found.get(name)
        return frozenset() if element is None else frozenset(child.tag for child in element)


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A whole answer. ``sync_token`` is empty where there is none."""

    entries: tuple[Entry, ...]
    sync_token: str


# Answers --------------------------------------------------------------------------------------------


def parsed(body: bytes) -> Element:
    """The root element; ``VendorNonsense`` for what is no XML, or has a document type."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    if b"<!DOCTYPE" in body[:4096].upper():
        raise VendorNonsense("the server answered XML with a document type")
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise VendorNonsense("the server answered something that is no XML") from problem
    if root.getroottree().docinfo.internalDTD is not None:
        raise VendorNonsense("the server answered XML with a document type")
    return root


def multistatus(body: bytes, guard: Guard, origin: Origin) -> Multistatus:
    """A 207's body; ``VendorNonsense`` for anything else, and for addresses that lead elsewhere."""
    root = parsed(body)
    if root.tag != f"{DAV}multistatus":
        raise VendorNonsense("the server answered something that is no multistatus")
    entries = tuple(_entry(element, guard, origin) for element in root.iterchildren(f"{DAV}response"))
    return Multistatus(entries, (root.findtext(SYNC_TOKEN) or "").strip())


def _entry(element: Element, guard: Guard, origin: Origin) -> Entry:
    path = path_of(element.findtext(f"{DAV}href") or "", origin)
    whole = element.findtext(f"{DAV}status")
    found: dict[str, Element] = {}
    for propstat in element.iterchildren(f"{DAV}propstat"):
        if _status(propstat.findtext(f"{DAV}status")) == 200:
            for prop in propstat.iterchildren(f"{DAV}prop"):
                found |= {child.tag: child for child in prop}
    return Entry(path, _status(whole) if whole is not None else 200, found)


def _status(line: str | None) -> int:
    found = _STATUS.match((line or "").strip())
    if not found:
        raise VendorNonsense("the server answered a status that is none")
    return int(found[1])


def path_of(href: str, origin: Origin) -> str:
    """The path of a reference on this origin, written in one way whatever the server's: some pad it with
    white space, some quote more than others. ``VendorNonsense`` for one that leads elsewhere."""
    href = href.strip()
    if "://" in href:
        if origin_of(href) != origin:
            raise VendorNonsense("the server answered with an address of another server")
        href = urlsplit(href)._replace(scheme="", netloc="").geturl()
    if not href.startswith("/") or href.startswith("//"):
        raise VendorNonsense("the server answered with a reference that is no path")
    return href if "%2f" in href.lower() else quote(unquote(href), safe=_KEPT)


def conditions(body: bytes) -> frozenset[str]:
    """The preconditions named by an error's body (RFC 4918 section 16); none where it is no such body."""
    try:
        root = parsed(body)
    except VendorNonsense:
        return frozenset()
    if root.tag != f"{DAV}error":
        return frozenset()
    return frozenset(str(etree.QName(child).localname) for child in root)


# Requests -------------------------------------------------------------------------------------------


def propfind(*names: str) -> bytes:
    """Ask for these properties (Clark names)."""
    return _bytes(f"<propfind {_NAMES}><prop>{_props(names)}</prop></propfind>")


def sync_collection(token: str) -> bytes:
    """Ask what has changed since a token. Never with a limit: there is a server that cuts the answer at it
    without a word."""
    inner = f"<sync-token>{escape(token)}</sync-token><sync-level>1</sync-level>"
    return _bytes(f"<sync-collection {_NAMES}>{inner}<prop><getetag/></prop></sync-collection>")


def multiget(paths: Iterable[str]) -> bytes:
    """Ask for these resources, whole."""
    hrefs = "".join(f"<href>{escape(path)}</href>" for path in paths)
    inner = f"<prop><getetag/><C:calendar-data/></prop>{hrefs}"
    return _bytes(f"<C:calendar-multiget {_NAMES}>{inner}</C:calendar-multiget>")


def query(filters: Mapping[str, str], *, since: datetime | None = None, whole: bool = False) -> bytes:
    """Ask for the events in which these properties contain these texts, ending after an instant; their
    etags, or the ``whole`` of them."""
    matches = "".join(
        f'<C:prop-filter name="{name}"><C:text-match collation="i;octet">{escape(text)}</C:text-match>'
        f"</C:prop-filter>"
        for name, text in filters.items()
    )
    time = f'<C:time-range start="{since.astimezone(UTC):%Y%m%dT%H%M%SZ}"/>' if since else ""
    data = "<C:calendar-data/>" if whole else ""
    return _bytes(
        f"<C:calendar-query {_NAMES}><prop><getetag/>{data}</prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{time}{matches}</C:comp-filter>'
        f"</C:comp-filter></C:filter></C:calendar-query>"
    )


def _props(names: Iterable[str]) -> str:
    return "".join(_tags(names))


def _tags(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        space, _, local = name[1:].partition("}")
        yield f"<{local}/>" if space == "DAV:" else f'<x:{local} xmlns:x="{space}"/>'


def _bytes(inner: str) -> bytes:
    return f"{_HEAD}{inner}".encode()
