"""Seats on the reference tables are given back once, as proven, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reconciler.errors import LmsUnreadable
from reconciler.lms.reference_registrar import ReferenceRegistrar
from reconciler.lms.writing import write_engine
from reconciler.ports import RegistrarAnswer, RegistrarOutcome
from tests.support.booked_site import DAYS, MORNING, NOW, Site, when
from tests.support.cut_wire import Cut, CutWire

DONE, REFUSED, LOST = RegistrarOutcome.DONE, RegistrarOutcome.REFUSED, RegistrarOutcome.LOST


def test_the_seat_named_is_cancelled_and_no_other(site: Site) -> None:
    assert site.registrar.unregister(site.asks()) == RegistrarAnswer(DONE)
    assert site.statuses() == {site.seat: "cancelled"}
    assert site.lms.rows.statuses("ben", "course") == {"bens": "booked"}


def test_asking_again_is_done_already(site: Site) -> None:
    site.registrar.unregister(site.asks())
    assert site.registrar.unregister(site.asks()) == RegistrarAnswer(DONE, "already")


def test_all_seats_of_a_doubled_registration_are_given_back_together(site: Site) -> None:
    second = site.lms.rows.book("ana", "course")
    answer = site.registrar.unregister(site.asks(seats=(site.seat, second)))
    assert answer.outcome is DONE
    assert set(site.statuses().values()) == {"cancelled"}


def test_a_registration_that_has_got_another_seat_since_is_not_as_seen(site: Site) -> None:
    second = site.lms.rows.book("ana", "course")
    assert site.registrar.unregister(site.asks()) == RegistrarAnswer(LOST, "other-seat")
    assert site.statuses() == {site.seat: "booked", second: "booked"}


def test_all_seats_or_none_where_one_is_not_as_seen(site: Site) -> None:
    second = site.lms.rows.book("ana", "course", status="waiting")
    answer = site.registrar.unregister(site.asks(seats=(site.seat, second)))
    assert answer == RegistrarAnswer(LOST, "other-seat")
    assert site.statuses() == {site.seat: "booked", second: "waiting"}


Prepare = Callable[[Site], object]
REFUSALS: dict[str, tuple[Prepare, RegistrarOutcome, str]] = {
    "attended": (lambda site: site.lms.rows.set_status("ana", "course", "attended"), REFUSED, "attended"),
    "partially attended": (
        lambda site: site.lms.rows.set_status("ana", "course", "partially_attended"),
        REFUSED,
        "attended",
    ),
    "completed": (lambda site: site.lms.rows.set_status("ana", "course", "completed"), REFUSED, "attended"),
    "no show": (lambda site: site.lms.rows.set_status("ana", "course", "no_show"), REFUSED, "attended"),
    "waiting": (lambda site: site.lms.rows.set_status("ana", "course", "waiting"), LOST, "other-seat"),
    "not cancellable": (
        lambda site: site.lms.rows.change("course", cancellable=False),
        REFUSED,
        "not-cancellable",
    ),
    "deadline passed": (
        lambda site: site.lms.rows.change("course", cancel_until=NOW.replace(tzinfo=None)),
        REFUSED,
        "cancel-until",
    ),
    "session cancelled": (
        lambda site: site.lms.rows.cancel_session("course"),
        LOST,
        "session-cancelled",
    ),
    "session with an unknown status": (
        lambda site: site.lms.rows.change("course", status="postponed"),
        LOST,
        "unreadable",
    ),
    "a day moved": (
        lambda site: site.lms.rows.move(
            "course", when(*DAYS[0]), when(DAYS[1][0] + timedelta(hours=1), DAYS[1][1])
        ),
        LOST,
        "other-days",
    ),
    "a day dropped": (lambda site: site.lms.rows.move("course", when(*DAYS[0])), LOST, "other-days"),
    "a day added": (
        lambda site: site.lms.rows.move(
            "course", *(when(*day) for day in DAYS), when(MORNING + timedelta(9), MORNING + timedelta(9))
        ),
        LOST,
        "other-days",
    ),
    "seat vanished": (lambda site: site.lms.rows.drop("ana", "course"), LOST, "other-seat"),
    "session vanished": (lambda site: site.lms.rows.drop_session("course"), LOST, "other-seat"),
    "an instructor's": (
        lambda site: _write(site, "UPDATE seats SET role = 'instructor' WHERE person_id = 'ana'"),
        REFUSED,
        "not-a-learner",
    ),
}


def _write(site: Site, statement: str) -> None:
    with site.lms.engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_seat_that_is_not_as_proven_stays_as_it_is(site: Site, case: str) -> None:
    prepare, outcome, why = REFUSALS[case]
    prepare(site)
    before = site.statuses()
    assert site.registrar.unregister(site.asks()) == RegistrarAnswer(outcome, why)
    assert site.statuses() == before


def test_days_that_were_rewritten_as_they_were_are_the_same_days(site: Site) -> None:
    site.lms.rows.move("course", *(when(*day) for day in reversed(DAYS)))
    assert site.registrar.unregister(site.asks()).outcome is DONE


def test_a_deadline_for_cancelling_that_lies_ahead_forbids_nothing(site: Site) -> None:
    site.lms.rows.change("course", cancel_until=(NOW + timedelta(seconds=1)).replace(tzinfo=None))
    assert site.registrar.unregister(site.asks()).outcome is DONE


def test_a_session_that_has_begun_is_refused(site: Site) -> None:
    answer = site.registrar.unregister(site.asks(now=MORNING))
    assert answer == RegistrarAnswer(REFUSED, "begun")
    assert site.registrar.unregister(site.asks(now=MORNING - timedelta(seconds=1))).outcome is DONE


def test_somebody_elses_seat_is_never_given_back(site: Site) -> None:
    assert site.registrar.unregister(site.asks(seats=("bens",))).outcome is LOST
    assert site.registrar.unregister(site.asks(person="ben")).outcome is LOST
    site.lms.rows.add_session(*(when(*day) for day in DAYS), id="other")
    assert site.registrar.unregister(site.asks(session="other")).outcome is LOST
    assert site.statuses() == {site.seat: "booked"}


def test_after_the_deadline_nothing_is_written(site: Site) -> None:
    with pytest.raises(LmsUnreadable, match="deadline passed"):
        site.registrar.unregister(site.asks(deadline=site.registrar.now()))
    assert site.statuses() == {site.seat: "booked"}


def test_the_clock_is_the_databases(site: Site) -> None:
    query = {
        "sqlite": "SELECT strftime('%s', 'now')",
        "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
        "mariadb": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
    }
    with site.lms.engine.connect() as connection:
        before, ours, after = (
            float(connection.exec_driver_sql(query[connection.dialect.name]).scalar_one()),
            site.registrar.now(),
            float(connection.exec_driver_sql(query[connection.dialect.name]).scalar_one()),
        )
    assert before <= ours.timestamp() <= after + 1


# Others at work at the same time ------------------------------------------------------------------


def test_a_seat_cancelled_and_booked_anew_after_the_proof_is_not_touched(site: Site) -> None:
    site.lms.rows.cancel("ana", "course")
    new = site.lms.rows.book("ana", "course")
    assert site.registrar.unregister(site.asks()) == RegistrarAnswer(LOST, "other-seat")
    assert site.statuses() == {site.seat: "cancelled", new: "booked"}


def test_the_write_waits_for_an_administrator_and_then_sees_what_they_did(site: Site, lms_url: str) -> None:
    """The administrator's transaction is open when ours begins, and moves the session while it is."""
    if lms_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time")
    answers: list[RegistrarAnswer] = []
    ours = threading.Thread(target=lambda: answers.append(site.registrar.unregister(site.asks())))
    with site.lms.engine.begin() as administrator:
        administrator.exec_driver_sql("UPDATE seats SET role = 'learner ' WHERE person_id = 'ana'")
        ours.start()
        _until_it_waits(site, ours)
        administrator.exec_driver_sql("UPDATE days SET time_zone = 'Asia/Tokyo'")
    ours.join()
    assert answers == [RegistrarAnswer(LOST, "other-days")]
    assert site.statuses() == {site.seat: "booked"}


