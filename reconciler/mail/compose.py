"""A letter becomes a message: its words in the person's language, its form as RFC 5322 and 2045 have it."""

from __future__ import annotations

from datetime import datetime

from reconciler.mail.letter import Letter


class Composer:
    """Writes messages."""

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        """The whole message, with CRLF. ``message_id`` is what stands between the angle brackets."""
        raise NotImplementedError

    def check(self) -> list[str]:
        """What is wrong with the texts in use: those of ours never, an operator's perhaps."""
        raise NotImplementedError
