"""Ports for what the tests start."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_FREE = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections, which might take one before it is used."""


def free_port() -> int:
    """A port of loopback that nobody listens at, drawn so that two tests hardly ever get the same."""
    chance = random.SystemRandom()
    for _ in range(100):
        number = chance.choice(_FREE)
        with suppress(OSError), socket.create_server(("127.0.0.1", number)):
            return number
    raise OSError("no port of loopback is free")
