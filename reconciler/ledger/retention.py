"""What has been kept long enough is deleted, in steps short enough not to keep anybody waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.database import Database
from reconciler.ledger.leases import lock
from reconciler.ledger.tables import (
    audit_log,
    event,
    evidence,
    history,
    outbox,
    person_state,
    serving,
    sighting,
    told,
    used,
)
from reconciler.ledger.tables import connection as connections
from reconciler.model import State
from reconciler.ports import Keeping

STEP = 1000
"""Rows of one transaction."""

_IDS_ALONE = {
    "state": State.GONE.value,
    "seat": None,
    "etag": None,
    "digest_time": "",
    "digest_content": "",
    "digest_form": "",
    "missing_since": None,
    "intent": None,
    "attempts": 0,
    "retry_at": None,
    "last_error": None,
    "answer": None,
    "answer_seat": None,
    "answer_generation": None,
    "missing_confirmed_at": None,
    "grace_until": None,
    "deadline": None,
    "hold_reason": None,
    "held_since": None,
    "put_back": None,
}
"""What is left of a day long past: its key, its generation, and the vendor's ids, which are used for ever."""

_Step = Callable[[sa.Connection], int]


class Retention:
    """The part of the ledger that lets go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def purge(self, keeping: Keeping, now: datetime) -> Mapping[str, int]:
        """Delete what is older than it is kept; how many rows, by kind (:class:`~reconciler.labels.Purged`).

        Can be interrupted at any point, and goes on the next time.
        """
        return {
            "past-days": self._repeat(lambda open: _strip(open, now - keeping.past_days)),
            "ids": self._repeat(lambda open: _delete_days(open, now - keeping.ids)),
            "evidence": self._repeat(lambda open: _delete_old(open, evidence, now - keeping.evidence)),
            "audit-log": self._repeat(lambda open: _delete_old(open, audit_log, now - keeping.audit_log)),
            "history": self._repeat(lambda open: _delete_old(open, history, now - keeping.history)),
            "mail-bodies": self._repeat(lambda open: _empty_mails(open, now - keeping.mail_bodies)),
            "mails": self._repeat(lambda open: _delete_mails(open, now - keeping.past_days)),
            "told": self._repeat(lambda open: _delete_told(open, now - keeping.past_days)),
            "disconnected": self._repeat(lambda open: _delete_ended(open, now - keeping.disconnected)),
            "used": self._repeat(lambda open: _delete_used(open, now - keeping.used)),
        }

    def _repeat(self, step: _Step) -> int:
        total = 0
        while True:
            with self._database.writing() as transaction:
                count = step(transaction)
            total += count
            if count < STEP:
                return total


def _strip(transaction: sa.Connection, before: datetime) -> int:
    fresh = event.c.digest_time != ""
    return _locked(
        transaction,
        sa.and_(event.c.ends < before, fresh, event.c.state != State.UNREGISTERING.value),
        lambda which: transaction.execute(event.update().where(which).values(**_IDS_ALONE)),
    )


def _delete_days(transaction: sa.Connection, before: datetime) -> int:
    return _locked(
        transaction, event.c.ends < before, lambda which: transaction.execute(event.delete().where(which))
    )


def _locked(
    transaction: sa.Connection,
    which: sa.ColumnElement[bool],
    write: Callable[[sa.ColumnElement[bool]], object],
) -> int:
    """Write the next events, once no turn of their people can be under way."""
    keys = (event.c.person, event.c.session, event.c.slot)
    rows = transaction.execute(sa.select(*keys).where(which).limit(STEP)).all()
    if rows:
        lock(transaction, {row.person for row in rows})
        write(sa.and_(which, sa.tuple_(*keys).in_([tuple(row) for row in rows])))
    return len(rows)


def _delete_old(transaction: sa.Connection, table: sa.Table, before: datetime) -> int:
    some = sa.select(table.c.id).where(table.c.at < before).limit(STEP)
    return transaction.execute(table.delete().where(table.c.id.in_(some))).rowcount


def _delete_used(transaction: sa.Connection, before: datetime) -> int:
    some = sa.select(used.c.kind, used.c.id).where(used.c.until < before).limit(STEP)
    return transaction.execute(used.delete().where(sa.tuple_(used.c.kind, used.c.id).in_(some))).rowcount


def _empty_mails(transaction: sa.Connection, before: datetime) -> int:
    """The text of a letter that is gone; that there was one is kept longer."""
    full = sa.select(outbox.c.id).where(outbox.c.ended_at < before, outbox.c.body.is_not(None)).limit(STEP)
    return transaction.execute(
        outbox.update().where(outbox.c.id.in_(full)).values(body=None, address="", effects=[])
    ).rowcount


def _delete_mails(transaction: sa.Connection, before: datetime) -> int:
    some = sa.select(outbox.c.id).where(outbox.c.ended_at < before).limit(STEP)
    return transaction.execute(outbox.delete().where(outbox.c.id.in_(some))).rowcount


def _delete_told(transaction: sa.Connection, before: datetime) -> int:
    keys = (told.c.person, told.c.session, told.c.slot)
    some = sa.select(*keys).where(told.c.ends < before).limit(STEP)
    return transaction.execute(told.delete().where(sa.tuple_(*keys).in_(some))).rowcount


def _delete_ended(transaction: sa.Connection, before: datetime) -> int:
    """Connections that ended long ago; and, of people who have no other, everything that went with them."""
    ended = sa.and_(sa.not_(serving), connections.c.state_since < before)
    rows = transaction.execute(
        sa.select(connections.c.id, connections.c.person).where(ended).limit(STEP)
    ).all()
    people = {row.person for row in rows}
    lock(transaction, people)
    transaction.execute(connections.delete().where(ended, connections.c.id.in_([row.id for row in rows])))
    there = sa.select(connections.c.person).where(connections.c.person.in_(people))
    alone = people - set(transaction.scalars(there))
    _delete_people(transaction, sorted(alone))
    return len(rows)


def _delete_people(transaction: sa.Connection, people: Sequence[str]) -> None:
    for table in (event, sighting, person_state):
        transaction.execute(table.delete().where(table.c.person.in_(people)))
