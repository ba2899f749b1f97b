"""The five reference tables, read on each kind of database: who should have what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.reference import ReferenceLms
from reconciler.model import Account, Day, Desired, Person, Registration, Role, Session, Standing
from reconciler.ports import Scan
from reconciler.simulators.lms import When
from tests.support.reference_lms import ReferenceSite

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MORNING = When(datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 12))
AFTERNOON = When(datetime(2026, 12, 2, 13), datetime(2026, 12, 2, 17))
LONG_PAST = When(datetime(2026, 10, 1, 9), datetime(2026, 10, 1, 12))
ODD_IDS = ["Z", "a", "B", "10", "9", "é", "z ", "z", "z\x01", "ｚ", "👩", "日", "_", "~", "a-b", "A"]


def scanned(lms: ReferenceLms, since: datetime = NOW) -> Scan:
    with lms.scan(since) as scan:
        scan.people = iter(list(scan.people))
    return scan


def desired(site: ReferenceSite, person: str = "ana", since: datetime = NOW) -> Desired:
    """What a reading says, having made sure that a scan says the same."""
    found = site.source.read([person], since)[person]
    digests = {glance.person: glance.digest for glance in scanned(site.source, since).people}
    assert digests.get(person, "") == found.digest
    return found


def registration(site: ReferenceSite, person: str = "ana") -> Registration:
    (found,) = desired(site, person).registrations
    return found


def book(site: ReferenceSite, *days: When, **fields: object) -> str:
    """Ana is booked into a new session."""
    if not site.source.read(["ana"], NOW)["ana"].person:
        site.rows.add_person("ana")
    session = site.rows.add_session(*(days or (MORNING,)), **fields)  # type: ignore[arg-type]
    site.rows.book("ana", session)
    return session


# Everything of a row ------------------------------------------------------------------------------


def test_all_columns_arrive(site: ReferenceSite) -> None:
    site.rows.add_account("other", name="Other <b>Ltd</b>", time_zone="Asia/Kathmandu")
    site.rows.add_person(
        "ana", account="other", name="Ana\nBerg", email="ana@example.org", locale="de-AT", identity="i7"
    )
    site.rows.add_person("tom", name="Tom Ax")
    site.rows.add_session(
        AFTERNOON,
        MORNING,
        id="s1",
        account="other",
        title="First\x07 aid",
        course="Safety",
        details="<p>Bring <b>ID</b></p>",
        location="Room 1",
        url="https://lms.example/s1",
        cancellable=False,
        cancel_until=datetime(2026, 11, 30, 12),
    )
    site.rows.book("ana", "s1", seat="r1")
    site.rows.book("tom", "s1", "instructor")
    assert scanned(site.source).accounts["other"] == Account("other", "Other Ltd", "Asia/Kathmandu")
    session = Session(
        id="s1",
        account="other",
        title="First aid",
        course="Safety",
        details="Bring ID",
        location="Room 1",
        url="https://lms.example/s1",
        instructors=("Tom Ax",),
        days=(
            Day(MORNING.starts, MORNING.ends, "Europe/Vienna"),
            Day(AFTERNOON.starts, AFTERNOON.ends, "Europe/Vienna"),
        ),
        cancellable=False,
        cancel_until=datetime(2026, 11, 30, 12, tzinfo=UTC),
    )
    found = desired(site)
    assert found.person == Person("ana", "other", "ana@example.org", "Ana Berg", "de-AT", "i7")
    assert found.registrations == (
        Registration("ana", session, Role.LEARNER, Standing.WANTED, "r1", ("r1",)),
    )
    assert site.source.session("s1") == session


def test_all_seats_of_a_person_in_a_session_merge(site: ReferenceSite) -> None:
    session = book(site)
    site.rows.book("ana", session, "instructor")
    site.rows.book("ana", session, seat="again")
    site.rows.book("ana", session, status="cancelled")
    found = registration(site)
    assert (found.role, found.seats) == (Role.LEARNER, ("again", "seat-1"))
    assert scanned(site.source).crowd == {session: 1}


@pytest.mark.parametrize("status", ["waiting", "requested", "declined", "cancelled"])
def test_seats_that_give_no_event_are_traces(site: ReferenceSite, status: str) -> None:
    session = book(site)
    site.rows.set_status("ana", session, status)
    assert registration(site).standing is Standing.NONE
    assert scanned(site.source).crowd == {session: 1}


def test_a_seat_dropped_without_trace_leaves_nothing(site: ReferenceSite) -> None:
    session = book(site)
    site.rows.drop("ana", session)
    assert desired(site).registrations == ()
    assert desired(site).digest == ""
    assert set(scanned(site.source).sessions["acme"]) == {session}


def test_an_unknown_person_is_none_and_known_ones_without_seats_are_there(site: ReferenceSite) -> None:
    site.rows.add_person("ana")
    assert desired(site, "nobody") == Desired("nobody", None)
    assert desired(site).person is not None
    assert [glance.person for glance in scanned(site.source).people] == ["ana"]


def test_the_id_asked_for_is_the_id_meant_to_the_letter(site: ReferenceSite) -> None:
    book(site)
    found = site.source.read(["ANA", "ana ", "ana"], NOW)
    assert [found[id_].person is not None for id_ in ("ANA", "ana ", "ana")] == [False, False, True]
    assert found["ANA"].registrations == found["ana "].registrations == ()


def test_people_stream_in_order_of_code_points(site: ReferenceSite) -> None:
    ids = [id_ for id_ in ODD_IDS if not (id_ == "z " and site.engine.dialect.name in ("mysql", "mariadb"))]
    site.rows.add_session(MORNING, id="s1")
    for id_ in ids:
        site.rows.add_person(id_)
        site.rows.book(id_, "s1")
    assert [glance.person for glance in scanned(site.source).people] == sorted(ids)
    assert set(site.source.read(ids, NOW)) == set(ids)


# Which sessions -----------------------------------------------------------------------------------


def test_a_session_counts_until_its_last_day_ends_in_its_own_zone(site: ReferenceSite) -> None:
    late = When(datetime(2026, 11, 22, 18), datetime(2026, 11, 22, 22), "Pacific/Kiritimati")
    session = book(site, late)
    ends = datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert session not in scanned(site.source, ends).sessions.get("acme", ())
    assert desired(site, since=ends).registrations == ()
    before = ends.replace(hour=7, minute=59)
    assert session in scanned(site.source, before).sessions["acme"]
    assert len(desired(site, since=before).registrations) == 1


def test_a_session_that_has_begun_shows_all_its_days(site: ReferenceSite) -> None:
    book(site, LONG_PAST, MORNING)
    assert len(registration(site).session.days) == 2
    (glance,) = scanned(site.source).people
    assert glance.next_start == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_sessions_without_days_and_cancelled_ones_are_there_and_past_ones_are_not(
    site: ReferenceSite,
) -> None:
    book(site)
    dateless, past = site.rows.add_session(), site.rows.add_session(LONG_PAST)
    called_off = site.rows.add_session(MORNING)
    site.rows.cancel_session(called_off)
    for session in (dateless, past, called_off):
        site.rows.book("ana", session)
    found = {r.session.id: r.session for r in desired(site).registrations}
    assert found.keys() == set(scanned(site.source).sessions["acme"])
    assert past not in found
    assert found[dateless].days == ()
    assert found[called_off].cancelled
    assert site.source.session(past) is not None


def test_making_all_rows_of_days_anew_is_no_news(site: ReferenceSite) -> None:
    session = book(site, MORNING, AFTERNOON)
    before = desired(site)
    site.rows.move(session, AFTERNOON, MORNING)
    assert desired(site) == before
    site.rows.move(session, AFTERNOON)
    assert desired(site).digest != before.digest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Other"),
        ("course", "Other"),
        ("details", "Other"),
        ("location", "Other"),
        ("url", "https://other.example"),
        ("status", "cancelled"),
        ("cancellable", False),
        ("cancel_until", datetime(2026, 11, 30)),
    ],
)
def test_whatever_changes_of_a_session_is_news(site: ReferenceSite, field: str, value: object) -> None:
    session = book(site)
    before = desired(site).digest
    site.rows.change(session, **{field: value})
    assert desired(site).digest != before


def test_another_instructor_is_news_for_everybody_there(site: ReferenceSite) -> None:
    session = book(site)
    site.rows.add_person("tom", name="Tom")
    before = desired(site).digest
    site.rows.book("tom", session, "instructor")
    assert registration(site).session.instructors == ("Tom",)
    assert desired(site).digest != before
    site.rows.cancel("tom", session)
    assert desired(site).digest == before


# What makes no sense ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "why"),
    [
        (MORNING._replace(time_zone="Mars/Olympus"), "unknown time zone 'Mars/Olympus'"),
        (MORNING._replace(time_zone=""), "unknown time zone"),
        (When(MORNING.ends, MORNING.starts), "ends before it starts"),
        (When(datetime(1926, 12, 1), datetime(1926, 12, 1)), "1980 to 2199"),
        (When(datetime(2026, 12, 1), datetime(9999, 12, 31)), "1980 to 2199"),
    ],
)
def test_a_day_that_makes_no_sense_refuses_its_session_and_no_other(
    site: ReferenceSite, day: When, why: str
) -> None:
    refused, fine = book(site, AFTERNOON, day), book(site)
    found = {r.session.id: r.session for r in desired(site).registrations}
    assert why in str(found[refused].refused)
    assert found[refused].days == ()
    assert found[fine].refused is None
    scan = scanned(site.source)
    assert [(refusal.what, refusal.id) for refusal in scan.refused] == [("session", refused)]
    assert set(scan.sessions["acme"]) == {refused, fine}


def test_words_that_nobody_knows_refuse_the_session_for_everybody(site: ReferenceSite) -> None:
    odd_role, odd_status, odd_session, fine = (book(site) for _ in range(4))
    site.rows.add_person("tom")
    site.rows.book("tom", odd_role, "observer")
    site.rows.book("tom", odd_status, status="maybe")
    site.rows.change(odd_session, status="draft")
    assert {refusal.id: refusal.why for refusal in scanned(site.source).refused} == {
        odd_role: "a seat has the unknown role 'observer'",
        odd_status: "a seat has the unknown status 'maybe'",
        odd_session: "unknown status 'draft'",
    }
    for person in ("ana", "tom"):
        for found in desired(site, person).registrations:
            assert (found.session.refused is None) == (found.session.id == fine)


def test_words_may_be_in_capitals(site: ReferenceSite) -> None:
    session = book(site, status="Scheduled")
    site.rows.add_person("tom", name="Tom")
    site.rows.book("tom", session, "Instructor", "BOOKED")
    assert registration(site, "tom").role is Role.INSTRUCTOR
    assert registration(site).session.instructors == ("Tom",)
    assert scanned(site.source).refused == []


def test_a_cancelled_session_is_never_refused(site: ReferenceSite) -> None:
    session = book(site, MORNING._replace(time_zone="Mars/Olympus"))
    site.rows.cancel_session(session)
    found = registration(site).session
    assert (found.cancelled, found.refused) == (True, None)


def test_seats_of_nobody_are_told_and_count_for_nothing(site: ReferenceSite) -> None:
    session = book(site)
    site.rows.book("ghost", session)
    scan = scanned(site.source)
    (refusal,) = scan.refused
    assert (refusal.what, refusal.id) == ("seat", session)
    assert "'ghost'" in refusal.why
    assert scan.crowd == {session: 1}
    assert desired(site, "ghost") == Desired("ghost", None)


def test_people_of_an_account_that_is_not_there_are_told_once(site: ReferenceSite) -> None:
    for person in ("ana", "tom"):
        site.rows.add_person(person, account="gone")
    (refusal,) = scanned(site.source).refused
    assert (refusal.what, refusal.id) == ("account", "gone")


# The tables ---------------------------------------------------------------------------------------


def test_a_fresh_schema_has_no_problem_and_can_be_created_twice(site: ReferenceSite) -> None:
    assert site.source.check() == []


def test_tables_may_have_a_prefix(own_site: ReferenceSite) -> None:
    other = ReferenceLms(read_engine(own_site.url), prefix="ilt_")
    assert len(other.check()) == 5
    with own_site.engine.begin() as connection:
        for table in ("accounts", "people", "sessions", "days", "seats"):
            connection.exec_driver_sql(f"CREATE VIEW ilt_{table} AS SELECT * FROM {table}")
    book(own_site)
    assert other.check() == []
    assert other.read(["ana"], NOW) == own_site.source.read(["ana"], NOW)
    assert other.address == f"{own_site.source.address}#ilt_"
    other.close()


def test_views_of_an_lms_with_numbers_for_ids_give_the_same_as_tables(own_site: ReferenceSite) -> None:
    """Numbers in one table, text in another, flags as words: whatever a view finds in its LMS."""
    with own_site.engine.begin() as connection:
        for statement in NUMBERED_VIEWS:
            connection.exec_driver_sql(statement.format(**TIMES[own_site.engine.dialect.name]))
    lms = ReferenceLms(read_engine(own_site.url), prefix="n_")
    assert lms.check() == []
    with lms.scan(NOW) as scan:
        glances = list(scan.people)
    assert [glance.person for glance in glances] == ["10", "9"]
    found = lms.read(["9", "10", "009", "x"], NOW)
    assert [glance.digest for glance in glances] == [found["10"].digest, found["9"].digest]
    assert found["009"].person is None
    (learner,) = found["9"].registrations
    assert (learner.session.id, learner.seat, learner.session.instructors) == ("77", "501", ("Tom",))
    assert [person and person.active for person in (found["9"].person, found["10"].person)] == [True, False]
    assert lms.session("77") == learner.session
    lms.close()


TIMES = {
    "sqlite": {"morning": "'2026-12-01 09:00'", "noon": "'2026-12-01T12:00:00'", "nothing": "NULL"},
    "postgresql": {
        "morning": "timestamp '2026-12-01 09:00'",
        "noon": "timestamp '2026-12-01 12:00'",
        "nothing": "CAST(NULL AS timestamptz)",
    },
    "mysql": {
        "morning": "CAST('2026-12-01 09:00' AS datetime)",
        "noon": "CAST('2026-12-01 12:00' AS datetime)",
        "nothing": "CAST(NULL AS datetime)",
    },
}
TIMES["mariadb"] = TIMES["mysql"]
NUMBERED_VIEWS = [
    "CREATE VIEW n_accounts AS SELECT 1 AS id, 'Acme' AS name, 'Europe/Vienna' AS time_zone",
    "CREATE VIEW n_people AS SELECT 9 AS id, 1 AS account_id, 'a@example.org' AS email, 'Ana' AS name,"
    " 'de' AS locale, 9 AS identity, 'Y' AS active"
    " UNION ALL SELECT 10, 1, 't@example.org', 'Tom', 'de', 10, 'N'",
    "CREATE VIEW n_sessions AS SELECT 77 AS id, '1' AS account_id, 'T' AS title, 'C' AS course,"
    " NULL AS details, NULL AS location, NULL AS url, 'scheduled' AS status, 1 AS cancellable,"
    " {nothing} AS cancel_until",
    "CREATE VIEW n_days AS SELECT 77 AS session_id, {morning} AS starts, {noon} AS ends, 0 AS all_day,"
    " 'Europe/Vienna' AS time_zone",
    "CREATE VIEW n_seats AS SELECT 501 AS seat_ref, '77' AS session_id, 9 AS person_id, 'learner' AS role,"
    " 'booked' AS status UNION ALL SELECT 502, '77', 10, 'instructor', 'booked'",
]


def test_ids_that_are_there_twice_are_told(file_site: ReferenceSite) -> None:
    file_site.rows.add_person("ana")
    with file_site.engine.begin() as connection:
        for table in ("accounts", "people", "sessions", "days", "seats"):
            double = " UNION ALL SELECT * FROM people" if table == "people" else ""
            connection.execute(sa.text(f"CREATE VIEW v_{table} AS SELECT * FROM {table}{double}"))
    lms = ReferenceLms(read_engine(file_site.url), prefix="v_")
    assert lms.check() == ["v_people: 1 values of id are there more than once"]
    lms.close()


def test_seats_in_sessions_that_are_not_there_are_told(site: ReferenceSite) -> None:
    book(site)
    site.rows.book("ana", "s-gone")
    assert site.source.check() == ["seats: 1 are in sessions that are not there, such as 's-gone'"]


def test_an_account_without_a_known_zone_is_told(file_site: ReferenceSite) -> None:
    file_site.rows.add_account("far", time_zone="Mars/Olympus")
    assert file_site.source.check() == ["accounts: far: unknown time zone 'Mars/Olympus'"]
