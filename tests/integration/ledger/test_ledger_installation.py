"""Whose state this is, and whether it is the one this service left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.errors import StateUnreadable
from reconciler.ledger.installation import Witness
from reconciler.ledger.store import SqlLedger, open_ledger
from reconciler.ports import Installation
from tests.support.entries import HOUR, NOW


def _rewind(ledger: SqlLedger, counter: int) -> None:
    with ledger.database.writing() as connection:
        connection.execute(sa.text("UPDATE installation SET restore_counter = :n"), {"n": counter})


def test_an_installation_is_known_once_it_was_adopted(ledger: SqlLedger) -> None:
    assert ledger.installation() is None
    ledger.heartbeat(NOW)
    assert ledger.installation() is None
    first = Installation("acme", "lms.example", "https://calendar.example")
    ledger.adopt_installation(first, "ana", "command line", NOW)
    second = Installation("acme", "copy.example", "https://copy.example")
    ledger.adopt_installation(second, "ben", "command line", NOW)
    assert ledger.installation() == second
    assert ledger.last_heartbeat() == NOW
    assert [(line.who, line.what) for line in ledger.audit_log(9)] == [
        ("ben", "installation adopted"),
        ("ana", "installation adopted"),
    ]


def test_the_last_heartbeat_counts(ledger: SqlLedger) -> None:
    assert ledger.last_heartbeat() is None
    ledger.heartbeat(NOW)
    ledger.heartbeat(NOW + HOUR)
    assert ledger.last_heartbeat() == NOW + HOUR


def test_what_never_counted_is_new_and_then_in_step(ledger: SqlLedger, tmp_path: Path) -> None:
    file = tmp_path / "witness"
    assert ledger.witness_check(file) is Witness.NEW
    for _ in range(3):
        ledger.witness_step(file)
        assert ledger.witness_check(file) is Witness.IN_STEP
    assert list(tmp_path.glob("witness*")) == [file]


def test_a_crash_between_database_and_file_is_in_step(ledger: SqlLedger, tmp_path: Path) -> None:
    file, before = tmp_path / "witness", tmp_path / "before"
    ledger.witness_step(file)
    shutil.copy(file, before)
    ledger.witness_step(file)
    before.replace(file)
    assert ledger.witness_check(file) is Witness.IN_STEP


def test_a_database_behind_its_witness_was_restored_until_it_counts_on(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    file = tmp_path / "witness"
    for _ in range(5):
        ledger.witness_step(file)
    _rewind(ledger, 2)
    assert ledger.witness_check(file) is Witness.RESTORED
    ledger.witness_step(file)
    assert ledger.witness_check(file) is Witness.IN_STEP
    _rewind(ledger, 5)
    assert ledger.witness_check(file) is Witness.RESTORED


def test_a_witness_of_a_scheduler_that_stands_by_keeps_up_and_tells_of_a_restore(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    leads, stands_by = tmp_path / "leads", tmp_path / "stands-by"
    ledger.witness_step(leads)
    ledger.witness_join(stands_by)
    for _ in range(3):
        ledger.witness_step(leads)
    ledger.witness_join(stands_by)
    _rewind(ledger, 2)  # an older copy, which is still ahead of what it first saw
    ledger.witness_join(stands_by)
    assert ledger.witness_check(stands_by) is Witness.RESTORED


@pytest.mark.parametrize("content", [None, "", "nonsense", "\0\0\0"])
def test_a_lost_or_damaged_witness_counts_as_a_restore(
    ledger: SqlLedger, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "witness"
    ledger.witness_step(file)
    file.unlink() if content is None else file.write_text(content)
    assert ledger.witness_check(file) is Witness.RESTORED


def test_a_lost_database_is_behind_its_witness(ledger: SqlLedger, tmp_path: Path) -> None:
    file = tmp_path / "witness"
    file.write_text("17\n")
    assert ledger.witness_check(file) is Witness.RESTORED


def test_two_processes_that_count_on_one_file_stay_in_step(ledger_url: str, tmp_path: Path) -> None:
    one, other, file = open_ledger(ledger_url), open_ledger(ledger_url), tmp_path / "witness"
    for ledger in (one, other, other, one):
        ledger.witness_step(file)
        assert one.witness_check(file) is other.witness_check(file) is Witness.IN_STEP
    one.close()
    other.close()


def test_a_witness_that_cannot_be_written_stops_the_cycle(ledger: SqlLedger, tmp_path: Path) -> None:
    with pytest.raises(StateUnreadable, match="witness"):
        ledger.witness_step(tmp_path / "no such directory" / "witness")
    with pytest.raises(StateUnreadable, match="witness"):
        ledger.witness_check(tmp_path)
