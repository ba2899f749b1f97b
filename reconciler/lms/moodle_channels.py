"""Ways to reach the script that gives seats back on the Moodle host: ssh, a local socket, a local command.

All three talk alike: the script says hello, and only then is it told anything. A script that is missing, a
host that is down, a key that is not accepted: no hello, nothing sent, and so nothing written.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HELLO = b"@@ilt-reconciler hello\n"
_LONGEST_ANSWER = 1_000_000  # bytes
_LONGEST_COMPLAINT = 4_000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``sent``: whether the request went out at all; ``ended``: whether the other side
    came to an end by itself; ``exit_code`` where there is one; ``complaint``: its standard error, for the
    eyes of whoever sets it up."""

    sent: bool
    output: bytes = b""
    ended: bool = False
    exit_code: int | None = None
    complaint: str = ""


class Channel(Protocol):
    """One way of asking. ``ask`` raises nothing."""

    def ask(self, line: bytes) -> Reply:
        """Wait for hello, send this line, and read until the other side has ended."""


class CommandChannel:
    """A command on this machine (a list of arguments, no shell), given ``seconds`` for everything.

    It gets none of our environment but the search path. Killed with all its children if it takes too long.
    """

    def __init__(self, command: Sequence[str], seconds: float = 90.0) -> None:
        self._command = list(command)
        self._seconds = seconds

    def ask(self, line: bytes) -> Reply:
        """See :class:`Channel`."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        try:
            child = subprocess.Popen(  # noqa: S603 - the operator's own command, as a list
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Reply(False, complaint=f"{type(error).__name__}: {self._command[:1]}")
        with child:
            try:
                return self._talk(child, line)
            finally:
                if child.returncode is None:  # not waited for yet, so its number is still its own
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)

    def _talk(self, child: subprocess.Popen[bytes], line: bytes) -> Reply:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        stdin, stdout, stderr = child.stdin, child.stdout.fileno(), child.stderr.fileno()

        def send(data: bytes) -> None:
            stdin.write(data)
            stdin.close()

        talk = _Talk(send, line, self._seconds)
        talk.listen({stdout: lambda: os.read(stdout, _CHUNK)}, {stderr: lambda: os.read(stderr, _CHUNK)})
        code = None
        if talk.ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = child.wait(timeout=talk.seconds_left())
        ended = talk.ended and code is not None
        return Reply(talk.sent, bytes(talk.output), ended, code, talk.complaint())


def ssh_channel(
    destination: str,
    key_file: Path,
    known_hosts: Path,
    *,
    port: int = 22,
    seconds: float = 90.0,
    program: str = "ssh",
) -> CommandChannel:
    """ssh to ``user@host``, where ``authorized_keys`` ties this key to one command.

    No question is ever asked, no other key tried, no unknown host accepted, no configuration file read
    (https://man.openbsd.org/ssh_config).
    """
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "none",
        "UpdateHostKeys": "no",
        "ClearAllForwardings": "yes",
        "PreferredAuthentications": "publickey",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "2",
    }
    arguments = [program, "-F", "none", "-T", "-p", str(port), "-i", str(key_file)]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    return CommandChannel([*arguments, "--", destination], seconds)


class SocketChannel:
    """A socket on this machine behind which systemd starts the script as the web server's user."""

    def __init__(self, path: Path, seconds: float = 90.0) -> None:
        self._path = path
        self._seconds = seconds

    def ask(self, line: bytes) -> Reply:
        """See :class:`Channel`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(self._seconds)
            try:
                wire.connect(str(self._path))
            except OSError as error:
                return Reply(False, complaint=f"{self._path}: {error.strerror or type(error).__name__}")
            talk = _Talk(wire.sendall, line, self._seconds)
            talk.listen({wire.fileno(): lambda: wire.recv(_CHUNK)})
            return Reply(talk.sent, bytes(talk.output), talk.ended)


class _Talk:
    """Hello, one line, and everything that follows, within a number of seconds and of bytes."""

    def __init__(self, send: Callable[[bytes], None], line: bytes, seconds: float) -> None:
        self._send = send
        self._line = line
        self._until = time.monotonic() + seconds
        self.sent = False
        self.ended = False
        self.output = bytearray()
        self._complaint = bytearray()

    def listen(
        self,
        answers: dict[int, Callable[[], bytes]],
        complaints: dict[int, Callable[[], bytes]] | None = None,
    ) -> None:
        """Until all have ended, the time is over, or there is too much of it."""
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            for number, read in answers.items():
                selector.register(number, selectors.EVENT_READ, (read, self._heard))
            for number, read in (complaints or {}).items():
                selector.register(number, selectors.EVENT_READ, (read, self._complained))
            while selector.get_map() and self.seconds_left() and len(self.output) <= _LONGEST_ANSWER:
                for key, _ in selector.select(self.seconds_left()):
                    read, hear = key.data
                    if chunk := read():
                        hear(chunk)
                    else:
                        selector.unregister(key.fd)
            self.ended = not selector.get_map()

    def seconds_left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def complaint(self) -> str:
        return self._complaint.decode("utf-8", "replace")

    def _heard(self, chunk: bytes) -> None:
        self.output += chunk
        if not self.sent and HELLO in self.output:
            self.sent = True  # from the first byte on: who knows how many arrive
            self._send(self._line)

    def _complained(self, chunk: bytes) -> None:
        self._complaint += chunk[: _LONGEST_COMPLAINT - len(self._complaint)]
