"""What people are told, as the program writes it down: no mail server stands behind it here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.ledger.store import SqlLedger
from reconciler.mail.letter import Letter, Mailbox
from reconciler.mail.smtp import Delivery
from reconciler.model import MailState
from reconciler.ports import Mail, Notice, NoticeKind
from reconciler.post.posting import Posting


class _Nobody:
    """Nothing is sent."""

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        raise AssertionError("nothing is written here")

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        raise AssertionError("nothing is sent here")


POSTING = Posting(_Nobody(), _Nobody(), Mailbox("Training", "training@x.example"))


@dataclass
class Told:
    """The notices found in the outbox so far, in their order; what is lost with a state stays heard."""

    notices: list[Notice] = field(default_factory=list)
    _last: int = 0

    def listen(self, desk: SqlLedger) -> list[Notice]:
        """With what was written down since."""
        for mail in self._letters(desk):
            self._last = mail.id
            self.notices.append(_noticed(mail))
        return self.notices

    def begin_anew(self, desk: SqlLedger) -> None:
        """The state is another one: what is in it was heard before."""
        self._last = 0
        for mail in self._letters(desk):
            self._last = mail.id

    def _letters(self, desk: SqlLedger) -> list[Mail]:
        return [mail for mail in desk.mails(tuple(MailState), 1_000) if mail.id > self._last]


def _noticed(mail: Mail) -> Notice:
    facts = json.loads(mail.body or "{}")
    until = datetime.fromisoformat(facts["until"]) if facts["until"] else None
    kind, name = NoticeKind(mail.kind), mail.once or ""
    return Notice(kind, mail.person, mail.account, mail.session, facts["why"], until, mark=name)
