"""A small LMS on the five reference tables, for the demo, tests and benchmarks: who books whom into what.

It writes rows and knows nothing of who reads them. The tables must be there; what they look like is read
from the database. Each method is one transaction. Times of days are wall times of the day's zone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

_NAMES = ("accounts", "people", "sessions", "days", "seats")


class When(NamedTuple):
    """When one day takes place: wall times and the IANA zone they are of."""

    starts: datetime
    ends: datetime
    time_zone: str = "Europe/Vienna"
    all_day: bool = False


class Booked(NamedTuple):
    """A day that somebody has to be at: booked, in a session that takes place."""

    person: str
    session: str
    title: str
    location: str
    when: When


class SmallLms:
    """Rows in the five tables of an engine that may write, whose names begin with ``prefix``."""

    def __init__(self, engine: Engine, prefix: str = "", schema: str | None = None) -> None:
        self._engine = engine
        metadata = sa.MetaData(schema=schema)
        self._tables = {
            name: sa.Table(f"{prefix}{name}", metadata, autoload_with=engine, resolve_fks=False)
            for name in _NAMES
        }
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":  # so that a reader does not keep the writer waiting
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            self._seat_numbers = self._numbers_after(connection, "seats", "seat_ref", "seat-")
            self._session_numbers = self._numbers_after(connection, "sessions", "id", "session-")
            self._person_numbers = self._numbers_after(connection, "people", "id", "person-")

    # Who

    def add_account(self, id: str = "acme", *, name: str = "Acme", time_zone: str = "Europe/Vienna") -> str:
        """An organisation; gives its id."""
        self.insert("accounts", [{"id": id, "name": name, "time_zone": time_zone}])
        return id

    def add_person(self, id: str | None = None, *, account: str = "acme", **fields: Any) -> str:
        """A person; gives their id. ``fields`` are columns of ``people``, each with a plain default."""
        id = id or f"person-{next(self._person_numbers)}"
        row = {
            "name": f"Name of {id}",
            "email": f"{id}@example.org",
            "locale": "en",
            "identity": id,
            "active": True,
        }
        self.insert("people", [{"id": id, "account_id": account} | row | fields])
        return id

    def change_person(self, id: str, **fields: Any) -> None:
        """Change columns of a person: an address, a name, ``active``."""
        self._update("people", {"id": id}, fields)

    def drop_person(self, id: str) -> None:
        """A person is gone, with all their seats."""
        with self._engine.begin() as connection:
            self._delete(connection, "seats", person_id=id)
            self._delete(connection, "people", id=id)

    # What and when

    def add_session(self, *days: When, id: str | None = None, account: str = "acme", **fields: Any) -> str:
        """A session with its days; gives its id. ``fields`` are columns of ``sessions``."""
        id = id or f"session-{next(self._session_numbers)}"
        row = {
            "title": f"Title of {id}",
            "course": "",
            "details": "",
            "location": "",
            "url": "",
            "status": "scheduled",
            "cancellable": True,
            "cancel_until": None,
        }
        with self._engine.begin() as connection:
            connection.execute(
                self._tables["sessions"].insert(), [{"id": id, "account_id": account} | row | fields]
            )
            self._set_days(connection, id, days)
        return id

    def change(self, session: str, **fields: Any) -> None:
        """Change columns of a session: ``title``, ``location``, ``status``."""
        self._update("sessions", {"id": session}, fields)

    def move(self, session: str, *days: When) -> None:
        """Other days. As in many an LMS every row is made anew, also for the days it had."""
        with self._engine.begin() as connection:
            self._set_days(connection, session, days)

    def cancel_session(self, session: str) -> None:
        """The session is called off, and its row says so."""
        self.change(session, status="cancelled")

    def drop_session(self, session: str) -> None:
        """The session vanishes without trace, with its days and seats."""
        with self._engine.begin() as connection:
            self._delete(connection, "seats", session_id=session)
            self._delete(connection, "days", session_id=session)
            self._delete(connection, "sessions", id=session)

    # Who is where

    def book(
        self,
        person: str,
        session: str,
        role: str = "learner",
        status: str = "booked",
        *,
        seat: str | None = None,
    ) -> str:
        """A new seat, beside whatever seats the person had; gives its reference."""
        seat = seat or f"seat-{next(self._seat_numbers)}"
        row = {"seat_ref": seat, "session_id": session, "person_id": person, "role": role, "status": status}
        self.insert("seats", [row])
        return seat

    def cancel(self, person: str, session: str) -> None:
        """The person's seats in this session are given back, and their rows say so."""
        self.set_status(person, session, "cancelled")

    def set_status(self, person: str, session: str, status: str) -> None:
        """All of the person's seats in this session get this status."""
        self._update("seats", {"person_id": person, "session_id": session}, {"status": status})

    def drop(self, person: str, session: str) -> None:
        """The person's seats in this session vanish without trace."""
        with self._engine.begin() as connection:
            self._delete(connection, "seats", person_id=person, session_id=session)

    def statuses(self, person: str, session: str) -> dict[str, str]:
        """The status of each of the person's seats in this session, by reference."""
        seats = self._tables["seats"]
        query = sa.select(seats.c.seat_ref, seats.c.status).where(
            seats.c.person_id == person, seats.c.session_id == session
        )
        with self._engine.connect() as connection:
            return {seat.seat_ref: seat.status for seat in connection.execute(query)}

    def timetable(self) -> list[Booked]:
        """Who has to be where and when, in order of person and time."""
        seats, sessions, days = (self._tables[name] for name in ("seats", "sessions", "days"))
        query = (
            sa.select(
                seats.c.person_id, sessions.c.id, sessions.c.title, sessions.c.location,
                days.c.starts, days.c.ends, days.c.time_zone, days.c.all_day,
            )
            .distinct()
            .join(sessions, sessions.c.id == seats.c.session_id)
            .join(days, days.c.session_id == sessions.c.id)
            .where(seats.c.status == "booked", sessions.c.status == "scheduled")
            .order_by(seats.c.person_id, days.c.starts)
        )  # fmt: skip
        with self._engine.connect() as connection:
            return [Booked(*row[:4], When(*row[4:])) for row in connection.execute(query)]

    # Rows

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Many rows at once, each complete, in one transaction."""
        batch = [dict(row) for row in rows]
        if batch:
            with self._engine.begin() as connection:
                connection.execute(self._tables[table].insert(), batch)

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Every row of a table, in the order in which it is kept."""
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(self._tables[table]))]

    def _numbers_after(self, connection: Connection, table: str, column: str, stem: str) -> Iterator[int]:
        """Numbers for new ids, above those in the table: an id is not given twice."""
        ids = connection.execute(sa.select(self._tables[table].c[column])).scalars()
        numbers = [int(id[len(stem) :]) for id in ids if id.startswith(stem) and id[len(stem) :].isdigit()]
        return itertools.count(max(numbers, default=0) + 1)

    def _set_days(self, connection: Connection, session: str, days: Iterable[When]) -> None:
        self._delete(connection, "days", session_id=session)
        rows = [{"session_id": session, **day._asdict()} for day in days]
        if rows:
            connection.execute(self._tables["days"].insert(), rows)

    def _update(self, table: str, key: Mapping[str, str], values: Mapping[str, Any]) -> None:
        with self._engine.begin() as connection:
            found = connection.execute(self._tables[table].update().filter_by(**key).values(**values))
            if not found.rowcount:
                raise LookupError(f"nothing in {table} with {dict(key)}")

    def _delete(self, connection: Connection, table: str, **key: str) -> None:
        connection.execute(self._tables[table].delete().filter_by(**key))
