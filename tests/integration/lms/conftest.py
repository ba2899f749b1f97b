"""LMS databases to read: reference tables on each kind of database, and two Moodle sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from tests.support.databases import Server
from tests.support.moodle import WritableMoodle, load_dump
from tests.support.reference_lms import ReferenceSite, reference_site


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def lms_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lms.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def reference_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """The URL of a database of this kind that is made once, for tests that only fill the five tables."""
    urls: dict[str, str] = {}

    def made(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('reference') / 'lms.db'}"
        if kind not in urls:
            server: Server = request.getfixturevalue(kind)
            urls[kind] = server.create("" if kind == "postgresql" else "CHARACTER SET utf8mb4")
        return urls[kind]

    return made


@pytest.fixture
def make_site(reference_databases: Callable[[str], str]) -> Iterator[Callable[[str], ReferenceSite]]:
    """Makes reference tables with one account on the kind of database that is asked for."""
    sites: list[ReferenceSite] = []

    def make(kind: str) -> ReferenceSite:
        sites.append(reference_site(reference_databases(kind)))
        sites[-1].rows.add_account()
        return sites[-1]

    yield make
    for made in sites:
        made.close()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def site(request: pytest.FixtureRequest, make_site: Callable[[str], ReferenceSite]) -> ReferenceSite:
    """Reference tables with one account, on each kind of database in turn."""
    return make_site(request.param)


@pytest.fixture
def own_site(lms_url: str) -> Iterator[ReferenceSite]:
    """The same in a database of its own, for tests that change more than rows."""
    made = reference_site(lms_url)
    made.rows.add_account()
    yield made
    made.close()


@pytest.fixture
def file_site(tmp_path: Path) -> Iterator[ReferenceSite]:
    """The same, on SQLite only: for what does not depend on the database."""
    made = reference_site(f"sqlite:///{tmp_path / 'lms.db'}")
    made.rows.add_account()
    yield made
    made.close()


@pytest.fixture(scope="session")
def moodle_dumps(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The URL of a database that holds this dump, loaded once; nobody may write to it."""
    urls: dict[str, str] = {}

    def loaded(name: str) -> str:
        if name not in urls:
            kind = "postgresql" if name.startswith("pgsql") else "mariadb"
            server: Server = request.getfixturevalue(kind)
            url = server.create("" if kind == "postgresql" else "CHARACTER SET utf8mb4")
            load_dump(url, name)
            urls[name] = url
        return urls[name]

    return loaded


@pytest.fixture(params=["pgsql-seeded", "pgsql-changed", "mariadb-seeded"])
def dump(request: pytest.FixtureRequest) -> str:
    """Each of the dumps in turn."""
    name: str = request.param
    return name


@pytest.fixture
def open_moodle(moodle_dumps: Callable[[str], str]) -> Iterator[Callable[..., MoodleLms]]:
    """Opens a dump with the adapter."""
    opened: list[MoodleLms] = []

    def open_it(name: str, **options: object) -> MoodleLms:
        opened.append(MoodleLms(read_engine(moodle_dumps(name)), **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_it
    for lms in opened:
        lms.close()


@pytest.fixture
def moodle(postgresql: Server, moodle_dumps: Callable[[str], str]) -> Iterator[WritableMoodle]:
    """A copy of the seeded site on PostgreSQL."""
    url = postgresql.create(f"TEMPLATE {sa.make_url(moodle_dumps('pgsql-seeded')).database}")
    made = WritableMoodle(url)
    yield made
    made.close()
    postgresql.drop(url)


@pytest.fixture
def moodle_on_mariadb(mariadb: Server) -> Iterator[WritableMoodle]:
    """The seeded site on MariaDB."""
    url = mariadb.create("CHARACTER SET utf8mb4")
    load_dump(url, "mariadb-seeded")
    made = WritableMoodle(url)
    yield made
    made.close()
    mariadb.drop(url)
