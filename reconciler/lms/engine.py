"""How an LMS database is reached and read: one snapshot at a time, read-only, never for ever.

Every read happens inside :func:`snapshot`, so that sessions, days and seats belong to one instant:

- PostgreSQL: ``REPEATABLE READ, READ ONLY`` (https://www.postgresql.org/docs/current/transaction-iso.html)
- MariaDB and MySQL: ``START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY``
  (https://mariadb.com/kb/en/start-transaction/)
- SQLite: one deferred transaction, which keeps the state its first read has seen
  (https://www.sqlite.org/isolation.html), on a file opened read-only

A login that may only ``SELECT`` is enough.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from reconciler.errors import LmsUnreadable

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite+pysqlite",
}
_TIMEOUT = "lms_statement_timeout"
_CONNECT_SECONDS = 10
_SILENT_SECONDS = 30  # beyond its own time-out, for a server that accepts what is sent and never answers
_STALLED_READER_SECONDS = 600  # how long MariaDB keeps a stream open whose reader is busy elsewhere
_STREAM = 2_000  # rows of a stream in memory at once
_LONGEST_REASON = 300


# Connecting ---------------------------------------------------------------------------------------


def read_engine(
    url: str | URL, password: str | None = None, statement_timeout: float | None = 120.0
) -> Engine:
    """An engine for reading an LMS at a PostgreSQL, MariaDB, MySQL or SQLite URL.

    ``statement_timeout`` is in seconds; ``None`` leaves it to the server. SQLite has none. Connecting
    is left to the first read, and every connection is tried before it is used again. A server that does
    not answer for half a minute longer than that is given up.
    """
    parsed = sa.make_url(url)
    if password is not None:
        parsed = parsed.set(password=password)
    kind = parsed.get_backend_name()
    options: dict[str, Any] = {"pool_pre_ping": True, "execution_options": {_TIMEOUT: statement_timeout}}
    if kind == "sqlite":
        return _sqlite_engine(parsed, options)
    longest = None if statement_timeout is None else statement_timeout + _SILENT_SECONDS
    engine = sa.create_engine(
        parsed.set(drivername=_DRIVERS.get(kind, parsed.drivername)),
        connect_args=_connect_arguments(kind, longest),
        pool_timeout=longest or _SILENT_SECONDS,
        **options,
    )
    if kind == "postgresql" and longest is not None:
        give_up_after(engine, longest)
    return engine


def _connect_arguments(kind: str, longest: float | None) -> dict[str, Any]:
    """Time-outs for a server that is gone without saying so; answers take so many seconds at most."""
    if kind == "postgresql":  # no prepared statements: they do not survive a transaction pooler
        keepalives = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        return {"connect_timeout": _CONNECT_SECONDS, "prepare_threshold": None, **keepalives}
    arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "charset": "utf8mb4"}
    if longest is not None:
        arguments |= {"read_timeout": longest, "write_timeout": longest}
    return arguments


def give_up_after(engine: Engine, seconds: float) -> None:
    """Have an engine's connections to PostgreSQL wait so long for an answer and no longer: libpq itself waits
    for ever for a server that is there and says nothing."""

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
            return super().wait(gen, interval, seconds if timeout is None else timeout)

    def connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> psycopg.Connection[Any]:
        return Impatient.connect(*arguments, **named)

    sa.event.listen(engine, "do_connect", connect)


def _sqlite_engine(url: URL, options: dict[str, Any]) -> Engine:
    """Opened read-only: a path that does not exist must be an error, not a new and empty database."""
    path = Path(url.database or "").absolute()
    engine = sa.create_engine(
        URL.create(
            _DRIVERS["sqlite"], database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"}
        ),
        connect_args={"timeout": 30},
        **options,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin when we say so, and a text that is not UTF-8 does not end the whole reading."""
    connection.isolation_level = None
    connection.text_factory = methodcaller("decode", "utf-8", "replace")


def address_of(engine: Engine, prefix: str = "") -> str:
    """Names the database: kind, host, name and table prefix. Neither login nor password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        place = str(url.database).removeprefix("file:")
    else:
        port = f":{url.port}" if url.port else ""
        place = f"{url.host or 'localhost'}{port}/{url.database or ''}"
    return f"{url.get_backend_name()}://{place}" + (f"#{prefix}" if prefix else "")


# Reading ------------------------------------------------------------------------------------------


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one instant of the database and cannot write to it.

    After an exception it is closed for good: nobody knows what state the server left it in.
    """
    connection = engine.connect()
    try:
        _begin(connection)
        yield connection
        connection.rollback()
    except BaseException:
        connection.invalidate()
        raise
    finally:
        connection.close()


