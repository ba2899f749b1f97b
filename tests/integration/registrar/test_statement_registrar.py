"""On views a statement of the operator's gives the seat back; what it must not do is undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from reconciler.errors import LmsUnreadable
from reconciler.lms.reference_registrar import ReferenceRegistrar, StatementRegistrar
from reconciler.lms.writing import write_engine
from reconciler.ports import RegistrarAnswer, RegistrarOutcome
from tests.support.booked_site import DAYS, NOW, Site, booked_site, when

DONE, REFUSED, LOST = RegistrarOutcome.DONE, RegistrarOutcome.REFUSED, RegistrarOutcome.LOST

VIEWS = [
    "ALTER TABLE seats RENAME TO bookings",
    "CREATE TABLE reasons (booking VARCHAR(190) PRIMARY KEY, reason VARCHAR(190))",
    "CREATE VIEW seats AS SELECT seat_ref, session_id, person_id, role, status"
    " FROM bookings LEFT JOIN reasons ON booking = seat_ref",
]
CANCEL = (
    "UPDATE bookings SET status = 'cancelled' WHERE seat_ref = :seat_ref AND person_id = :person_id"
    " AND session_id = :session_id AND status = 'booked'"
)


@dataclass(frozen=True)
class Views:
    """An LMS whose seats are a view over tables of its own."""

    site: Site
    url: str

    def registrar(self, statement: str = CANCEL) -> StatementRegistrar:
        return StatementRegistrar(write_engine(self.url), statement)

    def statuses(self) -> dict[str, str]:
        return self.site.statuses()

    def run(self, *statements: str) -> None:
        with self.site.lms.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@pytest.fixture
def views(lms_url: str) -> Iterator[Views]:
    site = booked_site(lms_url)
    found = Views(site, lms_url)
    found.run(*VIEWS)
    yield found
    site.lms.close()


def test_the_statement_gives_the_seat_back(views: Views) -> None:
    request = views.site.asks()
    assert views.registrar().unregister(request) == RegistrarAnswer(DONE)
    assert views.statuses() == {views.site.seat: "cancelled"}
    assert views.site.lms.rows.statuses("ben", "course") == {"bens": "booked"}
    assert views.registrar().unregister(request) == RegistrarAnswer(DONE, "already")
    assert views.registrar().resolve(request).outcome is DONE


def test_the_statement_knows_the_deadline_and_the_reference(views: Views) -> None:
    clock = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "clock_timestamp()"}
    now = clock.get(views.site.lms.engine.dialect.name, "UTC_TIMESTAMP(6)")
    statement = f"INSERT INTO reasons SELECT :seat_ref, :reference FROM accounts WHERE {now} < :deadline"
    with pytest.raises(LmsUnreadable, match="another number of rows"):  # a reason alone cancels nothing
        views.registrar(statement).unregister(views.site.asks())
    assert views.statuses() == {views.site.seat: "booked"}
    views.run("ALTER TABLE bookings ADD COLUMN reason VARCHAR(190)")
    told = CANCEL.replace("status = 'cancelled'", "status = 'cancelled', reason = :reference", 1)
    assert views.registrar(f"{told} AND {now} < :deadline").unregister(views.site.asks()).outcome is DONE
    with views.site.lms.engine.connect() as connection:
        reasons = connection.exec_driver_sql("SELECT seat_ref, reason FROM bookings ORDER BY seat_ref")
        assert [tuple(row) for row in reasons] == [("bens", None), (views.site.seat, "evidence-1")]


def test_each_seat_is_one_run_and_all_are_undone_if_one_fits_not(views: Views) -> None:
    second = views.site.asks().seats[0] + "-second"
    views.run(f"INSERT INTO bookings VALUES ('{second}', 'course', 'ana', 'learner', 'booked')")
    one_only = f"{CANCEL} AND seat_ref <> '{second}'"
    request = views.site.asks(seats=(views.site.seat, second))
    with pytest.raises(LmsUnreadable):
        views.registrar(one_only).unregister(request)
    assert set(views.statuses().values()) == {"booked"}
    assert views.registrar().unregister(request).outcome is DONE
    assert set(views.statuses().values()) == {"cancelled"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bookings SET status = 'cancelled' WHERE session_id = :session_id AND :seat_ref = :seat_ref",
        CANCEL.replace("'booked'", "'bookd'"),
        CANCEL.replace("'cancelled'", "'waiting'"),
        "DELETE FROM bookings WHERE seat_ref <> :seat_ref",
    ],
    ids=["everybody's", "nothing", "another status", "the wrong one"],
)
def test_a_statement_that_changes_anything_else_is_undone(views: Views, statement: str) -> None:
    with pytest.raises(LmsUnreadable, match="nothing was written"):
        views.registrar(statement).unregister(views.site.asks())
    assert views.statuses() == {views.site.seat: "booked"}
    assert views.site.lms.rows.statuses("ben", "course") == {"bens": "booked"}


def test_a_statement_the_database_does_not_know_is_certainly_nothing(views: Views) -> None:
    registrar = views.registrar("UPDATE nowhere SET x = 1 WHERE y = :seat_ref")
    with pytest.raises(LmsUnreadable):
        registrar.unregister(views.site.asks())
    assert registrar.check() != []


def test_the_views_are_asked_first_whether_it_may_be(views: Views) -> None:
    rows = views.site.lms.rows
    rows.change("course", cancellable=False)
    assert views.registrar().unregister(views.site.asks()) == RegistrarAnswer(REFUSED, "not-cancellable")
    rows.change("course", cancellable=True)
    rows.move("course", when(DAYS[0][0] + timedelta(minutes=5), DAYS[0][1]), when(*DAYS[1]))
    assert views.registrar().unregister(views.site.asks()) == RegistrarAnswer(LOST, "other-days")
    assert views.registrar().unregister(views.site.asks(now=DAYS[0][0])) == RegistrarAnswer(REFUSED, "begun")
    views.run("UPDATE bookings SET status = 'attended'")
    assert views.registrar().unregister(views.site.asks()) == RegistrarAnswer(REFUSED, "attended")


def test_after_the_deadline_no_statement_is_run(views: Views) -> None:
    with pytest.raises(LmsUnreadable, match="deadline"):
        views.registrar().unregister(views.site.asks(deadline=NOW - timedelta(hours=1)))
    assert views.statuses() == {views.site.seat: "booked"}


def test_a_statement_that_names_no_seat_or_an_unknown_parameter_is_told_beforehand(views: Views) -> None:
    assert views.registrar().check() == []
    [problem] = views.registrar("UPDATE bookings SET status = 'cancelled'").check()
    assert ":seat_ref" in problem
    [problem] = views.registrar(f"{CANCEL} AND role = :role").check()
    assert ":role" in problem


def test_a_view_of_several_tables_needs_a_statement(views: Views) -> None:
    if views.site.lms.engine.dialect.name == "mariadb":
        views.run(  # MariaDB updates through joins, but not through this
            "DROP VIEW seats",
            "CREATE VIEW seats AS SELECT DISTINCT * FROM bookings",
        )
    [problem] = ReferenceRegistrar(write_engine(views.url)).check()
    assert "a statement or a webhook" in problem
