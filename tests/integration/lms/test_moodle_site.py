"""One Moodle site, changed row by row: what each oddity of the plugin's tables means."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from reconciler.errors import LmsUnreadable
from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from reconciler.model import Desired, Registration, Role, Session, Standing
from reconciler.ports import Scan
from tests.support.moodle import NOW, WritableMoodle

SESSION = "3"  # booked, of three days, with trainers 37 and 38
LEARNER = "22"  # booked in it


def scanned(lms: MoodleLms) -> Scan:
    with lms.scan(NOW) as scan:
        scan.people = iter(list(scan.people))
    return scan


def session_of(moodle: WritableMoodle, id_: str = SESSION) -> Session:
    found = moodle.lms.session(id_)
    assert found is not None
    return found


def desired(moodle: WritableMoodle, person: str = LEARNER) -> Desired:
    """What a reading says, having made sure that a scan says the same."""
    found = moodle.lms.read([person], NOW)[person]
    digests = {glance.person: glance.digest for glance in scanned(moodle.lms).people}
    assert digests.get(person, "") == found.digest
    return found


def registration(
    moodle: WritableMoodle, person: str = LEARNER, session: str = SESSION
) -> Registration | None:
    return next((r for r in desired(moodle, person).registrations if r.session.id == session), None)


def status(moodle: WritableMoodle, code: int) -> None:
    """A new current status for the learner's sign-up, as the plugin writes one."""
    signup = f"(SELECT id FROM mdl_facetoface_signups WHERE userid = {LEARNER} AND sessionid = {SESSION})"
    moodle.change(
        f"UPDATE mdl_facetoface_signups_status SET superceded = 1 WHERE signupid = {signup}",
        "INSERT INTO mdl_facetoface_signups_status"
        " (id, signupid, statuscode, superceded, createdby, timecreated)"
        f" VALUES ((SELECT max(id) + 1 FROM mdl_facetoface_signups_status), {signup}, {code}, 0, 2, 0)",
    )


# Seats --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "standing"),
    [
        *((code, Standing.NONE) for code in (10, 30, 40, 50, 60)),
        (70, Standing.WANTED),
        *((code, Standing.KEEP) for code in (80, 90, 100)),
    ],
)
def test_what_a_status_code_means_for_the_calendar(
    moodle: WritableMoodle, code: int, standing: Standing
) -> None:
    status(moodle, code)
    found = registration(moodle)
    assert found is not None
    assert found.standing is standing


def test_signing_up_again_is_another_seat(moodle: WritableMoodle) -> None:
    before = registration(moodle)
    status(moodle, 10)
    status(moodle, 70)
    after = registration(moodle)
    assert before is not None
    assert after is not None
    assert before.seat != after.seat
    assert after.standing is Standing.WANTED


def test_two_current_statuses_left_by_two_writers_at_once_are_the_newer_one(moodle: WritableMoodle) -> None:
    status(moodle, 10)
    moodle.change("UPDATE mdl_facetoface_signups_status SET superceded = 0")
    found = registration(moodle)
    assert found is not None
    assert found.standing is Standing.NONE
    assert len(found.seats) == 1


def test_doubled_sign_ups_are_one_registration_with_both_seats(moodle: WritableMoodle) -> None:
    moodle.change(
        f"INSERT INTO mdl_facetoface_signups VALUES (9001, {SESSION}, {LEARNER}, 0, NULL, 3)",
        "INSERT INTO mdl_facetoface_signups_status VALUES (9002, 9001, 70, 0, NULL, '', NULL, 2, 0)",
    )
    found = registration(moodle)
    assert found is not None
    assert len(found.seats) == 2
    assert "9002" in found.seats
    assert scanned(moodle.lms).crowd[SESSION] == 13


def test_a_sign_up_that_has_no_status_yet_is_no_registration(moodle: WritableMoodle) -> None:
    moodle.change(f"INSERT INTO mdl_facetoface_signups VALUES (9001, 20, {LEARNER}, 0, NULL, 3)")
    assert registration(moodle, session="20") is None


