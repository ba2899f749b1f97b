"""The simulators' side of a TCP connection: kept alive as the vendors keep theirs, cut where a test says so.

Werkzeug's own server closes after every answer. Then a client's pool is never tried, nor what clients do when
a kept-alive socket turns out to be dead, and every request pays for a TLS handshake.
"""

from __future__ import annotations

import io
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


class ConnectionCut(BaseException):
    """Ends a request without an answer. A BaseException: no vendor code may catch it by accident."""


class OpenConnections:
    """The sockets now open, so that a stopped server falls silent on those it kept alive too."""

    def __init__(self) -> None:
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def add(self, connection: socket.socket) -> None:
        """A socket was accepted."""
        with self._lock:
            self._sockets.add(connection)

    def remove(self, connection: socket.socket) -> None:
        """A socket is done with."""
        with self._lock:
            self._sockets.discard(connection)

    def close_all(self) -> None:
        """Cut whatever is still open."""
        with self._lock:
            for connection in self._sockets:
                cut(connection)


def cut(connection: socket.socket) -> None:
    """End both directions at once; one that is gone already is fine."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def listen(app: Any, context: ssl.SSLContext | None, port: int) -> tuple[BaseWSGIServer, OpenConnections]:
    """A threaded server on loopback, and the connections it will hold."""
    connections = OpenConnections()
    handler = type("Handler", (_Handler,), {"connections": connections})
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=handler, ssl_context=context)
    if isinstance(server.socket, ssl.SSLSocket):
        # In the connection's own thread: a client that never shakes hands would else block all others.
        server.socket.do_handshake_on_connect = False  # type: ignore[attr-defined]
    return server, connections


class _Handler(WSGIRequestHandler):
    """Keeps the connection open after an answer, and known to the server."""

    protocol_version = "HTTP/1.1"
    connections: OpenConnections

    def setup(self) -> None:
        super().setup()
        # Answers are small: without this, Nagle and delayed ACK cost 40 ms on a kept-alive socket.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(self.connection)

    def finish(self) -> None:
        self.connections.remove(self.connection)
        super().finish()

    def log(self, type: str, message: str, *args: object) -> None:
        """The recorder keeps the requests; a log line each would drown the demo."""

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        # Read to its end beforehand: what stayed in the socket would be taken for the next request.
        length = self._length(environ)
        body = environ["wsgi.input"].read(*length)
        if length and len(body) < length[0]:
            # Whoever asked died in the middle of it. No server takes half a request for a whole one.
            self.close_connection = True
            return
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer: dict[str, Any] = {"status": "500 Internal Server Error", "headers": []}

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None, /
        ) -> Callable[[bytes], object]:
            answer.update(status=status, headers=headers)
            return self.wfile.write

        try:
            content = b"".join(self.server.app(environ, start_response))
        except ConnectionCut:
            self.close_connection = True
            return
        except Exception:
            traceback.print_exc(file=sys.stderr)
            content = b"The simulator itself failed."
        self._send(answer["status"], answer["headers"], content)

    def _length(self, environ: dict[str, Any]) -> tuple[int, ...]:
        if environ.get("wsgi.input_terminated"):
            return ()
        return (int(environ.get("CONTENT_LENGTH") or 0),)

    def _send(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