def _begin(connection: Connection) -> None:
    seconds = connection.get_execution_options().get(_TIMEOUT)
    name = connection.dialect.name
    if name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    elif name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        if seconds is not None:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.exec_driver_sql(f"SET SESSION net_write_timeout = {_STALLED_READER_SECONDS}")
        if seconds is not None:
            connection.exec_driver_sql(_mysql_timeout(connection, seconds))
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _mysql_timeout(connection: Connection, seconds: float) -> str:
    if getattr(connection.dialect, "is_mariadb", False):
        return f"SET SESSION max_statement_time = {seconds:f}"
    return f"SET SESSION max_execution_time = {int(seconds * 1000)}"


@contextmanager
def unreadable(address: str) -> Iterator[None]:
    """Whatever a database or driver raises in here becomes :class:`LmsUnreadable`."""
    try:
        yield
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise LmsUnreadable(
            f"The LMS could not be read whole: {reason_of(error)}",
            whose=address,
            next_step="Nothing is concluded from it, and the next cycle reads again; "
            "`reconciler check-config --online` tries every table.",
        ) from error


def stream(
    connection: Connection, query: sa.Select[Any], values: Mapping[str, object] | None = None
) -> Iterator[Any]:
    """The rows of a query with these values, a few thousand in memory at a time.

    PyMySQL would read to the end a stream that nobody reads on, even from a connection that is gone.
    """
    result = connection.execution_options(yield_per=_STREAM).execute(query, values)
    unread: Any = getattr(result.cursor, "_result", None)
    try:
        for some in result.partitions():
            yield from some
    except BaseException:
        if unread is not None:
            unread.unbuffered_active = False
        raise


def reason_of(error: Exception) -> str:
    """The driver's own words: no statement and no parameters, which may hold people's names."""
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    match getattr(cause, "args", ()):
        case (int(), str() as text):  # PyMySQL: number and message
            pass
        case _:
            text = str(cause)
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())[:_LONGEST_REASON]


# SQL that differs ---------------------------------------------------------------------------------


class code_points(FunctionElement[str]):
    """A text, ordered by the code points of its characters whatever the collation of its column."""

    type = sa.Text()
    inherit_cache = True
    name = "code_points"


@compiles(code_points)
def _by_binary_collation(element: code_points, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.clauses, **kw)} COLLATE BINARY"


@compiles(code_points, "postgresql")
def _by_c_collation(element: code_points, compiler: SQLCompiler, **kw: Any) -> str:
    return f'{compiler.process(element.clauses, **kw)} COLLATE "C"'


@compiles(code_points, "mysql", "mariadb")
def _by_bytes_of_utf8(element: code_points, compiler: SQLCompiler, **kw: Any) -> str:
    """Every MariaDB collation pads or folds; the bytes of UTF-8 are in the order of the code points."""
    return f"CAST(CONVERT({compiler.process(element.clauses, **kw)} USING utf8mb4) AS BINARY)"


def as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A column of whatever type as text (``CHAR`` is what MariaDB's cast calls it)."""
    return sa.cast(column, sa.Text().with_variant(sa.CHAR(), "mysql", "mariadb"))


def exists(*conditions: ColumnElement[bool]) -> sa.Exists:
    """Whether there is such a row, without naming columns that a login might not be allowed to see."""
    return sa.select(sa.literal_column("1")).where(*conditions).exists()


def columns_of(connection: Connection, tables: list[str], schema: str | None) -> dict[str, dict[str, str]]:
    """The columns of tables or views, each with what it is: ``integer``, ``text`` or ``other``.

    A table that is not there, or not to be read with this login, is missing from the answer.
    """
    if connection.dialect.name in ("mysql", "mariadb"):
        return _mysql_columns(connection, tables, schema)
    found = sa.inspect(connection).get_multi_columns(
        schema=schema, filter_names=tables, kind=sa.engine.reflection.ObjectKind.ANY
    )
    return {
        name: {column["name"]: _kind(column["type"]) for column in columns}
        for (_schema, name), columns in found.items()
    }


def _kind(type_: sa.types.TypeEngine[Any]) -> str:
    if isinstance(type_, sa.Integer):
        return "integer"
    return "text" if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum | sa.CHAR) else "other"


def _mysql_columns(
    connection: Connection, tables: list[str], schema: str | None
) -> dict[str, dict[str, str]]:
    """Asked for directly: what SQLAlchemy would ask needs the right to see a view's definition."""
    query = sa.text(
        "SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns"
        " WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name IN :tables"
    ).bindparams(sa.bindparam("tables", expanding=True))
    kinds = {"varchar": "text"} | dict.fromkeys(
        ("tinyint", "smallint", "mediumint", "int", "bigint"), "integer"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(query, {"schema": schema, "tables": tables}):
        found.setdefault(table, {})[column] = kinds.get(type_, "other")
    return found
