"""`account`, `connection` and `new-key`: what the pages do, for support and scripts."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.house import MONDAY, HouseBed
from tests.support.vendors import Vendor


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana has a seat and no calendar."""
    house.lms.add_person("ana")
    house.lms.book("ana", house.lms.add_session(MONDAY, title="Safety"))
    return house


def add(house: HouseBed, vendor: Vendor, person: str = "ana", token: str | None = None) -> tuple[int, str]:
    address = f"{person}@{vendor.name}.example"
    grant = vendor.grant(address)
    asked = ["--subject", grant.subject, "--address", address, "--calendar", grant.calendar]
    given = grant.refresh_token if token is None else token
    done = house.cli(
        "connection", "add", person, vendor.name, *asked, "--refresh-token-file", "-", input=given
    )
    house.addresses[person] = (vendor, address)
    house.remember_own_events()
    return done.exit_code, done.stdout + done.stderr


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_a_calendar_is_connected_filled_and_left_again_by_the_command_line_alone(
    acme: HouseBed, vendor: str
) -> None:
    at = acme.google if vendor == "google" else acme.microsoft
    assert add(acme, at) == (0, "Person ana is connected.\n")
    assert f"ana: {vendor}" in acme.cli("connection", "list").stdout
    assert acme.cli("once", *acme.at()).exit_code == 0
    assert acme.titles("ana") == ["Safety"]
    left = acme.cli("connection", "disconnect", "ana")
    assert left.stdout == ("Person ana is disconnected; events already in the calendar stay as they are.\n")
    assert acme.cli("connection", "list").stdout == ""
    assert acme.titles("ana") == ["Safety"]
    again = acme.cli("connection", "disconnect", "ana")
    assert (again.exit_code, again.stderr) == (1, "Failed: No calendar is connected (person ana)\n")


def test_a_calendar_of_somebody_the_lms_does_not_know_is_refused(acme: HouseBed) -> None:
    code, said = add(acme, acme.google, "nobody")
    assert (code, said) == (1, "Failed: the LMS does not know this person (person nobody)\n")


def test_a_token_that_is_empty_is_refused(acme: HouseBed) -> None:
    code, said = add(acme, acme.google, token="  \n")
    assert (code, said) == (78, "--refresh-token-file: there is no refresh token in it\n")
    assert acme.cli("connection", "list").stdout == ""


def test_a_vendor_that_is_not_configured_is_refused(acme: HouseBed) -> None:
    asked = ["--subject", "x", "--address", "x", "--calendar", "x", "--refresh-token-file", "-"]
    refused = acme.cli("connection", "add", "ana", "caldav", *asked, input="token")
    assert refused.exit_code == 78
    assert "caldav" in refused.stderr
    assert "google" in refused.stderr
    assert acme.cli("connection", "list").stdout == ""


def test_switches_are_listed_and_changed_one_by_one(acme: HouseBed) -> None:
    assert acme.cli("account", "list").stdout.startswith("None is known yet")
    add(acme, acme.google)
    listed = acme.cli("account", "list").stdout
    assert listed.startswith("acme: google, microsoft; e-mail notifications on; mode sync")
    assert acme.cli("account", "set", "acme", "--mode", "upsert-only").exit_code == 0
    assert acme.cli("account", "set", "acme", "--vendors", "google").exit_code == 0
    assert acme.cli("account", "set", "acme", "--email-notifications", "off").exit_code == 0
    listed = acme.cli("account", "list").stdout
    assert listed.startswith("acme: google; e-mail notifications OFF; mode upsert-only")


def test_a_pilot_begins_grows_and_ends_by_the_command_line(acme: HouseBed) -> None:
    session = acme.lms.add_session(MONDAY, title="First aid")
    acme.newcomer("ben", "google", session)
    assert acme.cli("account", "set", "acme", "--people", "ana, ben").exit_code == 0
    acme.newcomer("chloe", "google", session)
    acme.once()
    assert (acme.titles("ben"), acme.titles("chloe")) == (["First aid"], [])
    assert acme.cli("account", "list").stdout.endswith("; a pilot with ana, ben\n")
    assert "Account acme: a pilot with ana, ben, and nobody else." in acme.cli("status").stdout
    assert acme.cli("account", "set", "acme", "--everybody").exit_code == 0
    acme.once()
    assert acme.titles("chloe") == ["First aid"]
    assert "pilot" not in acme.cli("account", "list").stdout + acme.cli("status").stdout


