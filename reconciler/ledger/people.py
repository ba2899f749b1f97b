"""Everybody we keep a state of, and the switches of their accounts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.columns import Instant
from reconciler.ledger.database import STREAM, Database, chunks, upsert
from reconciler.ledger.rows import columns_of_switches, person_state_of, switches_of
from reconciler.ledger.tables import account, audit_log, not_backed_off, person_state, serving
from reconciler.ledger.tables import connection as connections
from reconciler.model import AccountSwitches, ConnectionState, PersonState
from reconciler.pace import FORTNIGHT, LAPSING, NEAR, Ahead, AuditIntervals

CONNECT_REFUSED = "connect refused"
"""What the audit log calls a consent that came to nothing."""


class People:
    """The part of the ledger that says who there is, who is due, and what their account allows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def switches(self) -> Mapping[str, AccountSwitches]:
        """The switches of every account that has any."""
        with self._database.reading() as connection:
            return {row.account: switches_of(row) for row in connection.execute(_SWITCHES)}

    def set_switches(
        self, switches: AccountSwitches, who: str, now: datetime, origin: str = "command line"
    ) -> None:
        """Store an account's switches, and a line in the audit log saying who changed what."""
        self.change_switches(switches, lambda _: switches, who, now, origin)

    def change_switches(
        self,
        first: AccountSwitches,
        change: Callable[[AccountSwitches], AccountSwitches],
        who: str,
        now: datetime,
        origin: str = "command line",
    ) -> None:
        """The same of those in force as they are by now, whoever has changed them meanwhile; ``first`` are
        those of an account that has none yet."""
        with self._database.writing() as connection:
            row = connection.execute(
                account.select().where(account.c.account == first.account).with_for_update()
            ).one_or_none()
            old = {} if row is None else columns_of_switches(switches_of(row))
            new = columns_of_switches(change(first if row is None else switches_of(row)))
            changes = [f"{name}: {_shown(value)}" for name, value in new.items() if old.get(name) != value]
            upsert(connection, account, [new])
            write_audit(
                connection,
                AuditLine(now, who, origin, "switches", first.account, detail="; ".join(changes)),
            )

    def account_counts(self, account: str) -> Mapping[tuple[str, str], int]:
        """People's connections of one account, by (provider, state)."""
        columns = (connections.c.provider, connections.c.state)
        statement = sa.select(*columns, sa.func.count()).where(connections.c.account == account)
        with self._database.reading() as connection:
            rows = connection.execute(statement.group_by(*columns))
            return {(provider, state): count for provider, state, count in rows}

    def refused_people(self, account: str, since: datetime) -> int:
        """How many people of an account tried to connect since, were refused, and have no calendar now."""
        line = audit_log.c
        served = sa.select(connections.c.person).where(serving)
        statement = sa.select(sa.func.count(line.person.distinct())).where(
            line.account == account,
            line.what == CONNECT_REFUSED,
            line.at >= since,
            line.person.not_in(served),
        )
        with self._database.reading() as connection:
            return connection.scalars(statement).one()

    @contextmanager
    def people(self) -> Iterator[Iterator[PersonState]]:
        """Everybody we keep a state of, streamed in ascending order of person id by code point."""
        statement = _with_connection().order_by(person_state.c.person)
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=STREAM).execute(statement)
            yield map(person_state_of, chain.from_iterable(rows.partitions()))

    def due(
        self, now: datetime, limit: int, provider: str | None = None, audits: AuditIntervals | None = None
    ) -> Sequence[PersonState]:
        """Those with a connection in use whose audit is due and who are not backed off: near sessions first,
        then by how many of their intervals they have waited. Whose baseline would soon lapse counts as near.

        A calendar that nobody maintains any more is not to be looked at; its next push does that.
        """
        statement = _due(audits or AuditIntervals(), one_provider=provider is not None)
        given = {"limit": limit, "lapsing": now - LAPSING, "provider": provider, **_instants(now)}
        with self._database.reading() as connection:
            return [person_state_of(row) for row in connection.execute(statement, given)]

    def audits_waiting(self, before: datetime, now: datetime) -> Mapping[tuple[str, str], int]:
        """Those of whom an audit was due before an instant, by (provider, how far ahead their session is)."""
        given = {"before": before, **_instants(now)}
        with self._database.reading() as connection:
            rows = connection.execute(_waiting(), given)
            return {(provider, ahead): count for provider, ahead, count in rows}

    def states(self, people: Collection[str]) -> Mapping[str, PersonState]:
        """Where these people stand; those we keep no state of are left out."""
        found: dict[str, PersonState] = {}
        with self._database.reading() as connection:
            for some in chunks(people):
                rows = connection.execute(_states(), {"people": some})
                found.update((row.person, person_state_of(row)) for row in rows)
        return found


