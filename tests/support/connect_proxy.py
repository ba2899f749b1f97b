"""A small HTTP proxy that tunnels (CONNECT, RFC 9110 section 9.3.6) and remembers where to."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a loopback port; ``asked_for`` are the tunnels asked for, as host:port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.asked_for: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunnel(socketserver.StreamRequestHandler):
    """One connection: its CONNECT request, then bytes both ways until either side ends."""

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        assert isinstance(self.server, Proxy)
        assert method == "CONNECT"
        self.server.asked_for.append(target)
        host, _, port = target.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pump(self.connection, there)


def _pump(here: socket.socket, there: socket.socket) -> None:
    other = {here: there, there: here}
    while True:
        for ready in select.select([here, there], [], [])[0]:
            piece = ready.recv(65536)
            if not piece:
                return
            other[ready].sendall(piece)


@contextmanager
def a_proxy() -> Iterator[Proxy]:
    """A proxy for the time of the block."""
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
