"""Sending what is due: each letter is written down as being sent before the server is talked to, and what
became of it after. What a crash leaves in between has an unknown fate, and is not sent again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.errors import CycleError
from reconciler.mail.letter import Letter, packed, unpacked
from reconciler.mail.smtp import Outcome
from reconciler.model import Connection, Desired, LedgerEntry, MailState, Mode
from reconciler.ports import Mail, MailEnd
from reconciler.post.choosing import Outlets
from reconciler.post.notices import NotYet, Occasion, Pointless, goes_with, is_bare, written
from reconciler.post.posting import Posting, PostOrder
from reconciler.world import World

log = logging.getLogger(__name__)

BATCH = 100
CLAIM_SECONDS = 900.0
"""Longer than any server may take for one message; whoever takes longer is dead."""
LONGEST_BACK_OFF = timedelta(hours=1)
MOST_UNREACHED = 3
"""After so many letters in a row for which the server could not be reached, the others wait too."""
_DAY = timedelta(days=1)
_STATES = {
    Outcome.SENT: MailState.SENT,
    Outcome.DEFERRED: MailState.WAITING,
    Outcome.REFUSED: MailState.REFUSED,
    Outcome.UNKNOWN: MailState.UNKNOWN,
}


@dataclass
class Sender:
    """One cycle's sending. ``counts`` is what came of it."""

    world: World
    posting: Posting
    order: PostOrder
    outlets: Outlets
    counts: Counter[str] = field(default_factory=Counter)
    unreached: int = 0

    def run(self) -> Counter[str]:
        """Send what is due, notices first. Raises only what ends the cycle."""
        # Whatever this process was sending when its last cycle ended, it is sending no more.
        self.counts["mail unknown"] += self.world.ledger.lost_letters((self.world.owner,), self.order.now)
        self._send_all(own=True, most=None)
        self._send_all(own=False, most=self.left_today())
        return self.counts

    def left_today(self) -> int:
        """How many more letters about days may go out."""
        gone = self.world.ledger.mails_since(self.order.now - _DAY)
        return max(0, self.posting.daily_limit - gone)

    def _send_all(self, own: bool, most: int | None) -> None:
        ledger, after, left = self.world.ledger, 0, most
        while self.unreached < MOST_UNREACHED:
            batch = ledger.due_letters(self.order.now, own, BATCH, after)
            if not batch:
                return
            after = batch[-1].id
            occasions = self._occasions(batch)
            for mail in batch:
                self.world.gets_on()
                if left == 0:
                    self.counts["mail over the limit"] += 1
                elif self._allowed(mail) and self.unreached < MOST_UNREACHED:
                    went = self._contained(mail, occasions.get(mail.id))
                    left = left - went if left is not None else None

    def _allowed(self, mail: Mail) -> bool:
        """Whether mail goes out in this account now. What waits for a pause to end waits; what nobody wants
        any more, or comes too late, is dropped."""
        own = self.order.switches.get(mail.account)
        if own is None or self.outlets.mode(mail.account) is Mode.OBSERVE:
            return False
        if not own.email_notifications:
            self._drop(mail, "the account's e-mail notifications are off")
        elif mail.expires_at is not None and mail.expires_at <= self.order.now:
            self._drop(mail, "too late")
        else:
            return True
        return False

    def _drop(self, mail: Mail, why: str) -> None:
        self.world.ledger.end_letter(mail, MailEnd(MailState.DROPPED, 0, why, self.order.now))
        self._count(mail, "dropped")

    def _count(self, mail: Mail, result: str) -> None:
        self.counts[f"mail {result}"] += 1
        self.world.metrics.mail(mail.way, result)

    # Writing --------------------------------------------------------------------------------------

    def _occasions(self, batch: Sequence[Mail]) -> Mapping[int, Occasion]:
        """What the bare notices among these are written from, read together."""
        bare = [mail for mail in batch if is_bare(mail)]
        people = sorted({mail.person for mail in bare})
        if not people:
            return {}
        ledger = self.world.ledger
        desired = self.world.lms.read(people, self.order.lms_since)
        entries = ledger.entries(people)
        connections = {one.person: one for one in ledger.connections(people)}
        return {mail.id: self._occasion(mail, desired, entries, connections) for mail in bare}

    def _occasion(
        self,
        mail: Mail,
        desired: Mapping[str, Desired],
        entries: Mapping[str, Sequence[LedgerEntry]],
        connections: Mapping[str, Connection],
    ) -> Occasion:
        mates: list[Mail] = []
        if is_bare(mail):
            waiting = self.world.ledger.mails((MailState.WAITING,), BATCH, mail.person)
            mates = [one for one in waiting if goes_with(mail, one)]
        person = mail.person
        return Occasion(
            desired[person],
            entries[person],
            connections.get(person),
            self.world.lms.session,
            mates,
            self.order.now,
        )

    def _contained(self, mail: Mail, occasion: Occasion | None) -> int:
        """One letter, whatever happens; 1 if it went out, or may have."""
        try:
            letter = written(mail, occasion, self.posting) if occasion else unpacked(mail.body or "")
            message = self.posting.writer.compose(letter, mail.message_id, self.order.now)
        except CycleError:
            raise
        except Pointless as why:
            self._drop(mail, str(why))
            return 0
        except NotYet:
            return 0  # due again in the next cycle
        except Exception as problem:
            log.exception("unforeseen, contained: mail %d for person %s", mail.id, mail.person)
            self._later(mail, f"it could not be written: {type(problem).__name__}", 0)
            self.counts["exception"] += 1
            return 0
        return self._hand_over(mail, letter, message, [one.id for one in occasion.mates] if occasion else [])

    # Sending --------------------------------------------------------------------------------------

    def _hand_over(self, mail: Mail, letter: Letter, message: bytes, folded: Sequence[int]) -> int:
        world, posting = self.world, self.posting
        mail = replace(mail, address=letter.to.address)
        if not world.ledger.claim(mail, packed(letter), world.owner, CLAIM_SECONDS, folded):
            return 0  # another process has it, or it was told in another letter
        delivery = posting.carrier.send(posting.sender.address, mail.address, message)
        if delivery.outcome is Outcome.DEFERRED:
            self.unreached = self.unreached + 1 if delivery.code == 0 else 0
            self.counts["mail unreached"] += delivery.code == 0
            self._later(mail, delivery.text, delivery.code)
            return 0
        self.unreached = 0
        end = MailEnd(_STATES[delivery.outcome], delivery.code, delivery.text, self._now())
        world.ledger.end_letter(mail, end)
        self._count(mail, delivery.outcome.value)
        return 1

    def _now(self) -> datetime:
        return self.world.clock()

    def _later(self, mail: Mail, why: str, code: int) -> None:
        wait = min(timedelta(minutes=2 ** min(mail.attempts, 10)), LONGEST_BACK_OFF)
        end = MailEnd(MailState.WAITING, code, why, self.order.now, self.order.now + wait)
        self.world.ledger.end_letter(mail, end)
        self._count(mail, "deferred")
