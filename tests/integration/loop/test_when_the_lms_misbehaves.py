"""A strange or failed reading of the LMS is not an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.support.house import MONDAY, TUESDAY, HouseBed

GUARD = "vanished-sessions"


@contextmanager
def the_database(house: HouseBed) -> Iterator[sa.Connection]:
    """The LMS's own, to be damaged."""
    engine = sa.create_engine(f"sqlite:///{house.folder}/lms.db")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def sessions(house: HouseBed) -> list[str]:
    """Ten sessions in Ana's and Ben's calendars."""
    made = [house.lms.add_session(MONDAY, title=f"Session {number}") for number in range(10)]
    house.newcomer("ana", "google", *made)
    house.newcomer("ben", "microsoft", *made)
    house.once()
    assert len(house.seen()) == 20
    house.count_anew()
    return made


def test_many_sessions_that_vanish_without_trace_are_held(house: HouseBed, sessions: list[str]) -> None:
    for session in sessions[:5]:
        house.lms.drop_session(session)
    assert {line.fate for line in house.plan()} == {"held"}
    assert house.push().result == "held"
    assert len(house.seen()) == 20
    assert house.writes() == 0
    status = house.cli("status")
    assert status.exit_code == 1
    assert "HELD: 5 of 10 sessions still to come vanished from the LMS without trace" in status.stdout
    assert house.cli("once", *house.at()).exit_code == 3
    assert house.cli("plan", *house.at()).exit_code == 3


def test_a_few_are_not(house: HouseBed, sessions: list[str]) -> None:
    for session in sessions[:4]:
        house.lms.drop_session(session)
    assert house.push().result == "success"
    assert len(house.seen()) == 12


def test_seats_that_are_all_gone_at_once_are_held(house: HouseBed, sessions: list[str]) -> None:
    """An LMS that lost its registrations still shows its sessions."""
    with the_database(house) as database:
        database.exec_driver_sql("DELETE FROM seats")
    assert house.push().result == "held"
    assert len(house.seen()) == 20


def test_an_lms_that_is_empty_of_a_sudden_deletes_nothing(house: HouseBed, sessions: list[str]) -> None:
    with the_database(house) as database:
        for table in ("seats", "days", "sessions", "people", "accounts"):
            database.exec_driver_sql(f"DELETE FROM {table}")
    assert house.push().result == "held"
    house.audit()
    assert len(house.seen()) == 20


def test_everything_else_goes_on_while_vanished_sessions_are_held(
    house: HouseBed, sessions: list[str]
) -> None:
    for session in sessions[:5]:
        house.lms.drop_session(session)
    house.lms.change(sessions[5], title="Renamed")
    house.lms.cancel("ben", sessions[6])
    house.lms.book("ana", house.lms.add_session(TUESDAY, title="New"))
    house.push()
    assert {"Renamed", "New"} <= set(house.titles("ana"))
    assert "Session 6" not in house.titles("ben")
    assert len(house.seen()) == 20


def test_a_hold_ends_when_the_reading_recovers_and_nothing_was_lost(
    house: HouseBed, sessions: list[str]
) -> None:
    with the_database(house) as database:
        database.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM seats")
        database.exec_driver_sql("DELETE FROM seats")
    house.push()
    assert [hold.guard for hold in house.house.ledger.holds()] == [GUARD]
    with the_database(house) as database:
        database.exec_driver_sql("INSERT INTO seats SELECT * FROM kept")
    assert house.push().result == "success"
    assert house.house.ledger.holds() == []
    assert house.writes() == 0
    house.audit()
    assert len(house.seen()) == 20


def test_an_operator_who_releases_a_hold_lets_the_deletes_go(house: HouseBed, sessions: list[str]) -> None:
    for session in sessions[:5]:
        house.lms.drop_session(session)
    house.push()
    ledger = house.house.ledger
    (hold,) = ledger.holds()
    ledger.hold(replace(hold, released=True))
    house.push()
    assert len(house.seen()) == 10
    house.push()
    assert ledger.holds() == []


def test_a_row_that_says_cancelled_is_an_order_however_many_there_are(
    house: HouseBed, sessions: list[str]
) -> None:
    for session in sessions:
        house.lms.cancel_session(session)
    assert house.push().result == "success"
    assert house.seen() == []


