"""Giving a seat back in an LMS on the reference tables: in the tables themselves, or beneath their views.

Both ways look at the session once more after the seat's row has been taken hold of, in the same
transaction, and commit only if everything is as it was proven. A login of its own may be used: ``SELECT``
on the five tables and ``UPDATE (status)`` on the seats, or whatever the operator's statement needs.

A seat's row says ``cancelled``, not by whom. A seat named in a request that is found cancelled within that
request's window, from its intent to its deadline, counts as given back by us: its owner deleted the event
and the seat is free, whoever was quicker.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.sql.elements import ColumnElement

from reconciler.errors import LmsUnreadable
from reconciler.lms.engine import as_text, columns_of
from reconciler.lms.reading import Reading, Selection, whole_number
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.registrations import Seat
from reconciler.lms.verdicts import became, done, lost, on_seats, on_session, on_time, others_booked
from reconciler.lms.writing import before, carry_out, clock, instant_for, read_only
from reconciler.model import SeatStatus, Session
from reconciler.ports import RegistrarAnswer, Unregistration

_PARAMETERS = frozenset({"seat_ref", "person_id", "session_id", "deadline", "reference"})
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_EXPLAINED = re.compile(r"\s*(UPDATE|DELETE|INSERT|WITH|MERGE)\b", re.IGNORECASE)
_NOT_FIT = "not-fit"


class _Reader(ReferenceLms):
    """Reads in a transaction that somebody else has begun."""

    def reading(self, connection: Connection) -> Reading:
        return self._open(connection)


class _SqlRegistrar(ABC):
    """What both ways have in common. See :class:`~reconciler.ports.Registrar`.

    ``engine`` comes from :func:`~reconciler.lms.writing.write_engine`; ``prefix`` and ``schema`` are those
    of the tables or views.
    """

    def __init__(self, engine: Engine, *, prefix: str = "", schema: str | None = None) -> None:
        self._engine = engine
        self._reader = _Reader(engine, prefix=prefix, schema=schema)
        self._seats, self._schema = f"{prefix}seats", schema
        self._kinds: Mapping[str, str] = {}
        self.address = self._reader.address

    def now(self) -> datetime:
        """The database's clock. Raises ``LmsUnreadable``."""
        return clock(self._engine, self.address)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """All seats of the request in one transaction, or none of them. Raises ``LmsUnreadable``."""
        early = on_time(request) or self._looked_at(request)
        if early is not None:
            return early
        answer = carry_out(
            self._engine,
            self.address,
            request.deadline,
            lambda connection: self._attempt(connection, request),
        )
        if answer.why != _NOT_FIT:
            return answer
        late = self._looked_at(request)
        if late is None:
            raise LmsUnreadable(
                "The seats are as they were seen, and yet the LMS changed another number of rows; "
                "nothing was written",
                whose=self.address,
            )
        return late

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """By the rows of the seats named. Raises ``LmsUnreadable``."""
        return read_only(
            self._engine, self.address, lambda connection: became(request, self._own(connection, request))
        )

    def check(self) -> list[str]:
        """What stands in the way of giving seats back: one sentence each; empty when all is well."""
        problems = self._reader.check()
        return problems or self._doubts()

    @abstractmethod
    def _write(self, connection: Connection, request: Unregistration) -> bool:
        """Cancel the seats; false if other than exactly those rows were changed."""

    @abstractmethod
    def _doubts(self) -> list[str]:
        """What is wrong with the way of writing, where reading works."""

    def _attempt(self, connection: Connection, request: Unregistration) -> RegistrarAnswer:
        """Take hold of the seats first, and only then look whether it may be."""
        if not self._write(connection, request):
            return lost(_NOT_FIT)
        stands = on_session(request, self._session(connection, request))
        if stands is not None:
            return stands
        own = self._own(connection, request)
        if became(request, own) != done() or others_booked(request, own):
            return lost(_NOT_FIT)
        return done()

    def _looked_at(self, request: Unregistration) -> RegistrarAnswer | None:
        """What stands against it as things are now; ``None`` if nothing does."""
        found: list[RegistrarAnswer] = []

        def look(connection: Connection) -> RegistrarAnswer:
            own = self._own(connection, request)
            self._kinds = columns_of(connection, [self._seats], self._schema)[self._seats]
            stands = on_seats(request, own) or on_session(request, self._session(connection, request))
            found.extend([stands] if stands else [])
            return stands or done()

        read_only(self._engine, self.address, look)
        return found[0] if found else None

    def _own(self, connection: Connection, request: Unregistration) -> list[Seat]:
        """The person's seats in the session, whatever their status."""
        selection = Selection(people=[request.person], session=request.session)
        seats = self._reader.reading(connection).seats(selection)
        return [seat for person, seat in seats if person == request.person]

    def _session(self, connection: Connection, request: Unregistration) -> Session | None:
        selection = Selection(session=request.session)
        return next(iter([*self._reader.reading(connection).sessions(selection)]), None)


