"""One day's entry as an iCalendar object (RFC 5545) for a message (iTIP, RFC 5546; iMIP, RFC 6047). Pure."""

from __future__ import annotations

from datetime import datetime

from reconciler.mail.letter import Invite


def calendar_object(invite: Invite, stamp: datetime) -> bytes:
    """The object, CRLF and folded. ``stamp`` is the instant at which this message was made."""
    raise NotImplementedError
