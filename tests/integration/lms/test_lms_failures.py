"""A reading that fails or is partial says so: it is never an empty list."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.errors import LmsUnreadable
from reconciler.lms.engine import read_engine, snapshot
from reconciler.lms.moodle import MoodleLms
from reconciler.lms.moodle_queries import NEEDED, OPTIONAL
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.source import SqlLms
from reconciler.simulators.lms import When
from tests.support.crowds import add_crowd
from tests.support.cut_wire import Cut, CutWire
from tests.support.moodle import WritableMoodle
from tests.support.reference_lms import ReferenceSite

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MORNING = When(datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 12))
SERVERS = ["postgresql", "mariadb"]


def scan_all(lms: SqlLms) -> list[str]:
    with lms.scan(NOW) as scan:
        return [glance.person for glance in scan.people]


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def one_booked(make_site: Callable[[str], ReferenceSite]) -> Callable[[str], ReferenceSite]:
    """A site with one person booked into one session."""

    def make(kind: str) -> ReferenceSite:
        made = make_site(kind)
        made.rows.add_person("ana")
        made.rows.add_session(MORNING, id="s0")
        made.rows.book("ana", "s0")
        return made

    return make


# A connection that breaks -------------------------------------------------------------------------


def kill_others(site: ReferenceSite) -> None:
    """End every other connection to this database, as an operator or a restart of the server does."""
    if site.engine.dialect.name == "postgresql":
        execute(
            site.engine,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        return
    with site.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ).all()
        for (number,) in rows:
            connection.exec_driver_sql(f"KILL CONNECTION {number}")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_connection_killed_in_the_middle_of_the_stream_is_an_error_and_the_next_scan_is_whole(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    add_crowd(site, sessions=1, people=40_000)
    seen = []
    with pytest.raises(LmsUnreadable) as caught, site.source.scan(NOW) as scan:  # noqa: PT012
        for glance in scan.people:
            seen.append(glance.person)
            if len(seen) == 100:
                kill_others(site)
    assert 100 <= len(seen) < 40_001
    assert caught.value.whose == site.source.address
    assert "could not be read whole" in str(caught.value)
    assert len(scan_all(site.source)) == 40_001


@pytest.mark.parametrize("kind", SERVERS)
def test_a_connection_that_broke_while_idle_is_replaced(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    assert scan_all(site.source) == ["ana"]
    kill_others(site)
    assert scan_all(site.source) == ["ana"]


def test_a_file_damaged_in_the_middle_of_the_stream_is_an_error(
    one_booked: Callable[[str], ReferenceSite],
) -> None:
    site = one_booked("sqlite")
    add_crowd(site, sessions=1, people=40_000)
    execute(site.engine, "PRAGMA wal_checkpoint(TRUNCATE)")
    file = Path(str(site.engine.url.database))
    with pytest.raises(LmsUnreadable, match="malformed"), site.source.scan(NOW) as scan:  # noqa: PT012
        next(scan.people)
        with file.open("r+b") as raw:
            raw.seek(file.stat().st_size // 4)
            raw.write(b"\xff" * (file.stat().st_size // 2))
        list(scan.people)


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_a_scan_that_nobody_reads_to_its_end_leaves_nothing_behind(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    add_crowd(site, sessions=1, people=20_000)
    for _time in range(12):  # more than the connections there are
        with site.source.scan(NOW) as scan:
            next(scan.people)
    assert len(scan_all(site.source)) == 20_001


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@127.0.0.1:1/lms",
        "mariadb://reader@127.0.0.1:1/lms",
        "mysql://reader@127.0.0.1:1/lms",
    ],
)
def test_a_server_that_is_not_there_is_an_error_without_the_password(url: str) -> None:
    lms = ReferenceLms(read_engine(url, password="s3cret"))
    with pytest.raises(LmsUnreadable) as caught:
        lms.read(["ana"], NOW)
    (problem,) = lms.check()
    for text in (str(caught.value), problem, lms.address):
        assert "s3cret" not in text
    assert "127.0.0.1" in str(caught.value)
    assert lms.address.endswith("://127.0.0.1:1/lms")


def test_a_file_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    lms = ReferenceLms(read_engine(f"sqlite:///{tmp_path / 'lms.db'}"))
    with pytest.raises(LmsUnreadable, match="unable to open"):
        scan_all(lms)
    assert not list(tmp_path.iterdir())


SLOW = {"postgresql": "pg_sleep(30)", "mariadb": "SLEEP(30)"}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_statement_that_takes_too_long_ends_the_reading(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    execute(
        site.engine,
        *(
            f"CREATE OR REPLACE VIEW slow_{t} AS SELECT * FROM {t}"
            for t in ("accounts", "people", "days", "seats")
        ),
        f"CREATE OR REPLACE VIEW slow_sessions AS SELECT s.* FROM sessions s, (SELECT {SLOW[kind]} AS x) t"
        " WHERE t.x IS NOT NULL",
    )
    lms = ReferenceLms(read_engine(site.url, statement_timeout=0.2), prefix="slow_")
    with pytest.raises(LmsUnreadable, match=r"timeout|max_statement_time"):
        scan_all(lms)
    lms.close()
    execute(
        site.engine,
        *(f"DROP VIEW slow_{t}" for t in ("accounts", "people", "days", "seats", "sessions")),
    )


# A server that is there and says nothing: a process that stands still, a pooler that is paused -------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute is too long for a test."""
    monkeypatch.setattr("reconciler.lms.engine._SILENT_SECONDS", 0.3)
    monkeypatch.setattr("reconciler.lms.engine._CONNECT_SECONDS", 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_accepts_and_never_answers_is_given_up(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{kind}://reader@127.0.0.1:{silent.getsockname()[1]}/lms"
        lms = ReferenceLms(read_engine(url, statement_timeout=0.2))
        with pytest.raises(LmsUnreadable):
            lms.read(["ana"], NOW)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_falls_silent_at_a_statement_is_given_up(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    there = sa.make_url(one_booked(kind).url)
    wire = CutWire(str(there.host), int(there.port or 0), b"FROM days", Cut.SILENT)
    lms = ReferenceLms(read_engine(there.set(host="127.0.0.1", port=wire.port), statement_timeout=1.0))
    for _time in range(2):  # the second finds nothing of the first
        with pytest.raises(LmsUnreadable):
            scan_all(lms)
    wire.close()
    assert wire.cuts == 2
    lms.close()


# Tables that are not as they should be ------------------------------------------------------------


def test_a_view_without_a_column_is_named_with_the_column(own_site: ReferenceSite) -> None:
    execute(
        own_site.engine,
        *(f"CREATE VIEW v_{t} AS SELECT * FROM {t}" for t in ("accounts", "people", "sessions", "seats")),
        "CREATE VIEW v_days AS SELECT session_id, starts, ends, all_day FROM days",
    )
    lms = ReferenceLms(read_engine(own_site.url), prefix="v_")
    assert lms.check() == ["v_days: no column time_zone"]
    with pytest.raises(LmsUnreadable, match="v_days: no column time_zone"):
        scan_all(lms)
    with pytest.raises(LmsUnreadable, match="v_days: no column time_zone"):
        lms.read(["ana"], NOW)
    lms.close()


def test_a_table_that_vanishes_between_two_readings_is_named(own_site: ReferenceSite) -> None:
    assert scan_all(own_site.source) == []
    execute(own_site.engine, "DROP TABLE seats")
    for _time in range(2):
        with pytest.raises(LmsUnreadable, match="seats"):
            scan_all(own_site.source)
    assert own_site.source.check() == ["seats: no such table or view, or no right to read it"]


def test_a_table_that_comes_back_is_read_again(own_site: ReferenceSite) -> None:
    execute(own_site.engine, "ALTER TABLE seats RENAME TO seats_away")
    with pytest.raises(LmsUnreadable, match="seats"):
        scan_all(own_site.source)
    execute(own_site.engine, "ALTER TABLE seats_away RENAME TO seats")
    assert scan_all(own_site.source) == []


@pytest.mark.parametrize("table", sorted(NEEDED))
def test_every_table_of_moodle_that_is_missing_is_named(moodle: WritableMoodle, table: str) -> None:
    moodle.change(f'ALTER TABLE mdl_{table} RENAME TO "away"')
    assert moodle.lms.check() == [f"mdl_{table}: no such table or view, or no right to read it"]
    with pytest.raises(LmsUnreadable, match=f"mdl_{table}"):
        scan_all(moodle.lms)


def test_people_in_another_order_than_asked_for_are_an_error(file_site: ReferenceSite) -> None:
    """Bytes that are no UTF-8 sort after every character, and are read as one that does not."""
    for id_ in ("ana", "👩"):
        file_site.rows.add_person(id_)
    execute(file_site.engine, "UPDATE people SET id = CAST(x'ff' AS TEXT) WHERE id = 'ana'")
    with pytest.raises(LmsUnreadable, match="another order"):
        scan_all(file_site.source)


def test_a_time_that_the_driver_cannot_read_refuses_the_session_only(file_site: ReferenceSite) -> None:
    for id_ in ("s0", "s1"):
        file_site.rows.add_session(MORNING, id=id_)
    execute(file_site.engine, "UPDATE days SET starts = '2026-13-45 99:00' WHERE session_id = 's0'")
    with file_site.source.scan(NOW) as scan:
        assert list(scan.people) == []
    assert [refusal.id for refusal in scan.refused] == ["s0"]


def test_postgresqls_infinity_refuses_the_session_only(make_site: Callable[[str], ReferenceSite]) -> None:
    site = make_site("postgresql")
    for id_ in ("s0", "s1", "s2"):
        site.rows.add_session(MORNING, id=id_)
    execute(
        site.engine,
        "UPDATE days SET ends = 'infinity' WHERE session_id = 's0'",
        "UPDATE sessions SET cancel_until = '-infinity' WHERE id = 's1'",
    )
    with site.source.scan(NOW) as scan:
        assert list(scan.people) == []
    assert {refusal.id for refusal in scan.refused} == {"s0", "s1"}


def test_mariadbs_zero_date_refuses_the_session_only(make_site: Callable[[str], ReferenceSite]) -> None:
    site = make_site("mariadb")
    for id_ in ("s0", "s1"):
        site.rows.add_session(MORNING, id=id_)
    execute(site.engine, "SET SESSION sql_mode = ''", "UPDATE days SET starts = 0 WHERE session_id = 's0'")
    with site.source.scan(NOW) as scan:
        assert list(scan.people) == []
    assert [refusal.id for refusal in scan.refused] == ["s0"]


# One instant --------------------------------------------------------------------------------------


def test_a_scan_sees_one_instant_whatever_happens_meanwhile(site: ReferenceSite) -> None:
    site.rows.add_session(MORNING, id="s0")
    site.rows.add_session(MORNING, id="s1")
    for person in ("ana", "tom"):
        site.rows.add_person(person)
        site.rows.book(person, "s0")
    before = site.source.read(["ana", "tom"], NOW)
    with site.source.scan(NOW) as scan:
        site.rows.book("ana", "s1")
        site.rows.drop_session("s0")
        site.rows.drop_person("tom")
        seen = {glance.person: glance.digest for glance in scan.people}
    assert seen == {person: found.digest for person, found in before.items()}
    assert scan.crowd == {"s0": 2}
    assert site.source.read(["tom"], NOW)["tom"].person is None


def test_a_reading_cannot_write(site: ReferenceSite) -> None:
    engine = read_engine(site.url)
    with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.?only"), snapshot(engine) as connection:
        connection.exec_driver_sql("DELETE FROM accounts")
    engine.dispose()
    with site.source.scan(NOW) as scan:
        assert "acme" in scan.accounts


# A login that may only read -----------------------------------------------------------------------


@contextmanager
def login_for(url: str, grants: list[str]) -> Iterator[str]:
    """A login that has been granted nothing but this; gives the URL with it, whose password is ``pw``."""
    parsed = sa.make_url(url)
    name = f"reader_{str(parsed.database)[-8:]}"
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    postgresql = parsed.get_backend_name() == "postgresql"
    login = name if postgresql else f"'{name}'@'%%'"
    made = f"CREATE ROLE {name} LOGIN" if postgresql else f"CREATE USER {login} IDENTIFIED BY 'pw'"
    execute(server, made, *(grant.format(login=login) for grant in grants))
    try:
        yield parsed.set(username=name, password=None).render_as_string()
    finally:
        dropped = [f"DROP OWNED BY {name}", f"DROP ROLE {name}"] if postgresql else [f"DROP USER {login}"]
        execute(server, *dropped)


READ = {
    "postgresql": "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {{login}}",
    "mariadb": "GRANT SELECT ON `{database}`.* TO {{login}}",
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_login_that_may_only_select_is_enough(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    grant = READ[kind].format(database=sa.make_url(site.url).database)
    with login_for(site.url, [grant]) as url:
        lms = ReferenceLms(read_engine(url, password="pw"))
        assert lms.check() == []
        assert scan_all(lms) == ["ana"]
        assert lms.read(["ana"], NOW) == site.source.read(["ana"], NOW)
        lms.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_login_that_may_not_read_a_table_is_told_which(
    one_booked: Callable[[str], ReferenceSite], kind: str
) -> None:
    site = one_booked(kind)
    database = f"`{sa.make_url(site.url).database}`." if kind == "mariadb" else ""
    grants = [
        f"GRANT SELECT ON {database}{t} TO {{login}}" for t in ("accounts", "people", "sessions", "days")
    ]
    with login_for(site.url, grants) as url:
        lms = ReferenceLms(read_engine(url, password="pw"))
        (problem,) = lms.check()
        assert "seats" in problem
        with pytest.raises(LmsUnreadable, match="seats"):
            scan_all(lms)
        lms.close()


@pytest.mark.parametrize("site_name", ["moodle", "moodle_on_mariadb"])
def test_a_login_that_may_read_the_needed_columns_of_moodle_is_enough(
    request: pytest.FixtureRequest, site_name: str
) -> None:
    """So that it never sees a password's hash."""
    moodle: WritableMoodle = request.getfixturevalue(site_name)
    columns = {t: ", ".join([*names, *OPTIONAL.get(t, ())]) for t, names in NEEDED.items()}
    grants = [f"GRANT SELECT ({names}) ON mdl_{t} TO {{login}}" for t, names in columns.items()]
    with login_for(moodle.url, grants) as url:
        lms = MoodleLms(read_engine(url, password="pw"))
        assert lms.check() == []
        assert scan_all(lms) == scan_all(moodle.lms)
        lms.close()
