"""A service manager's end of the socket that a service is told of (sd_notify(3))."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0


class Manager:
    """Hears what a service says, line by line, in order."""

    def __init__(self, path: Path, watchdog: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._lines: queue.Queue[str] = queue.Queue()
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(watchdog * 1_000_000))}
        self.heard: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while message := self._socket.recv(65536):
            for line in message.decode().split("\n"):
                self._lines.put(line)

    def hear(self, wanted: Callable[[str], bool]) -> str:
        """The next line of which this is true; ``queue.Empty`` if none comes."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            self.heard.append(line)
            if wanted(line):
                return line

    def is_silent(self, seconds: float, about: str) -> bool:
        """Whether nothing that begins so is said for so long after what was said before."""
        try:
            while not self._lines.get(timeout=seconds).startswith(about):
                pass
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_manager(folder: Path, watchdog: float = 0.0) -> Iterator[Manager]:
    """A manager that wants a sign of life every ``watchdog`` seconds; 0 for none."""
    manager = Manager(folder / "notify", watchdog)
    try:
        yield manager
    finally:
        manager.close()
