"""What a service tells its manager, over the socket that systemd names (sd_notify(3)).

Where there is no manager to be told, nothing is said and nothing fails.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Tells the manager how the service is. ``environment`` names the socket and the watchdog."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # An address that begins with @ is in the abstract namespace (unix(7)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = environment.get("WATCHDOG_USEC", "0") if meant else "0"
        self.watchdog_seconds = int(micros) / 1_000_000 if micros.isdecimal() else 0.0
        """After how long without :meth:`alive` the manager kills the service; 0 for never."""

    def ready(self, status: str) -> None:
        """Started, or done with reloading."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Begun to reload; :meth:`ready` ends it. The instant tells the manager which of its requests is
        meant."""
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={micros}", "STATUS=reloading")

    def stopping(self) -> None:
        """Begun to stop."""
        self._tell("STOPPING=1", "STATUS=stopping: finishing what is under way")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """The service does its work: the watchdog's time begins anew."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A manager that is restarting, or whose queue is full, must not stop the work.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1)
            out.sendto("\n".join(lines).encode(), self._address)
