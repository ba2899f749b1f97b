"""One short transaction in the LMS's database that gives a seat back, or certainly does not.

The database's own clock and time-outs carry the deadline: a statement that waits, a process that stands
still with its transaction open, both are ended by the server before the deadline has passed, so that
nothing is committed after it (PostgreSQL ``idle_in_transaction_session_timeout``
https://www.postgresql.org/docs/current/runtime-config-client.html, MariaDB ``idle_write_transaction_timeout``
https://mariadb.com/kb/en/transaction-timeouts/; MySQL and SQLite have no such thing, there the clock is
looked at once more just before the commit).

What is read after the write is read under the locks of the write and not before it: on PostgreSQL each
statement of a ``READ COMMITTED`` transaction sees what is committed when it begins, on MariaDB a
``REPEATABLE READ`` one sees what is committed when it first reads without locking.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from reconciler.errors import LmsUnreadable
from reconciler.lms.engine import give_up_after
from reconciler.ports import RegistrarAnswer, RegistrarOutcome

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite+pysqlite",
}
_CONNECT_SECONDS = 10
_LOCK_SECONDS = 5
_STATEMENT_SECONDS = 15
_ATTEMPTS = 3
_CONFLICTS = {"40001", "40P01", 1213, 1020}
"""SQLSTATEs of PostgreSQL, error numbers of MariaDB: rolled back because another was quicker."""

Work = Callable[[Connection], RegistrarAnswer]
"""What happens in the transaction. Only ``DONE`` is committed."""


class _Conflict(Exception):
    """The database rolled this transaction back in favour of another."""


def write_engine(url: str | URL, password: str | None = None) -> Engine:
    """An engine for giving seats back, at the LMS's primary. No connection is kept."""
    parsed = sa.make_url(url)
    if password is not None:
        parsed = parsed.set(password=password)
    kind = parsed.get_backend_name()
    parsed = parsed.set(drivername=_DRIVERS.get(kind, parsed.drivername))
    if kind == "sqlite":
        return _sqlite_engine(parsed)
    options: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS}
    if kind == "postgresql":
        options |= {"prepare_threshold": None, "tcp_user_timeout": 2 * _STATEMENT_SECONDS * 1000}
    else:
        silence = 2 * _STATEMENT_SECONDS
        options |= {"charset": "utf8mb4", "read_timeout": silence, "write_timeout": silence}
    isolation = "READ COMMITTED" if kind == "postgresql" else "REPEATABLE READ"
    engine = sa.create_engine(parsed, poolclass=sa.NullPool, isolation_level=isolation, connect_args=options)
    if kind == "postgresql":
        give_up_after(engine, 2 * _STATEMENT_SECONDS)
    return engine


def _sqlite_engine(url: URL) -> Engine:
    """Opened for writing, never created: a path that does not exist must be an error."""
    path = Path(url.database or "").absolute()
    place = URL.create(
        _DRIVERS["sqlite"], database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"}
    )
    engine = sa.create_engine(place, poolclass=sa.NullPool, connect_args={"timeout": _LOCK_SECONDS})
    sa.event.listen(engine, "connect", _begin_ourselves)
    return engine


