"""What mail is made with: who writes and carries it, who it is from, how much and how soon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.mail.letter import Letter, Mailbox
from reconciler.mail.smtp import Delivery
from reconciler.model import AccountSwitches, Invitations
from reconciler.ports import MailBaseline


class Writer(Protocol):
    """Turns letters into messages: :class:`~reconciler.mail.compose.Composer`."""

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        """The whole message."""


class Carrier(Protocol):
    """Hands messages over: :class:`~reconciler.mail.smtp.Smtp`."""

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        """Hand one message over; raises nothing."""


@dataclass(frozen=True)
class Posting:
    """How people are mailed. ``answer_url`` makes the link to the page where a person answers for one seat,
    or for all in question; ``pages_url`` is where calendars are connected, ``None`` without pages.
    ``contact`` is whom to ask, where known."""

    writer: Writer
    carrier: Carrier
    sender: Mailbox
    invitations: Invitations = Invitations.ALL
    coalesce: timedelta = timedelta(minutes=5)
    daily_limit: int = 5_000
    answer_url: Callable[[str, str | None, datetime], str | None] = lambda person, session, now: None
    pages_url: str | None = None
    contact: str = ""


@dataclass(frozen=True)
class PostOrder:
    """One mail cycle. ``held``: accounts of which too many sessions have vanished."""

    now: datetime
    lms_since: datetime
    switches: Mapping[str, AccountSwitches]
    baselines: Mapping[str, MailBaseline]
    held: frozenset[str] = field(default_factory=frozenset)
