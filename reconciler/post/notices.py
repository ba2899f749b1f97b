"""What people are told besides their days, once each: noted when it happens, written when it is sent.

Between the two the world may have gone on: a question that was answered meanwhile is not asked.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.diff.letters import SEVERAL
from reconciler.diff.why import LMS_REFUSED, MayNot
from reconciler.labels import MailWay
from reconciler.mail.letter import Letter, Mailbox, Template
from reconciler.model import (
    Connection,
    ConnectionState,
    Desired,
    HoldReason,
    LedgerEntry,
    Person,
    Role,
    Session,
    State,
)
from reconciler.ports import Clock, Mail, Notice, NoticeKind
from reconciler.post.facts import VENDORS, days_of, person_facts, session_facts, with_sessions
from reconciler.post.planning import new_message_id
from reconciler.post.posting import Posting

LONGEST_WAIT = timedelta(days=3)
"""What could not be told for so long is told no more."""
TOGETHER = timedelta(minutes=1)
"""Questions about several seats of a person within this time are one mail, and so are several days of a
session that are put back."""
_FOLDED = (NoticeKind.QUESTION, NoticeKind.PUT_BACK)


@dataclass(frozen=True)
class OutboxNotices:
    """Notices that go the way of all mail. See :class:`~reconciler.ports.Notices`."""

    posting: Posting
    clock: Clock

    def letters(self, notice: Notice) -> Sequence[Mail]:
        """One, by the name of what it tells: it is written down once for its mark."""
        now = self.clock()
        late = TOGETHER if notice.kind in _FOLDED else timedelta(0)
        facts = {
            "notice": notice.kind.value,
            "why": notice.why,
            "until": notice.until.isoformat() if notice.until else None,
            "vendor": notice.vendor,
            "address": notice.address,
        }
        mail = Mail(
            person=notice.person,
            account=notice.account,
            session=notice.session,
            slot=SEVERAL,
            kind=notice.kind.value,
            way=MailWay.NOTICE.value,
            address="",
            body=json.dumps(facts, ensure_ascii=False),
            created_at=now,
            due_at=now + late,
            message_id=new_message_id(self.posting),
            once=name_of(notice),
            expires_at=notice.until or now + LONGEST_WAIT,
        )
        return (mail,)


def name_of(notice: Notice) -> str:
    """By what one change is told from another of its kind."""
    return f"{notice.kind}:{notice.person}:{notice.session}:{notice.mark or secrets.token_hex(8)}"


def is_bare(mail: Mail) -> bool:
    """Whether it is a notice that has not been written yet."""
    return mail.body is not None and "notice" in json.loads(mail.body)


def goes_with(mail: Mail, other: Mail) -> bool:
    """Whether these two notices, both of one person and waiting, are told in one letter."""
    if mail.id == other.id or mail.kind != other.kind or mail.kind not in _FOLDED or not is_bare(other):
        return False
    return mail.kind == NoticeKind.QUESTION or mail.session == other.session


@dataclass(frozen=True)
class Occasion:
    """What a notice is written from. ``mates`` are those that wait with it and are told in it."""

    desired: Desired
    entries: Sequence[LedgerEntry]
    connection: Connection | None
    session: Callable[[str], Session | None]
    mates: Sequence[Mail]
    now: datetime


class Pointless(Exception):
    """Nobody needs to be told this any more; its text says why."""


class NotYet(Exception):
    """What it tells has not happened yet: it waits as it is."""


def written(mail: Mail, occasion: Occasion, posting: Posting) -> Letter:
    """The letter of a bare notice, as things stand now. Raises :class:`Pointless`, :class:`NotYet`."""
    person = occasion.desired.person
    if person is None or not person.active:
        raise Pointless("the LMS does not know this person any more, or has suspended them")
    if not person.email:
        raise Pointless("the LMS knows no address of this person")
    facts: dict[str, Any] = json.loads(mail.body or "{}")
    kind = NoticeKind(facts["notice"])
    write = _OF_SEATS.get(kind)
    found = write(mail, occasion, posting, facts) if write else _of_connection(kind, occasion, posting, facts)
    return Letter(
        to=Mailbox(person.name, person.email),
        locale=person.locale,
        template=Template(kind.value),
        facts={**person_facts(person, _role(mail, occasion, person)), **found},
    )


def _role(mail: Mail, occasion: Occasion, person: Person) -> Role:
    roles = {one.session.id: one.role for one in occasion.desired.registrations}
    return roles.get(mail.session, Role.LEARNER)


# Seats --------------------------------------------------------------------------------------------


def _session(mail: Mail, occasion: Occasion) -> Session:
    for registration in occasion.desired.registrations:
        if registration.session.id == mail.session:
            return registration.session
    found = occasion.session(mail.session)
    if found is None:
        raise Pointless("the session is gone from the LMS")
    return found


def _about(session: Session) -> dict[str, Any]:
    return {"session": session_facts(session), "days": days_of(session)}


def _deleted(mail: Mail, occasion: Occasion, posting: Posting, facts: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in occasion.entries if row.key.session == mail.session]
    if not any(row.state is State.MISSING and not row.answer for row in rows):
        raise Pointless("the seat is not in question any more")
    url = posting.answer_url(mail.person, mail.session, occasion.now)
    return {**_about(_session(mail, occasion)), "until": facts["until"], "answer_url": url or ""}


def _given_back(mail: Mail, occasion: Occasion, posting: Posting, facts: dict[str, Any]) -> dict[str, Any]:
    return _about(_session(mail, occasion))


_WHY_PUT_BACK: dict[str, str] = {
    MayNot.NEVER: "never",
    MayNot.INSTRUCTOR: "instructor",
    MayNot.NOT_CANCELLABLE: "not-allowed",
    MayNot.TOO_LATE: "too-late",
    MayNot.TOO_NEAR: "too-late",
    f"{LMS_REFUSED}begun": "begun",
    f"{LMS_REFUSED}attended": "attended",
    f"{LMS_REFUSED}cancel-until": "too-late",
    f"{LMS_REFUSED}not-cancellable": "not-allowed",
}
"""What the text knows of each reason; ``refused`` stands for any other of the LMS."""


def _put_back(mail: Mail, occasion: Occasion, posting: Posting, facts: dict[str, Any]) -> dict[str, Any]:
    """Once the event is there again, which a vendor that is down may put off."""
    rows = [row for row in occasion.entries if row.key.session == mail.session]
    if any(_is_coming_back(row, occasion.now) for row in rows):
        raise NotYet
    why = _WHY_PUT_BACK.get(facts["why"], "refused" if facts["why"].startswith(LMS_REFUSED) else "")
    return {**_about(_session(mail, occasion)), "why": why, "contact": posting.contact}


def _is_coming_back(row: LedgerEntry, now: datetime) -> bool:
    if row.state in (State.MISSING, State.HELD):
        return row.ends > now and row.suspicion.put_back != str(row.digest)
    return row.ends > now and row.state is State.PENDING


def _question(mail: Mail, occasion: Occasion, posting: Posting, facts: dict[str, Any]) -> dict[str, Any]:
    """One letter for all seats about which the person is to be asked now."""
    asked = {one.session for one in (mail, *occasion.mates)}
    open_ = {row.key.session for row in occasion.entries if row.key.session in asked and _waits(row)}
    sessions = [one.session for one in occasion.desired.registrations if one.session.id in open_]
    if not sessions:
        raise Pointless("no seat is in question any more")
    only = sessions[0].id if len(sessions) == 1 else None
    url = posting.answer_url(mail.person, only, occasion.now)
    return {"sessions": with_sessions(sessions), "until": facts["until"], "answer_url": url or ""}


def _waits(row: LedgerEntry) -> bool:
    asked = row.suspicion.hold_reason is not HoldReason.FLEET_GUARD
    return row.state is State.HELD and asked and row.answer is None


_OF_SEATS: dict[NoticeKind, Callable[[Mail, Occasion, Posting, dict[str, Any]], dict[str, Any]]] = {
    NoticeKind.DELETED: _deleted,
    NoticeKind.GIVEN_BACK: _given_back,
    NoticeKind.PUT_BACK: _put_back,
    NoticeKind.QUESTION: _question,
}


# Connections --------------------------------------------------------------------------------------


def _of_connection(
    kind: NoticeKind, occasion: Occasion, posting: Posting, facts: dict[str, Any]
) -> dict[str, Any]:
    connection = occasion.connection
    if kind is NoticeKind.REAUTHORIZE and (
        connection is None or connection.state is not ConnectionState.REAUTHORIZE
    ):
        raise Pointless("the calendar was connected again, or disconnected")
    return {
        "vendor": VENDORS.get(facts["vendor"], facts["vendor"]),
        "account": facts["address"],
        "connect_url": posting.pages_url or "",
        "why": facts["why"],
    }
