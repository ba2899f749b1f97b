"""What goes wrong stops what it must and no more: our own database, and what nobody has thought of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from reconciler.model import Connection, State
from reconciler.ports import Calendar
from tests.support.house import DAY, MINUTE, MONDAY, TUESDAY, HouseBed


def rename_state_table(house: HouseBed, old: str, new: str) -> None:
    with closing(sqlite3.connect(house.folder / "state.db")) as state:
        state.execute(f"ALTER TABLE {old} RENAME TO {new}")


@pytest.mark.parametrize("table", ["event", "person_state", "connection"])
def test_while_our_state_cannot_be_used_no_vendor_is_called_and_the_next_cycle_goes_on(
    house: HouseBed, vendor: str, table: str
) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", vendor, session)
    house.once()
    house.lms.book("ana", house.lms.add_session(TUESDAY))
    house.lms.change(session, title="Renamed")
    house.count_anew()
    loop = house.house.take_up().loop
    house.clock.move(DAY)
    rename_state_table(house, table, "away")
    assert [cycle().result for cycle in (loop.push, loop.audit)] == ["error"] * 2
    assert house.calls() == {}
    rename_state_table(house, "away", table)
    assert loop.push().result == "success"
    assert house.titles("ana") == ["Renamed", "Title of session-2"]


def test_an_unforeseen_exception_while_somebody_is_heard_stops_nobody_else(
    house: HouseBed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = house.lms.add_session(MONDAY)
    for person in ("ana", "ben", "eva"):
        house.newcomer(person, "google", session)
    house.push()
    for person in ("ana", "ben"):
        house.remove(person)
    house.audit()
    assert house.states("ana") == house.states("ben") == [State.MISSING]
    google = house.house.providers["google"]
    opened = google.open

    def stumble(connection: Connection) -> Calendar:
        if connection.person == "ana":
            raise ZeroDivisionError("nobody thought of this")
        return opened(connection)

    monkeypatch.setattr(google, "open", stumble)
    for _ in range(2):
        run = house.house.take_up().loop.confirm()
        assert (run.result, run.counts["exception"]) == ("partial", 1)
        house.clock.move(timedelta(minutes=31))
    assert "nobody thought of this" in caplog.text
    assert set(house.lms.statuses("ana", session).values()) == {"booked"}
    assert set(house.lms.statuses("ben", session).values()) == {"cancelled"}
    monkeypatch.undo()
    house.clock.move(16 * MINUTE)
    for _ in range(2):
        house.clock.move(timedelta(minutes=31))
        house.once()
    assert set(house.lms.statuses("ana", session).values()) == {"cancelled"}
