"""Everything stored about one person: shown to them, or forgotten.

Both go by the schema: whichever table has a column ``person`` is part of it, so that a new table cannot be
left out. Tokens are part of it as well, but are never shown, not even sealed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.database import Database
from reconciler.ledger.leases import lock
from reconciler.ledger.tables import audit_log, metadata, serving, token
from reconciler.ledger.tables import connection as connections

FORGOTTEN = "forgotten"
"""What the audit log calls it; the line's person is a keyed hash."""

_UNSHOWN = frozenset({"lease_owner", "lease_until", "lease_epoch"})


class Dossier:
    """The part of the ledger that answers for one person as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def everything_about(self, person: str, fingerprints: Collection[str] = ()) -> Mapping[str, Any]:
        """All that is stored about this person, by table, ready for JSON (instants as text in UTC).

        ``fingerprints`` are keyed hashes of the person; whether they were forgotten before is told by them.
        Empty if nothing is stored.
        """
        found: dict[str, Any] = {}
        with self._database.reading() as transaction:
            for table in _tables():
                rows = transaction.execute(table.select().where(table.c.person == person)).mappings()
                found[table.name] = [_shown(row) for row in rows]
            found["token"] = [
                {"connection_id": number, "content": "encrypted, and shown to nobody"}
                for number in transaction.scalars(
                    sa.select(token.c.connection_id)
                    .join(connections, connections.c.id == token.c.connection_id)
                    .where(connections.c.person == person)
                )
            ]
            before = sa.select(audit_log.c.at).where(
                audit_log.c.person.in_(list(fingerprints)), audit_log.c.what == FORGOTTEN
            )
            found["forgotten_before"] = [_text(at) for at in transaction.scalars(before)]
        return {name: rows for name, rows in found.items() if rows}

    def forget(
        self, person: str, fingerprint: str, who: str, origin: str, now: datetime
    ) -> Mapping[str, int]:
        """Delete all that is stored about a person whose connection has ended; how many rows, by table.

        What the audit log says about them stays, under a keyed hash instead of their id. Whoever is still
        connected is left as they are, and nothing is counted.
        """
        counts: dict[str, int] = {}
        with self._database.writing() as transaction:
            lock(transaction, [person])
            if transaction.scalar(sa.select(connections.c.id).where(connections.c.person == person, serving)):
                return {}
            for table in reversed(_tables()):
                of_person = table.c.person == person
                if table is not audit_log:
                    counts[table.name] = transaction.execute(table.delete().where(of_person)).rowcount
            for column in (audit_log.c.person, audit_log.c.who):
                transaction.execute(
                    audit_log.update().where(column == person).values({column.name: fingerprint})
                )
            gone = {name: count for name, count in counts.items() if count}
            detail = ", ".join(f"{count} of {name}" for name, count in gone.items())
            line = AuditLine(now, who, origin, FORGOTTEN, person=fingerprint, detail=detail)
            write_audit(transaction, line)
        return gone


def _tables() -> list[sa.Table]:
    return [table for table in metadata.sorted_tables if "person" in table.c]


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    return {
        name: _text(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in _UNSHOWN and value is not None
    }


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
