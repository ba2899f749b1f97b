"""What goes wrong on a host, through the process as its user starts it: a sentence, and nothing written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from reconciler.simulators.lms import When
from tests.support.house import ROOT, HouseBed

PATIENCE = 120.0
TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))

SMALL_DISK = """
set -e
mount -t tmpfs -o size=4m none "$1"
cp "$1.kept"/* "$1/"
case $2 in
    full) cat /dev/zero >"$1/filler" 2>/dev/null || true ;;
    read-only) mount -o remount,ro "$1" ;;
esac
shift 2
exec "$@"
"""
"""A program whose state lies on a disk of its own, which nobody else sees."""


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana has an event to get."""
    house.clock.now = datetime.now(UTC)
    house.newcomer("ana", "google", house.lms.add_session(IN_SPRING, title="Safety"))
    house.close()
    return house


def program(house: HouseBed, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "reconciler", "--config", str(house.config), *arguments]


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_a_disk_that_takes_no_more_stops_it_before_anything_is_written_to_a_calendar(
    acme: HouseBed, disk: str
) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can mount a disk")
    small, kept = acme.folder / "small", acme.folder / "small.kept"
    small.mkdir()
    kept.mkdir()
    for file in acme.folder.glob("state.db*"):
        file.rename(kept / file.name)
    acme.configure(state={"url": f"sqlite:///{small}/state.db", "witness_file": str(small / "witness")})
    acme.close()
    command = ["unshare", "--mount", "sh", "-c", SMALL_DISK, "sh", str(small), disk]
    ended = subprocess.run(
        [*command, *program(acme, "once")], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ended.returncode == 1, ended.stdout
    assert "Is its disk full or read-only" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    assert acme.seen() == []


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (timedelta(days=30), "one of both is wrong"),
        (timedelta(days=-30), "still for 29 days, the clock is ahead"),
    ],
    ids=["behind", "ahead"],
)
def test_a_clock_that_is_behind_or_ahead_at_the_start_is_told_with_what_to_do(
    acme: HouseBed, last: timedelta, said: str
) -> None:
    acme.clock.move(last)
    acme.push()
    acme.close()
    process = acme.start("run")
    log = _until(process, lambda line: "running: " in line)
    assert "the clock shows" in log
    assert said in log
    assert "timedatectl" in log


def test_a_state_database_of_a_newer_program_ends_it_with_what_the_unit_does_not_try_again(
    acme: HouseBed,
) -> None:
    engine = sa.create_engine(f"sqlite:///{acme.folder}/state.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    ended = subprocess.run(program(acme, "run"), capture_output=True, text=True, cwd=ROOT, check=False)
    assert "newer program" in ended.stderr
    for unit in ("reconciler.service", "reconciler-worker.service"):
        lines = (ROOT / "deploy" / "systemd" / unit).read_text("utf-8").splitlines()
        assert f"RestartPreventExitStatus={ended.returncode}" in lines


def _until(process: subprocess.Popen[str], condition: Callable[[str], bool]) -> str:
    """What a daemon logs up to that line; then it is told to stop."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if condition(line):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    return "".join(lines)
