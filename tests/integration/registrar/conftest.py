"""An LMS on each kind of database in turn: on the reference tables, or a dumped Moodle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.booked_site import Site, booked_site
from tests.support.databases import Server
from tests.support.moodle import load_dump
from tests.support.moodle_site import MoodleSite, moodle_site, php


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
def moodle_template() -> dict[str, str]:
    """Databases with the dump in them, to be copied."""
    return {}


@pytest.fixture(params=["postgresql", "mariadb"])
def moodle(
    request: pytest.FixtureRequest, tmp_path: Path, moodle_template: dict[str, str]
) -> Iterator[MoodleSite]:
    """A dumped Moodle site on each kind of server in turn, its sessions still to come."""
    server: Server = request.getfixturevalue(request.param)
    php()
    if request.param == "postgresql":
        if "postgresql" not in moodle_template:
            moodle_template["postgresql"] = server.create()
            load_dump(moodle_template["postgresql"], "pgsql-seeded")
        url = server.create(f"TEMPLATE {sa.make_url(moodle_template['postgresql']).database}")
    else:
        url = server.create("CHARACTER SET utf8mb4")
        load_dump(url, "mariadb-seeded")
    yield moodle_site(url, tmp_path)
    server.drop(url)
