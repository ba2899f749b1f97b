"""SMTP servers on loopback: a real one with TLS and passwords, and one that answers as it is told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from reconciler.mail.smtp import Encryption, Server
from reconciler.simulators.certificates import Certificates
from tests.support.ports import free_port

USER, PASSWORD = "training", "correct horse"


@dataclass
class Received:
    """A message as the server has taken it over."""

    sender: str
    recipients: list[str]
    content: bytes
    options: list[str]


@dataclass
class Post:
    """A running server, and what it has received."""

    server: Server
    received: list[Received] = field(default_factory=list)


class _Keeping:
    """Keeps each message."""

    def __init__(self, received: list[Received]) -> None:
        self._received = received

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        options = [*envelope.mail_options]
        self._received.append(
            Received(str(envelope.mail_from), [*envelope.rcpt_tos], bytes(envelope.content), options)
        )
        return "250 2.0.0 taken over"


def _password_is_right(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def a_post(
    certificates: Certificates,
    encryption: Encryption = Encryption.STARTTLS,
    *,
    smtputf8: bool = True,
    **different: Any,
) -> Iterator[Post]:
    """A server with TLS, where one must sign in, for the time of the block."""
    port = free_port()
    given = {"user": USER, "password": PASSWORD, "ca_file": str(certificates.ca_file), "timeout": 20.0}
    post = Post(Server("localhost", port, encryption, "reconciler.test", **{**given, **different}))
    context = certificates.server_context()
    tls = {"tls_context": context, "require_starttls": True, "auth_require_tls": True}
    if encryption is Encryption.IMPLICIT:
        tls = {"ssl_context": context, "auth_require_tls": False}
    controller = Controller(
        _Keeping(post.received),
        hostname="127.0.0.1",
        port=port,
        authenticator=_password_is_right,
        auth_required=True,
        enable_SMTPUTF8=smtputf8,
        **tls,
    )
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


# Told what to answer ------------------------------------------------------------------------------

HANG_UP = "hang up"
_WELL = {"greeting": "220 here", "DATA": "354 go ahead"}


class Scripted(socketserver.ThreadingTCPServer):
    """Answers each step (``greeting EHLO MAIL RCPT DATA message``) with its line, or well where there is
    none. ``HANG_UP`` ends the connection there; as ``half`` it does so amid the message. ``taken`` are the
    messages that it has seen to their end; ``connections`` counts."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.answers = dict(answers)
        self.taken: list[bytes] = []
        self.connections = 0
        self.mend_at_next_connection = False

    @property
    def there(self) -> Server:
        return Server("127.0.0.1", self.server_address[1], Encryption.NONE, "reconciler.test", timeout=20.0)


class _Visit(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        script = self.server
        assert isinstance(script, Scripted)
        script.connections += 1
        if script.mend_at_next_connection:
            script.answers.clear()
        step = "greeting"
        while self._answered(script, step):
            line = self.rfile.readline()
            step = line[:4].decode().strip().upper()
            if not line or step == "QUIT":
                return

    def _answered(self, script: Scripted, step: str) -> bool:
        answer = script.answers.get(step) or _WELL.get(step, "250 ok")
        if answer == HANG_UP:
            return False
        self.wfile.write(f"{answer}\r\n".encode())
        if step == "DATA" and answer.startswith("354"):
            return self._take(script)
        return not answer.startswith("421")

    def _take(self, script: Scripted) -> bool:
        message = b""
        while not message.endswith(b"\r\n.\r\n"):
            message += self.rfile.readline()
            if "half" in script.answers and len(message) > 2_000:
                return False
        script.taken.append(message)
        return self._answered(script, "message")


@contextmanager
def a_scripted(**answers: str) -> Iterator[Scripted]:
    """A server that answers so, for the time of the block."""
    with Scripted(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


def unused() -> Server:
    """A server where nobody listens."""
    return Server("127.0.0.1", free_port(), Encryption.NONE, "reconciler.test", timeout=20.0)
