"""What stands in front of a CalDAV server, or is wrong with one resource, does no harm."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from reconciler.errors import VendorNonsense, VendorUnavailable
from reconciler.providers.caldav.discovery import account_of, manners_of
from reconciler.providers.caldav.guard import Guard, origin_of
from reconciler.providers.caldav.transport import Transport
from reconciler.simulators.caldav import Ask, Reply
from reconciler.simulators.caldav_store import CYRUS
from tests.contract.test_calendars import a_draft_of
from tests.support.caldav_bed import CalDavBed, a_caldav, a_wire
from tests.support.caldav_servers import PASSWORD, USER, radicale
from tests.support.caldav_simulated import simulated

FAILED = (
    '<multistatus xmlns="DAV:"><response><href>{}</href>'
    "<status>HTTP/1.1 503 Service Unavailable</status></response></multistatus>"
)


def answering(method: str, reply: Callable[[Ask], Reply]) -> Callable[[Ask], Reply | None]:
    return lambda ask: reply(ask) if ask.method == method else None


def test_an_event_is_read_as_it_is_and_not_compressed() -> None:
    """nginx makes the etag of what it compresses a weak one, Apache gives it a suffix."""
    asked: list[str] = []

    def compressing(ask: Ask) -> Reply:
        asked.append({name.lower(): value for name, value in ask.headers.items()}["accept-encoding"])
        return Reply(404)

    with simulated(CYRUS) as server, a_caldav(server) as bed:
        server.simulator.before = answering("GET", compressing)
        bed.calendar.get("nobodys", bed.connection.calendar_id)
        server.simulator.before = lambda _: None
    assert asked == ["identity"]


def test_an_event_that_is_named_and_not_shown_is_not_absent() -> None:
    def failing(bed: CalDavBed) -> Reply:
        return Reply(207, FAILED.format(f"{bed.connection.calendar_id}ours.ics"))

    with simulated(CYRUS) as server, a_caldav(server) as bed:
        draft = a_draft_of()
        server.simulator.before = answering("REPORT", lambda _: failing(bed))
        with pytest.raises(VendorNonsense, match="names an event and does not show it"):
            bed.calendar.find(draft.marker.token)
        with pytest.raises(VendorNonsense, match="names an event and does not show it"):
            bed.calendar.get(draft.made_as, bed.connection.calendar_id)
        server.simulator.before = lambda _: None


@pytest.mark.parametrize(
    ("reply", "schedules"),
    [
        (Reply(204), True),
        (Reply(403), True),
        (Reply(200, headers={"DAV": "1, calendar-access, calendar-auto-schedule"}), True),
        (Reply(200, headers={"DAV": "1, calendar-access"}), False),
    ],
)
def test_a_server_that_does_not_say_what_it_can_do_is_taken_to_write_to_guests(
    reply: Reply, schedules: bool
) -> None:
    with simulated(CYRUS) as server, a_caldav(server) as bed:
        server.simulator.before = answering("OPTIONS", lambda _: reply)
        assert manners_of(bed.calendar._server, bed.connection.calendar_id).schedules is schedules


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        ("sync-collection", Reply(501)),
        (
            "prop-filter",
            Reply(
                403, '<error xmlns="DAV:"><supported-filter xmlns="urn:ietf:params:xml:ns:caldav"/></error>'
            ),
        ),
    ],
    ids=["no such report", "no such filter"],
)
def test_a_server_that_says_what_it_cannot_do_can_be_connected(word: str, reply: Reply) -> None:
    def refusing(ask: Ask) -> Reply | None:
        return reply if ask.method == "REPORT" and word.encode() in ask.body else None

    with simulated(CYRUS) as server, a_caldav(server) as bed:
        server.simulator.before = refusing
        manners = manners_of(bed.calendar._server, bed.connection.calendar_id)
        server.simulator.before = lambda _: None
    assert (manners.syncs, manners.filters) == (word != "sync-collection", word != "prop-filter")


@pytest.mark.parametrize("path", ["/", f"/{USER}", f"/{USER}/", f"/%{ord(USER[0]):02x}{USER[1:]}/"])
def test_an_account_is_the_same_however_its_address_was_typed(path: str) -> None:
    with radicale() as server:
        server.new_calendar()
        _, wire = a_wire(server)
        usual = account_of(wire, server.origin, USER, PASSWORD)
        typed = account_of(wire, f"{server.origin}{path}", USER, PASSWORD)
        assert (typed.principal, typed.login) == (usual.principal, usual.login)


def test_an_answer_that_drips_in_ends_in_time() -> None:
    over = threading.Event()

    def dripping(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 60000\r\n\r\n")
            while not over.wait(0.02):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=dripping, args=(listening,))
        server.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        transport = Transport(Guard([address]), total_seconds=0.3)
        try:
            with pytest.raises(VendorUnavailable, match="not complete after"):
                transport.send("PROPFIND", origin_of(address), "/", {})
        finally:
            over.set()
            server.join()