class ReferenceRegistrar(_SqlRegistrar):
    """On real tables: one conditional ``UPDATE`` that names the seats."""

    def _write(self, connection: Connection, request: Unregistration) -> bool:
        kinds = self._kinds
        seats = sa.table(self._seats, *(sa.column(name) for name in kinds), schema=self._schema)
        session, person = [request.session], [request.person]
        named = (("seat_ref", request.seats), ("person_id", person), ("session_id", session))
        statement = seats.update().values(status=_written_as(SeatStatus.CANCELLED))
        statement = statement.where(
            *(_among(seats.c[name], kinds[name], ids) for name, ids in named),
            _says(seats.c.role, "learner"),
            _says(seats.c.status, SeatStatus.BOOKED.value),
            before(connection, request.deadline),
        )
        return connection.execute(statement).rowcount == len(request.seats)

    def _doubts(self) -> list[str]:
        try:
            with self._engine.connect() as connection:
                return [*self._right_missing(connection), *self._not_transactional(connection)]
        except (sa.exc.SQLAlchemyError, OSError) as error:
            return [f"{self._seats}: {type(error).__name__}"]

    def _right_missing(self, connection: Connection) -> Sequence[str]:
        seats = sa.table(self._seats, sa.column("status"), schema=self._schema)
        try:
            connection.execute(seats.update().values(status=seats.c.status).where(sa.false()))
        except sa.exc.DBAPIError:
            return [
                f"{self._seats}: no right to UPDATE status, or a view that cannot be written to: "
                "grant it, or name a statement or a webhook"
            ]
        finally:
            connection.rollback()
        return []

    def _not_transactional(self, connection: Connection) -> Sequence[str]:
        if connection.dialect.name not in ("mysql", "mariadb"):
            return []
        query = sa.text(
            "SELECT engine FROM information_schema.tables WHERE table_name = :name"
            " AND table_schema = COALESCE(:schema, DATABASE()) AND engine <> 'InnoDB'"
        )
        engine = connection.execute(query, {"name": self._seats, "schema": self._schema}).scalar()
        return [f"{self._seats}: a table of {engine}, which has no transactions"] if engine else []


class StatementRegistrar(_SqlRegistrar):
    """On views: a statement of the operator's, run once for each seat; each run must change exactly one row.

    Its named parameters are ``:seat_ref``, ``:person_id``, ``:session_id``, ``:deadline`` (by the
    database's clock; with a zone on PostgreSQL, UTC elsewhere) and ``:reference`` (of our evidence). It
    should change a seat that is booked and nothing else; afterwards the view must show it cancelled.
    """

    def __init__(
        self, engine: Engine, statement: str, *, prefix: str = "", schema: str | None = None
    ) -> None:
        super().__init__(engine, prefix=prefix, schema=schema)
        self._text = statement
        self._statement = sa.text(statement)

    def _write(self, connection: Connection, request: Unregistration) -> bool:
        common = {
            "person_id": request.person,
            "session_id": request.session,
            "deadline": instant_for(connection, request.deadline),
            "reference": request.reference,
        }
        used = set(_PARAMETER.findall(self._text))
        return all(
            connection.execute(
                self._statement, {k: v for k, v in (common | {"seat_ref": seat}).items() if k in used}
            ).rowcount
            == 1
            for seat in request.seats
        )

    def _doubts(self) -> list[str]:
        used = set(_PARAMETER.findall(self._text))
        problems = [f"the statement has an unknown parameter :{name}" for name in sorted(used - _PARAMETERS)]
        if "seat_ref" not in used:
            problems.append("the statement does not name :seat_ref, so it cannot mean one seat")
        if problems or not _EXPLAINED.match(self._text):
            return problems
        try:
            with self._engine.connect() as connection:
                explained = sa.text(f"EXPLAIN {self._text}")
                connection.execute(explained, dict.fromkeys(used)).close()
                connection.rollback()
        except (sa.exc.SQLAlchemyError, OSError) as error:
            return [f"the database does not accept the statement: {type(error).__name__}"]
        return []


def _written_as(status: SeatStatus) -> ColumnElement[Any]:
    """A word as a literal without a type, so that a column of an enumerated type takes it too."""
    return sa.literal_column(f"'{status.value}'")


def _among(column: ColumnElement[Any], kind: str, ids: Collection[str]) -> ColumnElement[bool]:
    """Whether the column's value is one of these ids, whatever its type."""
    if kind == "integer":
        return column.in_([number for number in map(whole_number, ids) if number is not None])
    return (column if kind == "text" else as_text(column)).in_(ids)


def _says(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    return sa.func.lower(sa.func.trim(as_text(column))) == word
