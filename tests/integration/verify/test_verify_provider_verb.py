"""The verb, from the command line, in a whole house."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.simulators.wire import Fault
from tests.support.house import MONDAY, HouseBed, a_house


@pytest.fixture
def house(tmp_path: Path, ledger_file: Path) -> Iterator[HouseBed]:
    shutil.copy(ledger_file, tmp_path / "state.db")
    with a_house(tmp_path, f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_the_table_is_printed_and_the_persons_own_events_and_ours_stay_as_they_were(
    house: HouseBed, vendor: str
) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    house.once()
    before = [event.raw for event in house.seen("ana")]
    said = house.cli("verify-provider", "ana")
    assert said.exit_code == 0, said.output
    assert f"What was assumed of {vendor}" in said.stdout
    assert "0 are otherwise and provided for" in said.stdout
    assert "This vendor can be used." in said.stdout
    assert [event.raw for event in house.seen("ana")] == before


def test_what_is_wrong_is_shouted_and_fails(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.google.faults.add(Fault("status", "create", status=403, reason="forbidden", times=-1))
    said = house.cli("verify-provider", "ana")
    assert said.exit_code == 1
    assert "WRONG" in said.stdout
    assert "do not use this vendor" in said.stdout


def test_only_a_calendar_that_is_connected_and_well_is_tried(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.disconnect("ana")
    said = house.cli("verify-provider", "ana")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "not connected and well" in said.stderr
