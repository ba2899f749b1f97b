"""A real Moodle's people, half at Google and half at Microsoft: their calendars hold what its plugin says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.model import State
from tests.support.databases import Server
from tests.support.house import NOW, HouseBed, a_house, database
from tests.support.moodle import Truth, load_dump, truth

Line = tuple[str, datetime, datetime, str]
BOOKED = 70
UNSAID = "where trainers alone are, the plugin's answer does not say"
DATES = "mdl_facetoface_sessions_dates"


@contextmanager
def a_moodle_house(folder: Path, state: str, url: str) -> Iterator[HouseBed]:
    """A house before this Moodle, with every person that the plugin names connected."""
    moodle = {"site_url": "https://learn.corp.example"}
    lms = {"adapter": "moodle", **database(folder, "lms", url), "moodle": moodle}
    with a_house(folder, state, lms) as house:
        house.cli("schema", "upgrade")
        for number, person in enumerate(everybody()):
            house.connect(person, ("google", "microsoft")[number % 2])
        yield house


@pytest.fixture(scope="module")
def seeded(postgresql: Server) -> str:
    """The seeded Moodle on PostgreSQL, to be copied."""
    url = postgresql.create()
    load_dump(url, "pgsql-seeded")
    return url


@pytest.fixture
def lms_url(postgresql: Server, seeded: str) -> Iterator[str]:
    """A copy of it for one test."""
    url = postgresql.create(f"TEMPLATE {sa.make_url(seeded).database}")
    yield url
    postgresql.drop(url)


@pytest.fixture
def house(tmp_path: Path, ledger_file: Path, lms_url: str) -> Iterator[HouseBed]:
    """Before that Moodle; our state on SQLite."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    with a_moodle_house(tmp_path, f"sqlite:///{tmp_path}/state.db", lms_url) as made:
        yield made


@pytest.fixture
def house_on_mariadb(tmp_path: Path, postgresql_url: str, mariadb_url: str) -> Iterator[HouseBed]:
    """Before the seeded Moodle on MariaDB; our state on PostgreSQL."""
    load_dump(mariadb_url, "mariadb-seeded")
    with a_moodle_house(tmp_path, postgresql_url, mariadb_url) as made:
        yield made


def everybody() -> list[str]:
    """The ids of all people the plugin names, before or after."""
    return sorted({row.user for name in ("seeded", "changed") for row in truth(name)}, key=int)


def truly(name: str) -> dict[str, list[Line]]:
    """What is to be in each person's calendar: in what they are booked or train, when, and where (of which
    only attendees' rows speak); what is over, and people who are not active, left out."""
    rows = truth(name)
    places = {row.session: place(row) for row in rows if row.kind == "attendee"}
    lines: dict[tuple[str, str, str], Line] = {}
    for row in rows:
        has_seat = row.kind == "trainer" or row.code == BOOKED
        if has_seat and row.dated and row.suspended == "0" and int(row.finish) > NOW.timestamp():
            line = row.name, instant(row.start), instant(row.finish), places.get(row.session, UNSAID)
            lines[row.user, row.session, row.start] = line
    return {person: sorted(line for key, line in lines.items() if key[0] == person) for person in everybody()}


def place(row: Truth) -> str:
    return ", ".join(part for part in (row.room, row.venue, row.location) if part)


def instant(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def there(house: HouseBed, name: str) -> dict[str, list[Line]]:
    """The same, of the calendars."""
    unsaid = {line[:2] for lines in truly(name).values() for line in lines if line[3] == UNSAID}
    found: dict[str, list[Line]] = {person: [] for person in everybody()}
    for event in house.seen():
        where = UNSAID if (event.title, event.starts) in unsaid else event.location
        found[event.person].append((event.title, event.starts, event.ends, where))
    return {person: sorted(lines) for person, lines in found.items()}


def change(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_calendars_hold_what_the_plugin_says_and_follow_22_changes_in_one_cycle(
    house: HouseBed, lms_url: str
) -> None:
    assert {run.result for run in house.once()} == {"success"}
    assert there(house, "seeded") == truly("seeded")
    assert len(house.seen()) > 100
    house.count_anew()
    house.push()
    assert house.calls() == {}

    change(lms_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    load_dump(lms_url, "pgsql-changed")
    assert house.push().result == "success"
    assert there(house, "changed") == truly("changed")
    house.count_anew()
    house.push()
    assert house.calls() == {}
    house.audit()
    assert house.writes() == 0


def test_the_same_from_mariadb_with_our_state_on_postgresql(house_on_mariadb: HouseBed) -> None:
    house = house_on_mariadb
    assert {run.result for run in house.once()} == {"success"}
    assert there(house, "seeded") == truly("seeded")
    house.count_anew()
    house.push()
    assert house.calls() == {}
    house.audit()
    assert house.writes() == 0


def test_events_name_their_trainers_and_lead_to_the_session(house: HouseBed, lms_url: str) -> None:
    engine = sa.create_engine(lms_url)
    with engine.connect() as connection:
        names = dict(
            connection.exec_driver_sql("SELECT id, firstname || ' ' || lastname FROM mdl_user").all()  # type: ignore[arg-type]
        )
    engine.dispose()
    trainers: dict[str, set[str]] = {}
    for row in truth("seeded"):
        if row.kind == "trainer" and row.suspended == "0":
            trainers.setdefault(row.session, set()).add(names[int(row.user)])
    house.once()
    checked = 0
    for person in everybody():
        sessions = {entry.event_id: entry.key.session for entry in house.entries(person)}
        for event in house.seen(person):
            session = sessions[event.id]
            assert f"https://learn.corp.example/mod/facetoface/signup.php?s={session}" in event.text
            for name in trainers.get(session, ()):
                assert name in event.text
                checked += 1
    assert checked > 100


def test_saving_every_session_without_a_change_asks_nothing_of_any_vendor(
    house: HouseBed, lms_url: str
) -> None:
    house.once()
    house.count_anew()
    change(
        lms_url,
        f"CREATE TABLE before AS SELECT * FROM {DATES}",
        f"DELETE FROM {DATES}",
        f"INSERT INTO {DATES} (sessionid, timestart, timefinish) "
        "SELECT sessionid, timestart, timefinish FROM before ORDER BY id DESC",
        "UPDATE mdl_facetoface_sessions SET timemodified = 1795338000",
    )
    run = house.push()
    assert run.result == "success"
    assert house.google.recorder.count() == house.microsoft.recorder.count() == 0
    assert there(house, "seeded") == truly("seeded")


def test_a_moodle_that_drops_its_connections_is_read_anew_in_the_next_cycle(
    house: HouseBed, lms_url: str
) -> None:
    house.once()
    house.count_anew()
    everybody_else = "datname = current_database() AND pid <> pg_backend_pid()"
    change(
        lms_url,
        "UPDATE mdl_facetoface SET name = 'Renamed'",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {everybody_else}",
    )
    assert house.push().result in ("error", "success")
    house.push()
    assert {event.title for event in house.seen()} == {"Renamed"}


def test_every_state_is_live_and_explained(house: HouseBed) -> None:
    house.once()
    states = {state for person in everybody() for state in house.states(person)}
    assert states == {State.LIVE}
    for person in everybody():
        told = house.explained(person)
        count = len(house.seen(person))
        assert f"In the calendar now: {count or 'no'} event{'s' if count != 1 else ''} of ours" in told
        assert "Nothing: all is as it should be." in told
