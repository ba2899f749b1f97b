"""The statements for the five reference tables, whatever types their columns turned out to have.

Where an id is text it is used as it is, so that indexes serve; numbers are asked for as numbers; any
other type is cast to text. Each statement is made once and sent with values: to build one costs more than
to send it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from reconciler.lms.days import EARLIEST, LATEST, surely_past
from reconciler.lms.engine import as_text, code_points, exists
from reconciler.lms.reading import Selection, Shape, whole_number

_Of = ParamSpec("_Of")
_Made = TypeVar("_Made")


def _made_once(
    make: Callable[Concatenate[ReferenceQueries, _Of], _Made],
) -> Callable[Concatenate[ReferenceQueries, _Of], _Made]:
    """Keep what a method makes of its arguments, as long as its object is there."""

    @wraps(make)
    def kept(self: ReferenceQueries, /, *of: _Of.args, **named: _Of.kwargs) -> _Made:
        key = (make, of)
        if key not in self.made:
            self.made[key] = make(self, *of, **named)
        found: _Made = self.made[key]
        return found

    return kept


class _Table:
    """One of the five, with what its columns are."""

    def __init__(self, name: str, kinds: Mapping[str, str], schema: str | None) -> None:
        self.name = name
        self._kinds = kinds
        self.table = sa.table(name, *(sa.column(column) for column in kinds), schema=schema)

    def __getitem__(self, column: str) -> ColumnElement[Any]:
        return self.table.c[column]

    def text(self, column: str) -> ColumnElement[str]:
        """The column as text; as it is where it is text."""
        return self[column] if self._kinds[column] == "text" else as_text(self[column])

    def named(self, column: str) -> ColumnElement[str]:
        """The same, under its own name."""
        return self.text(column).label(column)

    def among(self, column: str, name: str) -> ColumnElement[bool]:
        """Whether the column's value is one of the ids that are sent under this name."""
        if self._kinds[column] == "integer":
            return self[column].in_(sa.bindparam(name, expanding=True, type_=sa.BigInteger))
        return self.text(column).in_(sa.bindparam(name, expanding=True, type_=sa.String))

    def sent(self, column: str, ids: Sequence[str]) -> Sequence[str | int]:
        """Ids as they are sent to be compared with the column."""
        if self._kinds[column] == "integer":
            return [number for number in map(whole_number, ids) if number is not None]
        return ids

    def alike(self, column: str, other: _Table, others: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Two columns ready to be compared, be one a number and the other text."""
        if self._kinds[column] == other._kinds[others] != "other":
            return self[column], other[others]
        return as_text(self[column]), as_text(other[others])

    def same(self, column: str, other: _Table, others: str) -> ColumnElement[bool]:
        """Whether two columns hold the same id."""
        mine, theirs = self.alike(column, other, others)
        return mine == theirs


class ReferenceQueries:
    """``kinds`` says for each of the five tables what its columns are: integer, text, other."""

    def __init__(self, kinds: Mapping[str, Mapping[str, str]], prefix: str, schema: str | None) -> None:
        self._tables = {name: _Table(f"{prefix}{name}", columns, schema) for name, columns in kinds.items()}
        self._people, self._sessions = self._tables["people"], self._tables["sessions"]
        self._days, self._seats = self._tables["days"], self._tables["seats"]
        self.made: dict[Any, Any] = {}

    def name(self, table: str) -> str:
        """What the table is called in the database."""
        return self._tables[table].name

    def values(self, selection: Selection) -> Mapping[str, object]:
        """What is sent with a statement of this selection's shape."""
        values: dict[str, object] = {}
        if selection.since is not None:
            values["past"] = surely_past(selection.since)
        if selection.people is not None:
            values["people"] = self._people.sent("id", selection.people)
        if selection.session_ids is not None:
            values["sessions"] = self._sessions.sent("id", selection.session_ids)
            values["sessions_of_seats"] = self._seats.sent("session_id", selection.session_ids)
        return values

    @_made_once
    def accounts(self) -> sa.Select[Any]:
        """Every account."""
        accounts = self._tables["accounts"]
        return sa.select(accounts.named("id"), accounts["name"], accounts["time_zone"])

    @_made_once
    def people(self) -> sa.Select[Any]:
        """These people."""
        people = self._people
        return sa.select(
            people.named("id"),
            people.named("account_id"),
            people["email"],
            people["name"],
            people["locale"],
            people.named("identity"),
            people["active"],
        ).where(people.among("id", "people"))

    @_made_once
    def sessions(self, shape: Shape) -> sa.Select[Any]:
        """The sessions meant, without their days."""
        sessions = self._sessions
        plain = ("title", "course", "details", "location", "url", "status", "cancellable")
        return sa.select(
            sessions.named("id"),
            sessions.named("account_id"),
            *(sessions[column] for column in plain),
            _sane(sessions["cancel_until"]).label("cancel_until"),
            sessions["cancel_until"].is_not(None).label("has_deadline"),
        ).where(*self._meant(shape))

    @_made_once
    def current(self) -> sa.Select[Any]:
        """The ids of current sessions."""
        return sa.select(self._sessions.text("id")).where(self._current())

    @_made_once
    def days(self, shape: Shape) -> sa.Select[Any]:
        """Session, starts, ends, all_day, time_zone."""
        days = self._days
        return sa.select(
            days.text("session_id"),
            _sane(days["starts"]),
            _sane(days["ends"]),
            days["all_day"],
            days["time_zone"],
        ).where(self._of_meant(days, shape))

    @_made_once
    def notable_seats(self, shape: Shape, usual: str, statuses: tuple[str, ...]) -> sa.Select[Any]:
        """Session, role, status, person, name, of the seats whose role is not written as the usual one or
        whose status is not written as one of these; all in one pass over the seats."""
        seats, people = self._seats, self._people
        role, status = seats.text("role"), seats.text("status")
        return (
            sa.select(
                seats.text("session_id"), seats["role"], seats["status"], people.text("id"), people["name"]
            )
            .select_from(seats.table.outerjoin(people.table, seats.same("person_id", people, "id")))
            .where(self._of_meant(seats, shape))
            .where(sa.or_(role.is_(None), role != usual, status.is_(None), status.not_in(statuses)))
        )

    @_made_once
    def seat_rows(self) -> sa.Select[Any]:
        """Person, session, ref, role, status, account, identity, active, email; everybody, by id."""
        people, seats = self._people, self._seats
        current = self._of_meant(seats, Shape(since=True))
        return (
            sa.select(
                people.text("id"),
                *self._seat_columns(),
                people.text("account_id"),
                people.text("identity"),
                people["active"],
                people["email"],
            )
            .select_from(
                people.table.outerjoin(seats.table, sa.and_(seats.same("person_id", people, "id"), current))
            )
            .order_by(code_points(people.text("id")))
        )

    @_made_once
    def seats(self, shape: Shape) -> sa.Select[Any]:
        """Person, session, ref, role, status, of these people, in these sessions."""
        people, seats = self._people, self._seats
        conditions = []
        if shape.people:
            conditions.append(people.among("id", "people"))
        if shape.sessions:
            conditions.append(seats.among("session_id", "sessions_of_seats"))
        return (
            sa.select(people.text("id"), *self._seat_columns())
            .select_from(people.table.join(seats.table, seats.same("person_id", people, "id")))
            .where(*conditions)
        )

    @_made_once
    def seats_of_nobody(self) -> sa.Select[str, int, str]:
        """Session, how many of its seats belong to nobody among the people, and one such id."""
        people, seats = self._people, self._seats
        session = seats.text("session_id")
        return (
            sa.select(session, sa.func.count(), sa.func.min(seats.text("person_id")))
            .select_from(seats.table.outerjoin(people.table, seats.same("person_id", people, "id")))
            .where(people["id"].is_(None), self._of_meant(seats, Shape(since=True)))
            .group_by(session)
        )

    def doubled(self, table: str, column: str) -> sa.Select[int]:
        """How many values of a column that should be unique are there more than once."""
        values = self._tables[table][column]
        found = sa.select(values).group_by(values).having(sa.func.count() > 1).subquery()
        return sa.select(sa.func.count()).select_from(found)

    def seats_of_no_session(self) -> sa.Select[int, str]:
        """How many seats are in a session that is not there, and one id of such a session."""
        seats, sessions = self._seats, self._sessions
        return (
            sa.select(sa.func.count(), sa.func.min(seats.text("session_id")))
            .select_from(seats.table.outerjoin(sessions.table, seats.same("session_id", sessions, "id")))
            .where(sessions["id"].is_(None))
        )

    # Which sessions

    def _seat_columns(self) -> tuple[ColumnElement[Any], ...]:
        seats = self._seats
        return seats.text("session_id"), seats.text("seat_ref"), seats["role"], seats["status"]

    def _of_meant(self, table: _Table, shape: Shape) -> ColumnElement[bool]:
        """Whether a day or seat belongs to one of the sessions meant."""
        mine, theirs = table.alike("session_id", self._sessions, "id")
        return mine.in_(sa.select(theirs).where(*self._meant(shape)))

    def _meant(self, shape: Shape) -> list[ColumnElement[bool]]:
        conditions = []
        if shape.since:
            conditions.append(self._current())
        if shape.sessions:
            conditions.append(self._sessions.among("id", "sessions"))
        return conditions

    def _current(self) -> ColumnElement[bool]:
        """Without days, or with one that may end after ``past`` or whose year is absurd. Zones cannot be
        reckoned with in SQL, so it lets some past ones through."""
        days, past = self._days, sa.bindparam("past", type_=sa.DateTime)
        own = days.same("session_id", self._sessions, "id")
        late = [
            condition
            for column in (days["starts"], days["ends"])
            for condition in (column > past, column < EARLIEST, column.is_(None))
        ]
        return sa.or_(
            ~exists(own).correlate(self._sessions.table),
            exists(own, sa.or_(*late)).correlate(self._sessions.table),
        )


def _sane(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time, or NULL in an absurd year: PostgreSQL's infinity and MariaDB's zero date have no
    counterpart in Python, and one of them must not end the whole reading."""
    return sa.case((sa.and_(column >= EARLIEST, column < LATEST), column))
