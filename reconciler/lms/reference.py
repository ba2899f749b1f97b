"""Any LMS that offers the five tables or views of :mod:`reconciler.lms.reference_tables`.

On PostgreSQL, MariaDB, MySQL and SQLite. Ids are text here, whatever they are there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconciler.lms.days import Refused, in_order, instant, known_zone, wall_day
from reconciler.lms.engine import address_of
from reconciler.lms.reading import Reading, SeatRow, Selection, Who, columns_found, grouped, names
from reconciler.lms.reference_queries import ReferenceQueries
from reconciler.lms.reference_tables import COLUMNS
from reconciler.lms.registrations import Seat
from reconciler.lms.source import SqlLms
from reconciler.lms.text import LONGEST_ADDRESS, LONGEST_LOCATION, block, line, link
from reconciler.model import Account, Day, Person, Refusal, Role, SeatStatus, Session

_ROLES = {role.value: role for role in Role}
_STATUSES = {status.value: status for status in SeatStatus}
_CANCELLED = {"scheduled": False, "cancelled": True}
_UNIQUE = {"accounts": "id", "people": "id", "sessions": "id", "seats": "seat_ref"}
_NO = frozenset({"0", "f", "false", "n", "no", ""})


class ReferenceLms(SqlLms):
    """Reads the five tables. ``prefix`` begins each of their names; ``schema`` is where they are."""

    def __init__(self, engine: Engine, *, prefix: str = "", schema: str | None = None) -> None:
        where = f"{schema}.{prefix}" if schema else prefix
        super().__init__(engine, address_of(engine, where))
        self._prefix = prefix
        self._schema = schema
        self._queries: ReferenceQueries | None = None

    def _open(self, connection: Connection) -> Reading:
        queries = self._queries
        if queries is None:
            kinds = columns_found(connection, COLUMNS, self._prefix, self._schema, self.address)
            queries = self._queries = ReferenceQueries(kinds, self._prefix, self._schema)
        return _ReferenceReading(connection, queries)

    def _forget(self) -> None:
        self._queries = None


class _ReferenceReading(Reading):
    """One snapshot of the five tables."""

    def __init__(self, connection: Connection, queries: ReferenceQueries) -> None:
        super().__init__(connection)
        self._queries = queries

    def accounts(self) -> Mapping[str, Account]:
        rows = self.connection.execute(self._queries.accounts())
        return {row.id: Account(row.id, line(row.name), line(row.time_zone)) for row in rows}

    def sessions(self, selection: Selection) -> Iterator[Session]:
        queries, shape, values = self._queries, selection.shape, self._queries.values(selection)
        days = grouped(self.connection.execute(queries.days(shape), values))
        notable = queries.notable_seats(shape, Role.LEARNER, tuple(_STATUSES))
        seats = grouped(self.connection.execute(notable, values))
        for row in self.stream(queries.sessions(shape), values):
            yield _session(row, days.get(row.id, ()), seats.get(row.id, ()))

    def current(self, since: datetime) -> Iterator[str]:
        rows = self.stream(self._queries.current(), self._queries.values(Selection(since)))
        return (id_ for (id_,) in rows)

    def seat_rows(self, since: datetime) -> Iterator[SeatRow]:
        return self.stream(self._queries.seat_rows(), self._queries.values(Selection(since)))

    def who(self, row: SeatRow) -> Who:
        id_, account, identity, active, email = row[0], *row[5:]
        return Who(account or "", str(identity or id_), _flag(active, True), email)

    def kind(self, first: Any, second: Any) -> tuple[Role, SeatStatus | None]:
        return _kind_of_seat(first, second)

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        values = self._queries.values(Selection(people=ids))
        for row in self.connection.execute(self._queries.people(), values):
            yield Person(
                row.id,
                row.account_id or "",
                line(row.email, LONGEST_ADDRESS),
                line(row.name),
                line(row.locale, 35),
                str(row.identity or row.id),
                _flag(row.active, True),
            )

    def seats(self, selection: Selection) -> Iterator[tuple[str, Seat]]:
        query, values = self._queries.seats(selection.shape), self._queries.values(selection)
        for person, *seat in self.connection.execute(query, values):
            yield person, _seat(*seat)

    def strays(self, since: datetime) -> Iterator[Refusal]:
        values = self._queries.values(Selection(since))
        for session, count, person in self.connection.execute(self._queries.seats_of_nobody(), values):
            why = f"{count} seats of this session belong to nobody among the people ({line(person, 60)!r})"
            yield Refusal("seat", session, why)

    def doubts(self) -> Iterator[str]:
        for table, column in _UNIQUE.items():
            count = self.connection.execute(self._queries.doubled(table, column)).scalar_one()
            if count:
                yield f"{self._queries.name(table)}: {count} values of {column} are there more than once"
        count, session = self.connection.execute(self._queries.seats_of_no_session()).one()
        if count:
            where = self._queries.name("seats")
            yield f"{where}: {count} are in sessions that are not there, such as {line(session, 60)!r}"
        for account in self.accounts().values():
            try:
                known_zone(account.time_zone)
            except Refused as refused:
                yield f"{self._queries.name('accounts')}: {account.id}: {refused}"


# Rows to values -----------------------------------------------------------------------------------


def _session(row: sa.Row[Any], days: Sequence[Sequence[Any]], seats: Sequence[Sequence[Any]]) -> Session:
    """A session that says cancelled is never refused: nothing else about it matters any more.

    ``seats`` are the notable ones: instructors', and any with a word nobody knows.
    """
    cancelled = _CANCELLED.get(_word(row.status))
    cancel_until = instant(row.cancel_until)
    refused = None if cancelled is not None else f"unknown status {line(row.status, 60)!r}"
    if row.has_deadline and cancel_until is None:
        refused = "cancel_until is unreadable, or not in the years 1980 to 2199"
    found: list[Day] = []
    try:
        found.extend(
            wall_day(starts, ends, zone, _flag(all_day, False)) for starts, ends, all_day, zone in days
        )
    except Refused as error:
        refused = str(error)
    refused = None if cancelled else refused or _strange(seats)
    return Session(
        id=row.id,
        account=row.account_id or "",
        title=line(row.title),
        course=line(row.course),
        details=block(row.details),
        location=line(row.location, LONGEST_LOCATION),
        url=link(row.url),
        instructors=names(_instructors(seats)),
        days=() if refused else in_order(found),
        cancelled=bool(cancelled),
        cancellable=_flag(row.cancellable, False),
        cancel_until=cancel_until,
        refused=refused,
    )


def _seat(session: str, ref: str | None, role: Hashable, status: Hashable) -> Seat:
    """An unknown word makes the session refused, so that nothing is concluded from its seats."""
    return session, ref or "", *_kind_of_seat(role, status)


@lru_cache(maxsize=256)  # there are some twenty pairs of words, and a seat for everybody
def _kind_of_seat(role: Hashable, status: Hashable) -> tuple[Role, SeatStatus | None]:
    return _ROLES.get(_word(role), Role.LEARNER), _STATUSES.get(_word(status))


def _instructors(seats: Iterable[Sequence[Any]]) -> Iterator[tuple[str, str]]:
    """Name and id of everybody who is booked as instructor."""
    for role, status, id_, name in seats:
        if id_ is not None and _kind_of_seat(role, status) == (Role.INSTRUCTOR, SeatStatus.BOOKED):
            yield line(name), id_


def _strange(seats: Iterable[Sequence[Any]]) -> str | None:
    """Why a session cannot be made sense of: the role or status of a seat is a word nobody knows."""
    for role, status, *_ in seats:
        if _word(role) not in _ROLES:
            return f"a seat has the unknown role {line(role, 60)!r}"
        if _word(status) not in _STATUSES:
            return f"a seat has the unknown status {line(status, 60)!r}"
    return None


def _word(raw: object) -> str:
    return str(raw).strip().lower()


@lru_cache(maxsize=256)
def _flag(raw: Hashable, unknown: bool) -> bool:
    """Yes or no, however a database says it; ``unknown`` where it does not."""
    if raw is None:
        return unknown
    if isinstance(raw, bytes):  # MariaDB's BIT
        return any(raw)
    return _word(raw) not in _NO
