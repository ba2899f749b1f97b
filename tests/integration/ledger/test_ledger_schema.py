"""The schema: made, upgraded and refused as a whole."""

from __future__ import annotations

import itertools
import multiprocessing
import re
import sqlite3
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from reconciler.errors import ConfigurationError, StateUnreadable
from reconciler.ledger.database import _turn_on_write_ahead_log, open_database
from reconciler.ledger.store import open_ledger
from reconciler.ledger.tables import metadata
from reconciler.ledger.upgrade import upgrade
from tests.support.boundaries import killed_at


def _tables(url: str) -> list[str]:
    database = open_database(url)
    with database.reading() as connection:
        found = sa.inspect(connection).get_table_names()
    database.close()
    return found


def _set_version(url: str, version: str) -> None:
    database = open_database(url)
    upgrade(database)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    database.close()


def test_the_migrations_make_the_tables_the_statements_are_written_for(state_url: str) -> None:
    database = open_database(state_url)
    upgrade(database)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = sa.inspect(connection)
        for table in metadata.sorted_tables:
            there = {index["name"]: bool(index["unique"]) for index in made.get_indexes(table.name)}
            wanted = {index.name: bool(index.unique) for index in table.indexes}
            assert wanted.items() <= there.items()
    database.close()


def test_upgrading_twice_changes_nothing(state_url: str) -> None:
    database = open_database(state_url)
    before, after = upgrade(database)
    assert before is None
    assert upgrade(database) == (after, after)
    database.close()


def test_a_database_without_schema_is_refused_with_the_command_to_run(state_url: str) -> None:
    if state_url.startswith("sqlite"):
        sqlite3.connect(sa.make_url(state_url).database or "").close()
    address = re.escape(open_database(state_url).address)
    assert "password" not in address
    with pytest.raises(
        StateUnreadable, match=rf"no schema yet \({address}\)\. Run `reconciler schema upgrade`"
    ):
        open_ledger(state_url)


def test_a_missing_sqlite_file_is_said_to_be_missing_and_not_created(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with pytest.raises(StateUnreadable, match="There is no state database"):
        open_ledger(f"sqlite:///{file}")
    assert not file.exists()


def test_a_database_of_a_newer_program_is_refused_and_left_alone(state_url: str) -> None:
    _set_version(state_url, "9999")
    with pytest.raises(StateUnreadable, match=r"schema 9999 of a newer program.*Install the newer program"):
        open_ledger(state_url)
    database = open_database(state_url)
    with pytest.raises(StateUnreadable, match="9999"):
        upgrade(database)
    with database.reading() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "9999"
    database.close()


def test_an_upgrade_killed_at_any_statement_has_happened_wholly_or_not_at_all(state_url: str) -> None:
    for boundary in itertools.count():
        if not killed_at(boundary, state_url, upgrade):
            break
        assert _tables(state_url) == []
    assert boundary > len(metadata.tables)
    assert set(metadata.tables) < set(_tables(state_url))


def test_upgrades_at_once_end_with_one_schema(state_url: str) -> None:
    with multiprocessing.get_context("fork").Pool(4) as processes:
        outcomes = processes.map(_upgrade, [state_url] * 4, chunksize=1)
    assert outcomes.count(None) == 1  # one found nothing, the others what that one made
    open_ledger(state_url).close()


def _upgrade(url: str) -> str | None:
    database = open_database(url)
    before, _ = upgrade(database)
    database.close()
    return before


def test_a_new_sqlite_file_that_somebody_else_is_opening_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused: list[object] = []

    def let_go(attempt: object) -> None:
        refused.append(attempt)
        other.rollback()

    monkeypatch.setattr(_turn_on_write_ahead_log.retry, "before_sleep", let_go)
    upgrade(open_database(f"sqlite:///{file}"))
    assert len(refused) == 1
    other.close()


def test_a_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    upgrade(open_database(f"sqlite:///{file}"))
    for each in tmp_path.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_a_corrupt_sqlite_file_is_unreadable_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"no database at all " * 500)
    with pytest.raises(StateUnreadable, match="not a database"):
        open_ledger(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"no database at all")


def test_an_unreachable_server_is_unreadable_state_without_the_password() -> None:
    with pytest.raises(StateUnreadable) as refused:
        open_ledger("postgresql://somebody@127.0.0.1:1/state", password="hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d", "nonsense"])
def test_any_other_kind_of_database_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"state\.url"):
        open_ledger(url)


def test_sqlite_confirms_a_commit_only_once_it_is_on_the_disk(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    upgrade(database)
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    database.close()
