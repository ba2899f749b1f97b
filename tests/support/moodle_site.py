"""A dumped Moodle site with the script on its host: real tables, real PHP, stubs for the plugin's functions.

The sessions of the dump are moved into the future as a whole, for Moodle's clock cannot be set.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reconciler.lms.moodle_channels import CommandChannel
from reconciler.lms.moodle_registrar import MoodleRegistrar
from reconciler.ports import Unregistration

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "moodle" / "cli" / "unregister.php"
STUB = ROOT / "tests" / "support" / "moodle_stub"

SESSION, LEARNER, SIGNUP, SEAT = 3, 22, 20, 30
"""A full session of three days whose waiting list has two people, and one who is booked into it."""

NEXT = 30
"""Who is first on that waiting list."""

CHANGED = [
    "mdl_config",
    "mdl_course_modules",
    "mdl_event",
    "mdl_facetoface_sessions",
    "mdl_facetoface_sessions_dates",
    "mdl_facetoface_signups",
    "mdl_facetoface_signups_status",
    "mdl_logstore_standard_log",
    "mdl_user",
]
"""The tables in which a test may change rows."""


def php() -> str:
    """The interpreter; without it the test is skipped, or fails if the environment says ``CI=true``."""
    found = shutil.which("php")
    if found is None:
        sentence = "no php: apt-get install php-cli php-pgsql php-mysql"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@dataclass(frozen=True)
class MoodleSite:
    """A site in the database at ``url``, with a data directory of its own."""

    url: str
    engine: sa.Engine
    folder: Path

    def command(self, *arguments: str, trouble: str = "") -> list[str]:
        """The script's command line on this site."""
        return [
            "env",
            *self.environment(trouble),
            php(),
            str(SCRIPT),
            f"--config={STUB}/config.php",
            *arguments,
        ]

    def environment(self, trouble: str = "") -> list[str]:
        """What the stubs need to know, as NAME=value."""
        parsed = sa.make_url(self.url)
        kind = "pgsql" if parsed.get_backend_name() == "postgresql" else "mysql"
        return [
            f"STUB_DSN={kind}:host={parsed.host};port={parsed.port};dbname={parsed.database}",
            f"STUB_USER={parsed.username}",
            f"STUB_PASSWORD={parsed.password or ''}",
            f"STUB_DATA={self.folder}",
            f"STUB_TROUBLE={trouble}",
        ]

    def registrar(self, trouble: str = "", seconds: float = 30) -> MoodleRegistrar:
        return MoodleRegistrar(CommandChannel(self.command(trouble=trouble), seconds))

    def run(self, *arguments: str, told: str = "", trouble: str = "") -> subprocess.CompletedProcess[str]:
        """The script by hand."""
        return subprocess.run(
            self.command(*arguments, trouble=trouble), input=told, capture_output=True, text=True, check=False
        )

    # What is in the database

    def write(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def history(self, signup: int = SIGNUP) -> list[tuple[Any, ...]]:
        """Code, superceded, and who, of each status of a sign-up, oldest first."""
        found = self.rows(
            "SELECT statuscode, superceded, createdby FROM mdl_facetoface_signups_status"
            f" WHERE signupid = {signup} ORDER BY id"
        )
        return [(code, int(superceded), by) for code, superceded, by in found]

    def calendar(self, person: int = LEARNER) -> int:
        """How many rows of the session a person has in Moodle's own calendar."""
        [(count,)] = self.rows(
            f"SELECT count(*) FROM mdl_event WHERE uuid = '{SESSION}' AND userid = {person} AND courseid = 0"
        )
        return int(count)

    def cancel_events(self) -> int:
        [(count,)] = self.rows("SELECT count(*) FROM mdl_logstore_standard_log WHERE action = 'booking'")
        return int(count)

    def mails(self) -> list[dict[str, Any]]:
        sent = self.folder / "mails"
        return [json.loads(line) for line in sent.read_text().splitlines()] if sent.exists() else []

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All rows that giving a seat back may touch."""
        tables = ("signups", "signups_status", "sessions_dates")
        found = [self.rows(f"SELECT * FROM mdl_facetoface_{table} ORDER BY id") for table in tables]
        return [*found, self.rows("SELECT * FROM mdl_event ORDER BY id")]

    def asks(self, **changes: Any) -> Unregistration:
        """A request for the learner's seat, as it was proven."""
        [(account,)] = self.rows("SELECT value FROM mdl_config WHERE name = 'siteidentifier'")
        dates = self.rows(
            "SELECT timestart, timefinish FROM mdl_facetoface_sessions_dates"
            f" WHERE sessionid = {SESSION} ORDER BY timestart"
        )
        now = datetime.now(UTC)
        request = Unregistration(
            account=account,
            person=str(LEARNER),
            session=str(SESSION),
            seats=(str(SEAT),),
            days=tuple((_moment(start), _moment(end)) for start, end in dates),
            now=now,
            deadline=now + timedelta(minutes=1),
            reference="evidence-1",
        )
        return replace(request, **changes)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moodle_site(url: str, folder: Path) -> MoodleSite:
    """The site in this database, into which a dump was loaded; its sessions begin in nine days or later."""
    site = MoodleSite(url, sa.create_engine(url, poolclass=sa.NullPool), folder)
    later = int((datetime.now(UTC) + timedelta(days=9)).timestamp())
    [(first,)] = site.rows("SELECT min(timestart) FROM mdl_facetoface_sessions_dates WHERE timestart > 0")
    shift = max(0, later - first)
    if site.engine.dialect.name == "postgresql":  # tests give numbers below this one
        site.write("SELECT setval('mdl_facetoface_signups_status_id_seq', 10000)")
    site.write(
        "UPDATE mdl_facetoface_sessions_dates"
        f" SET timestart = timestart + {shift}, timefinish = timefinish + {shift} WHERE timestart > 0"
    )
    return site
