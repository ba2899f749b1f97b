"""Giving a seat back in Moodle's tables by hand, for sites on whose host nothing of ours may run.

It writes the two things that the tables need and nothing that the plugin does besides; see :data:`SKIPS`.
Never chosen by itself: the settings have a switch for it that says so.

Rights needed besides reading: ``UPDATE`` on ``facetoface_signups`` (for the lock alone), ``INSERT`` and
``UPDATE`` on ``facetoface_signups_status`` (PostgreSQL: ``USAGE`` on its sequence), ``DELETE`` on ``event``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle import MoodleLms
from reconciler.lms.reading import Reading, Selection, whole_number
from reconciler.lms.verdicts import ALREADY, ATTENDED, OTHER_SEAT, done, lost, on_session, on_time, refused
from reconciler.lms.writing import carry_out, clock, clock_of, read_only
from reconciler.model import Session
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration

SKIPS = (
    "Nobody moves up from the waiting list until a member of staff saves the session; neither the learner "
    "nor a manager gets Moodle's cancellation mail; no event is triggered, so other plugins and the log do "
    "not know of it."
)
"""What giving a seat back this way leaves undone."""

_COLUMNS: dict[str, list[str]] = {
    "facetoface_signups": ["id", "sessionid", "userid", "mailedreminder"],
    "facetoface_signups_status": [
        "id",
        "signupid",
        "statuscode",
        "superceded",
        "note",
        "createdby",
        "timecreated",
    ],
    "facetoface_sessions": ["id", "facetoface"],
    "event": ["modulename", "instance", "courseid", "userid", "uuid"],
}
_CANCELLED, _BOOKED, _TAUGHT = 10, 70, 80
_History = dict[int, list[sa.Row[Any]]]
"""Each sign-up's status rows, oldest first."""


class _Reader(MoodleLms):
    """Reads in a transaction that somebody else has begun."""

    def reading(self, connection: Connection) -> Reading:
        return self._open(connection)


