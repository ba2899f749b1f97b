"""Brings the state database to the schema this program knows, or says why it cannot be used.

A whole upgrade is one transaction, on SQLite too: what is killed half-way has not happened.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reconciler.errors import StateUnfit
from reconciler.ledger.database import Database, create_file

_UPGRADE = "Run `reconciler schema upgrade`."
_ONE_AT_A_TIME = 7_241_960_001  # any number, the same for every upgrade


class _Steps(NamedTuple):
    """The schema's versions that this program knows, and the last of them."""

    known: frozenset[str]
    head: str


def upgrade(database: Database) -> tuple[str | None, str]:
    """Create or upgrade the schema, all of it or nothing. Returns the versions before and after.

    Raises ``StateUnfit`` for a database that a newer program has upgraded, and leaves it as it is.
    """
    if database.file is not None:
        create_file(database.file)
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        before = _version(connection)
        _refuse_unknown(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, _steps().head


def check_schema(database: Database) -> None:
    """Raise ``StateUnfit``, with what to do, unless the schema is the one this program knows."""
    if database.file is not None and not database.file.exists():
        raise StateUnfit(
            "There is no state database",
            whose=str(database.file),
            next_step="Was there one? Restore it (docs/operate.md). A new one: `reconciler schema upgrade`.",
        )
    with database.reading() as connection:
        version = _version(connection)
        encoding = None if database.is_sqlite else connection.scalar(sa.text("SHOW server_encoding"))
    if version is None:
        raise StateUnfit("The state database has no schema yet", whose=database.address, next_step=_UPGRADE)
    _refuse_unknown(version)
    if version != _steps().head:
        raise StateUnfit(
            f"The state database has the older schema {version}", whose=database.address, next_step=_UPGRADE
        )
    if encoding not in (None, "UTF8"):
        raise StateUnfit(
            f"The state database stores text as {encoding}, which cannot hold every id",
            next_step="Create it with ENCODING 'UTF8'.",
        )


def _refuse_unknown(version: str | None) -> None:
    if version is not None and version not in _steps().known:
        raise StateUnfit(
            f"The state database has the schema {version} of a newer program; this one knows {_steps().head}",
            next_step="Install the newer program again, or restore the backup made before its upgrade.",
        )


def _version(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@cache  # they are files of the program, read by compiling each
def _steps() -> _Steps:
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    assert head is not None
    return _Steps(frozenset(step.revision for step in scripts.walk_revisions()), head)


def _config() -> Config:
    config = Config()
    # Alembic reads a percent sign as the beginning of an interpolation.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config
