"""One state database, SQLite or PostgreSQL: its connections, its transactions, its errors.

SQLite: write-ahead log, ``synchronous=FULL`` (a commit that was confirmed survives a power cut), foreign
keys on, and ``BEGIN IMMEDIATE`` for every transaction that writes, so that it waits at its beginning and
never fails half-way for want of a lock (https://www.sqlite.org/lang_transaction.html). Python's sqlite3
would begin transactions by itself, and not for DDL; it is told not to, and we begin them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import tenacity
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from reconciler.errors import ConfigurationError, StateUnreadable

PATIENCE = 30
"""Seconds a transaction waits for another one's lock before it gives up."""

CHUNK = 1000
"""How many ids are named in one statement; both databases limit its parameters."""

STREAM = 1000
"""How many rows of a stream are in memory at once."""


class Database:
    """Hands out transactions. Used by any number of threads; each takes a connection of its own."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        """Whether this is a file here, rather than a server."""
        # SQLite has one writer at a time. Threads that queue here wait in turn, where SQLite would have
        # them sleep and try again.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for PostgreSQL."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name else None

    @property
    def address(self) -> str:
        """Names it to whoever has to look after it: the file, or kind, host and name. Neither login nor
        password."""
        url = self.engine.url
        if self.is_sqlite:
            return str(url.database)
        port = f":{url.port}" if url.port else ""
        return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing; raises ``StateUnreadable``."""
        with _our_words(self), self.engine.connect() as connection:
            self._begin(connection, "DEFERRED")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, committed at its end unless an exception leaves it; raises ``StateUnreadable``."""
        with self._turn, _our_words(self), self.engine.begin() as connection:
            self._begin(connection, "IMMEDIATE")
            yield connection

    def _begin(self, connection: sa.Connection, how: str) -> None:
        """Not by a listener of the library's: with one it looks for listeners around every statement."""
        if self.is_sqlite:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"BEGIN {how}")

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()


def open_database(url: str, password: str | None = None, pool_size: int = 20) -> Database:
    """The database at ``sqlite:///path`` or ``postgresql://user@host/name``; connects only when used.

    The password is given apart, so that the URL can stand in a file that anybody may read. Raises
    ``ConfigurationError`` for any other kind of database.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError(["state.url: this is no database URL"]) from None
    if password is not None:
        parsed = parsed.set(password=password)
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return Database(_sqlite(parsed, pool_size))
    if kind == "postgresql":
        return Database(_postgresql(parsed, pool_size))
    raise ConfigurationError(["state.url: must be sqlite:///<file> or postgresql://<user>@<host>/<name>"])


def _sqlite(url: sa.URL, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": PATIENCE},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None
    _turn_on_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


# Two processes that open a new file at once: SQLite refuses one of them without waiting.
@tenacity.retry(
    retry=tenacity.retry_if_exception(_busy),
    wait=tenacity.wait_random(0, 0.1),
    stop=tenacity.stop_after_delay(PATIENCE),
    reraise=True,
)
def _turn_on_write_ahead_log(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")


def _postgresql(url: sa.URL, pool_size: int) -> sa.Engine:
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": PATIENCE,
            "application_name": "reconciler",
            "options": f"-c lock_timeout={PATIENCE}s",
        },
    )


_DISK = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)
"""Primary result codes (https://sqlite.org/rescode.html)."""


@contextmanager
def _our_words(database: Database) -> Iterator[None]:
    """The library's errors as ours. Not chained: a server's detail lines may quote what is in a row."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        first_line = str(cause).strip().partition("\n")[0]
        raise StateUnreadable(
            f"The state database could not be used: {type(cause).__name__}: {first_line}",
            whose=database.address,
            next_step=f"{_look_at_disk(cause)}Nothing is written to any calendar until it can be used again.",
        ) from None


def _look_at_disk(cause: BaseException) -> str:
    """What to do first where SQLite's file cannot be written; SQLite seldom says why."""
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in _DISK:
        return "Is its disk full or read-only, or is the file somebody else's (df, mount, ls -l)? "
    return ""


def create_file(file: Path) -> None:
    """Make an empty SQLite file that its owner alone can read, unless there is one already."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StateUnreadable(
            f"The state database cannot be created: {error.strerror}",
            whose=str(file),
            next_step="Let the user the program runs as write to its directory.",
        ) from None


def chunks(ids: Collection[str]) -> Iterator[Sequence[str]]:
    """These ids in ascending order without doubles, a statement's worth at a time."""
    ordered = sorted(set(ids))
    for begin in range(0, len(ordered), CHUNK):
        yield ordered[begin : begin + CHUNK]


def upsert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], keep: Collection[str] = ()
) -> None:
    """Insert these rows, or update by primary key the columns they have, but for those in ``keep``."""
    if rows:
        statement = _upserting(table, connection.dialect.name, tuple(rows[0]), frozenset(keep))
        connection.execute(statement, rows)


@lru_cache(maxsize=64)  # to build one costs more than to send it
def _upserting(
    table: sa.Table, dialect: str, columns: tuple[str, ...], keep: frozenset[str]
) -> sqlite_dialect.Insert | postgresql.Insert:
    statement = _insert_into(table, dialect)
    keys = [column.name for column in table.primary_key]
    new = {name: statement.excluded[name] for name in columns if name not in keep.union(keys)}
    return statement.on_conflict_do_update(index_elements=keys, set_=new)


def insert_once(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert a row; false, and nothing done, if its primary key is there already."""
    missing = _inserting_missing(table, connection.dialect.name)
    statement = missing.values(**row).returning(*table.primary_key)
    return connection.execute(statement).one_or_none() is not None


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of these rows whose primary key is not there yet."""
    if not rows:
        return
    connection.execute(_inserting_missing(table, connection.dialect.name), rows)


@lru_cache(maxsize=64)
def _inserting_missing(table: sa.Table, dialect: str) -> sqlite_dialect.Insert | postgresql.Insert:
    return _insert_into(table, dialect).on_conflict_do_nothing()


def _insert_into(table: sa.Table, dialect: str) -> sqlite_dialect.Insert | postgresql.Insert:
    """An insert that can say what to do where the row is there already."""
    return (sqlite_dialect.insert if dialect == "sqlite" else postgresql.insert)(table)
