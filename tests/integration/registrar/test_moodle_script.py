"""The script on the Moodle host gives a seat back once, as proven, the way the plugin does, or not at all.

Real PHP on the tables of a real site, on PostgreSQL and MariaDB; the plugin's functions are stubs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.errors import LmsUnreadable
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration
from tests.support.moodle_cases import CASES, GIVEN_BACK, OF_SESSION, as_status
from tests.support.moodle_site import LEARNER, NEXT, SEAT, SESSION, SIGNUP, MoodleSite

DONE, REFUSED, LOST = RegistrarOutcome.DONE, RegistrarOutcome.REFUSED, RegistrarOutcome.LOST
UNKNOWN, STILL_THERE = RegistrarOutcome.UNKNOWN, RegistrarOutcome.STILL_THERE


def test_a_seat_is_given_back_as_the_plugins_own_page_does_it(moodle: MoodleSite) -> None:
    others = moodle.calendar(23)
    assert moodle.calendar() == 3
    answer = moodle.registrar().unregister(moodle.asks())
    assert answer == RegistrarAnswer(DONE, "", answer.trace)
    assert moodle.history() == GIVEN_BACK
    [(note, trace)] = moodle.rows(
        f"SELECT note, id FROM mdl_facetoface_signups_status WHERE signupid = {SIGNUP} AND statuscode = 10"
    )
    assert "[ilt-reconciler evidence-1]" in note
    assert answer.trace == f"status {trace}"
    assert moodle.calendar() == 0
    assert moodle.calendar(23) == others


def test_the_first_of_the_waiting_list_moves_up_and_all_are_told(moodle: MoodleSite) -> None:
    before = moodle.cancel_events()
    moodle.registrar().unregister(moodle.asks())
    assert moodle.history(28) == [(60, 1, NEXT), (70, 0, NEXT)]
    assert moodle.history(29) == [(60, 0, 31)]
    assert moodle.mails() == [
        {"kind": "confirmation", "to": NEXT, "acting": LEARNER},
        {"kind": "cancellation", "to": LEARNER, "acting": LEARNER},
    ]
    assert moodle.cancel_events() == before + 1
    assert moodle.rows("SELECT userid, objectid FROM mdl_logstore_standard_log ORDER BY id DESC")[0] == (
        LEARNER,
        SESSION,
    )


def test_asking_again_is_done_already_and_does_nothing(moodle: MoodleSite) -> None:
    first = moodle.registrar().unregister(moodle.asks())
    after, mails = moodle.everything(), moodle.mails()
    assert moodle.registrar().unregister(moodle.asks()) == RegistrarAnswer(DONE, "already", first.trace)
    assert (moodle.everything(), moodle.mails()) == (after, mails)


def test_a_doubled_sign_up_is_given_back_whole_or_not_at_all(moodle: MoodleSite) -> None:
    moodle.write(
        "INSERT INTO mdl_facetoface_signups (id, sessionid, userid, mailedreminder, notificationtype)"
        f" VALUES (9000, {SESSION}, {LEARNER}, 0, 3)",
        "INSERT INTO mdl_facetoface_signups_status"
        " (id, signupid, statuscode, superceded, createdby, timecreated)"
        f" VALUES (9001, 9000, 70, 0, {LEARNER}, 1)",
    )
    assert moodle.registrar().unregister(moodle.asks()) == RegistrarAnswer(LOST, "other-seat")
    assert moodle.history() == [(70, 0, LEARNER)]
    both = moodle.asks(seats=(str(SEAT), "9001"))
    assert moodle.registrar().unregister(both).outcome is DONE
    assert moodle.history() == moodle.history(9000) == GIVEN_BACK
    assert moodle.registrar().resolve(both).outcome is DONE


# What is not as it was proven ---------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_seat_that_is_not_as_proven_stays_as_it_is(moodle: MoodleSite, case: str) -> None:
    statements, outcome, why = CASES[case]
    request = moodle.asks()
    moodle.write(*statements)
    before = moodle.everything()
    assert moodle.registrar().unregister(request) == RegistrarAnswer(outcome, why)
    assert moodle.everything() == before
    assert moodle.mails() == []


def test_dates_that_a_no_op_edit_has_made_anew_are_the_same_days(moodle: MoodleSite) -> None:
    request = moodle.asks()
    moodle.write(f"UPDATE mdl_facetoface_sessions_dates SET id = id + 9000 {OF_SESSION}")
    assert moodle.registrar().unregister(request).outcome is DONE


def test_a_session_has_begun_by_either_clock(moodle: MoodleSite) -> None:
    request = moodle.asks()
    start = request.days[0][0]
    assert moodle.registrar().unregister(replace(request, now=start)) == RegistrarAnswer(REFUSED, "begun")
    ago = int((start - datetime.now(UTC)).total_seconds()) + 60
    moodle.write(
        "UPDATE mdl_facetoface_sessions_dates"
        f" SET timestart = timestart - {ago}, timefinish = timefinish - {ago} {OF_SESSION}"
    )
    begun = moodle.asks(now=datetime.now(UTC) - timedelta(hours=1))
    assert moodle.registrar().unregister(begun) == RegistrarAnswer(REFUSED, "begun")
    assert moodle.history() == [(70, 0, LEARNER)]


Changed = Callable[[Unregistration], Unregistration]
NOTHING_WRITTEN: dict[str, tuple[Changed, str]] = {
    "after the deadline": (lambda ask: replace(ask, deadline=datetime.now(UTC)), "deadline"),
    "another site": (lambda ask: replace(ask, account="a-copy-of-it"), "other-site"),
    "no number": (lambda ask: replace(ask, person="22 OR 1=1"), "bad-request"),
    "no seat": (lambda ask: replace(ask, seats=()), "bad-request"),
    "a reference that breaks out": (lambda ask: replace(ask, reference="x] y"), "bad-request"),
}


@pytest.mark.parametrize("case", NOTHING_WRITTEN)
def test_what_cannot_be_asked_is_certainly_not_done(moodle: MoodleSite, case: str) -> None:
    changed, why = NOTHING_WRITTEN[case]
    with pytest.raises(LmsUnreadable, match=why):
        moodle.registrar().unregister(changed(moodle.asks()))
    assert moodle.history() == [(70, 0, LEARNER)]


def test_another_persons_seat_is_never_given_back(moodle: MoodleSite) -> None:
    assert moodle.registrar().unregister(moodle.asks(seats=("31",))).outcome is LOST
    assert moodle.registrar().unregister(moodle.asks(person="23")).outcome is LOST
    assert moodle.registrar().unregister(moodle.asks(session="2")).outcome is LOST
    assert moodle.history() == [(70, 0, LEARNER)]


# Others at work at the same time ------------------------------------------------------------------


def test_of_two_at_once_exactly_one_writes(moodle: MoodleSite) -> None:
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(moodle.registrar("slow-write").unregister, moodle.asks()) for _ in range(2)]
        answers = [one.result() for one in asked]
    assert sorted(answer.why for answer in answers) == ["", "already"]
    assert {answer.outcome for answer in answers} == {DONE}
    assert moodle.history() == GIVEN_BACK
    assert len(moodle.mails()) == 2


def test_staff_who_cancel_and_book_anew_meanwhile_are_waited_for(moodle: MoodleSite) -> None:
    """Their transaction is open when ours begins; what they have done is what counts."""
    request = moodle.asks()
    with ThreadPoolExecutor(1) as pool:
        with moodle.engine.begin() as staff:
            for statement in as_status(70):
                staff.exec_driver_sql(statement)
            ours = pool.submit(moodle.registrar().unregister, request)
            _until_it_waits(moodle)
        assert ours.result() == RegistrarAnswer(LOST, "other-seat")
    assert moodle.history() == [(70, 1, LEARNER), (70, 0, 2)]


def _until_it_waits(moodle: MoodleSite) -> None:
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()",
        "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"
        " AND info LIKE '%%FOR UPDATE' AND command <> 'Sleep' AND time_ms > 100",
    }[moodle.engine.dialect.name]
    until = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < until and not moodle.rows(query)[0][0]:
        pass


def test_a_row_that_is_not_let_go_of_ends_with_nothing_written(moodle: MoodleSite) -> None:
    with moodle.engine.begin() as other:
        other.exec_driver_sql(f"UPDATE mdl_facetoface_signups SET mailedreminder = 1 WHERE id = {SIGNUP}")
        with pytest.raises(LmsUnreadable, match="dmlwriteexception"):
            moodle.registrar().unregister(moodle.asks())
    assert moodle.history() == [(70, 0, LEARNER)]


# What may go wrong --------------------------------------------------------------------------------


def test_warnings_and_false_answers_before_the_answer_do_no_harm(moodle: MoodleSite) -> None:
    shown = moodle.run("--check", trouble="warning").stdout
    assert "Warning" in shown
    assert moodle.registrar("warning").unregister(moodle.asks()).outcome is DONE
    assert moodle.registrar("warning").resolve(moodle.asks()).outcome is DONE


@pytest.mark.parametrize("trouble", ["waiting-list", "confirmation"])
def test_a_mail_that_fails_does_not_take_the_seat_back(moodle: MoodleSite, trouble: str) -> None:
    failing = {"waiting-list": "confirmation-fails", "confirmation": "cancellation-fails"}[trouble]
    answer = moodle.registrar(failing).unregister(moodle.asks())
    assert answer.outcome is DONE
    assert answer.why.endswith("moodle_exception cannotsend")
    assert moodle.history() == GIVEN_BACK


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("ends-in-config", "ended-early"),
        ("no-plugin", "no-plugin"),
        ("other-codes", "unknown-plugin"),
        ("other-plugin", "unknown-plugin"),
        ("throws-while-writing", "moodle_exception broken"),
    ],
)
def test_a_moodle_that_is_not_as_known_is_certainly_not_written_to(
    moodle: MoodleSite, trouble: str, why: str
) -> None:
    before = moodle.everything()
    with pytest.raises(LmsUnreadable, match=why):
        moodle.registrar(trouble).unregister(moodle.asks())
    assert moodle.everything() == before
    if not trouble.startswith("throws"):
        assert moodle.registrar(trouble).check() != []


@pytest.mark.parametrize(
    ("trouble", "became"),
    [("dies-while-writing", STILL_THERE), ("commit-fails", STILL_THERE), ("dies-after-commit", DONE)],
)
def test_an_end_in_the_middle_is_unknown_and_resolved_rightly(
    moodle: MoodleSite, trouble: str, became: RegistrarOutcome
) -> None:
    request = moodle.asks()
    assert moodle.registrar(trouble).unregister(request).outcome is UNKNOWN
    assert moodle.registrar().resolve(request).outcome is became
    assert moodle.history() == (GIVEN_BACK if became is DONE else [(70, 0, LEARNER)])


def test_a_mail_server_that_hangs_is_unknown_and_resolved_as_done(moodle: MoodleSite) -> None:
    assert moodle.registrar("notice-slow", seconds=3).unregister(moodle.asks()).outcome is UNKNOWN
    assert moodle.registrar().resolve(moodle.asks()).outcome is DONE


def test_a_write_that_outlasts_the_deadline_is_undone(moodle: MoodleSite) -> None:
    soon = moodle.asks(deadline=datetime.now(UTC) + timedelta(seconds=2))
    with pytest.raises(LmsUnreadable):
        moodle.registrar("slow-write").unregister(replace(soon, seats=(str(SEAT),)))
    assert moodle.history() == [(70, 0, LEARNER)]


# Resolving and checking ---------------------------------------------------------------------------


def test_only_our_own_mark_resolves_as_done(moodle: MoodleSite) -> None:
    request = moodle.asks()
    assert moodle.registrar().resolve(request) == RegistrarAnswer(STILL_THERE)
    moodle.registrar().unregister(request)
    assert moodle.registrar().resolve(request).outcome is DONE
    assert moodle.registrar().resolve(replace(request, reference="evidence-2")).outcome is LOST
    moodle.write(
        f"UPDATE mdl_facetoface_signups_status SET superceded = 1 WHERE signupid = {SIGNUP}",
        "INSERT INTO mdl_facetoface_signups_status"
        " (id, signupid, statuscode, superceded, createdby, timecreated)"
        f" VALUES (900001, {SIGNUP}, 70, 0, 2, 1)",
    )
    assert moodle.registrar().resolve(request).outcome is DONE  # booked anew since, but ours it was


def test_a_seat_that_staff_cancelled_resolves_as_lost(moodle: MoodleSite) -> None:
    moodle.write(*as_status(10))
    assert moodle.registrar().resolve(moodle.asks()) == RegistrarAnswer(LOST, "other-seat")


def test_the_clock_is_the_hosts(moodle: MoodleSite) -> None:
    before = datetime.now(UTC)
    assert before <= moodle.registrar().now() <= datetime.now(UTC)


def test_a_site_as_it_should_be_passes_the_check(moodle: MoodleSite) -> None:
    assert moodle.registrar().check() == []
    by_hand = moodle.run("--check")
    assert by_hand.returncode == 0
    answer = json.loads(by_hand.stdout.splitlines()[-1])
    assert (answer["plugin"], answer["problems"]) == ("2024030700", [])


def test_exit_codes_by_hand(moodle: MoodleSite) -> None:
    assert moodle.run(told="").returncode == 75
    assert moodle.run(told="{}").returncode == 75
    body = {
        "version": 1,
        "op": "unregister",
        "account": moodle.asks().account,
        "person": str(LEARNER),
        "session": str(SESSION),
        "seats": [str(SEAT)],
        "days": [[int(start.timestamp()), int(end.timestamp())] for start, end in moodle.asks().days],
        "now": 1,
        "deadline": 9_999_999_999,
        "reference": "by-hand",
    }
    assert moodle.run("--resolve", f"--request={json.dumps(body)}").returncode == 0
    assert moodle.run(told=json.dumps(body | {"now": 9_999_999_999})).returncode == 3
    assert moodle.run(told=json.dumps(body | {"seats": ["31"]})).returncode == 4
    assert moodle.run(told=json.dumps(body)).returncode == 0
    assert moodle.history() == GIVEN_BACK