def _until_it_waits(site: Site, ours: threading.Thread) -> None:
    """Until our transaction stands in front of a lock, as the server itself says."""
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()",
        "mariadb": "SELECT count(*) FROM information_schema.processlist"
        " WHERE db = DATABASE() AND info LIKE 'UPDATE seats%%' AND state = 'Updating' AND time_ms > 100",
    }
    waiting = 0
    while ours.is_alive() and not waiting:
        with site.lms.engine.connect() as watcher:
            waiting = watcher.exec_driver_sql(query[site.lms.engine.dialect.name]).scalar_one()
    assert waiting


def test_a_lock_that_is_not_let_go_of_ends_with_nothing_written(site: Site) -> None:
    with site.lms.engine.connect() as other:
        if site.lms.engine.dialect.name == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        other.exec_driver_sql("UPDATE seats SET role = 'learner ' WHERE person_id = 'ana'")
        with pytest.raises(LmsUnreadable):
            site.registrar.unregister(site.asks())
        other.rollback()
    assert site.statuses() == {site.seat: "booked"}
    assert site.registrar.unregister(site.asks()).outcome is DONE


def test_of_many_at_once_exactly_one_writes(site: Site, lms_url: str) -> None:
    registrars = [ReferenceRegistrar(write_engine(lms_url)) for _ in range(4)]
    start = threading.Barrier(len(registrars))

    def give_back(registrar: ReferenceRegistrar) -> RegistrarAnswer:
        start.wait()
        return registrar.unregister(site.asks())

    with ThreadPoolExecutor(len(registrars)) as pool:
        answers = list(pool.map(give_back, registrars))
    assert sorted(answer.why for answer in answers) == ["", "already", "already", "already"]
    assert {answer.outcome for answer in answers} == {DONE}