def _begin_ourselves(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


# The clock ----------------------------------------------------------------------------------------

_CLOCKS = {
    "postgresql": "clock_timestamp()",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


def clock_of(connection: Connection) -> datetime:
    """The database's clock, aware UTC."""
    value = connection.exec_driver_sql(f"SELECT {_clock(connection)}").scalar_one()
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError("the database's clock is no time")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def before(connection: Connection, deadline: datetime) -> sa.ColumnElement[bool]:
    """A condition: the database's clock shows less than ``deadline``."""
    clock: sa.ColumnElement[Any] = sa.literal_column(_clock(connection))
    return clock < sa.bindparam("deadline", instant_for(connection, deadline), type_=_type_of(connection))


def instant_for(connection: Connection, moment: datetime) -> datetime | str:
    """An instant as this database's clock would show it: a parameter of a statement."""
    if connection.dialect.name == "postgresql":
        return moment
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(" ", "milliseconds") if connection.dialect.name == "sqlite" else plain


def _clock(connection: Connection) -> str:
    return _CLOCKS.get(connection.dialect.name, "UTC_TIMESTAMP(6)")


def _type_of(connection: Connection) -> sa.types.TypeEngine[Any]:
    if connection.dialect.name == "sqlite":
        return sa.Text()
    return sa.DateTime(timezone=connection.dialect.name == "postgresql")


# The transaction ----------------------------------------------------------------------------------


def carry_out(engine: Engine, address: str, deadline: datetime, work: Work) -> RegistrarAnswer:
    """Do the work in a transaction and commit it if it says ``DONE``, before ``deadline``.

    ``UNKNOWN`` if the answer to the commit did not arrive. Raises ``LmsUnreadable`` for anything that
    went wrong before; then nothing was written.
    """
    attempts = Retrying(
        stop=stop_after_attempt(_ATTEMPTS), retry=retry_if_exception_type(_Conflict), reraise=True
    )
    try:
        return attempts(_attempt, engine, address, deadline, work)
    except _Conflict:
        raise LmsUnreadable(
            "The LMS's database preferred other writers several times", whose=address
        ) from None


def read_only(engine: Engine, address: str, work: Work) -> RegistrarAnswer:
    """Do work that only reads, in one snapshot. Raises ``LmsUnreadable``."""
    with _unwritten(address), engine.connect() as connection:
        answer = work(connection)
        connection.rollback()
        return answer


def clock(engine: Engine, address: str) -> datetime:
    """The database's clock. Raises ``LmsUnreadable``."""
    with _unwritten(address), engine.connect() as connection:
        return clock_of(connection)


def _attempt(engine: Engine, address: str, deadline: datetime, work: Work) -> RegistrarAnswer:
    with _unwritten(address):
        connection = engine.connect()
    try:
        with _unwritten(address):
            _begin(connection, address, deadline)
            answer = work(connection)
            if answer.outcome is not RegistrarOutcome.DONE:
                connection.rollback()
                return answer
            _time_left(connection, address, deadline)
        return _committed(connection, answer)
    except BaseException:
        connection.invalidate()
        raise
    finally:
        connection.close()


def _committed(connection: Connection, answer: RegistrarAnswer) -> RegistrarAnswer:
    try:
        connection.commit()
    except (SQLAlchemyError, OSError) as error:
        connection.invalidate()
        return RegistrarAnswer(RegistrarOutcome.UNKNOWN, f"commit: {type(error).__name__}")
    return answer


def _begin(connection: Connection, address: str, deadline: datetime) -> None:
    name = connection.dialect.name
    if name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _time_left(connection, address, deadline)
        return
    left = _time_left(connection, address, deadline)
    for statement in _limits(connection, left):
        connection.exec_driver_sql(statement)


def _limits(connection: Connection, left: timedelta) -> list[str]:
    """How long a lock is waited for, a statement runs, and a transaction may stand idle."""
    seconds = left.total_seconds()
    if connection.dialect.name == "postgresql":
        idle, statement = max(1, int(seconds * 1000)), max(1, int(min(seconds, _STATEMENT_SECONDS) * 1000))
        return [
            f"SET LOCAL lock_timeout = {_LOCK_SECONDS * 1000}",
            f"SET LOCAL statement_timeout = {statement}",
            f"SET LOCAL idle_in_transaction_session_timeout = {idle}",
        ]
    waits = [
        f"SET SESSION innodb_lock_wait_timeout = {_LOCK_SECONDS}",
        f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}",
    ]
    if getattr(connection.dialect, "is_mariadb", False):
        waits += [
            f"SET SESSION max_statement_time = {min(seconds, _STATEMENT_SECONDS):f}",
            f"SET SESSION idle_write_transaction_timeout = {max(1, int(seconds))}",
        ]
    return waits


def _time_left(connection: Connection, address: str, deadline: datetime) -> timedelta:
    left = deadline - clock_of(connection)
    if left <= timedelta():
        raise LmsUnreadable(
            "The deadline passed before the seat could be given back; nothing was written",
            whose=address,
            next_step="It is proven again from the start.",
        )
    return left


@contextmanager
def _unwritten(address: str) -> Iterator[None]:
    """An error in here means that nothing was written: the transaction was never committed."""
    try:
        yield
    except (SQLAlchemyError, OSError, ValueError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if _code(cause) in _CONFLICTS:
            raise _Conflict from error
        raise LmsUnreadable(
            f"The seat could not be given back in the LMS's database: {type(cause).__name__} {_code(cause)}",
            whose=address,
            next_step="Nothing was written. `reconciler check-config --online` tries the right to do so.",
        ) from error


def _code(cause: object) -> str | int:
    """SQLSTATE, error number, or SQLite's name for it; never the message, which may quote rows."""
    for attribute in ("sqlstate", "sqlite_errorname"):
        if isinstance(code := getattr(cause, attribute, None), str):
            return code
    first = next(iter(getattr(cause, "args", ())), "")
    return first if isinstance(first, int) else ""
