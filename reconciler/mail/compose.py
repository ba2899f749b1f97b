"""A letter becomes a message: its words in the person's language, its form as RFC 5322 and 2045 have it.

An entry is in it twice: as an alternative to the text, which is where Outlook and Gmail look for one (the
first part of a multipart/mixed, [MS-STANOICAL] 2.2.168), and as a file, for programs that know files only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.encoders import encode_base64
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
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
_BOUNDARY = "=_{}_of_the_letter_="
"""Cannot occur within: every part is in base64."""
_ON_THE_WIRE = compat32.clone(linesep="\r\n")
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
        recipient = wire_address(letter.to.address)
        headers = {
            "From": _mailbox("From", self._sender.name, self._sender.address),
            "To": _mailbox("To", letter.to.name, recipient) if recipient else "undisclosed:;",
            "Subject": _encoded("Subject", _unencoded(written.subject)),
            "Date": format_datetime(now),
            "Message-ID": f"<{one_line(message_id)}>",
            **({"Reply-To": self._reply_to} if self._reply_to else {}),
            "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation notes in answer
            "X-Auto-Response-Suppress": "All",  # the same to Exchange ([MS-OXCMAIL] 2.1.3.2.14)
            "Content-Language": written.language,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode("utf-8") + _body(written, letter.invite, now).as_bytes(policy=_ON_THE_WIRE)

    def check(self) -> list[str]:
        """What is wrong with an operator's texts, each with its place."""
        return self._texts.check(list(samples()))

    @property
    def languages(self) -> Sequence[str]:
        """The languages that people are written to in."""
        return sorted(self._texts.languages)


def _body(written: Written, invite: Invite | None, now: datetime) -> MIMEMultipart:
    texts = MIMEMultipart("alternative", boundary=_BOUNDARY.format("texts"))
    texts.attach(MIMEText(written.plain, "plain", "utf-8"))
    texts.attach(MIMEText(written.html, "html", "utf-8"))
    if invite is None:
        return texts
    entry = calendar_object(invite, now)
    texts.attach(_of_bytes(entry, "text", "calendar", charset="UTF-8", method=invite.method.value))
    whole = MIMEMultipart("mixed", boundary=_BOUNDARY.format("whole"), _subparts=[texts])
    file = _of_bytes(entry, "application", "ics", name=_FILE)
    file.add_header("Content-Disposition", "attachment", filename=_FILE)
    whole.attach(file)
    return whole


def _of_bytes(content: bytes, kind: str, subtype: str, **parameters: str) -> MIMEBase:
    part = MIMEBase(kind, subtype, policy=None, **parameters)
    part.set_payload(content)
    encode_base64(part)
    return part


def _mailbox(header: str, name: str, address: str) -> str:
    """A name beside an address, encoded or in quotation marks: whatever stands in it stays a name."""
    line = _unencoded(one_line(name))
    shown = "".join(_QUOTED.get(character, character) for character in line)[:_LONGEST_NAME].strip()
    if not shown:
        return address
    return f'"{shown}" <{address}>' if shown.isascii() else f"{_encoded(header, shown)}\r\n <{address}>"


def _encoded(header: str, text: str) -> str:
    """As encoded words where needed (RFC 2047), folded."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=header).encode(linesep="\r\n")


def _unencoded(text: str) -> str:
    """Without what readers would take for an encoded word, and decode into anything."""
    return text.replace("=?", "= ?")
