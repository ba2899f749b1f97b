"""An LMS on each kind of database in turn: on the reference tables, or a dumped Moodle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.booked_site import Site, booked_site
from tests.support.databases import Server
from tests.support.moodle import load_dump
from tests.support.moodle_site import CHANGED, MoodleSite, moodle_site, php


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def lms_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty LMS database, on each kind of server in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lms.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def site(lms_url: str) -> Iterator[Site]:
    """Ana, and Ben beside her, booked into one course of two days."""
    booked = booked_site(lms_url)
    yield booked
    booked.lms.close()


@pytest.fixture(scope="session")
def dumped() -> dict[str, str]:
    """The URLs of databases with a dump in them, to be copied."""
    return {}


@pytest.fixture(params=["postgresql", "mariadb"])
def moodle(request: pytest.FixtureRequest, tmp_path: Path, dumped: dict[str, str]) -> Iterator[MoodleSite]:
    """A dumped Moodle site on each kind of server in turn, its sessions still to come."""
    php()
    server: Server = request.getfixturevalue(request.param)
    copy = _fresh_postgresql if request.param == "postgresql" else _restored_mariadb
    with copy(server, dumped) as url:
        yield moodle_site(url, tmp_path)


@contextmanager
def _fresh_postgresql(server: Server, dumped: dict[str, str]) -> Iterator[str]:
    if "postgresql" not in dumped:
        url = server.create()
        load_dump(url, "pgsql-seeded")
        dumped["postgresql"] = url
    url = server.create(f"TEMPLATE {sa.make_url(dumped['postgresql']).database}")
    yield url
    server.drop(url)


@contextmanager
def _restored_mariadb(server: Server, dumped: dict[str, str]) -> Iterator[str]:
    """MariaDB has no templates: the rows that tests change are put back from a second copy."""
    for name in ("mariadb", "mariadb, untouched"):
        if name not in dumped:
            url = server.create("CHARACTER SET utf8mb4")
            load_dump(url, "mariadb-seeded")
            dumped[name] = url
    untouched = sa.make_url(dumped["mariadb, untouched"]).database
    engine = sa.create_engine(dumped["mariadb"], poolclass=sa.NullPool)
    with engine.begin() as connection:
        for table in CHANGED:
            connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {untouched}.{table}")
    yield dumped["mariadb"]
