"""People for whom nothing is to be done: whose grant would die of disuse, and who are gone from the LMS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.database import Database, chunks
from reconciler.ledger.rows import connection_of
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import event, person_state, serving
from reconciler.model import Connection, ConnectionState, State

_IN_USE = connections.c.state.in_([ConnectionState.CONNECTED.value, ConnectionState.SUSPENDED.value])
_PERHAPS_PRESENT = [
    state.value for state in State if state not in (State.NONE, State.GONE, State.UNREGISTERED)
]


class Idleness:
    """The part of the ledger that knows who is idle."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def idle(self, before: datetime, limit: int) -> Sequence[Connection]:
        """Connections in use whose vendor was last asked for anything before then, longest idle first."""
        has = connections.c
        untouched = [
            sa.or_(at.is_(None), at < before) for at in (has.listed_at, has.refreshed_at, has.state_since)
        ]
        statement = (
            connections.select()
            .where(_IN_USE, *untouched)
            .order_by(sa.func.coalesce(has.refreshed_at, 0), has.id)
            .limit(limit)
        )
        with self._database.reading() as transaction:
            return [connection_of(row) for row in transaction.execute(statement)]

    def refreshed(self, connection: Connection, now: datetime) -> None:
        """The connection's grant was used at ``now``."""
        with self._database.writing() as transaction:
            transaction.execute(
                connections.update().where(connections.c.id == connection.id).values(refreshed_at=now)
            )

    def unoccupied(self, now: datetime) -> Sequence[Connection]:
        """Connections of people who have no event of ours still to come, ordered by person."""
        ahead = sa.exists().where(
            event.c.person == connections.c.person,
            event.c.ends > now,
            event.c.state.in_(_PERHAPS_PRESENT),
        )
        statement = connections.select().where(serving, ~ahead).order_by(connections.c.person)
        with self._database.reading() as transaction:
            return [connection_of(row) for row in transaction.execute(statement)]

    def gone(self, people: Collection[str], now: datetime) -> Mapping[str, datetime]:
        """Record that these people, and no others, are gone from the LMS now; since when each is."""
        with self._database.writing() as transaction:
            state = person_state.c
            known = sa.select(state.person, state.gone_since).where(state.gone_since.is_not(None))
            recorded = {row.person: row.gone_since for row in transaction.execute(known)}
            _set(transaction, recorded.keys() - set(people), None)
            _set(transaction, set(people) - recorded.keys(), now)
            return {person: recorded.get(person) or now for person in people}


def _set(transaction: sa.Connection, people: Collection[str], since: datetime | None) -> None:
    for some in chunks(people):
        transaction.execute(
            person_state.update().where(person_state.c.person.in_(some)).values(gone_since=since)
        )
