"""An LMS, a state database, a vendor in memory, and a mail server that remembers: for who is mailed what.

The program is the real one, from the LMS to the outbox; what a message is like on the wire is told elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from reconciler.diff.confirm import ConfirmPolicy
from reconciler.diff.plan import Policy
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.store import SqlLedger
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_registrar import ReferenceRegistrar
from reconciler.lms.reference_tables import create_schema
from reconciler.loop import Confirming, Loop
from reconciler.mail.letter import Letter, Mailbox, packed, unpacked
from reconciler.mail.smtp import Delivery, Outcome
from reconciler.model import AccountSwitches, Connection, Invitations, Mode
from reconciler.ports import Run
from reconciler.post.notices import OutboxNotices
from reconciler.post.posting import Posting
from reconciler.providers.memory import MemoryProvider
from reconciler.simulators.lms import SmallLms, When
from reconciler.world import World
from tests.harness.clock import SimulatedClock
from tests.support.here import Here

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
COALESCE = timedelta(minutes=5)
MONDAY = When(datetime(2026, 12, 7, 9), datetime(2026, 12, 7, 17))
TUESDAY = When(datetime(2026, 12, 8, 9), datetime(2026, 12, 8, 17))
TOMORROW = When(datetime(2026, 11, 23, 9), datetime(2026, 11, 23, 17))
SENT = Delivery(Outcome.SENT, 250, "taken over")


class Clock(SimulatedClock):
    """Stands still until it is moved, and is the LMS's clock too."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__(now)


class PlainWriter:
    """The letter itself as the message."""

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        return packed(letter).encode()


@dataclass
class MailServer:
    """Takes everything over and remembers it, unless it was told what to answer next. ``refuses`` are
    addresses that it does not know."""

    taken: list[Letter] = field(default_factory=list)
    answers: list[Delivery | BaseException] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        answer: Delivery | BaseException = self.answers.pop(0) if self.answers else SENT
        if recipient in self.refuses:
            answer = Delivery(Outcome.REFUSED, 550, "no such user")
        if isinstance(answer, BaseException):
            raise answer
        if answer.outcome in (Outcome.SENT, Outcome.UNKNOWN):
            self.taken.append(unpacked(message.decode()))
        return answer


@dataclass
class Postal:
    """Everything. ``seen`` counts what was looked at by :meth:`news`."""

    ledger: SqlLedger
    lms: SmallLms
    loop: Loop
    posting: Posting
    server: MailServer
    clock: Clock
    seen: int = 0

    def mail(self) -> Run:
        """A minute later, a mail cycle."""
        self.clock.now += MINUTE
        return self.loop.mail()

    def later(self, span: timedelta = COALESCE) -> None:
        """A mail cycle, and another once what waits for others is due."""
        self.mail()
        self.clock.now += span
        self.mail()

    def calendars(self) -> None:
        """A minute later, a push and an audit."""
        self.clock.now += MINUTE
        self.loop.push()
        self.loop.audit()

    def news(self) -> list[str]:
        """What has arrived since this was asked last: to whom, and what, in order of both."""
        new = self.server.taken[self.seen :]
        self.seen = len(self.server.taken)
        return sorted(told(letter) for letter in new)

    def begun(self) -> Postal:
        """After the first cycle, which takes everything as known."""
        self.mail()
        assert self.news() == []
        return self

    def newcomer(self, person: str, *sessions: str, role: str = "learner") -> None:
        self.lms.add_person(person, email=f"{person}@x.example")
        for session in sessions:
            self.lms.book(person, session, role)

    def connect(self, person: str) -> Connection:
        grant = Grant(person, "acme", "memory", f"subject-{person}", f"{person}@v.example", "default", person)
        return self.ledger.add_connection(grant, "test", "test", self.clock())

    def switch(self, **changes: Any) -> None:
        known = self.ledger.switches().get("acme") or first_switches("acme")
        self.ledger.set_switches(replace(known, **changes), "test", self.clock())

    def other(self, owner: str = "other") -> Postal:
        """Another process on the same state."""
        loop = replace(self.loop, world=replace(self.loop.world, owner=owner))
        return replace(self, loop=loop)


def told(letter: Letter) -> str:
    """A letter in a line."""
    entry = letter.invite
    what = f" {entry.method} {entry.sequence} {entry.day.starts:%d.%m. %H:%M}" if entry else ""
    return f"{letter.to.address.partition('@')[0]}: {letter.template}{what}"


def first_switches(account: str) -> AccountSwitches:
    return AccountSwitches(account, frozenset({"memory"}), True, Mode.SYNC)


def a_postal(folder: Path, ledger: SqlLedger, clock: Clock | None = None, **posting: Any) -> Postal:
    """Nobody in it yet but an account."""
    clock = clock or Clock()
    engine = sa.create_engine(f"sqlite:///{folder}/lms.db", connect_args={"check_same_thread": False})
    clock.rules(engine)
    create_schema(engine)
    lms, server = SmallLms(engine), MailServer()
    lms.add_account()
    given = {"invitations": Invitations.ALL, "coalesce": COALESCE, **posting}
    way = Posting(PlainWriter(), server, Mailbox("Training", "training@x.example"), **given)
    provider = MemoryProvider()
    world = World(
        lms=ReferenceLms(engine),
        ledger=ledger,
        providers={"memory": provider},
        policy=Policy("test", gives_back=True),
        clock=clock,
        owner="one",
    )
    registrar = ReferenceRegistrar(engine)
    confirming = Confirming(registrar, OutboxNotices(way, clock), ConfirmPolicy())
    loop = Loop(world, Here(), first_switches, confirming=confirming, posting=way)
    return Postal(ledger, lms, loop, way, server, clock)
