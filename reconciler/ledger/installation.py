"""Which installation this state belongs to, and whether it is still the state we left.

A state database that was restored from last week's backup looks healthy and is wrong. So a counter is kept
twice: in the database and, a moment later, in a file beside the service. A crash between the two leaves
the database ahead, which is in step; a database behind the file has been restored.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from reconciler.errors import StateUnreadable
from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.database import Database, insert_missing
from reconciler.ledger.tables import installation
from reconciler.ports import Installation

# Made once, for every cycle sends them: to build a statement costs more than to send it.
_SELECT = installation.select()
_BEATING = installation.update().values(heartbeat=sa.bindparam("at"))
_COUNTER, _WITNESSED = installation.c.restore_counter, sa.bindparam("witnessed", type_=sa.Integer)
_COUNTING_ON = installation.update().values(
    restore_counter=sa.case((_COUNTER < _WITNESSED, _WITNESSED), else_=_COUNTER) + 1
)


class Witness(StrEnum):
    """What the file beside the service says about the state database."""

    NEW = "new"  # neither has ever counted
    IN_STEP = "in step"
    RESTORED = "restored"  # or lost, or moved here: nothing that vanished proves anything


class InstallationRecord:
    """The part of the ledger that knows whose it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def installation(self) -> Installation | None:
        """The installation this state was last adopted by; ``None`` before the first."""
        row = self._row()
        if row is None or row.id is None:
            return None
        return Installation(row.id, row.lms_address, row.public_address)

    def adopt_installation(self, adopted: Installation, who: str, origin: str, now: datetime) -> None:
        """From now on this state belongs to this installation."""
        with self._database.writing() as connection:
            _begin(connection)
            addresses = {"lms_address": adopted.lms_address, "public_address": adopted.public_address}
            connection.execute(installation.update().values(id=adopted.id, **addresses))
            detail = f"{adopted.id}, LMS {adopted.lms_address}, public {adopted.public_address}"
            write_audit(connection, AuditLine(now, who, origin, "installation adopted", detail=detail))

    def heartbeat(self, now: datetime) -> None:
        """Somebody maintains the calendars at ``now``."""
        with self._database.writing() as connection:
            _begin(connection)
            connection.execute(_BEATING, {"at": now})

    def last_heartbeat(self) -> datetime | None:
        """When somebody last maintained the calendars."""
        row = self._row()
        return None if row is None else row.heartbeat

    def witness_check(self, file: Path) -> Witness:
        """Whether this state is the one this service left. Changes nothing."""
        # The file first: whoever counts meanwhile counts in the database first.
        witnessed = _read_witness(file)
        row = self._row()
        counter = 0 if row is None else row.restore_counter
        if counter == 0 and witnessed is None:
            return Witness.NEW
        if witnessed is None or counter < witnessed:
            return Witness.RESTORED
        return Witness.IN_STEP

    def witness_step(self, file: Path) -> None:
        """Count on in the database and, once that is committed, in the file: both are in step after it.

        Raises ``StateUnreadable`` if either cannot be written.
        """
        witnessed = _read_witness(file) or 0
        with self._database.writing() as connection:
            _begin(connection)
            connection.execute(_COUNTING_ON, {"witnessed": witnessed})
            new = connection.execute(_SELECT).one().restore_counter
        _write_witness(file, new)

    def witness_join(self, file: Path) -> None:
        """Let the file bear witness of the state that another scheduler maintains, while this one stands by.

        A state that is behind it was restored meanwhile, and stays so for whoever takes the lead.
        """
        row, witnessed = self._row(), _read_witness(file)
        if row is not None and (witnessed is None or witnessed < row.restore_counter):
            _write_witness(file, row.restore_counter)

    def _row(self) -> sa.Row[tuple[object, ...]] | None:
        with self._database.reading() as connection:
            return connection.execute(_SELECT).one_or_none()


def _begin(connection: sa.Connection) -> None:
    """There is one row, from the first change on."""
    insert_missing(connection, installation, [{"one": 1}])


def _read_witness(file: Path) -> int | None:
    """The counter in the file; ``None`` if there is no file, or nothing in it that could be a counter."""
    try:
        return int(file.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise _unusable(file, error) from None


def _write_witness(file: Path, counter: int) -> None:
    beside = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with beside.open("w", encoding="ascii") as writing:
            writing.write(f"{counter}\n")
            writing.flush()
            os.fsync(writing.fileno())
        beside.replace(file)
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(file: Path, error: OSError) -> StateUnreadable:
    return StateUnreadable(
        f"The witness of the state database cannot be used: {error.strerror}",
        whose=str(file),
        next_step="Let the user the program runs as read and write it and its directory.",
    )