_IN_USE = connections.c.state.in_([ConnectionState.CONNECTED.value, ConnectionState.SUSPENDED.value])


# What every cycle sends is made once, and sent with values: to build a statement costs more than to send it.
_SWITCHES = account.select()
_NOW, _NEAR, _FORTNIGHT = (sa.bindparam(name, type_=Instant) for name in ("now", "near", "fortnight"))


def _instants(now: datetime) -> dict[str, datetime]:
    return {"now": now, "near": now + NEAR, "fortnight": now + FORTNIGHT}


@cache
def _states() -> sa.Select[Any]:
    return _with_connection().where(person_state.c.person.in_(sa.bindparam("people", expanding=True)))


@lru_cache(maxsize=8)
def _due(audits: AuditIntervals, one_provider: bool) -> sa.Select[Any]:
    state, theirs = person_state.c, [connections.c.provider == sa.bindparam("provider")]
    near = sa.or_(state.next_start <= _NEAR, state.next_audit <= sa.bindparam("lapsing", type_=Instant))
    return (
        _with_connection()
        .where(state.next_audit <= _NOW, not_backed_off(_NOW), _IN_USE, *(theirs if one_provider else []))
        .order_by(near.is_(True).desc(), _waited(audits).desc(), state.person)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _waited(audits: AuditIntervals) -> sa.ColumnElement[int]:
    """How long a look is overdue, in thousandths of the interval that is due by now."""
    start, seconds = person_state.c.next_start, 1_000
    overdue = _NOW.op("-", return_type=sa.BigInteger())(person_state.c.next_audit)
    every = sa.case(
        (start <= _NEAR, int(audits.soon.total_seconds() * seconds)),
        (start <= _FORTNIGHT, int(audits.fortnight.total_seconds() * seconds)),
        else_=int(audits.later.total_seconds() * seconds),
    )
    return overdue.op("/", return_type=sa.BigInteger())(every)


@cache
def _waiting() -> sa.Select[Any]:
    state, has = person_state.c, connections.c
    ahead = sa.case(
        (state.next_start <= _NEAR, sa.literal(Ahead.SOON.value)),
        (state.next_start <= _FORTNIGHT, sa.literal(Ahead.FORTNIGHT.value)),
        else_=sa.literal(Ahead.LATER.value),
    ).label("ahead")
    counted = (
        sa.select(has.provider, ahead)
        .join_from(person_state, connections, sa.and_(has.person == state.person, serving))
        .where(
            state.next_audit < sa.bindparam("before", type_=Instant),
            not_backed_off(_NOW),
            _IN_USE,
        )
        .subquery()
    )
    return sa.select(counted.c.provider, counted.c.ahead, sa.func.count()).group_by(
        counted.c.provider, counted.c.ahead
    )


def _with_connection() -> sa.Select[Any]:
    theirs = sa.and_(connections.c.person == person_state.c.person, serving)
    state, has = person_state.c, connections.c
    return sa.select(
        *(state.person, state.account, state.applied, state.next_audit),
        *(has.provider, has.state, has.baseline_since),
        *(state.retry_at, state.attempts, state.last_error, state.mailed, state.next_start),
    ).join_from(person_state, connections, theirs, isouter=True)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) if len(value) <= 10 else f"{len(value)} of them"
    return str(value).lower()
