"""People's connected calendars: made, parked, given a baseline, ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.database import STREAM, Database, chunks
from reconciler.ledger.leases import lock, prove
from reconciler.ledger.rows import connection_of
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import event, person_state, serving
from reconciler.model import Connection, ConnectionState, State
from reconciler.ports import Lease

_PROVING_NOTHING = {
    "state": State.RELEASED.value,
    "missing_since": None,
    "missing_confirmed_at": None,
    "grace_until": None,
    "hold_reason": None,
    "held_since": None,
    "answer": None,
    "answer_seat": None,
    "answer_generation": None,
}
_RELEASED_BY_BASELINE = [state.value for state in (State.PENDING, State.LIVE, State.MISSING, State.HELD)]

# Made once, for every cycle sends them: to build a statement costs more than to send it.
_THIS = connections.update().where(connections.c.id == sa.bindparam("whose"), serving)
_SERVING = connections.select().where(serving).order_by(connections.c.person)
_SERVING_SOME = _SERVING.where(connections.c.person.in_(sa.bindparam("people", expanding=True)))


class Connections:
    """The part of the ledger that keeps connections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def connections(self, people: Collection[str] | None = None) -> Sequence[Connection]:
        """Connections that are not disconnected, of these people or of everybody, ordered by person."""
        if people is None:
            with self.each_connection() as everybody:
                return list(everybody)
        found: list[Connection] = []
        with self._database.reading() as connection:
            for some in chunks(people):
                found += map(connection_of, connection.execute(_SERVING_SOME, {"people": some}))
        return found

    @contextmanager
    def each_connection(self) -> Iterator[Iterator[Connection]]:
        """The same of everybody, streamed in ascending order of person id by code point."""
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=STREAM).execute(_SERVING)
            yield map(connection_of, rows)

    def begin_baseline(self, lease: Lease, connection: Connection, now: datetime) -> None:
        """Start a new baseline: pending, live, missing and held rows of the person become released, and
        nothing counts as applied any more."""
        person = connection.person
        with self._database.writing() as transaction:
            prove(transaction, lease, person)
            transaction.execute(
                event.update()
                .where(event.c.person == person, event.c.state.in_(_RELEASED_BY_BASELINE))
                .values(**_PROVING_NOTHING, updated_at=now)
            )
            _set_applied_to_nothing(transaction, [person])
            transaction.execute(_row_of(connection).values(baseline_since=now))

    def listed(self, lease: Lease, connection: Connection, now: datetime) -> None:
        """The calendar was listed whole at ``now``."""
        with self._database.writing() as transaction:
            prove(transaction, lease, connection.person)
            transaction.execute(_THIS, {"whose": connection.id, "listed_at": now})

    def set_connection_state(
        self, connection: Connection, state: ConnectionState, why: str, now: datetime
    ) -> None:
        """Park or restore a connection; leaving ``connected`` ends its baseline.

        Only if it still stands as it was read: an answer that comes late parks nothing that its owner has
        connected again meanwhile, and revives nothing that they have disconnected.
        """
        healthy = state is ConnectionState.CONNECTED
        values = {"state": state.value, "state_since": now, "last_error": None if healthy else why}
        with self._database.writing() as transaction:
            # First the person, then the connection: the order of every other transaction.
            lock(transaction, [connection.person])
            changed = transaction.execute(
                _row_of(connection)
                .where(
                    connections.c.state == connection.state.value,
                    connections.c.state_since.is_not_distinct_from(connection.state_since),
                )
                .values(**values, **({} if healthy else {"baseline_since": None}))
            )
            if changed.rowcount:
                _set_applied_to_nothing(transaction, [connection.person])

    def end_baselines(
        self, accounts: Collection[str] | None, people: Collection[str] | None, now: datetime
    ) -> int:
        """Nobody maintains these now: what vanishes meanwhile proves nothing. How many were ended.

        ``None`` restricts nothing. They are due as soon as somebody maintains them again.
        """
        chosen = sa.select(connections.c.person).where(serving, connections.c.baseline_since.is_not(None))
        some = None if people is None else set(people)
        with self._database.writing() as transaction:
            ended = [
                row.person
                for row in transaction.execute(chosen.add_columns(connections.c.account))
                if (accounts is None or row.account in accounts) and (some is None or row.person in some)
            ]
            for chunk in chunks(ended):
                lock(transaction, chunk)
                _set_applied_to_nothing(transaction, chunk)
                # Nobody looks at them either: they would be in the way of those who are looked at.
                transaction.execute(
                    person_state.update().where(person_state.c.person.in_(chunk)).values(next_audit=None)
                )
                transaction.execute(
                    connections.update()
                    .where(serving, connections.c.person.in_(chunk))
                    .values(baseline_since=None)
                )
        return len(ended)


def _row_of(connection: Connection) -> sa.Update:
    return connections.update().where(connections.c.id == connection.id, serving)


def _set_applied_to_nothing(transaction: sa.Connection, people: Sequence[str]) -> None:
    transaction.execute(person_state.update().where(person_state.c.person.in_(people)).values(applied=None))