def test_a_status_that_nobody_knows_makes_its_session_refused_for_everybody(moodle: WritableMoodle) -> None:
    status(moodle, 110)
    found = registration(moodle)
    assert found is not None
    assert found.session.refused == "a sign-up has the unknown status 110"
    other = registration(moodle, "23")
    assert other is not None
    assert other.session.refused
    scan = scanned(moodle.lms)
    assert [(refusal.what, refusal.id) for refusal in scan.refused] == [("session", SESSION)]
    assert SESSION in next(iter(scan.sessions.values()))


# Trainers -----------------------------------------------------------------------------------------


def test_a_trainer_is_an_instructor_whose_seat_is_the_row_of_the_role(moodle: WritableMoodle) -> None:
    found = registration(moodle, "37")
    assert found is not None
    assert (found.role, found.standing, found.seat) == (Role.INSTRUCTOR, Standing.WANTED, "4")


def test_only_roles_that_the_site_calls_trainers_count(moodle: WritableMoodle) -> None:
    moodle.change("UPDATE mdl_config_plugins SET value = '4' WHERE name = 'session_roles'")
    assert registration(moodle, "37") is None
    assert session_of(moodle).instructors == ()
    moodle.change("UPDATE mdl_config_plugins SET value = '' WHERE name = 'session_roles'")
    assert desired(moodle, "37").registrations == ()


def test_trainers_are_named_in_order_whatever_the_order_of_rows(moodle: WritableMoodle) -> None:
    before = session_of(moodle)
    assert len(before.instructors) == 2
    moodle.change("UPDATE mdl_facetoface_session_roles SET id = 1000 - id")
    assert session_of(moodle) == before


def test_a_trainer_who_signs_up_too_is_a_learner_with_a_seat_to_give_back(moodle: WritableMoodle) -> None:
    moodle.change(
        f"INSERT INTO mdl_facetoface_signups VALUES (9001, {SESSION}, 37, 0, NULL, 3)",
        "INSERT INTO mdl_facetoface_signups_status VALUES (9002, 9001, 70, 0, NULL, '', NULL, 2, 0)",
    )
    found = registration(moodle, "37")
    assert found is not None
    assert (found.role, found.seats) == (Role.LEARNER, ("9002",))


def test_what_a_deleted_session_leaves_behind_is_nothing(moodle: WritableMoodle) -> None:
    moodle.change(f"DELETE FROM mdl_facetoface_sessions WHERE id = {SESSION}")
    assert registration(moodle) is None
    assert registration(moodle, "37") is None
    assert moodle.lms.session(SESSION) is None
    assert SESSION not in next(iter(scanned(moodle.lms).sessions.values()))


# Activities and sessions --------------------------------------------------------------------------


def test_a_hidden_activity_keeps_its_events(moodle: WritableMoodle) -> None:
    before = desired(moodle)
    moodle.change("UPDATE mdl_course_modules SET visible = 0")
    assert desired(moodle) == before


def test_an_activity_being_deleted_is_cancelled_and_leaves_a_trace(moodle: WritableMoodle) -> None:
    moodle.change("UPDATE mdl_course_modules SET deletioninprogress = 1 WHERE instance = 1 AND module = 7")
    found = registration(moodle)
    assert found is not None
    assert found.session.cancelled
    assert found.session.refused is None
    assert SESSION in next(iter(scanned(moodle.lms).sessions.values()))


def test_an_activity_that_is_in_no_course_is_refused(moodle: WritableMoodle) -> None:
    moodle.change("DELETE FROM mdl_course_modules WHERE instance = 1 AND module = 7")
    assert session_of(moodle).refused == "its activity is in no course"
    assert session_of(moodle, "5").refused is None


