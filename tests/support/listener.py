"""Asks the operations listener, as a browser, a probe or Prometheus does."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message


@dataclass(frozen=True)
class Shown:
    """What was answered."""

    status: int
    text: str
    headers: Message


@dataclass(frozen=True)
class Listener:
    """The listener at this port of this machine."""

    port: int

    def get(self, path: str, accept: str = "*/*") -> Shown:
        """What it answers to a GET."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return Shown(answer.status, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as refused:
            with refused:
                return Shown(refused.code, refused.read().decode(), refused.headers)
