"""Two running Moodle sites as they were dumped, and what the plugin itself says of who is where.

The dumps are no part of the project: they lie beside its checkout (``shared/data/moodle``). Without them
the tests that need them are skipped, or fail if the environment says ``CI=true``.
"""

from __future__ import annotations

import csv
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
"""The dumps were made half an hour before."""


class Truth(NamedTuple):
    """One line of what the plugin answers; ``code`` is the status of an attendee, the role of a trainer."""

    kind: str
    session: str
    activity: str
    course: str
    name: str
    user: str
    username: str
    email: str
    zone: str
    suspended: str
    code: int
    dated: bool
    start: str
    finish: str
    capacity: str
    visible: str
    location: str
    venue: str
    room: str
    join_link: str


def shared_file(name: str) -> Path:
    """A file of real data, by its path within the folder."""
    path = FOLDER / name
    if not path.exists():
        sentence = f"no real data: {name} is not beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return path


def load_dump(url: str, name: str) -> None:
    """Load ``moodle-<name>.sql`` into an empty database with the server's own client."""
    dump = shared_file(f"moodle/moodle-{name}.sql")
    parsed = sa.make_url(url)
    where = [f"--host={parsed.host}", f"--port={parsed.port}"]
    if parsed.get_backend_name() == "postgresql":
        command = ["psql", *where, f"--username={parsed.username}", "--quiet", "--set=ON_ERROR_STOP=1"]
        command += [f"--dbname={parsed.database}"]
    else:
        command = ["mariadb", *where, f"--user={parsed.username}", "--default-character-set=utf8mb4"]
        command += [str(parsed.database)]
    environment = os.environ | dict.fromkeys(("PGPASSWORD", "MYSQL_PWD"), parsed.password or "")
    with dump.open("rb") as script:
        subprocess.run(command, stdin=script, check=True, capture_output=True, env=environment)


def truth(name: str) -> list[Truth]:
    """Who is on which date: ``seeded`` or ``changed``."""
    with shared_file(f"moodle/truth-{name}.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Truth(*row[:10], int(row[10]), row[11] == "1", *row[12:]) for row in rows]


class WritableMoodle:
    """A site whose rows a test may change."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self.lms = MoodleLms(read_engine(url), site_url="https://lms.example")

    def change(self, *statements: str) -> None:
        with self.engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def close(self) -> None:
        self.lms.close()
        self.engine.dispose()
