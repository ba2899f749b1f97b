"""What vendors' adapters remember of people's calendars between two listings."""

from __future__ import annotations

import sqlalchemy as sa

from reconciler.ledger.database import Database, upsert
from reconciler.ledger.tables import calendar_memory, serving
from reconciler.ledger.tables import connection as connections
from reconciler.model import Connection


class Memories:
    """The part of the ledger that keeps, and never reads, what an adapter wants to have kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, connection: Connection) -> str | None:
        """What was remembered last."""
        statement = sa.select(calendar_memory.c.remembered).where(
            calendar_memory.c.connection_id == connection.id
        )
        with self._database.reading() as transaction:
            return transaction.scalar(statement)

    def remember(self, connection: Connection, text: str) -> None:
        """Remember this instead; nothing if the connection has ended meanwhile."""
        there = sa.select(connections.c.id).where(connections.c.id == connection.id, serving)
        with self._database.writing() as transaction:
            if transaction.scalar(there) is not None:
                row = {"connection_id": connection.id, "person": connection.person, "remembered": text}
                upsert(transaction, calendar_memory, [row])


def forget_calendar(transaction: sa.Connection, connection: Connection) -> None:
    """Nothing is remembered of a connection that ends, or begins anew."""
    transaction.execute(calendar_memory.delete().where(calendar_memory.c.connection_id == connection.id))