def test_modules_of_other_kinds_with_the_same_number_do_not_matter(moodle: WritableMoodle) -> None:
    moodle.change(
        "INSERT INTO mdl_course_modules (id, course, module, instance, deletioninprogress)"
        " VALUES (99, 2, 1, 1, 1)"
    )
    assert not session_of(moodle).cancelled


def test_a_session_that_lost_its_date_has_no_days_though_it_has_a_row_of_zeros(
    moodle: WritableMoodle,
) -> None:
    moodle.change(
        f"UPDATE mdl_facetoface_sessions SET datetimeknown = 0 WHERE id = {SESSION}",
        f"UPDATE mdl_facetoface_sessions_dates SET timestart = 0, timefinish = 0 WHERE sessionid = {SESSION}",
    )
    found = session_of(moodle)
    assert (found.days, found.refused) == ((), None)
    assert registration(moodle) is not None


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "UPDATE mdl_facetoface_sessions_dates SET timestart = 0, timefinish = 0 WHERE sessionid = 3",
            "1980",
        ),
        (
            "UPDATE mdl_facetoface_sessions_dates SET timefinish = timestart - 1 WHERE sessionid = 3",
            "before it",
        ),
        ("UPDATE mdl_facetoface_sessions_dates SET timefinish = 99999999999999 WHERE sessionid = 3", "1980"),
        ("DELETE FROM mdl_facetoface_sessions_dates WHERE sessionid = 3", "there are none"),
    ],
)
def test_dates_that_make_no_sense_refuse_that_session_and_no_other(
    moodle: WritableMoodle, statement: str, why: str
) -> None:
    moodle.change(statement)
    found = registration(moodle)
    assert found is not None
    assert found.session.refused is not None
    assert why in found.session.refused
    scan = scanned(moodle.lms)
    assert [refusal.id for refusal in scan.refused] == [SESSION]
    assert SESSION in next(iter(scan.sessions.values()))


def test_a_day_may_end_when_it_starts(moodle: WritableMoodle) -> None:
    moodle.change("UPDATE mdl_facetoface_sessions_dates SET timefinish = timestart WHERE sessionid = 3")
    found = session_of(moodle)
    assert found.refused is None
    assert len(found.days) == 3


def test_texts_are_cleaned_at_the_border(moodle: WritableMoodle) -> None:
    moodle.change(
        "UPDATE mdl_facetoface SET name = E'R&amp;D\\r\\n\\u202eday' WHERE id = 1",
        "UPDATE mdl_facetoface_sessions SET details = E'<p>One</p><p>Two\\u2028three</p>' WHERE id = 3",
        "UPDATE mdl_facetoface_session_data SET data = 'A##SEPARATOR##B' WHERE sessionid = 3 AND fieldid = 3",
    )
    found = session_of(moodle)
    assert (found.title, found.details) == ("R&D day", "One\n\nTwo\nthree")
    assert found.location == "A, B, Canal House, London"


def test_a_link_leads_to_the_sessions_page_or_to_where_one_joins(moodle: WritableMoodle) -> None:
    assert session_of(moodle).url == "https://lms.example/mod/facetoface/signup.php?s=3"
    joining = MoodleLms(
        read_engine(moodle.url),
        site_url="https://lms.example/",
        location_fields=["location"],
        link_field="joinlink",
    )
    clinic, classroom = joining.session("14"), joining.session(SESSION)
    joining.close()
    assert clinic is not None
    assert classroom is not None
    assert (clinic.location, clinic.url) == ("Online", "https://meet.example/clinic")
    assert classroom.url == "https://lms.example/mod/facetoface/signup.php?s=3"


def test_a_seat_may_be_given_back_where_the_session_allows_it(moodle: WritableMoodle) -> None:
    assert session_of(moodle).cancellable
    assert not session_of(moodle, "9").cancellable


# People -------------------------------------------------------------------------------------------