def test_a_pilot_of_people_whom_nobody_knows_is_refused(acme: HouseBed) -> None:
    acme.lms.add_account("other")
    acme.lms.add_person("olga", account="other")
    acme.once()
    for listed, why in (
        ("ana,bne", "the LMS does not know this person (person bne)"),
        ("ana,olga", "belongs to account other, not acme (person olga)"),
        (" , ", "--people: nobody is named (--everybody ends a pilot)"),
    ):
        refused = acme.cli("account", "set", "acme", "--people", listed)
        assert refused.exit_code != 0
        assert why in refused.stderr
    assert acme.cli("account", "set", "acme", "--people", "ana", "--everybody").exit_code == 2
    assert "pilot" not in acme.cli("account", "list").stdout


def test_what_the_owner_switches_while_people_are_looked_up_stays_switched(acme: HouseBed) -> None:
    acme.once()
    asked: list[str] = []

    def owner_switches_meanwhile(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "FROM people" in statement and not asked:
            asked.append(statement)
            acme.switch(vendors=frozenset())

    sa.event.listen(sa.Engine, "before_cursor_execute", owner_switches_meanwhile)
    try:
        assert acme.cli("account", "set", "acme", "--people", "ana").exit_code == 0
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", owner_switches_meanwhile)
    assert asked
    assert acme.cli("account", "list").stdout.startswith("acme: no vendor; ")
    assert acme.cli("account", "list").stdout.endswith("; a pilot with ana\n")


def test_switches_that_mean_nothing_are_refused(acme: HouseBed) -> None:
    add(acme, acme.google)
    before = acme.cli("account", "list").stdout
    assert acme.cli("account", "set", "acme", "--vendors", "gogle").exit_code == 78
    assert acme.cli("account", "set", "acme", "--mode", "observer").exit_code == 2
    assert acme.cli("account", "set", "acme", "--email-notifications", "perhaps").exit_code == 2
    assert acme.cli("account", "list").stdout == before


def test_switches_of_an_account_that_nobody_knows_are_refused(acme: HouseBed) -> None:
    refused = acme.cli("account", "set", "acmee", "--mode", "observe")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "Failed: neither the LMS nor the state database knows this account (account acmee). "
        'Did you mean "acme"?\n'
    )
    assert 'Did you mean "acme"?' in acme.cli("account", "set", "ACME", "--mode", "observe").stderr
    assert "There are: acme." in acme.cli("account", "set", "zenith", "--mode", "observe").stderr
    assert acme.house.ledger.switches() == {}


def test_switches_can_be_set_before_anybody_is_connected_and_while_the_lms_is_away(acme: HouseBed) -> None:
    assert acme.cli("account", "set", "acme", "--mode", "observe").exit_code == 0
    (acme.folder / "lms.db").rename(acme.folder / "elsewhere.db")
    assert acme.cli("account", "set", "acme", "--mode", "sync").exit_code == 0
    away = acme.cli("account", "set", "zenith", "--mode", "sync")
    assert (away.exit_code, acme.house.ledger.switches().keys()) == (1, {"acme"})


def test_a_new_key_is_one_that_can_be_used(acme: HouseBed) -> None:
    key = acme.cli("new-key").stdout
    assert key.splitlines(keepends=True) == [key]
    (acme.folder / "newest").write_text(key)
    (acme.folder / "newest").chmod(0o600)
    acme.configure(tokens={"key_files": ["newest", "token-key"]})
    add(acme, acme.google)
    assert acme.cli("once", *acme.at()).exit_code == 0
    assert acme.titles("ana") == ["Safety"]