class MoodleRawSql:
    """See :class:`~reconciler.ports.Registrar`. A seat is the id of a sign-up's status row.

    ``engine`` comes from :func:`~reconciler.lms.writing.write_engine`; ``prefix`` and ``time_zone`` are those
    of the reading adapter.
    """

    def __init__(self, engine: Engine, *, prefix: str = "mdl_", time_zone: str | None = None) -> None:
        self._engine = engine
        self._reader = _Reader(engine, prefix=prefix, time_zone=time_zone)
        self.address = self._reader.address
        self._signups, self._statuses, self._sessions, self._events = (
            sa.table(f"{prefix}{name}", *map(sa.column, columns)) for name, columns in _COLUMNS.items()
        )

    def now(self) -> datetime:
        """The database's clock. Raises ``LmsUnreadable``."""
        return clock(self._engine, self.address)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """All sign-ups of the request in one transaction, or none of them. Raises ``LmsUnreadable``."""

        def attempt(connection: Connection) -> RegistrarAnswer:
            history = self._history(connection, request, lock=True)
            stands = self._against(connection, request, history)
            return stands or self._write(connection, request, history)

        return on_time(request) or carry_out(self._engine, self.address, request.deadline, attempt)

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """By the history of the sign-up, in which our writes bear the reference. Raises ``LmsUnreadable``."""

        def look(connection: Connection) -> RegistrarAnswer:
            self._right_site(connection, request)
            history = self._history(connection, request, lock=False)
            if trace := _given_back(request, history):
                return done(trace=trace)
            if _booked_as_seen(request, history):
                return RegistrarAnswer(RegistrarOutcome.STILL_THERE)
            return lost(OTHER_SEAT)

        return read_only(self._engine, self.address, look)

    def check(self) -> list[str]:
        """What stands in the way of giving seats back: one sentence each; empty when all is well."""
        problems = self._reader.check()
        return problems or list(self._rights_missing())

    # Reading

    def _history(self, connection: Connection, request: Unregistration, *, lock: bool) -> _History:
        """The person's sign-ups in the session; locked, a new booking has to wait."""
        signups, statuses = self._signups.c, self._statuses.c
        person, session = whole_number(request.person), whole_number(request.session)
        own = sa.select(signups.id).where(signups.userid == person, signups.sessionid == session)
        query = sa.select(statuses.id, statuses.statuscode, statuses.superceded, statuses.note)
        if lock:
            own, query = own.with_for_update(), query.with_for_update()
        return {
            id_: list(connection.execute(query.where(statuses.signupid == id_).order_by(statuses.id)))
            for id_ in list(connection.execute(own.order_by(signups.id)).scalars())
        }

    def _against(
        self, connection: Connection, request: Unregistration, history: _History
    ) -> RegistrarAnswer | None:
        self._right_site(connection, request)
        if trace := _given_back(request, history):
            return done(ALREADY, trace)
        if not _booked_as_seen(request, history):
            current = [_current(rows) for rows in history.values() if _names(request, rows)]
            taught = any(row is not None and row.statuscode >= _TAUGHT for row in current)
            return refused(ATTENDED) if taught else lost(OTHER_SEAT)
        if not list(self._reader.reading(connection).people([request.person])):
            return lost(OTHER_SEAT)
        return on_session(request, self._session(connection, request))

    def _session(self, connection: Connection, request: Unregistration) -> Session | None:
        found = list(self._reader.reading(connection).sessions(Selection(session=request.session)))
        connection.execution_options(stream_results=False, yield_per=0)  # reading streams, writing cannot
        return found[0] if found else None

    def _right_site(self, connection: Connection, request: Unregistration) -> None:
        """A copy of the site must not be taken for the site."""
        if request.account not in self._reader.reading(connection).accounts():
            raise LmsUnreadable("This Moodle is another site than the one that was read", whose=self.address)

    # Writing

    def _write(self, connection: Connection, request: Unregistration, history: _History) -> RegistrarAnswer:
        now, person = int(clock_of(connection).timestamp()), whole_number(request.person)
        traces = []
        for signup in (id_ for id_, rows in history.items() if _names(request, rows)):
            row = {
                "signupid": signup,
                "statuscode": _CANCELLED,
                "superceded": 0,
                "note": f"The event was deleted from the calendar {_mark(request)}",
                "createdby": person,
                "timecreated": now,
            }
            connection.execute(self._statuses.insert().inline().values(row))
            traces.append(self._newest(connection, signup))
            self._supersede_all_but(connection, signup, traces[-1])
        self._clear_calendar(connection, request)
        return done(trace=_trace(traces))

    def _newest(self, connection: Connection, signup: int) -> int:
        statuses = self._statuses.c
        query = sa.select(sa.func.max(statuses.id)).where(statuses.signupid == signup)
        newest: int = connection.execute(query).scalar_one()
        return newest

    def _supersede_all_but(self, connection: Connection, signup: int, newest: int) -> None:
        statuses = self._statuses.c
        older = (statuses.signupid == signup, statuses.id != newest, statuses.superceded == 0)
        connection.execute(self._statuses.update().values(superceded=1).where(*older))

    def _clear_calendar(self, connection: Connection, request: Unregistration) -> None:
        """The rows of Moodle's own calendar that the sign-up has put there."""
        events, session = self._events.c, whole_number(request.session)
        activity = sa.select(self._sessions.c.facetoface).where(self._sessions.c.id == session)
        connection.execute(
            self._events.delete().where(
                events.modulename == "0",
                events.instance == activity.scalar_subquery(),
                events.courseid == 0,
                events.userid == whole_number(request.person),
                events.uuid == request.session,
            )
        )

    def _rights_missing(self) -> Iterator[str]:
        signups, statuses, events = self._signups, self._statuses, self._events
        copied = ["signupid", "statuscode", "superceded", "createdby", "timecreated"]
        nothing = sa.select(*(statuses.c[name] for name in copied)).where(sa.false())
        tried: Sequence[tuple[str, sa.Executable]] = (
            (f"UPDATE on {signups.name}", signups.update().values(mailedreminder=0).where(sa.false())),
            (f"UPDATE on {statuses.name}", statuses.update().values(superceded=1).where(sa.false())),
            (f"INSERT on {statuses.name}", statuses.insert().inline().from_select(copied, nothing)),
            (f"DELETE on {events.name}", events.delete().where(sa.false())),
        )
        for right, statement in tried:
            try:
                with self._engine.connect() as connection:
                    connection.execute(statement)
                    connection.rollback()
            except (sa.exc.SQLAlchemyError, OSError):
                yield f"no right to {right}"


def _mark(request: Unregistration) -> str:
    return f"[ilt-reconciler {request.reference}]"


def _trace(ids: Sequence[int]) -> str:
    return f"status {', '.join(map(str, ids))}"


def _current(rows: Sequence[sa.Row[Any]]) -> sa.Row[Any] | None:
    """The row that counts; two writers at once may leave two of them."""
    return next((row for row in reversed(rows) if not row.superceded), None)


def _names(request: Unregistration, rows: Sequence[sa.Row[Any]]) -> bool:
    return any(str(row.id) in request.seats for row in rows)


def _booked_as_seen(request: Unregistration, history: _History) -> bool:
    """Whether the sign-ups that are booked now are exactly those that were seen."""
    current = [row for row in map(_current, history.values()) if row is not None]
    booked = sorted(str(row.id) for row in current if row.statuscode == _BOOKED)
    return bool(booked) and booked == sorted(request.seats)


def _given_back(request: Unregistration, history: _History) -> str:
    """The rows by which this very request has given all seats back; nothing if it has not."""
    traces = [
        next((row.id for row in rows if _is_ours(request, row)), 0)
        for rows in history.values()
        if _names(request, rows)
    ]
    return _trace(traces) if all(traces) and len(traces) == len(request.seats) > 0 else ""


def _is_ours(request: Unregistration, row: sa.Row[Any]) -> bool:
    return row.statuscode == _CANCELLED and _mark(request) in (row.note or "")