def test_a_deleted_user_is_unknown(moodle: WritableMoodle) -> None:
    moodle.change(f"UPDATE mdl_user SET deleted = 1 WHERE id = {LEARNER}")
    assert desired(moodle) == Desired(LEARNER, None)


def test_a_suspended_user_is_not_active_and_that_is_news(moodle: WritableMoodle) -> None:
    before = desired(moodle)
    moodle.change(f"UPDATE mdl_user SET suspended = 1 WHERE id = {LEARNER}")
    after = desired(moodle)
    assert after.person is not None
    assert not after.person.active
    assert after.registrations == before.registrations
    assert after.digest != before.digest


def test_an_id_used_again_after_a_restore_is_another_identity(moodle: WritableMoodle) -> None:
    before = desired(moodle)
    moodle.change(f"UPDATE mdl_user SET timecreated = timecreated + 1 WHERE id = {LEARNER}")
    after = desired(moodle)
    assert before.person is not None
    assert after.person is not None
    assert before.person.identity != after.person.identity
    assert before.digest != after.digest


def test_another_address_or_zone_of_a_person_is_no_news(moodle: WritableMoodle) -> None:
    before = desired(moodle)
    moodle.change(
        f"UPDATE mdl_user SET email = 'new@corp.example', timezone = 'Asia/Tokyo' WHERE id = {LEARNER}"
    )
    after = desired(moodle)
    assert after.digest == before.digest
    assert after.person is not None
    assert after.person.email == "new@corp.example"


def test_whoever_has_nothing_is_known_and_has_an_empty_digest(moodle: WritableMoodle) -> None:
    found = desired(moodle, "2")
    assert found.person is not None
    assert (found.registrations, found.digest) == ((), "")


@pytest.mark.parametrize("stranger", ["999", "abc", "", "007", "-1", "1e3", "２２", " 22", "9" * 30, "1"])
def test_an_id_that_nobody_has_is_somebody_unknown(moodle: WritableMoodle, stranger: str) -> None:
    assert moodle.lms.read([stranger, LEARNER], NOW)[stranger] == Desired(stranger, None)


# The site -----------------------------------------------------------------------------------------


def test_days_are_shown_in_the_zone_of_the_site_unless_another_is_set(moodle: WritableMoodle) -> None:
    assert session_of(moodle).days[0].zone == "Europe/London"
    instants = [day.start_instant for day in session_of(moodle).days]
    moodle.change("UPDATE mdl_config SET value = 'Asia/Kolkata' WHERE name = 'forcetimezone'")
    assert session_of(moodle).days[0].zone == "Asia/Kolkata"
    told = MoodleLms(read_engine(moodle.url), time_zone="America/St_Johns")
    found = told.session(SESSION)
    told.close()
    assert found is not None
    assert found.days[0].zone == "America/St_Johns"
    assert [day.start_instant for day in found.days] == instants


@pytest.mark.parametrize("zone", ["99", "5.5", "", "Mars/Olympus"])
def test_a_site_whose_zone_is_not_in_the_database_needs_to_be_told(moodle: WritableMoodle, zone: str) -> None:
    moodle.change(f"UPDATE mdl_config SET value = '{zone}' WHERE name = 'timezone'")
    with pytest.raises(LmsUnreadable, match="time_zone"), moodle.lms.scan(NOW):
        pass
    (problem,) = moodle.lms.check()
    assert "time_zone" in problem


def test_the_account_is_the_site(moodle: WritableMoodle) -> None:
    ((id_, account),) = scanned(moodle.lms).accounts.items()
    assert (account.id, account.name) == (id_, "Ridge Training LMS (pgsql)")
    moodle.change("DELETE FROM mdl_config WHERE name = 'siteidentifier'")
    assert moodle.lms.check() == ["mdl_config: no siteidentifier, so no Moodle site"]


