"""Rows by the hundred thousand: an LMS on the reference tables, and our state after everything is applied.

Set-based: seats, people and ledger rows are made by the database from a counter, so that a million seats
take seconds. Beside our state the LMS's tables stand in a schema of their own, ``lms`` (on SQLite a file of
their own, attached under that name). Every person has five seats, every session twenty, one of them its
instructor's, and one to three days within ninety days from :data:`NOW` on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconciler.ledger.database import open_database
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import event, person_state
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema, tables
from reconciler.ports import LmsSource, Scan

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
"""The instant at which the rows below are looked at."""

SEATS_A_PERSON = 5
SEATS_A_SESSION = 20
ACCOUNTS = 20
SCHEMA = "lms"
_ZONES = ("Europe/Vienna", "America/New_York", "Asia/Kolkata", "Asia/Tokyo")
STEP = 7919  # a prime: seat after seat goes to another session
_BATCH = 10_000
_DETAILS = (
    "Bring what you need to write, and the shoes that the workshop asks for. We begin on time, with a round "
    "of introductions, and end with questions; lunch is provided. Whoever cannot come gives the seat back "
    "in time, so that somebody from the waiting list can have it. Part {} of the year's programme."
)


@contextmanager
def writer(lms: str, state: str) -> Iterator[Engine]:
    """An engine that sees both databases, named by URL: the state's tables plain, the LMS's in ``lms``."""
    engine = sa.create_engine(state)
    if engine.dialect.name == "sqlite":
        path = Path(str(sa.make_url(lms).database)).absolute()

        def attach(connection: Any, _record: object) -> None:
            connection.execute(f"ATTACH DATABASE '{path}' AS {SCHEMA}")

        sa.event.listen(engine, "connect", attach)
    else:
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(SCHEMA))
    yield engine
    engine.dispose()


def fill_lms(
    engine: Engine,
    seats: int,
    schema: str | None = SCHEMA,
    *,
    begin: datetime = NOW,
    accounts: int = ACCOUNTS,
) -> None:
    """The LMS: so many seats, and the people, sessions and days they need, the days from ``begin`` on."""
    create_schema(engine, schema=schema)
    made = {table.name: table for table in tables(schema=schema).sorted_tables}
    with engine.begin() as connection:
        insert(connection, made["accounts"], _accounts(accounts))
        insert(connection, made["sessions"], _sessions(seats, accounts))
        insert(connection, made["days"], _days(seats, begin))
        from_numbers(connection, made["people"], seats // SEATS_A_PERSON, lambda n: _person(n, accounts))
        from_numbers(connection, made["seats"], seats, lambda n: _seat(n, seats))
    _analyze(engine)


def fill_state(url: str, engine: Engine, lms: LmsSource, since: datetime) -> None:
    """Our state as it is when every seat is in its calendar: nothing is left to do."""
    database = open_database(url)
    upgrade(database)
    database.close()
    with lms.scan(since) as scan, engine.begin() as connection:
        _fill_people(connection, scan)
        connection.execute(_all_live())
    _analyze(engine)


def fill_people(url: str, lms: LmsSource, since: datetime) -> None:
    """The same of an LMS that stands elsewhere, without the events, which an idle push reads none of."""
    database = open_database(url)
    upgrade(database)
    with lms.scan(since) as scan, database.writing() as connection:
        _fill_people(connection, scan)
    database.close()


def _fill_people(connection: Connection, scan: Scan) -> None:
    states = (
        {"person": one.person, "account": one.account, "applied": one.digest, "next_audit": _later()}
        for one in scan.people
    )
    insert(connection, person_state, states)
    connection.execute(_all_connected())


# Rows of the LMS ----------------------------------------------------------------------------------


def _accounts(accounts: int) -> Iterator[dict[str, Any]]:
    for number in range(accounts):
        yield {"id": f"a{number}", "name": f"Academy {number}", "time_zone": "Europe/Vienna"}


def _sessions(seats: int, accounts: int) -> Iterator[dict[str, Any]]:
    for number in range(seats // SEATS_A_SESSION):
        yield {
            "id": f"s{number}",
            "account_id": f"a{number % accounts}",
            "title": f"Working safely at height, group {number}",
            "course": "Working safely at height",
            "details": _DETAILS.format(number),
            "location": f"Building {number % 40}, room {number % 7}.{number % 90:02}",
            "url": f"https://lms.example.org/session/{number}",
            "status": "scheduled",
            "cancellable": True,
            "cancel_until": None,
        }


def _days(seats: int, begin: datetime) -> Iterator[dict[str, Any]]:
    first = begin.replace(tzinfo=None) + timedelta(days=1)
    for number in range(seats // SEATS_A_SESSION):
        for day in range(1 + number % 3):
            starts = first + timedelta(days=number % 90 + day)
            yield {
                "session_id": f"s{number}",
                "starts": starts,
                "ends": starts + timedelta(hours=8),
                "all_day": False,
                "time_zone": _ZONES[number % len(_ZONES)],
            }


def _person(n: sa.ColumnElement[int], accounts: int) -> dict[str, sa.ColumnElement[Any]]:
    return {
        "id": _id("p", n),
        "account_id": _id("a", n % accounts),
        "email": _id("p", n) + "@example.org",
        "name": sa.literal("Person ") + sa.cast(n, sa.String),
        "locale": sa.literal("en"),
        "identity": _id("p", n),
        "active": sa.true(),
    }


def _seat(n: sa.ColumnElement[int], seats: int) -> dict[str, sa.ColumnElement[Any]]:
    sessions = seats // SEATS_A_SESSION
    return {
        "seat_ref": _id("r", n),
        "session_id": _id("s", (n * STEP) % sessions),
        "person_id": _id("p", n // SEATS_A_PERSON),
        # The step has no divisor in common with the number of sessions: the first seats reach each once.
        "role": sa.case((n < sessions, "instructor"), else_="learner"),
        "status": sa.literal("booked"),
    }


# Rows of the state --------------------------------------------------------------------------------


def _later() -> datetime:
    return NOW + timedelta(days=1)


def _all_connected() -> sa.Insert:
    person = person_state.c.person
    values: dict[str, Any] = {
        "person": person,
        "account": person_state.c.account,
        "provider": sa.literal("google"),
        "subject": person,
        "address": person + "@example.org",
        "calendar_id": person,
        "identity": person,
        "state": sa.literal("connected"),
        "scopes": sa.literal([], sa.JSON),
        "baseline_since": sa.literal(NOW, connections.c.baseline_since.type),
        "listed_at": sa.literal(NOW, connections.c.listed_at.type),
        "state_since": sa.literal(NOW, connections.c.state_since.type),
    }
    return connections.insert().from_select(list(values), sa.select(*values.values()))


def _all_live() -> sa.Insert:
    """A ledger row for each day of each seat. Its digests and times are stand-ins: who is idle is told
    from the person's digest alone."""
    made = tables(schema=SCHEMA).tables
    seats, sessions, days = (made[f"{SCHEMA}.{name}"] for name in ("seats", "sessions", "days"))
    slot = sa.func.row_number().over(partition_by=seats.c.seat_ref, order_by=days.c.starts) - 1
    values: dict[str, Any] = {
        "person": seats.c.person_id,
        "session": sessions.c.id,
        "slot": slot,
        "account": sessions.c.account_id,
        "provider": sa.literal("google"),
        "role": seats.c.role,
        "seat": seats.c.seat_ref,
        "state": sa.literal("live"),
        "generation": sa.literal(0),
        "event_id": seats.c.seat_ref,
        "calendar_id": seats.c.person_id,
        "etag": sa.literal('"3412345678901234"'),
        "digest_time": sa.literal("0" * 20),
        "digest_content": sa.literal("0" * 20),
        "digest_form": sa.literal("0" * 20),
        "starts": sa.literal(_later(), event.c.starts.type),
        "ends": sa.literal(_later() + timedelta(hours=8), event.c.ends.type),
        "doomed": sa.literal([], sa.JSON),
    }
    rows = (
        sa.select(*values.values())
        .join_from(seats, sessions, sessions.c.id == seats.c.session_id)
        .join(days, days.c.session_id == sessions.c.id)
        .order_by(seats.c.person_id, sessions.c.id)
    )
    return event.insert().from_select(list(values), rows)


# How ----------------------------------------------------------------------------------------------


def _id(stem: str, number: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    return sa.literal(stem) + sa.cast(number, sa.String)


def from_numbers(connection: Connection, table: sa.Table, count: int, columns: Any) -> None:
    """One row for each number from 0 on, made by the database."""
    numbers = sa.select(sa.literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < count - 1))
    made = columns(numbers.c.n)
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql(f"SET SESSION max_recursive_iterations = {count}")
    connection.execute(table.insert().from_select(list(made), sa.select(*made.values())))


def insert(connection: Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    """These rows, in batches."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            connection.execute(table.insert(), batch)
            batch = []
    if batch:
        connection.execute(table.insert(), batch)


def _analyze(engine: Engine) -> None:
    """Let the planner know what is there, as a database that is in use does by itself; MariaDB at once."""
    if engine.dialect.name in ("mysql", "mariadb"):
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
