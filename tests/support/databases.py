"""Real databases for tests: SQLite files, and databases of their own on a PostgreSQL and a MariaDB server.

Where there is no server the test is skipped with the reason, or fails if the environment says ``CI=true``.
``TEST_POSTGRESQL`` and ``TEST_MARIADB`` hold the URL of an administrator, without a database.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.ledger.database import open_database
from reconciler.ledger.store import SqlLedger, open_ledger
from reconciler.ledger.tables import metadata
from reconciler.ledger.upgrade import upgrade

AS_PEOPLE_SORT = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
"""Options of a PostgreSQL database whose own order of texts is not that of code points."""

POSTGRESQL = os.environ.get("TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432")
MARIADB = os.environ.get("TEST_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306")


class Server:
    """A database server that lends databases with names nobody else uses, and drops them at the end."""

    def __init__(self, administrator: str, database: str = "") -> None:
        self._url = sa.make_url(administrator)
        self._engine = sa.create_engine(
            self._url.set(database=database), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        self._lent: set[str] = set()

    def reach(self) -> None:
        with self._engine.connect():
            pass

    def create(self, options: str = "") -> str:
        """The URL of a new database."""
        name = f"test_{uuid.uuid4().hex}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {options}")
        self._lent.add(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop one that was lent, whoever is connected to it."""
        name = sa.make_url(url).database
        force = "WITH (FORCE)" if self._url.get_backend_name() == "postgresql" else ""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} {force}")
        self._lent.discard(str(name))

    def close(self) -> None:
        for name in list(self._lent):
            self.drop(self._url.set(database=name).render_as_string(hide_password=False))


def _reached(server: Server, what: str) -> Server:
    try:
        server.reach()
    except sa.exc.OperationalError as error:
        sentence = f"no {what} server for tests: {error.orig}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server."""
    server = _reached(Server(POSTGRESQL, "postgres"), "PostgreSQL")
    yield server
    server.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB server."""
    server = _reached(Server(MARIADB), "MariaDB")
    yield server
    server.close()


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """An empty PostgreSQL database for one test."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)


@pytest.fixture
def mariadb_url(mariadb: Server) -> Iterator[str]:
    """An empty MariaDB database for one test, utf8mb4."""
    url = mariadb.create("CHARACTER SET utf8mb4")
    yield url
    mariadb.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty state database for one test, on each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our schema and nothing in it, to be copied."""
    file = tmp_path_factory.mktemp("ledger") / "state.db"
    _upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def ledger_on_postgresql(postgresql: Server) -> str:
    """A PostgreSQL database with our schema, to be emptied before it is used."""
    url = postgresql.create(AS_PEOPLE_SORT)
    _upgrade(url)
    return url


def _upgrade(url: str) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()


def _empty(url: str) -> None:
    database = open_database(url)
    with database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state database with our schema and nothing in it, on each kind of database in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("ledger_file"), tmp_path / "state.db")
        return f"sqlite:///{tmp_path / 'state.db'}"
    url: str = request.getfixturevalue("ledger_on_postgresql")
    _empty(url)
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[SqlLedger]:
    """A ledger with nothing in it, on each kind of database in turn."""
    opened = open_ledger(ledger_url)
    yield opened
    opened.close()
