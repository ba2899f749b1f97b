"""Work handed to other processes, and who of several schedulers hands it out: by the database's clock alone.

A broker carries no more than a batch's id. What is to be done, who does it and what came of it stand here,
so that a message that comes twice does no harm, and one that is lost is sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from reconciler.ledger.columns import EPOCH, DatabaseClock
from reconciler.ledger.database import Database, insert_missing
from reconciler.ledger.tables import batch, lead

_SECOND = 1_000_000
_OPEN = batch.c.result.is_(None)


@dataclass(frozen=True, slots=True)
class Batch:
    """Work under way. ``silent``: seconds since it was handed out, or its worker showed life. ``takes``: how
    often a worker has taken it; ``result`` is there once it is done."""

    id: str
    silent: float
    takes: int
    at_work: bool
    result: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Work as a worker finds it; ``again`` where another one has died over it."""

    work: str
    again: bool


@dataclass(frozen=True, slots=True)
class Leader:
    """Who hands out the work, and the version of its program."""

    owner: str
    version: str


class Handing:
    """The part of the ledger through which processes share work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # The scheduler's side -------------------------------------------------------------------------

    def put_batch(self, id: str, run: str, work: str) -> None:
        """Write down work to be done, before anybody is told of it."""
        with self._database.writing() as connection:
            connection.execute(batch.insert().values(id=id, run=run, work=work, sent=DatabaseClock()))

    def batches(self, run: str) -> Sequence[Batch]:
        """How the work of one cycle stands."""
        silent = DatabaseClock() - sa.func.coalesce(batch.c.seen, batch.c.sent)
        columns = batch.c.id, silent, batch.c.takes, batch.c.worker, batch.c.result
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(*columns).where(batch.c.run == run).order_by(batch.c.sent))
            return [
                Batch(id, micros / _SECOND, takes, worker is not None, result)
                for id, micros, takes, worker, result in rows
            ]

    def resend(self, id: str) -> None:
        """It is handed out again, as nobody shows life over it."""
        with self._database.writing() as connection:
            again = batch.update().where(batch.c.id == id, _OPEN)
            connection.execute(again.values(sent=DatabaseClock(), seen=None, worker=None))

    def drop_batches(self, ids: Collection[str]) -> None:
        """Nobody waits for these any more."""
        with self._database.writing() as connection:
            connection.execute(batch.delete().where(batch.c.id.in_(list(ids))))

    def drop_old_batches(self, seconds: float) -> None:
        """Nobody waits for what was handed out so long ago: its scheduler died."""
        with self._database.writing() as connection:
            old = batch.c.sent < DatabaseClock() - round(seconds * _SECOND)
            connection.execute(batch.delete().where(old))

    # The worker's side ----------------------------------------------------------------------------

    def take_batch(self, id: str, worker: str, silence: float) -> Taken | None:
        """Work to be done by this worker; ``None`` if it is done, dropped, or another one is at it and has
        shown life within so many seconds."""
        free = sa.or_(batch.c.worker.is_(None), batch.c.seen < DatabaseClock() - round(silence * _SECOND))
        with self._database.writing() as connection:
            row = connection.execute(
                batch.update()
                .where(batch.c.id == id, _OPEN, free)
                .values(worker=worker, seen=DatabaseClock(), takes=batch.c.takes + 1)
                .returning(batch.c.work, batch.c.takes)
            ).one_or_none()
        return None if row is None else Taken(row.work, row.takes > 1)

    def still_at(self, ids: Collection[str], worker: str) -> None:
        """This worker shows life over these."""
        mine = sa.and_(batch.c.id.in_(list(ids)), batch.c.worker == worker)
        with self._database.writing() as connection:
            connection.execute(batch.update().where(mine).values(seen=DatabaseClock()))

    def end_batch(self, id: str, worker: str, result: str) -> None:
        """This is what came of it, unless it was given to another worker meanwhile."""
        mine = sa.and_(batch.c.id == id, batch.c.worker == worker, _OPEN)
        with self._database.writing() as connection:
            connection.execute(batch.update().where(mine).values(result=result))

    def put_back_batch(self, id: str, worker: str) -> None:
        """This worker stops; another one is to do it."""
        mine = sa.and_(batch.c.id == id, batch.c.worker == worker, _OPEN)
        with self._database.writing() as connection:
            connection.execute(
                batch.update().where(mine).values(worker=None, seen=0, takes=batch.c.takes - 1)
            )

    # Schedulers -----------------------------------------------------------------------------------

    def take_lead(self, owner: str, version: str, seconds: float) -> Leader:
        """Lead for so long, if nobody else does; who leads."""
        with self._database.writing() as connection:
            insert_missing(connection, lead, [{"one": 1, "owner": "", "version": "", "until": 0}])
            free = sa.or_(lead.c.owner == owner, lead.c.until <= DatabaseClock())
            until = DatabaseClock() + round(seconds * _SECOND)
            connection.execute(lead.update().where(free).values(owner=owner, version=version, until=until))
            row = connection.execute(sa.select(lead.c.owner, lead.c.version)).one()
        return Leader(row.owner, row.version)

    def end_lead(self, owner: str) -> None:
        """This one leads no more: it stops, or is known to be dead."""
        with self._database.writing() as connection:
            connection.execute(lead.update().where(lead.c.owner == owner).values(until=0))

    def leader(self) -> Leader | None:
        """Who leads at present; ``None`` for nobody."""
        leading = sa.select(lead.c.owner, lead.c.version).where(lead.c.until > DatabaseClock())
        with self._database.reading() as connection:
            row = connection.execute(leading).one_or_none()
        return None if row is None else Leader(row.owner, row.version)

    def time(self) -> datetime:
        """The instant by the database's clock."""
        with self._database.reading() as connection:
            micros = connection.scalars(sa.select(DatabaseClock())).one()
        return EPOCH + timedelta(microseconds=micros)