# Answers that never arrive ------------------------------------------------------------------------


def _through(url: str, cut: Cut) -> tuple[CutWire, ReferenceRegistrar]:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        pytest.skip("SQLite has no wire")
    wire = CutWire(str(parsed.host), int(parsed.port or 0), b"COMMIT", cut, armed_by=b"UPDATE ")
    return wire, ReferenceRegistrar(write_engine(parsed.set(host="127.0.0.1", port=wire.port)))


@pytest.mark.parametrize(("cut", "became"), [(Cut.BEFORE, RegistrarOutcome.STILL_THERE), (Cut.AFTER, DONE)])
def test_a_connection_lost_at_the_commit_is_unknown_and_resolved_rightly(
    site: Site, lms_url: str, cut: Cut, became: RegistrarOutcome
) -> None:
    wire, registrar = _through(lms_url, cut)
    request = site.asks()
    assert registrar.unregister(request).outcome is RegistrarOutcome.UNKNOWN
    assert wire.cuts == 1
    wire.close()
    assert site.registrar.resolve(request).outcome is became
    assert site.statuses() == {site.seat: "cancelled" if became is DONE else "booked"}


def test_a_connection_lost_before_the_commit_is_certainly_nothing(site: Site, lms_url: str) -> None:
    parsed = sa.make_url(lms_url)
    if parsed.get_backend_name() == "sqlite":
        pytest.skip("SQLite has no wire")
    wire = CutWire(str(parsed.host), int(parsed.port or 0), b"UPDATE ", Cut.AFTER)
    registrar = ReferenceRegistrar(write_engine(parsed.set(host="127.0.0.1", port=wire.port)))
    with pytest.raises(LmsUnreadable):
        registrar.unregister(site.asks())
    wire.close()
    assert site.registrar.resolve(site.asks()).outcome is RegistrarOutcome.STILL_THERE


def test_a_database_that_is_not_there_is_certainly_nothing(site: Site, lms_url: str) -> None:
    parsed = sa.make_url(lms_url)
    if parsed.get_backend_name() == "sqlite":
        elsewhere = parsed.set(database=f"{parsed.database}.not-there")
    else:
        elsewhere = parsed.set(port=1)
    registrar = ReferenceRegistrar(write_engine(elsewhere))
    for ask in (registrar.unregister, registrar.resolve):
        with pytest.raises(LmsUnreadable):
            ask(site.asks())
    with pytest.raises(LmsUnreadable):
        registrar.now()
    assert registrar.check() != []


def test_another_seat_or_none_resolves_as_lost(site: Site) -> None:
    request = site.asks()
    site.lms.rows.drop("ana", "course")
    assert site.registrar.resolve(request).outcome is LOST
    site.lms.rows.book("ana", "course")
    assert site.registrar.resolve(request).outcome is LOST


# What stands in the way ---------------------------------------------------------------------------


def test_the_tables_of_our_own_schema_pass_the_check(site: Site) -> None:
    assert site.registrar.check() == []


def test_a_login_without_the_right_to_update_is_told_so(site: Site, lms_url: str) -> None:
    parsed = sa.make_url(lms_url)
    if parsed.get_backend_name() == "sqlite":
        pytest.skip("SQLite has no logins")
    role, database = f"reader_{parsed.database}"[:30], parsed.database
    if parsed.get_backend_name() == "postgresql":
        grants = [
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        ]
        allowed = f"GRANT UPDATE (status) ON seats TO {role}"
        gone = [f"DROP OWNED BY {role}", f"DROP ROLE {role}"]
    else:
        role_anywhere = f"{role}@'%%'"
        grants = [
            f"CREATE USER {role_anywhere} IDENTIFIED BY 'x'",
            f"GRANT SELECT ON {database}.* TO {role_anywhere}",
        ]
        allowed = f"GRANT UPDATE (status) ON {database}.seats TO {role_anywhere}"
        gone = [f"DROP USER {role_anywhere}"]
    registrar = ReferenceRegistrar(write_engine(parsed.set(username=role), "x"))
    try:
        for grant in grants:
            _write(site, grant)
        [problem] = registrar.check()
        assert "no right to UPDATE status" in problem
        with pytest.raises(LmsUnreadable):
            registrar.unregister(site.asks())
        _write(site, allowed)
        assert registrar.check() == []
        assert registrar.unregister(site.asks()).outcome is DONE
    finally:
        for statement in gone:
            _write(site, statement)


def test_a_table_without_transactions_is_told_apart(site: Site) -> None:
    if site.lms.engine.dialect.name != "mariadb":
        pytest.skip("only MariaDB and MySQL have such tables")
    _write(site, "ALTER TABLE seats ENGINE = MyISAM")
    [problem] = site.registrar.check()
    assert "MyISAM" in problem
