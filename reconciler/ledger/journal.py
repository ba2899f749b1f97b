"""What was done, for ``explain`` and ``status``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.audit import ASKED_TO_LEAVE, AuditLine, audit_line_of
from reconciler.ledger.database import Database
from reconciler.ledger.rows import entry_of, occurrence_of, run_of
from reconciler.ledger.tables import audit_log, event, history, refusal, run
from reconciler.ledger.tables import connection as connections
from reconciler.model import Answer, LedgerEntry, Refusal
from reconciler.ports import Occurrence, Run

FAILING = "failing"
RUNS_KEPT = 10_000
"""More than a day's, at four cycles a minute."""

_failed = event.c.attempts > 0

# Made once, for every cycle sends them: to build a statement costs more than to send it.
_NEW_RUN = run.insert()
_OLD_RUNS = run.delete().where(
    run.c.id
    <= sa.select(run.c.id).order_by(run.c.id.desc()).offset(sa.bindparam("kept")).limit(1).scalar_subquery()
)
_STANDING = sa.case((_failed, FAILING), else_=event.c.state).label("standing")
_COUNTS = (
    sa.select(event.c.provider, _STANDING, sa.func.count())
    .where(event.c.ends > sa.bindparam("now"))
    .group_by(event.c.provider, _STANDING)
)
_NO_REFUSALS = refusal.delete()
_CONNECTION_COUNTS = sa.select(connections.c.provider, connections.c.state, sa.func.count()).group_by(
    connections.c.provider, connections.c.state
)


class Journal:
    """The part of the ledger that people read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def history(self, person: str, session: str | None) -> Sequence[Occurrence]:
        """What was done for one person, in one session or all, oldest first."""
        statement = history.select().where(history.c.person == person).order_by(history.c.id)
        if session is not None:
            statement = statement.where(history.c.session == session)
        with self._database.reading() as connection:
            return [occurrence_of(row) for row in connection.execute(statement)]

    def answers(self, person: str, session: str | None) -> Sequence[AuditLine]:
        """What was answered about one person's seats, in one session or all, oldest first."""
        statement = audit_log.select().where(
            audit_log.c.person == person, audit_log.c.what.in_([f"answered {one}" for one in Answer])
        )
        if session is not None:
            statement = statement.where(audit_log.c.detail == f"session {session}")
        with self._database.reading() as connection:
            return [audit_line_of(row) for row in connection.execute(statement.order_by(audit_log.c.id))]

    def asked_to_leave(self, person: str) -> tuple[str, str] | None:
        """Who last asked for a person to be disconnected after their events are removed, and from where."""
        asked = sa.and_(audit_log.c.person == person, audit_log.c.what == ASKED_TO_LEAVE)
        statement = audit_log.select().where(asked).order_by(audit_log.c.id.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(statement).first()
        return (row.who, row.origin) if row is not None else None

    def add_run(self, finished: Run) -> None:
        """Record a finished cycle; the last ten thousand are kept."""
        with self._database.writing() as connection:
            new = {
                "cycle": finished.cycle,
                "started": finished.started,
                "finished": finished.finished,
                "result": finished.result,
                "sentence": finished.sentence,
                "counts": dict(finished.counts),
            }
            connection.execute(_NEW_RUN, new)
            connection.execute(_OLD_RUNS, {"kept": RUNS_KEPT})

    def runs(self, limit: int) -> Sequence[Run]:
        """The last cycles, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(run.select().order_by(run.c.id.desc()).limit(limit))
            return [run_of(row) for row in rows]

    def runs_since(self, since: datetime) -> Sequence[Run]:
        """The cycles that ended after ``since``, oldest first."""
        ended = run.select().where(run.c.finished > since).order_by(run.c.id)
        with self._database.reading() as connection:
            return [run_of(row) for row in connection.execute(ended)]

    def last_whole(self, cycle: str) -> datetime | None:
        """When the last cycle of this kind began that did not end in an error."""
        whole = sa.select(run.c.started).where(run.c.cycle == cycle, run.c.result != "error")
        with self._database.reading() as connection:
            began: datetime | None = connection.scalar(whole.order_by(run.c.id.desc()).limit(1))
        return began

    def counts(self, now: datetime) -> Mapping[tuple[str, str], int]:
        """Events of days that are not over, by (provider, state); a row that has failed since its last
        success counts as ``failing``."""
        with self._database.reading() as connection:
            counted = connection.execute(_COUNTS, {"now": now})
            return {(provider, state): number for provider, state, number in counted}

    def connection_counts(self) -> Mapping[tuple[str, str], int]:
        """People's connections by (provider, state)."""
        with self._database.reading() as connection:
            rows = connection.execute(_CONNECTION_COUNTS)
            return {(provider, state): count for provider, state, count in rows}

    def failing(self, limit: int, now: datetime) -> Sequence[LedgerEntry]:
        """Rows of days that are not over that failed, those that failed most often first: with a back-off,
        that is longest first."""
        statement = (
            event.select()
            .where(_failed, event.c.ends > now)
            .order_by(event.c.attempts.desc(), event.c.person, event.c.session, event.c.slot)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [entry_of(row) for row in connection.execute(statement)]

    def refusals(self) -> Sequence[Refusal]:
        """What the last scan could not make sense of."""
        with self._database.reading() as connection:
            rows = connection.execute(refusal.select().order_by(refusal.c.place))
            return [Refusal(row.what, row.subject, row.why) for row in rows]

    def set_refusals(self, refused: Sequence[Refusal], now: datetime) -> None:
        """Replace what the last scan could not make sense of."""
        rows = [
            {"place": place, "what": each.what, "subject": each.id, "why": each.why, "seen_at": now}
            for place, each in enumerate(refused)
        ]
        with self._database.writing() as connection:
            connection.execute(_NO_REFUSALS)
            if rows:
                connection.execute(refusal.insert(), rows)

    def audit_log(self, limit: int) -> Sequence[AuditLine]:
        """The last lines of the audit log, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(audit_log.select().order_by(audit_log.c.id.desc()).limit(limit))
            return [audit_line_of(row) for row in rows]
