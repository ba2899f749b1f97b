"""`plan`, `once` and `status`: what they print, how they exit, and that a plan changes nothing."""

from __future__ import annotations

import json
import re

import pytest
import sqlalchemy as sa

from reconciler.model import Mode
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MONDAY, TUESDAY, WEDNESDAY, HouseBed

BEHIND_THE_TABLES = {"token", "sqlite_sequence", "sqlite_stat1"}


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana at Google and Ben at Microsoft, of whom nobody has an event yet."""
    house.lms.add_session(MONDAY, TUESDAY, id="101", title="Safety | basics")
    house.lms.add_session(WEDNESDAY, id="102", title="First aid")
    house.newcomer("ana", "google", "101", "102")
    house.newcomer("ben", "microsoft", "101")
    house.close()
    return house


@pytest.fixture
def changed(acme: HouseBed) -> HouseBed:
    """The same a day later, with something to create, update and delete."""
    acme.once()
    acme.lms.change("101", title="Safety for all")
    acme.lms.cancel("ben", "101")
    acme.lms.book("ben", "102")
    acme.clock.move(DAY)
    acme.close()
    return acme


def everything(house: HouseBed) -> dict[str, list[tuple[object, ...]]]:
    """Our whole state, but for tokens, which vendors rotate."""
    engine = sa.create_engine(f"sqlite:///{house.folder}/state.db")
    with engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names()) - BEHIND_THE_TABLES
        rows = {
            name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
            for name in names
        }
    engine.dispose()
    return rows


def test_a_plan_says_what_would_happen_to_whom_and_why(acme: HouseBed) -> None:
    shown = acme.cli("plan", *acme.at())
    assert shown.exit_code == 2
    assert shown.stdout.splitlines()[0] == "person ana (google)"
    assert "+ create  session 101, Mon 2026-12-07 08:00Z  Safety | basics  <- lms" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "5 to create"


def test_a_plan_tells_creates_updates_and_deletes_apart(changed: HouseBed) -> None:
    shown = changed.cli("plan", *changed.at())
    assert shown.exit_code == 2
    assert re.findall(r"^  (.) (\w+) ", shown.stdout, re.MULTILINE) == [
        ("~", "update"),
        ("~", "update"),
        ("+", "create"),
        ("-", "delete"),
        ("-", "delete"),
    ]
    assert "Safety for all [title]" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "1 to create, 2 to delete, 2 to update"


def test_a_plan_for_programs_is_json(changed: HouseBed) -> None:
    shown = changed.cli("plan", *changed.at(), "--format", "json")
    assert shown.exit_code == 2
    plan = json.loads(shown.stdout)
    assert plan["errors"] == []
    assert {(one["person"], one["change"], one["fate"]) for one in plan["changes"]} == {
        ("ana", "update", "will"),
        ("ben", "create", "will"),
        ("ben", "delete", "will"),
    }
    assert all(re.fullmatch(r"2026-12-0\dT08:00:00Z", one["starts"]) for one in plan["changes"])


def test_a_plan_for_a_ticket_is_a_table(acme: HouseBed) -> None:
    shown = acme.cli("plan", *acme.at(), "--format", "markdown").stdout.splitlines()
    rows = [line for line in shown if line.startswith("|")]
    assert len(rows) == 2 + 5
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert shown[-1] == "5 to create"


def test_a_plan_changes_neither_calendar_nor_lms_nor_ledger(changed: HouseBed) -> None:
    before = everything(changed)
    events = [(event.id, event.raw) for event in changed.seen()]
    writes = changed.writes()
    assert changed.cli("plan", *changed.at()).exit_code == 2
    assert everything(changed) == before
    assert [(event.id, event.raw) for event in changed.seen()] == events
    assert changed.writes() == writes


def test_a_plan_is_what_then_happens(changed: HouseBed) -> None:
    planned = json.loads(changed.cli("plan", *changed.at(), "-f", "json").stdout)["changes"]
    changed.count_anew()
    done = changed.cli("once", *changed.at())
    assert done.exit_code == 0
    assert changed.writes() == len(planned) == 5
    assert "push: 2 people changed: 1 created, 2 updated, 2 deleted" in done.stdout
    again = changed.cli("plan", *changed.at())
    assert (again.exit_code, again.stdout) == (0, "Nothing to do.\n")


def test_a_plan_of_whoever_is_observed_says_what_is_left_out(acme: HouseBed) -> None:
    acme.switch(mode=Mode.OBSERVE)
    shown = acme.cli("plan", *acme.at())
    assert shown.exit_code == 2
    assert "5 create left out\nLeft out is what the mode or a pause does not allow" in shown.stdout
    assert acme.cli("once", *acme.at()).exit_code == 0
    assert acme.seen() == []


def test_a_calendar_that_cannot_be_looked_at_is_named_beside_the_others(acme: HouseBed) -> None:
    acme.google.faults.add(Fault("html", "list", times=-1))
    shown = acme.cli("plan", *acme.at())
    assert shown.exit_code == 1
    assert "person ana (google)\n  ! " in shown.stdout
    assert shown.stdout.splitlines()[-1] == "2 to create, 1 calendar could not be looked at"
    ticket = acme.cli("plan", *acme.at(), "-f", "markdown").stdout
    assert "- person ana: " in ticket
    errors = json.loads(acme.cli("plan", *acme.at(), "-f", "json").stdout)["errors"]
    assert [one["person"] for one in errors] == ["ana"]


def test_a_cycle_in_which_somebody_fails_exits_so_and_the_others_go_on(acme: HouseBed) -> None:
    acme.google.faults.add(Fault("html", "list", times=-1))
    done = acme.cli("once", *acme.at())
    assert done.exit_code == 1
    assert acme.titles("ben") == ["Safety | basics"] * 2


def test_status_says_whether_anybody_has_to_do_anything(acme: HouseBed) -> None:
    fresh = acme.cli("status")
    assert (fresh.exit_code, fresh.stdout.splitlines()[0]) == (1, "Something needs attention.")
    assert "No cycle has ended yet" in fresh.stdout
    assert acme.cli("once").exit_code == 0
    well = acme.cli("status")
    assert (well.exit_code, well.stdout.splitlines()[0]) == (0, "All is well.")
    assert "Connected calendars: 2 of 2" in well.stdout
    assert "Events at google: 3 in place" in well.stdout


@pytest.mark.parametrize("mode", ["observe", "upsert-only"])
def test_status_says_where_not_everything_is_done(acme: HouseBed, mode: str) -> None:
    acme.cli("once", *acme.at())
    assert f"mode {mode}" not in acme.cli("status").stdout
    acme.cli("account", "set", "acme", "--mode", mode)
    acme.configure(mode=mode)
    said = acme.cli("status").stdout
    assert f"`mode: {mode}` in the settings" in said
    assert re.search(rf"Account acme: .* \(mode {mode}\)\.", said)


def test_status_names_nobody_and_quotes_no_text(changed: HouseBed) -> None:
    """It may be pasted into a ticket: ids only."""
    changed.google.revoke("ana@google.example")
    changed.cli("once", *changed.at())
    shown = changed.cli("status").stdout
    assert "person ana (google): reauthorize" in shown
    for secret in ("@", "Name of", "Safety", "First aid"):
        assert secret not in shown


def test_the_clock_is_set_for_trials_only(acme: HouseBed) -> None:
    for text in ("yesterday", "2026-11-22T09:00:00"):
        assert acme.cli("once", "--now", text).exit_code == 2
    assert acme.cli("run", *acme.at()).exit_code == 2
    acme.configure(network={"endpoints": {"google_api": "https://www.googleapis.com"}})
    for verb in (["plan"], ["once"], ["explain", "ana"]):
        refused = acme.cli(verb[0], *acme.at(), *verb[1:])
        assert refused.exit_code == 78
        assert "--now: refused" in refused.stderr
    acme.configure(lms={"adapter": "reference", "url": "postgresql://lms@db.example.org/lms"})
    assert acme.cli("plan", *acme.at()).exit_code == 78
