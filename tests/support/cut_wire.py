"""A wire to a database server that breaks at a given statement: before it arrives, or after it was answered.

Forwards bytes between a client and the server. What it breaks at is looked for in what the client sends;
connections are not encrypted.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from enum import StrEnum


class Cut(StrEnum):
    """Where the wire breaks."""

    BEFORE = "before the server has it"
    AFTER = "after the server did it, before the client knows"
    SILENT = "before the server has it, and the client is not told"


class CutWire:
    """Listens on loopback at ``port``; a connection breaks once ``at`` passes it after ``armed_by`` did."""

    def __init__(self, host: str, port: int, at: bytes, cut: Cut, armed_by: bytes = b"") -> None:
        self._server = (host, port)
        self._at, self._cut, self._armed_by = at, cut, armed_by
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                done = threading.Event()
                threading.Thread(target=self._up, args=(client, server, done), daemon=True).start()
                threading.Thread(target=self._down, args=(client, server, done), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, cutting: threading.Event) -> None:
        armed = False
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                armed = armed or self._armed_by in chunk
                if armed and self._at in chunk:
                    self.cuts += 1
                    if self._cut is Cut.BEFORE:
                        break
                    if self._cut is Cut.SILENT:
                        continue
                    cutting.set()
                server.sendall(chunk)
        if not cutting.is_set():
            _close(client, server)

    def _down(self, client: socket.socket, server: socket.socket, cutting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(65536):
                if cutting.is_set():  # the server's answer: it has done it
                    break
                client.sendall(chunk)
        _close(client, server)

    def close(self) -> None:
        self._listener.close()


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
