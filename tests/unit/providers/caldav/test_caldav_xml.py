"""What a server answers, read with distrust."""

from __future__ import annotations

import pytest

from reconciler.errors import VendorNonsense
from reconciler.providers.caldav import dav
from reconciler.providers.caldav.guard import Guard, Origin

HERE = Origin("https", "dav.example.org", 443)

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><multistatus xmlns="DAV:">&c;</multistatus>'
)
FETCHES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    '<multistatus xmlns="DAV:"><response><href>&e;</href></response></multistatus>'
)


def read(inner: str) -> dav.Multistatus:
    return dav.multistatus(f'<multistatus xmlns="DAV:">{inner}</multistatus>'.encode(), Guard(["*"]), HERE)


@pytest.mark.parametrize("text", [BOMB, FETCHES, BOMB.encode("utf-16"), " " * 5000 + BOMB[21:]])
def test_a_document_type_is_refused(text: str | bytes) -> None:
    with pytest.raises(VendorNonsense):
        dav.multistatus(text if isinstance(text, bytes) else text.encode(), Guard(["*"]), HERE)


@pytest.mark.parametrize("text", ["", "<html>login</html>", "{}", "<multistatus xmlns='DAV:'>", "\0"])
def test_what_is_no_multistatus_is_refused(text: str) -> None:
    with pytest.raises(VendorNonsense):
        dav.multistatus(text.encode(), Guard(["*"]), HERE)


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/a/b.ics", "/a/b.ics"),
        ("\n   /a/b.ics  \n", "/a/b.ics"),
        ("https://dav.example.org/a/b.ics", "/a/b.ics"),
        ("https://dav.example.org:443/a%20b", "/a%20b"),
        ("/a/%C3%BC x@y.ics", "/a/%C3%BC%20x@y.ics"),
        ("/a/x%40y.ics", "/a/x@y.ics"),
        ("/a%2Fb.ics", "/a%2Fb.ics"),
    ],
)
def test_a_reference_is_written_in_one_way_whatever_the_servers(href: str, path: str) -> None:
    status = "<status>HTTP/1.1 404 Not Found</status>"
    (entry,) = read(f"<response><href>{href}</href>{status}</response>").entries
    assert (entry.path, entry.status) == (path, 404)


@pytest.mark.parametrize(
    "href", ["https://evil.example/a", "http://dav.example.org/a", "//evil.example/a", "a/b", ""]
)
def test_a_reference_that_leads_elsewhere_is_refused(href: str) -> None:
    with pytest.raises(VendorNonsense):
        read(f"<response><href>{href}</href><status>HTTP/1.1 200 OK</status></response>")


def test_only_properties_that_were_found_count() -> None:
    found = '<propstat><prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>'
    lacking = "<propstat><prop><sync-token/></prop><status>HTTP/1.1 404 Not Found</status></propstat>"
    (entry,) = read(f"<response><href>/a</href>{found}{lacking}</response>").entries
    assert entry.text(dav.ETAG) == '"1"'
    assert dav.SYNC_TOKEN not in entry.found


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(VendorNonsense):
        read("<a>" * 100_000 + "</a>" * 100_000)
