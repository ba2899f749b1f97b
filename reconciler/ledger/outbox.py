"""Letters on their way: written down before they are sent, and what became of each.

A letter found ``sending`` after its sender's time is up has an unknown fate, and is not sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from reconciler.errors import ReconcilerError
from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.columns import DatabaseClock
from reconciler.ledger.database import Database, chunks, upsert
from reconciler.ledger.leases import lock
from reconciler.ledger.mail_rows import columns_of_told, mail_of, told_of
from reconciler.ledger.rows import columns_of_occurrence
from reconciler.ledger.tables import history, outbox, person_state, told
from reconciler.model import MailState, Told, ToldState
from reconciler.ports import MAIL_OPEN, Mail, MailEnd, Occurrence

_SECOND = 1_000_000
_WENT_OUT = [MailState.SENT.value, MailState.UNKNOWN.value, MailState.SENDING.value]
_TROUBLED = (MailState.UNKNOWN, MailState.REFUSED)


class Outbox:
    """The part of the ledger from which letters are sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due_letters(self, now: datetime, own: bool, limit: int, after: int = 0) -> Sequence[Mail]:
        """What waits and is due, by id from ``after`` on: letters of their ``own``, or about days."""
        ready = sa.or_(outbox.c.retry_at.is_(None), outbox.c.retry_at <= now)
        statement = (
            outbox.select()
            .where(outbox.c.state == MailState.WAITING.value, outbox.c.id > after)
            .where(
                outbox.c.due_at <= now, ready, outbox.c.once.is_not(None) if own else outbox.c.once.is_(None)
            )
            .order_by(outbox.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [mail_of(row) for row in connection.execute(statement)]

    def claim(self, mail: Mail, body: str, owner: str, seconds: float, folded: Collection[int] = ()) -> bool:
        """Write down that this letter is being sent now, and its text; false if it is not as it was read.

        Those in ``folded`` are told in it, and not by themselves.
        """
        until = DatabaseClock() + round(seconds * _SECOND)
        with self._database.writing() as connection:
            lock(connection, [mail.person])  # nobody plans for this person meanwhile
            claimed = connection.execute(
                outbox.update()
                .where(_as_read(mail, MailState.WAITING))
                .values(
                    state=MailState.SENDING.value,
                    body=body,
                    address=mail.address,
                    claimed_by=owner,
                    claimed_until=until,
                    attempts=outbox.c.attempts + 1,
                )
            )
            if claimed.rowcount and folded:
                told_here = sa.and_(outbox.c.id.in_(list(folded)), outbox.c.state == MailState.WAITING.value)
                connection.execute(
                    outbox.update()
                    .where(told_here)
                    .values(state=MailState.DROPPED.value, last_error=_told_in(mail), ended_at=mail.due_at)
                )
            return bool(claimed.rowcount)

    def end_letter(self, mail: Mail, end: MailEnd) -> None:
        """What became of a letter: with what counts as told now, and a line of history."""
        with self._database.writing() as connection:
            lock(connection, [mail.person])
            _end(connection, mail, end)

    def lost_letters(self, owners: Collection[str], now: datetime) -> int:
        """Letters that these owners, or anybody whose time is up, were sending: their fate is unknown."""
        over = sa.or_(outbox.c.claimed_by.in_(list(owners)), outbox.c.claimed_until <= DatabaseClock())
        lost = outbox.select().where(outbox.c.state == MailState.SENDING.value, over).order_by(outbox.c.id)
        with self._database.reading() as connection:
            if not connection.execute(lost.limit(1)).first():
                return 0
        end = MailEnd(MailState.UNKNOWN, 0, "we stopped before the server's answer was written down", now)
        with self._database.writing() as connection:
            found = [mail_of(row) for row in connection.execute(lost.with_for_update())]
            for mail in found:
                _end(connection, mail, end)
        return len(found)

    def senders(self) -> Sequence[str]:
        """Whoever is sending something now, or was when they ended."""
        statement = sa.select(outbox.c.claimed_by).where(outbox.c.state == MailState.SENDING.value)
        with self._database.reading() as connection:
            return [owner for owner in connection.scalars(statement.distinct()) if owner]

    def posted(self, names: Collection[str]) -> frozenset[str]:
        """Those of these names of which there is a letter."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for some in chunks(names):
                found.update(connection.scalars(sa.select(outbox.c.once).where(outbox.c.once.in_(some))))
        return frozenset(found)

    # For people -----------------------------------------------------------------------------------

    def mails_since(self, since: datetime) -> int:
        """How many letters about days went out, or may have, since then."""
        of_days = outbox.c.once.is_(None)
        gone = sa.and_(of_days, outbox.c.state.in_(_WENT_OUT), outbox.c.ended_at > since)
        with self._database.reading() as connection:
            counted = sa.select(sa.func.count()).select_from(outbox).where(gone)
            return connection.scalars(counted).one()

    def mail_counts(self) -> Mapping[str, int]:
        """Letters by state."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state))
            return {row.state: row[1] for row in rows}

    def mails(self, states: Collection[MailState], limit: int, person: str | None = None) -> Sequence[Mail]:
        """Letters in these states, of one person or everybody, oldest first."""
        statement = outbox.select().where(outbox.c.state.in_([state.value for state in states]))
        if person is not None:
            statement = statement.where(outbox.c.person == person)
        with self._database.reading() as connection:
            return [mail_of(row) for row in connection.execute(statement.order_by(outbox.c.id).limit(limit))]

    def decide_mail(self, number: int, again: bool, who: str, now: datetime) -> Mail:
        """An operator has a letter of unknown fate, or a refused one, sent again, or leaves it at that.

        Raises ``ReconcilerError`` for any other letter, and for one that must not be sent again because its
        text is gone or something later was told.
        """
        with self._database.writing() as connection:
            row = connection.execute(outbox.select().where(outbox.c.id == number).with_for_update()).first()
            whose = f"mail {number}"
            if row is None or MailState(row.state) not in _TROUBLED:
                raise ReconcilerError("No such letter waits for a decision", whose=whose)
            mail = mail_of(row)
            if again and (mail.body is None or _outdated(connection, mail)):
                raise ReconcilerError("This letter is outdated", whose=whose, next_step="Drop it.")
            state = MailState.WAITING if again else MailState.DROPPED
            new: dict[str, Any] = {"state": state.value, "version": mail.version + 1, "retry_at": None}
            if again:
                # Sent as it is, whatever is planned meanwhile; what it counted for was noted with its end.
                once = mail.once or f"again:{mail.id}:{mail.version}"
                if mail.slot < 0:
                    new["effects"] = []
                new |= {"due_at": now, "expires_at": None, "ended_at": None, "once": once}
            connection.execute(outbox.update().where(outbox.c.id == number).values(**new))
            detail = f"mail {number}, {mail.kind}"
            what = "mail sent again" if again else "mail dropped"
            write_audit(
                connection, AuditLine(now, who, "command line", what, mail.account, mail.person, detail)
            )
        return mail


def _as_read(mail: Mail, state: MailState) -> sa.ColumnElement[bool]:
    return sa.and_(outbox.c.id == mail.id, outbox.c.state == state.value, outbox.c.version == mail.version)


def _end(connection: sa.Connection, mail: Mail, end: MailEnd) -> None:
    """A letter that was marked unknown meanwhile may still turn out to have been sent."""
    open_ = [MailState.WAITING.value, MailState.SENDING.value, MailState.UNKNOWN.value]
    over = end.state is not MailState.WAITING
    changed = connection.execute(
        outbox.update()
        .where(outbox.c.id == mail.id, outbox.c.version == mail.version, outbox.c.state.in_(open_))
        .values(
            state=end.state.value,
            code=end.code,
            last_error=None if end.state is MailState.SENT else end.text,
            retry_at=end.retry_at,
            ended_at=end.at if over else None,
            claimed_by=None,
            claimed_until=None,
        )
    )
    if not changed.rowcount:
        return
    if not over:
        _as_before(connection, mail, end.retry_at)
        _replan(connection, mail.person)
        return
    if end.state is not MailState.DROPPED:
        _count_as_told(connection, mail, end)
    line = Occurrence(end.at, mail.person, mail.session, mail.slot, f"mail {end.state}", _why(mail, end))
    connection.execute(history.insert().values(**columns_of_occurrence(line)))


def _as_before(connection: sa.Connection, mail: Mail, retry_at: datetime | None) -> None:
    """A letter that did not go out is written anew at the next attempt, from how things stand then, and so is
    what was to be told in it."""
    connection.execute(outbox.update().where(outbox.c.id == mail.id).values(body=mail.body))
    connection.execute(
        outbox.update()
        .where(
            outbox.c.person == mail.person,
            outbox.c.state == MailState.DROPPED.value,
            outbox.c.last_error == _told_in(mail),
        )
        .values(
            state=MailState.WAITING.value,
            last_error=None,
            ended_at=None,
            retry_at=retry_at,
            version=outbox.c.version + 1,  # whoever has read it before does not send it now
        )
    )


def _told_in(mail: Mail) -> str:
    return f"told in mail {mail.id}"


def _why(mail: Mail, end: MailEnd) -> str:
    answer = f" ({end.code} {end.text})".replace(" (0 ", " (") if end.text else ""
    return f"{mail.kind}{'' if end.state is MailState.SENT else answer}"


def _count_as_told(connection: sa.Connection, mail: Mail, end: MailEnd) -> None:
    refused = end.state is MailState.REFUSED and mail.way == "request"
    for effect in mail.effects:
        row = connection.execute(_told_row(effect)).first()
        known = told_of(row) if row is not None else None
        if known is not None and known.sequence > effect.sequence:
            continue  # something later was sent
        columns = columns_of_told(effect)
        if refused:
            columns["state"] = ToldState.REFUSED.value
        upsert(connection, told, [columns])


def _outdated(connection: sa.Connection, mail: Mail) -> bool:
    for effect in mail.effects:
        row = connection.execute(_told_row(effect)).first()
        if row is None or row.sequence != effect.sequence or row.uid != effect.uid:
            return True
    return False


def _told_row(one: Told) -> sa.Select[tuple[object, ...]]:
    key = one.key
    return told.select().where(
        told.c.person == key.person, told.c.session == key.session, told.c.slot == key.slot
    )


def _replan(connection: sa.Connection, person: str) -> None:
    connection.execute(person_state.update().where(person_state.c.person == person).values(mailed=MAIL_OPEN))