def test_the_limit_is_the_operators(house: HouseBed, sessions: list[str]) -> None:
    house.configure(deletes={"max_vanished_share": 0.1, "min_sessions": 2})
    for session in sessions[:2]:
        house.lms.drop_session(session)
    assert house.push().result == "held"


BREAK_AT_BEN = """
    CREATE VIEW seats AS SELECT seat_ref, session_id, person_id, role,
    CASE WHEN person_id = 'ben' THEN json('no json') ELSE status END AS status FROM kept
"""


def test_a_read_that_fails_in_the_middle_concludes_nothing(house: HouseBed, sessions: list[str]) -> None:
    house.lms.cancel("ana", sessions[0])
    with the_database(house) as database:
        database.exec_driver_sql("ALTER TABLE seats RENAME TO kept")
        database.exec_driver_sql(BREAK_AT_BEN)
    run = house.push()
    assert run.result == "error"
    assert "nothing concluded" in run.sentence
    assert house.google.recorder.count() == house.microsoft.recorder.count() == 0
    assert house.house.ledger.holds() == []
    assert house.cli("once", *house.at()).exit_code == 1
    plan = house.cli("plan", *house.at())
    assert (plan.exit_code, plan.stdout) == (1, "")
    with the_database(house) as database:
        database.exec_driver_sql("DROP VIEW seats")
        database.exec_driver_sql("ALTER TABLE kept RENAME TO seats")
    house.push()
    assert len(house.seen("ana")) == 9


def test_a_view_with_a_column_missing_is_named_and_nothing_is_concluded(
    house: HouseBed, sessions: list[str]
) -> None:
    with the_database(house) as database:
        database.exec_driver_sql("ALTER TABLE seats RENAME COLUMN status TO state")
    run = house.push()
    assert run.result == "error"
    assert "status" in run.sentence
    assert house.google.recorder.count() == 0
    assert len(house.seen()) == 20
    checked = house.cli("check-config", "--online")
    assert checked.exit_code == 78
    assert "lms: " in checked.stderr
    assert "status" in checked.stderr


def test_an_lms_that_cannot_be_reached_ends_the_cycle_and_nothing_else(
    house: HouseBed, sessions: list[str]
) -> None:
    house.close()
    (house.folder / "lms.db").rename(house.folder / "elsewhere.db")
    assert house.push().result == "error"
    assert house.audit().result == "error"
    assert house.writes() == 0
    assert not (house.folder / "lms.db").exists()
    (house.folder / "elsewhere.db").rename(house.folder / "lms.db")
    assert house.push().result == "success"
    assert house.writes() == 0


def test_what_the_lms_says_about_times_and_texts_cannot_break_anything(house: HouseBed) -> None:
    """Each session is refused, or cleaned, for itself; the good one beside them is there."""
    bad = {
        "ends before it starts": MONDAY._replace(ends=MONDAY.starts.replace(hour=8)),
        "in no zone": MONDAY._replace(time_zone="Nowhere/At-All"),
        "in an empty zone": MONDAY._replace(time_zone=""),
    }
    made = [house.lms.add_session(when, title=title) for title, when in bad.items()]
    made.append(house.lms.add_session(MONDAY, title="a\x00b\x07c <script>", details="<p>x</p>" * 3000))
    made.append(house.lms.add_session(TUESDAY, title="Good"))
    house.newcomer("ana", "google", *made)
    house.newcomer("ben", "microsoft", *made)
    house.once()
    assert len(house.seen("ana")) == len(house.seen("ben")) == 2
    assert "Good" in house.titles("ana")
    assert house.cli("status").stdout.count("session") >= 3
    house.count_anew()
    house.audit()
    assert house.writes() == 0


def test_the_deletes_of_one_reading_wait_for_the_next_where_it_changed_meanwhile(house: HouseBed) -> None:
    """What a worker reads must be what the scan saw; an LMS half-way through a change is looked at again."""
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", "google", session)
    house.once()
    house.lms.cancel("ana", session)
    house.audit()  # nobody has scanned since: what an audit alone reads must not delete
    assert len(house.seen()) == 1
    house.push()
    assert house.seen() == []
