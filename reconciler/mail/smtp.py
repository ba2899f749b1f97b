"""The way out: one SMTP server (RFC 5321), and what became of each message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a message, as far as can be known."""

    SENT = "sent"  # the server has taken it over
    DEFERRED = "deferred"  # it has not, and may later: 4xx, not reached, lost before the message
    REFUSED = "refused"  # it has not, and will not: 5xx
    UNKNOWN = "unknown"  # lost after the message was begun: it may have taken it over


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome, the server's code (0 where it gave none) and its words without addresses."""

    outcome: Outcome
    code: int
    text: str


class Smtp:
    """An SMTP server."""

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        """Hand one message over. Raises nothing: whatever happens is an outcome."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up, if connected."""
