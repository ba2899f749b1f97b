"""A letter becomes a message: its words in the person's language, its form as RFC 5322 and 2045 have it.

An entry is in it twice: as an alternative to the text, which is where Outlook and Gmail look for one (the
first part of a multipart/mixed, [MS-STANOICAL] 2.2.168), and as a file, for programs that know files only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from reconciler.cleaning import one_line
from reconciler.mail.addresses import wire_address
from reconciler.mail.invites import calendar_object
from reconciler.mail.letter import Invite, Letter, Mailbox
from reconciler.mail.samples import samples
from reconciler.mail.texts import Texts, Written

_LONGEST_NAME = 80
_FILE = "invite.ics"
_UTF8 = SMTP.clone(utf8=True)
_QUOTED = {'"': "'", "\\": "/"}


class Composer:
    """Writes messages. ``own`` is a folder with an operator's texts; ``language`` is for those whose own is
    unknown. Raises for nothing that a letter may hold."""

    def __init__(
        self,
        sender: Mailbox,
        *,
        reply_to: str | None = None,
        own: Path | None = None,
        language: str = "en",
    ) -> None:
        self._sender = sender
        self._reply_to = reply_to
        self._texts = Texts(own, language, sender.name)

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        """The whole message, with CRLF. ``message_id`` is what stands between the angle brackets."""
        written = self._texts.write(letter)
        recipient = wire_address(letter.to.address) or "undisclosed"
        policy = SMTP if recipient.isascii() else _UTF8
        message = EmailMessage(policy)
        message["From"] = _mailbox(self._sender.name, self._sender.address)
        message["To"] = _mailbox(letter.to.name, recipient) if "@" in recipient else "undisclosed:;"
        message["Subject"] = _unencoded(written.subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{one_line(message_id)}>"
        if self._reply_to:
            message["Reply-To"] = self._reply_to
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes in answer
        message["X-Auto-Response-Suppress"] = "All"  # the same to Exchange ([MS-OXCMAIL] 2.1.3.2.14)
        _fill(message, written, letter.invite, now)
        message["Content-Language"] = written.language  # before, it would go to the first part
        return message.as_bytes()

    def check(self) -> list[str]:
        """What is wrong with an operator's texts, each with its place."""
        return self._texts.check(list(samples()))

    @property
    def languages(self) -> Sequence[str]:
        """The languages that people are written to in."""
        return sorted(self._texts.languages)


def _fill(message: EmailMessage, written: Written, invite: Invite | None, now: datetime) -> None:
    message.set_content(written.plain, cte="base64")
    message.add_alternative(written.html, subtype="html", cte="base64")
    if invite is None:
        return
    entry = calendar_object(invite, now)
    parameters = {"method": invite.method.value, "charset": "UTF-8"}
    message.add_alternative(entry, maintype="text", subtype="calendar", params=parameters)
    message.add_attachment(entry, maintype="application", subtype="ics", filename=_FILE)


def _mailbox(name: str, address: str) -> str:
    """A name beside an address, always in quotation marks: whatever stands in it stays a name."""
    line = _unencoded(one_line(name))
    shown = "".join(_QUOTED.get(character, character) for character in line)[:_LONGEST_NAME]
    return f'"{shown.strip()}" <{address}>' if shown.strip() else address


def _unencoded(text: str) -> str:
    """Without what :mod:`email` would take for an encoded word (RFC 2047), and decode into anything."""
    return text.replace("=?", "= ?")
