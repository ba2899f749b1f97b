"""## Mails

How much it takes to mail an invitation: its words in the person's language, twice, the entry with its time
zone, the form of the message, and the way to the server. Beside it stands bare smtplib sending one constant
message of the same size. Both speak to a server that runs in a process of its own and throws everything away,
over one connection each, without TLS: that costs both the same.
"""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.child import cpu
from benchmarks.figures import Figure, Scale, median_ratio
from reconciler.mail.compose import Composer
from reconciler.mail.letter import Letter, Mailbox, Template
from reconciler.mail.samples import samples
from reconciler.mail.smtp import Encryption, Outcome, Server, Smtp

MESSAGES = 200
FROM, TO = "training@example.org", "ana@example.org"
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


def main(scale: Scale) -> list[Figure]:
    """Send some hundred invitations, and as many constant messages."""
    composer = Composer(Mailbox("Training", FROM))
    letters = [
        one for locale in ("en", "de") for one in samples(locale) if one.template is Template.INVITATION
    ]
    constant = composer.compose(letters[0], "constant@example.org", NOW)
    with _server() as there:
        _ours(composer, letters, there)  # the templates, zones and locales of a daemon are warm
        pairs = []
        for _ in range(scale.runs):
            with cpu() as ours:
                _ours(composer, letters, there)
            with cpu() as bare:
                _bare(constant, there)
            pairs.append((ours(), bare()))
    what = "CPU of an invitation mailed to that of bare smtplib with a constant message"
    return [Figure("mail_cpu_ratio", median_ratio(pairs), what)]


def _ours(composer: Composer, letters: list[Letter], there: Server) -> None:
    smtp = Smtp(there)
    for number in range(MESSAGES):
        message = composer.compose(letters[number % len(letters)], f"{number}@example.org", NOW)
        assert smtp.send(FROM, TO, message).outcome is Outcome.SENT
    smtp.close()


def _bare(message: bytes, there: Server) -> None:
    with smtplib.SMTP(there.host, there.port, "bench.example.org") as smtp:
        for _ in range(MESSAGES):
            smtp.sendmail(FROM, TO, message)


@contextmanager
def _server() -> Iterator[Server]:
    """A server that throws everything away, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "aiosmtpd",
        "-n",
        "-c",
        "aiosmtpd.handlers.Sink",
        "-l",
        f"127.0.0.1:{port}",
    ]
    running = subprocess.Popen(command)
    try:
        while running.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                continue
        yield Server("127.0.0.1", port, Encryption.NONE, "bench.example.org")
    finally:
        running.terminate()
        running.wait()
