"""What may be used once: a launch token, a state of OAuth, a link in a mail."""

from __future__ import annotations

import hashlib
from datetime import datetime

from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.database import Database, insert_once
from reconciler.ledger.tables import used


class Once:
    """The part of the ledger that remembers what was used up, and what the pages note besides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, kind: str, id: str, until: datetime, now: datetime) -> bool:
        """Use something up; false if it was used before. ``until``: from when on it is refused anyway.

        Kept is a fingerprint, and only as long as it matters: what is past goes in the same transaction.
        """
        row = {"kind": kind, "id": hashlib.sha256(id.encode()).hexdigest(), "until": until}
        with self._database.writing() as connection:
            connection.execute(used.delete().where(used.c.until < now))
            return insert_once(connection, used, row)

    def note(self, line: AuditLine) -> None:
        """Add a line to the audit log."""
        with self._database.writing() as connection:
            write_audit(connection, line)
