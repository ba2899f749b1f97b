"""Connecting and disconnecting a person's calendar, as the pages and the command line do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from reconciler.errors import ConsentProblem, ConsentRefused, ReconcilerError
from reconciler.ledger.audit import ASKED_TO_LEAVE, AuditLine, write_audit
from reconciler.ledger.database import Database, upsert
from reconciler.ledger.leases import new_epoch
from reconciler.ledger.letters import post_within
from reconciler.ledger.memories import forget_calendar
from reconciler.ledger.rows import connection_of
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import event, person_state, serving, token
from reconciler.model import Connection, ConnectionState
from reconciler.ports import Mail

_CONNECTED = connections.c.state == ConnectionState.CONNECTED.value
_ONE_AT_A_TIME = 7_241_960_002  # any number, the same for whoever connects


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person has granted us: one vendor account, by its immutable subject, and a calendar in it.

    ``account`` is the LMS's; ``identity`` is the LMS person's at this moment.
    """

    person: str
    account: str
    provider: str
    subject: str
    address: str
    calendar_id: str
    identity: str
    scopes: tuple[str, ...] = ()


class Enrolment:
    """The part of the ledger that makes and ends connections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_connection(
        self,
        grant: Grant,
        who: str,
        origin: str,
        now: datetime,
        also: Callable[[sa.Connection, Connection], None] | None = None,
        letters: Sequence[Mail] = (),
    ) -> Connection:
        """Connect a person, or connect them again to the same vendor account; the person is due at once.

        The connection begins without a baseline; what was recorded of another account's calendar says
        nothing about this one. ``also`` is done, and the letters that tell it are written down, in the same
        transaction: all happen, or nothing. Raises
        ``ConsentRefused`` for a second connection of a person and for a vendor account that already serves
        somebody else.
        """
        with self._database.writing() as transaction:
            if not self._database.is_sqlite:
                transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            _refuse_second(transaction, grant)
            _make_due(transaction, grant, now)
            if _was_elsewhere(transaction, grant):
                _leave_old_calendar(transaction, grant)
            row = _write(transaction, grant, now)
            forget_calendar(transaction, row)
            _log(transaction, row, AuditLine(now, who, origin, "connected"))
            if also is not None:
                also(transaction, row)
            post_within(transaction, letters)
        return row

    def leave(self, person: str, who: str, origin: str, now: datetime) -> Connection:
        """Have the coming events of a person removed, and then be disconnected: the next turns do it.

        Written with a new epoch, so that a turn under way adds nothing more. Raises ``ReconcilerError``
        unless the person's calendar is connected and well.
        """
        with self._database.writing() as transaction:
            new_epoch(transaction, person)
            leaving = transaction.execute(
                connections.update()
                .where(connections.c.person == person, _CONNECTED)
                .values(state=ConnectionState.LEAVING.value, state_since=now)
                .returning(*connections.c)
            ).one_or_none()
            if leaving is None:
                raise ReconcilerError("No calendar is connected and well", whose=f"person {person}")
            row = connection_of(leaving)
            _log(transaction, row, AuditLine(now, who, origin, ASKED_TO_LEAVE))
        return row

    def disconnect(
        self,
        person: str,
        who: str,
        origin: str,
        now: datetime,
        only: Connection | None = None,
        letters: Sequence[Mail] = (),
    ) -> Connection:
        """End a person's connection (``only`` if it still stands as it was read), destroy its token and write
        down the letters that tell it; its events and ledger stay.

        Raises ``ReconcilerError`` if there is none.
        """
        which = sa.and_(connections.c.person == person, serving)
        if only is not None:
            unchanged = connections.c.state_since.is_not_distinct_from(only.state_since)
            as_read = sa.and_(connections.c.id == only.id, connections.c.state == only.state.value)
            which = sa.and_(which, as_read, unchanged)
        with self._database.writing() as transaction:
            transaction.execute(
                person_state.update()
                .where(person_state.c.person == person)
                .values(applied=None, next_audit=None, retry_at=None, attempts=0, last_error=None)
            )
            ended = transaction.execute(
                connections.update()
                .where(which)
                .values(
                    state=ConnectionState.DISCONNECTED.value,
                    state_since=now,
                    baseline_since=None,
                    last_error=None,
                )
                .returning(*connections.c)
            ).one_or_none()
            if ended is None:
                raise ReconcilerError("No calendar is connected", whose=f"person {person}")
            row = connection_of(ended)
            transaction.execute(token.delete().where(token.c.connection_id == row.id))
            forget_calendar(transaction, row)
            _log(transaction, row, AuditLine(now, who, origin, "disconnected"))
            post_within(transaction, letters)
        return row

    def disconnected(self) -> Sequence[Connection]:
        """Connections that were ended, ordered by person."""
        with self._database.reading() as transaction:
            rows = transaction.execute(
                connections.select().where(sa.not_(serving)).order_by(connections.c.person, connections.c.id)
            )
            return [connection_of(row) for row in rows]


def _refuse_second(transaction: sa.Connection, grant: Grant) -> None:
    of_grant = sa.and_(connections.c.provider == grant.provider, connections.c.subject == grant.subject)
    of_person = connections.c.person == grant.person
    other = transaction.execute(
        sa.select(connections.c.person, connections.c.provider).where(
            serving, sa.or_(of_person, of_grant), sa.not_(sa.and_(of_person, of_grant))
        )
    ).first()
    if other is None:
        return
    if other.person == grant.person:
        raise ConsentRefused(
            f"Another calendar ({other.provider}) is connected already",
            ConsentProblem.ALREADY_CONNECTED,
            whose=f"person {grant.person}",
            next_step="Disconnect it first.",
        )
    raise ConsentRefused(
        f"This {grant.provider} account already serves another person of the LMS (person {other.person})",
        ConsentProblem.ACCOUNT_TAKEN,
        whose=f"person {grant.person}",
        next_step="Use another account, or disconnect that person first.",
    )


def _make_due(transaction: sa.Connection, grant: Grant, now: datetime) -> None:
    state = {"person": grant.person, "account": grant.account, "applied": None, "next_audit": now}
    upsert(transaction, person_state, [{**state, "retry_at": None, "attempts": 0, "last_error": None}])


def _was_elsewhere(transaction: sa.Connection, grant: Grant) -> bool:
    """Whether the person's last connection was to another vendor account."""
    last = transaction.execute(
        sa.select(connections.c.provider, connections.c.subject)
        .where(connections.c.person == grant.person)
        .order_by(connections.c.state_since.desc().nulls_last(), connections.c.id.desc())
    ).first()
    return last is not None and (last.provider, last.subject) != (grant.provider, grant.subject)