def test_tables_may_have_another_prefix(moodle: WritableMoodle) -> None:
    before = session_of(moodle)
    tables = [name for name in sa.inspect(moodle.engine).get_table_names() if name.startswith("mdl_")]
    moodle.change(*(f"ALTER TABLE {name} RENAME TO m2{name[3:]}" for name in tables))
    other = MoodleLms(read_engine(moodle.url), prefix="m2_", site_url="https://lms.example")
    assert other.check() == []
    assert other.session(SESSION) == before
    other.close()
    assert "mdl_facetoface_sessions: no such table or view, or no right to read it" in moodle.lms.check()


def test_an_older_release_without_later_columns_can_be_read(moodle: WritableMoodle) -> None:
    moodle.change(
        "ALTER TABLE mdl_facetoface_sessions DROP COLUMN allowcancellations",
        "ALTER TABLE mdl_course_modules DROP COLUMN deletioninprogress",
        "ALTER TABLE mdl_facetoface DROP COLUMN signuptype",
    )
    assert moodle.lms.check() == []
    assert session_of(moodle, "9").cancellable
    assert registration(moodle) is not None


def test_a_newer_release_that_can_hide_a_session_keeps_its_events(moodle: WritableMoodle) -> None:
    before = desired(moodle)
    moodle.change("ALTER TABLE mdl_facetoface_sessions ADD COLUMN visible smallint DEFAULT 0 NOT NULL")
    assert desired(moodle) == before


def test_a_field_that_was_asked_for_and_is_not_there_is_named(moodle: WritableMoodle) -> None:
    lms = MoodleLms(read_engine(moodle.url), location_fields=["room", "building"], link_field="joinlink")
    assert lms.check() == ["the site has no session field with the short name 'building'"]
    lms.close()


def test_a_new_installation_has_no_fields_and_that_is_no_problem(moodle: WritableMoodle) -> None:
    moodle.change("DELETE FROM mdl_facetoface_session_field", "DELETE FROM mdl_facetoface_session_data")
    assert moodle.lms.check() == []
    assert session_of(moodle).location == ""


def test_the_same_oddities_on_mariadb(moodle_on_mariadb: WritableMoodle) -> None:
    moodle = moodle_on_mariadb
    assert moodle.lms.check() == []
    status(moodle, 110)
    moodle.change(
        "UPDATE mdl_facetoface_sessions_dates SET timefinish = 99999999999999 WHERE sessionid = 6",
        "UPDATE mdl_course_modules SET deletioninprogress = 1 WHERE instance = 3 AND module = 7",
        "UPDATE mdl_user SET firstname = CONCAT('Zo', CHAR(0), 'ë 👩') WHERE id = 40",
    )
    assert {refusal.id for refusal in scanned(moodle.lms).refused} == {SESSION, "6"}
    cancelled = session_of(moodle, "8")
    assert cancelled.cancelled
    assert cancelled.instructors[-1].startswith("Zoë 👩")
    for person in (LEARNER, "37", "40", "1", "2"):
        desired(moodle, person)
    assert isinstance(session_of(moodle, "9").days[0].starts, datetime)


# Its own mails ------------------------------------------------------------------------------------


def test_the_activities_whose_own_mails_are_on_are_named(moodle: WritableMoodle) -> None:
    moodle.change(
        "UPDATE mdl_facetoface SET confirmationsubject = 'Booked', confirmationmessage = 'See you',"
        " cancellationsubject = 'Cancelled', cancellationmessage = 'A pity', name = '<b>Safety</b>'"
        " WHERE id = 1",
        "UPDATE mdl_facetoface SET confirmationsubject = '', cancellationmessage = ' ' WHERE id = 2",
        "UPDATE mdl_facetoface SET confirmationsubject = NULL WHERE id = 3",
    )
    found = {name.partition(" ")[0]: (name, kinds) for name, kinds in moodle.lms.own_mails().items()}
    assert len(found) == 6
    assert found["1"] == ("1 (Safety)", "confirmation, cancellation")
    assert found["2"][1] == ""
    assert "confirmation" not in found["3"][1]
