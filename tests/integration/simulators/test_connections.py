"""How the simulators treat a TCP connection."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from microsoft_caller import Microsoft, certificates, running


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def connect(graph: Microsoft) -> http.client.HTTPSConnection:
    """A connection that is never made anew behind the test's back."""
    context = ssl.create_default_context(cafile=str(certificates().ca_file))
    connection = http.client.HTTPSConnection(
        "localhost", urlsplit(graph.url).port, context=context, timeout=20
    )
    connection.connect()
    connection.auto_open = 0
    return connection


def ask(connection: http.client.HTTPSConnection) -> int:
    connection.request("POST", "/v1.0/me/events", body=b"{}")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_connection_serves_many_requests(graph: Microsoft) -> None:
    connection = connect(graph)
    assert [ask(connection) for _ in range(3)] == [401, 401, 401]


def test_a_stopped_server_falls_silent_on_connections_it_kept() -> None:
    with running() as graph:
        connection = connect(graph)
        assert ask(connection) == 401
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection)


def test_a_cut_ends_the_connection_without_an_answer(graph: Microsoft) -> None:
    connection = connect(graph)
    assert ask(connection) == 401
    graph.tell("faults", kind="drop")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(connection)


def test_half_a_request_is_no_request(graph: Microsoft) -> None:
    connection = connect(graph)
    connection.putrequest("POST", "/v1.0/me/events")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"subject":')
    with suppress(ssl.SSLError):  # how an ended connection shows itself differs between OpenSSL's versions
        connection.sock.unwrap()
        assert connection.sock.recv(1) == b""
    assert graph.sim.recorder.seen == []


def test_a_client_that_never_shakes_hands_blocks_nobody(graph: Microsoft) -> None:
    with socket.create_connection(("localhost", urlsplit(graph.url).port or 0)):
        assert graph.call("GET", "events").ok