def _leave_old_calendar(transaction: sa.Connection, grant: Grant) -> None:
    """Forget by which ids events were known there, and end whatever is still going on there."""
    transaction.execute(
        person_state.update()
        .where(person_state.c.person == grant.person)
        .values(lease_owner=None, lease_until=None, lease_epoch=person_state.c.lease_epoch + 1)
    )
    known_there: dict[str, Any] = {"event_id": None, "calendar_id": None, "etag": None, "doomed": []}
    failures = {"attempts": 0, "retry_at": None, "last_error": None}
    transaction.execute(
        event.update()
        .where(event.c.person == grant.person)
        .values(provider=grant.provider, **known_there, **failures)
    )


def _write(transaction: sa.Connection, grant: Grant, now: datetime) -> Connection:
    values: dict[str, Any] = {
        "person": grant.person,
        "account": grant.account,
        "provider": grant.provider,
        "subject": grant.subject,
        "address": grant.address,
        "calendar_id": grant.calendar_id,
        "identity": grant.identity,
        "scopes": list(grant.scopes),
        "state": ConnectionState.CONNECTED.value,
        "state_since": now,
        "baseline_since": None,
        "listed_at": None,
        "last_error": None,
    }
    again = transaction.execute(
        connections.update()
        .where(
            connections.c.person == grant.person,
            connections.c.provider == grant.provider,
            connections.c.subject == grant.subject,
        )
        .values(**values)
        .returning(*connections.c)
    ).one_or_none()
    if again is None:
        again = transaction.execute(connections.insert().values(**values).returning(*connections.c)).one()
    return connection_of(again)


def _log(transaction: sa.Connection, row: Connection, line: AuditLine) -> None:
    detail = f"connection {row.id} {row.provider}"
    write_audit(
        transaction,
        AuditLine(line.at, line.who, line.origin, line.what, row.account, row.person, detail),
    )
