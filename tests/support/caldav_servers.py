"""Real CalDAV servers, started for tests on ports of their own, with their data where it is quick.

Each has one account, ``alice``, and makes calendars for tests on request. Source of how each is started:
their own documentation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import requests

from reconciler.ports import Granted
from tests.support.ports import free_port

USER, PASSWORD = "alice", "pw"
_PATIENCE = 30.0


@dataclass
class CalDavServer:
    """A server that runs. ``home`` is the path of alice's calendars, ``entrance`` where one begins;
    ``folder`` is where it keeps its data, ``granted`` what came of connecting the first of her calendars."""

    name: str
    origin: str
    home: str
    entrance: str = "/"
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    folder: Path | None = None
    granted: Granted | None = None

    @property
    def address(self) -> str:
        """What a person would type."""
        return f"{self.origin}{self.entrance}"

    def new_calendar(self) -> str:
        """A new calendar of alice's: its path."""
        path = f"{self.home}calendar-{next(self.numbers)}/"
        body = (
            '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
            "<displayname>Work</displayname></prop></set></C:mkcalendar>"
        )
        answer = self.ask("MKCALENDAR", path, body, Content_Type="application/xml; charset=utf-8")
        assert answer.status_code == 201, (self.name, answer.status_code, answer.text)
        return path

    def ask(
        self, method: str, path: str, body: str = "", user: str = USER, **headers: str
    ) -> requests.Response:
        """What another program of alice's (or somebody else's) would ask."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method,
            f"{self.origin}{path}",
            data=body.encode(),
            headers=given,
            auth=(user, PASSWORD),
            timeout=30,
            allow_redirects=False,
        )


@contextmanager
def folder_for(name: str) -> Iterator[Path]:
    """Where a server keeps its data: in memory where that is possible."""
    quick = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix=f"ilt-{name}-", dir=quick if quick.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def running(command: list[str], folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, told to end at the end."""
    with (folder / "log").open("ab") as log:
        # In a group of its own: Apache, told to end, ends the whole group.
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(server: CalDavServer, path: str, folder: Path) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if server.ask("OPTIONS", path).status_code < 500:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    log = folder / "log"
    raise RuntimeError(f"{server.name} does not answer: {log.read_text()[-2000:] if log.exists() else ''}")


@contextmanager
def radicale(people: Sequence[str] = (USER,)) -> Iterator[CalDavServer]:
    """Radicale, from PyPI, which knows these people."""
    with folder_for("radicale") as folder:
        port = free_port()
        users = folder / "users"
        users.write_text("".join(f"{person}:{PASSWORD}\n" for person in people))
        command = [
            *(sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{port}"),
            *("--auth-type", "htpasswd", "--auth-htpasswd-filename", str(users)),
            *("--auth-htpasswd-encryption", "plain", "--auth-delay", "0"),
            *("--storage-filesystem-folder", str(folder / "data")),
        ]
        server = CalDavServer("radicale", f"http://127.0.0.1:{port}", f"/{USER}/", folder=folder)
        with running(command, folder) as process:
            server.processes.append(process)
            answers(server, "/", folder)
            yield server


@contextmanager
def xandikos() -> Iterator[CalDavServer]:
    """Xandikos, from PyPI. It authenticates over TLS only, so here it takes everybody for alice."""
    with folder_for("xandikos") as folder:
        port = free_port()
        program = shutil.which("xandikos", path=str(Path(sys.executable).parent))
        command = [
            *(program or "xandikos", "serve", "-d", str(folder / "data"), "--defaults"),
            *("--current-user-principal", f"/{USER}/", "-l", "127.0.0.1", "-p", str(port)),
            "--no-detect-systemd",
        ]
        server = CalDavServer("xandikos", f"http://127.0.0.1:{port}", f"/{USER}/calendars/")
        with running(command, folder) as process:
            server.processes.append(process)
            answers(server, "/", folder)
            yield server
