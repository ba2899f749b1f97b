"""Planning one person's letters: what is intended against what waits, written down in one commit."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.diff.letters import Intended, MailCase
from reconciler.diff.mailing import MailPlan, plan_mail
from reconciler.errors import CycleError, LeaseLost
from reconciler.labels import MailWay
from reconciler.mail.letter import packed
from reconciler.model import Desired, LedgerEntry, MailState, PersonState, Told
from reconciler.ports import MAIL_NOTHING, MAIL_OPEN, Due, Lease, Mail
from reconciler.post.choosing import Outlets, baseline_of
from reconciler.post.facts import letter_of
from reconciler.post.posting import Posting, PostOrder
from reconciler.world import World

log = logging.getLogger(__name__)

LEASE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person stands, as it was read."""

    desired: Desired
    told: Sequence[Told]
    known: Sequence[Mail]
    entries: Sequence[LedgerEntry]
    state: PersonState | None
    expected: str | None


@dataclass(frozen=True)
class Planner:
    """Plans letters. ``outlets`` are those of the order's switches."""

    world: World
    posting: Posting
    order: PostOrder
    outlets: Outlets

    def run(self, due: Sequence[Due]) -> Counter[str]:
        """The letters of these people; what was done, for counting. Raises only what ends the cycle."""
        counts: Counter[str] = Counter()
        ledger, expected = self.world.ledger, {one.person: one.expected for one in due}
        lease = ledger.lease(list(expected), self.world.owner, LEASE_SECONDS)
        try:
            people = [person for person in expected if person in lease]
            counts["taken"] += len(expected) - len(people)
            for standing in self.read(people, expected):
                self.world.gets_on()
                counts += self._contained(lease, standing)
        finally:
            ledger.give_up(lease)
        return counts

    def read(self, people: Sequence[str], expected: dict[str, str | None]) -> list[Standing]:
        """How these people stand: one query each for all of them."""
        ledger = self.world.ledger
        desired = self.world.lms.read(people, self.order.lms_since)
        told, known, entries = ledger.told(people), ledger.letters(people), ledger.entries(people)
        states = ledger.states(people)
        return [
            Standing(desired[one], told[one], known[one], entries[one], states.get(one), expected.get(one))
            for one in people
        ]

    def _contained(self, lease: Lease, standing: Standing) -> Counter[str]:
        person = standing.desired.person_id
        try:
            return self._write_down(lease, standing)
        except CycleError:
            raise
        except LeaseLost:
            return Counter(taken=1)
        except Exception:
            log.exception("unforeseen, contained: mail for person %s, this cycle", person)
            return Counter(exception=1)

    def plan(self, standing: Standing) -> tuple[MailPlan, str]:
        """What one person is to be told, and what stands for it once they are."""
        desired = standing.desired
        person = desired.person
        if person is None:
            return MailPlan(), MAIL_NOTHING
        outlet = self.outlets.of(person.account, person.id, standing.state)
        case = MailCase(
            installation=self.world.policy.installation,
            outlet=outlet,
            invitations=self.posting.invitations,
            address=person.email,
            baseline=baseline_of(self.order.baselines, person.account, person.id),
            mode=self.outlets.mode(person.account),
            may_end=desired.digest == standing.expected,
            held=person.account in self.order.held,
        )
        planned = plan_mail(desired, standing.told, standing.entries, case, self.order.now)
        return planned, self.outlets.mark(outlet, person.account, desired.digest, person.email)

    def _write_down(self, lease: Lease, standing: Standing) -> Counter[str]:
        person, ledger = standing.desired.person_id, self.world.ledger
        planned, mark = self.plan(standing)
        under_way = {mail.session for mail in standing.known if mail.state is MailState.SENDING}
        waiting = {(one.session, one.slot): one for one in standing.known if one.state is MailState.WAITING}
        letters: list[Mail] = []
        for intended in planned.letters:
            if intended.session not in under_way:
                letters += self._instead_of(waiting, self.mail_of(intended, standing))
        drop = [old.id for old in waiting.values() if old.session not in under_way]
        rows = [row for row in planned.rows if row.key.session not in under_way]
        if planned.waiting or under_way:
            mark = MAIL_OPEN
        counts = Counter({"mail planned": len(letters), "mail superseded": len(drop)})
        counts["mail held"] += planned.held
        if not ledger.save_letters(lease, person, rows, letters, drop, mark):
            ledger.save_letters(lease, person, [], [], [], MAIL_OPEN)
            return Counter()
        return counts

    def _instead_of(self, waiting: dict[tuple[str, int], Mail], new: Mail) -> list[Mail]:
        """What has to be written: nothing if the same waits already. The first of several that become one
        says when it is due."""
        old = None if new.once else waiting.pop((new.session, new.slot), None)
        if old is None:
            return [new]
        if _content(old) == _content(new):
            return []
        return [
            replace(
                new,
                id=old.id,
                version=old.version,
                message_id=old.message_id,
                created_at=old.created_at,
                due_at=old.due_at,
                retry_at=old.retry_at,
                attempts=old.attempts,
            )
        ]

    def mail_of(self, intended: Intended, standing: Standing) -> Mail:
        """The letter as it is written down."""
        person, now = standing.desired.person, self.order.now
        assert person is not None
        vendor = standing.state.provider if standing.state and standing.state.provider else ""
        entry = intended.entry
        way = MailWay.NOTICE if entry is None else (MailWay.CANCEL if entry.cancels else MailWay.REQUEST)
        firm = f"withdraw:{entry.uid}:{entry.sequence}" if intended.firm and entry else None
        return Mail(
            person=person.id,
            account=person.account,
            session=intended.session,
            slot=intended.slot,
            kind=intended.kind.value,
            way=way.value,
            address=intended.address,
            body=packed(letter_of(intended, person, self.posting.sender, vendor)),
            created_at=now,
            due_at=now if firm else now + self.posting.coalesce,
            message_id=new_message_id(self.posting),
            once=firm,
            effects=intended.effects,
            expires_at=_last_end(intended, standing.told),
        )


def new_message_id(posting: Posting) -> str:
    """A message id nobody had before (RFC 5322 section 3.6.4); the same at every attempt to send."""
    return f"{secrets.token_hex(16)}@{posting.sender.address.rpartition('@')[2]}"


def _content(mail: Mail) -> tuple[object, ...]:
    return mail.kind, mail.way, mail.address, mail.body, mail.effects, mail.expires_at


def _last_end(intended: Intended, told: Sequence[Told]) -> datetime | None:
    """When nobody needs to be told any more: a day that was moved into the past is still in their calendar
    where they were told that it is."""
    keys = {effect.key for effect in intended.effects}
    days = [effect.day for effect in intended.effects] + ([intended.day] if intended.day else [])
    days += [row.day for row in told if row.key in keys]
    return max((day.end_instant for day in days), default=None)
