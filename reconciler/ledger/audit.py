"""The audit log: who changed what about whom, when and from where. Only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.tables import audit_log

ASKED_TO_LEAVE = "asked to remove events and disconnect"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line. ``who`` is a user of the host, an LMS id, or the program itself; ``origin`` an address or
    "command line"; ``detail`` holds ids and switches, never a name, an address of a person or a secret."""

    at: datetime
    who: str
    origin: str
    what: str
    account: str | None = None
    person: str | None = None
    detail: str = ""


def write_audit(connection: sa.Connection, line: AuditLine) -> None:
    """Add a line in the transaction of what it tells of."""
    connection.execute(
        audit_log.insert().values(
            at=line.at,
            who=line.who,
            origin=line.origin,
            what=line.what,
            account=line.account,
            person=line.person,
            detail=line.detail,
        )
    )


def audit_line_of(row: sa.Row[tuple[object, ...]]) -> AuditLine:
    """One row of ``audit_log``."""
    return AuditLine(row.at, row.who, row.origin, row.what, row.account, row.person, row.detail)
