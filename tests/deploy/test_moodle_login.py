"""The login that docs/connect-moodle.md makes: it reads all that is needed, and nothing it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from tests.support.databases import Server
from tests.support.moodle import NOW, load_dump

PAGE = Path(__file__).parents[2] / "docs/connect-moodle.md"
KINDS = {"postgresql": "pgsql", "mariadb": "mariadb"}


def script(kind: str, login: str) -> list[str]:
    """The statements of the page for this kind of database, with another name for the login."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    (text,) = (block for block in blocks if ("IDENTIFIED" in block) is (kind == "mariadb"))
    return [one.strip() for one in text.replace("reconciler", login).split(";") if one.strip()]


@pytest.fixture(params=KINDS)
def login_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A dumped site, seen with the login of the page, on each kind of server in turn."""
    server: Server = request.getfixturevalue(request.param)
    url = server.create("CHARACTER SET utf8mb4" if request.param == "mariadb" else "")
    load_dump(url, f"{KINDS[request.param]}-seeded")
    parsed = sa.make_url(url)
    login = f"r{str(parsed.database).removeprefix('test_')[:20]}"
    with sa.create_engine(
        url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    ).connect() as administrator:
        for statement in script(request.param, login):
            administrator.exec_driver_sql(statement.replace("%", "%%"))
        yield parsed.set(username=login, password="the password").render_as_string(hide_password=False)
        server.drop(url)
    with sa.create_engine(
        parsed.set(database="postgres" if request.param == "postgresql" else ""),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    ).connect() as administrator:
        administrator.exec_driver_sql(f"DROP {'ROLE' if request.param == 'postgresql' else 'USER'} {login}")


def test_the_login_of_the_page_reads_what_is_needed_and_no_secret_of_people(login_url: str) -> None:
    lms = MoodleLms(read_engine(login_url), site_url="https://learn.example.org")
    assert lms.check() == []
    with lms.scan(NOW) as scan:
        assert len(list(scan.people)) > 10
    lms.close()
    engine = sa.create_engine(login_url, poolclass=sa.NullPool)
    for refused in ("SELECT password FROM mdl_user", "UPDATE mdl_config SET value = ''"):
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql(refused)
