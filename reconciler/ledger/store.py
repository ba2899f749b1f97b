"""Our state database as the rest of the program sees it: everything ``ports.Ledger`` asks for, and what
the command line and the pages need besides."""

from __future__ import annotations

from reconciler.ledger.connections import Connections
from reconciler.ledger.database import Database, open_database
from reconciler.ledger.dossier import Dossier
from reconciler.ledger.enrolment import Enrolment
from reconciler.ledger.handing import Handing
from reconciler.ledger.idleness import Idleness
from reconciler.ledger.installation import InstallationRecord
from reconciler.ledger.journal import Journal
from reconciler.ledger.leases import Leases
from reconciler.ledger.letters import Letters
from reconciler.ledger.memories import Memories
from reconciler.ledger.once import Once
from reconciler.ledger.outbox import Outbox
from reconciler.ledger.people import People
from reconciler.ledger.rails import Rails
from reconciler.ledger.retention import Retention
from reconciler.ledger.suspects import Suspects
from reconciler.ledger.turns import Turns
from reconciler.ledger.upgrade import check_schema


class SqlLedger(
    People,
    Leases,
    Turns,
    Connections,
    Enrolment,
    Rails,
    Suspects,
    Journal,
    Letters,
    Outbox,
    Once,
    Memories,
    Idleness,
    Retention,
    Dossier,
    InstallationRecord,
    Handing,
):
    """The ledger on SQLite or PostgreSQL. Used by any number of threads and processes at once.

    Every method is one transaction, or none; each raises ``StateUnreadable`` when the database fails.
    """

    @property
    def database(self) -> Database:
        """The database itself, which the token store shares."""
        return self._database

    def close(self) -> None:
        """Close its connections to the database."""
        self._database.close()


def open_ledger(url: str, password: str | None = None, pool_size: int = 20) -> SqlLedger:
    """The ledger at ``sqlite:///path`` or ``postgresql://user@host/name``.

    Raises ``ConfigurationError`` for another URL, ``StateUnreadable`` if the database cannot be reached,
    ``StateUnfit`` if it has not the schema this program knows, saying what to do.
    """
    database = open_database(url, password, pool_size)
    try:
        check_schema(database)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)
