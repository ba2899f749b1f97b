"""How mail stands, for ``status``: what waits, and which letters wait for an operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.model import MailState
from reconciler.ports import Ledger, Mail

SHOWN = 10
_TROUBLED = (MailState.UNKNOWN, MailState.REFUSED)
_WORDS = {
    MailState.WAITING: "waiting",
    MailState.SENDING: "being sent",
    MailState.SENT: "sent",
    MailState.UNKNOWN: "of unknown fate",
    MailState.REFUSED: "refused",
    MailState.DROPPED: "dropped",
}


@dataclass(frozen=True)
class Mails:
    """``configured``: whether anybody is mailed at all. ``troubled`` are letters an operator should see:
    their text is still kept."""

    configured: bool
    counts: Mapping[str, int]
    troubled: tuple[Mail, ...]


def mails_of(ledger: Ledger, configured: bool) -> Mails:
    """Read how mail stands."""
    troubled = [one for one in ledger.mails(_TROUBLED, 1000) if one.body is not None]
    return Mails(configured, ledger.mail_counts(), tuple(troubled))


def mail_lines(mails: Mails) -> Iterator[str]:
    """For a terminal."""
    if not mails.configured:
        yield (
            "Mail is not configured: people without a calendar are told nothing, and nobody is told that a "
            "seat is about to be given back."
        )
    told = [f"{mails.counts[state]} {words}" for state, words in _WORDS.items() if mails.counts.get(state)]
    if told:
        yield f"Mails: {', '.join(told)}"
    for state, words in ((one, _WORDS[one]) for one in _TROUBLED):
        lines = [mail_line(one) for one in mails.troubled if one.state is state]
        if lines:
            yield f"Mails {words}: {len(lines)}. Send again or leave it: `reconciler mail retry|drop NUMBER`."
            yield from (f"  {line}" for line in lines[:SHOWN])


def mail_line(mail: Mail) -> str:
    """One letter in a line: ids and codes, no address and no title."""
    about = f", session {mail.session}" if mail.session else ""
    code = f"{mail.code} " if mail.code else ""
    why = f": {code}{mail.last_error}" if mail.last_error else ""
    at = mail.ended_at or mail.created_at
    return f"{mail.id} person {mail.person}{about}: {mail.kind}, {mail.state} {at:%Y-%m-%d %H:%M}Z{why}"
