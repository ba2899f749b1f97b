"""One person as a whole: everything shown to them, and everything forgotten, events first."""

from __future__ import annotations

import json

import pytest

from reconciler.model import ConnectionState
from reconciler.simulators.wire import Fault
from tests.support.house import MONDAY, TUESDAY, HouseBed

FORGET = ("forget", "--yes", "ana")


def booked_and_connected(house: HouseBed, vendor: str) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY), house.lms.add_session(TUESDAY))
    house.newcomer("ben", vendor, house.lms.add_session(MONDAY))
    house.once()
    assert len(house.seen("ana")) == 2


def test_forgetting_removes_events_then_the_grant_then_every_row(house: HouseBed, vendor: str) -> None:
    booked_and_connected(house, vendor)
    said = house.cli(*FORGET, *house.at())
    assert said.exit_code == 0, said.output
    assert "Person ana is forgotten." in said.stdout
    assert house.seen("ana") == []
    assert len(house.seen("ben")) == 1
    assert house.house.ledger.everything_about("ana") == {}
    assert house.house.ledger.everything_about("ben") != {}
    if vendor == "google":
        assert house.google.grants.consent(house.addresses["ana"][1], "any").refresh_tokens == {}


def test_forgetting_leaves_a_keyed_hash_by_which_it_can_be_proven(house: HouseBed) -> None:
    booked_and_connected(house, "google")
    house.cli(*FORGET, *house.at())
    (line, *_) = house.house.ledger.audit_log(1)
    assert (line.what, line.person) == ("forgotten", house.house.fingerprints.of("ana"))
    shown = json.loads(house.cli("export", "ana").stdout)
    assert set(shown) == {"person", "forgotten_before"}


def test_whoever_was_forgotten_may_connect_again(house: HouseBed, vendor: str) -> None:
    booked_and_connected(house, vendor)
    house.cli(*FORGET, *house.at())
    house.connect("ana", vendor)
    house.once()
    house.once()
    assert len(house.seen("ana")) == 2


def test_nobody_is_forgotten_whose_events_cannot_be_removed_unless_told_to(
    house: HouseBed, vendor: str
) -> None:
    booked_and_connected(house, vendor)
    at, _ = house.addresses["ana"]
    at.faults.add(Fault("status", "delete", status=503, times=-1))
    refused = house.cli(*FORGET, *house.at())
    assert refused.exit_code == 1
    assert "could not be removed yet" in refused.stderr
    assert len(house.seen("ana")) == 2
    assert house.connection("ana").state is ConnectionState.LEAVING

    at.faults.clear()
    assert house.cli(*FORGET, *house.at()).exit_code == 0
    assert house.seen("ana") == []


def test_a_dead_grant_is_forgotten_only_with_its_events_left_behind(house: HouseBed, vendor: str) -> None:
    booked_and_connected(house, vendor)
    at, address = house.addresses["ana"]
    at.revoke(address)
    house.close()
    house.audit()
    assert house.connection("ana").state is ConnectionState.REAUTHORIZE
    assert "reauthorize" in house.cli(*FORGET, *house.at()).stderr
    assert house.cli(*FORGET, "--leave-events", *house.at()).exit_code == 0
    assert house.house.ledger.everything_about("ana") == {}
    assert len(house.seen("ana")) == 2


def test_whoever_is_disconnected_is_forgotten_without_a_call(house: HouseBed) -> None:
    booked_and_connected(house, "google")
    house.disconnect("ana")
    house.count_anew()
    assert house.cli(*FORGET, *house.at()).exit_code == 0
    assert house.calls() == {}


def test_somebody_nobody_knows_can_neither_be_shown_nor_forgotten(house: HouseBed) -> None:
    booked_and_connected(house, "google")
    for verb in (("export", "zoe"), ("forget", "--yes", "zoe")):
        said = house.cli(*verb)
        assert (said.exit_code, said.stdout) == (1, "")
        assert "nothing is stored about this person" in said.stderr


def test_forgetting_asks_first(house: HouseBed) -> None:
    booked_and_connected(house, "google")
    assert house.cli("forget", "ana", *house.at(), input="n\n").exit_code == 1
    assert len(house.seen("ana")) == 2


@pytest.mark.parametrize("table", ["connection", "person_state", "event", "history", "audit_log", "token"])
def test_an_export_holds_every_kind_of_row_and_no_secret(house: HouseBed, table: str) -> None:
    booked_and_connected(house, "google")
    shown = house.cli("export", "ana").stdout
    assert json.loads(shown)[table]
    assert "ben" not in shown
    connection = house.connection("ana")
    assert house.house.tokens.get(connection)["refresh_token"] not in shown
