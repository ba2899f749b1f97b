"""A mail server on the wire (RFC 5321), as much of it as a client needs: it takes everything over, and keeps
it."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage

_DATA, _END = b"DATA", b"."


class MailServer(socketserver.ThreadingTCPServer):
    """Without TLS and without passwords: on this machine only. ``taken`` are the messages, in order."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.taken: list[EmailMessage] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @contextmanager
    def serve(self) -> Iterator[MailServer]:
        """Serve while the context lasts."""
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()

    def take(self, message: bytes) -> None:
        """Keep a message, dots unstuffed (RFC 5321 section 4.5.2)."""
        lines = [line.removeprefix(b".") for line in message.split(b"\r\n")]
        parsed = email.message_from_bytes(b"\r\n".join(lines), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.taken.append(parsed)


class _Visit(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        self._say("220 mail.simulator ESMTP")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self._say("250-mail.simulator\r\n250 8BITMIME")
            elif verb == _DATA:
                self._say("354 go ahead")
                self._message()
                self._say("250 2.0.0 taken over")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 2.0.0 well")

    def _message(self) -> None:
        lines = []
        while (line := self.rfile.readline().rstrip(b"\r\n")) != _END:
            lines.append(line)
        server = self.server
        assert isinstance(server, MailServer)
        server.take(b"\r\n".join(lines))

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode("ascii"))
