"""People without a calendar: from a row of the LMS to the mail server, cycle by cycle."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reconciler.ledger.store import SqlLedger, open_ledger
from reconciler.mail.smtp import Delivery, Outcome
from reconciler.model import ConnectionState, Invitations, MailState, Mode
from reconciler.ports import Hold
from tests.support.house import When
from tests.support.postal import COALESCE, DAY, MINUTE, MONDAY, TOMORROW, TUESDAY, Postal, a_postal


def a_learner(postal: Postal) -> str:
    """Ana, invited to Monday."""
    postal.begun()
    session = postal.lms.add_session(MONDAY, id="s")
    postal.newcomer("ana", session)
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]
    return session


def test_a_new_seat_a_move_and_a_lost_seat_are_three_messages_about_one_entry(postal: Postal) -> None:
    session = a_learner(postal)
    postal.later()
    assert postal.news() == []
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 1 08.12. 09:00"]
    postal.lms.cancel("ana", session)
    postal.later()
    assert postal.news() == ["ana: cancelled CANCEL 2 08.12. 09:00"]
    assert len({one.invite.uid for one in postal.server.taken if one.invite}) == 1


def test_several_changes_within_minutes_become_one(postal: Postal) -> None:
    session = a_learner(postal)
    postal.lms.move(session, TUESDAY)
    postal.mail()
    postal.lms.change(session, location="Room 9")
    postal.mail()
    assert postal.news() == []
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 1 08.12. 09:00"]
    assert postal.server.taken[-1].facts["session"]["location"] == "Room 9"


def test_what_is_taken_back_before_it_was_sent_has_never_been(postal: Postal) -> None:
    postal.begun()
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.mail()
    assert postal.ledger.mail_counts() == {"waiting": 1}
    postal.lms.cancel("ana", session)
    postal.later()
    assert postal.news() == []
    assert postal.ledger.mail_counts() == {}


def test_a_change_that_is_undone_before_it_was_sent_is_not_mailed(postal: Postal) -> None:
    session = a_learner(postal)
    postal.lms.move(session, TUESDAY)
    postal.mail()
    postal.lms.move(session, MONDAY)
    postal.later()
    assert postal.news() == []


def test_the_first_cycle_mails_nobody_what_they_had_before(postal: Postal) -> None:
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.later()
    assert postal.news() == []
    postal.newcomer("ben", session)
    postal.lms.change(session, location="Room 9")
    postal.later()
    assert [line.partition(" REQUEST")[0] for line in postal.news()] == ["ana: invitation", "ben: invitation"]


def test_a_lost_state_mails_nobody_twice(postal: Postal, tmp_path: Path, ledger_file: Path) -> None:
    session = a_learner(postal)
    shutil.copy(ledger_file, tmp_path / "anew.db")
    anew = open_ledger(f"sqlite:///{tmp_path / 'anew.db'}")
    loop = replace(postal.loop, world=replace(postal.loop.world, ledger=anew))
    after = replace(postal, ledger=anew, loop=loop)
    after.later()
    assert after.news() == []
    after.lms.move(session, TUESDAY)
    after.later()
    (entry,) = [one.invite for one in after.server.taken[1:]]
    assert entry is not None
    assert postal.server.taken[0].invite is not None
    assert entry.uid == postal.server.taken[0].invite.uid
    assert entry.sequence > 7_000
    anew.close()


def test_a_restored_state_mails_nobody_twice_and_then_goes_on(postal: Postal) -> None:
    session = a_learner(postal)
    postal.lms.move(session, TUESDAY)
    postal.mail()
    postal.ledger.distrust_mail()
    postal.later()
    assert postal.news() == []
    assert [one.state for one in postal.ledger.mails((MailState.UNKNOWN,), 10)] == [MailState.UNKNOWN]
    postal.lms.move(session, MONDAY)
    postal.later()
    assert len(postal.news()) == 1


def test_nothing_without_an_address_and_the_invitation_once_there_is_one(postal: Postal) -> None:
    postal.begun()
    session = postal.lms.add_session(MONDAY)
    postal.lms.add_person("ana", email="")
    postal.lms.book("ana", session)
    postal.later()
    assert postal.news() == []
    postal.lms.change_person("ana", email="ana@x.example")
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]


def test_a_new_address_gets_a_request_and_the_old_one_a_cancel(postal: Postal) -> None:
    a_learner(postal)
    postal.lms.change_person("ana", email="new@x.example")
    postal.later()
    assert postal.news() == [
        "ana: withdrawn CANCEL 1 07.12. 09:00",
        "new: invitation REQUEST 2 07.12. 09:00",
    ]
    postal.later()
    assert postal.news() == []


@pytest.mark.parametrize("active", [0], ids=["suspended"])
def test_a_person_suspended_gets_no_mails(postal: Postal, active: int) -> None:
    session = a_learner(postal)
    postal.lms.move(session, TUESDAY)
    postal.mail()
    postal.lms.change_person("ana", active=active)
    postal.later()
    assert postal.news() == []


def test_a_person_gone_from_the_lms_gets_no_mails(postal: Postal) -> None:
    session = a_learner(postal)
    postal.lms.move(session, TUESDAY)
    postal.mail()
    postal.lms.drop_person("ana")
    postal.later()
    assert postal.news() == []


def test_moodles_learners_are_told_of_moves_alone_and_its_instructors_are_invited(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    postal = a_postal(tmp_path, ledger, invitations=Invitations.GAPS).begun()
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.newcomer("ivy", session, role="instructor")
    postal.later()
    assert postal.news() == ["ivy: invitation REQUEST 0 07.12. 09:00"]
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == ["ana: changed", "ivy: invitation REQUEST 1 08.12. 09:00"]
    postal.lms.cancel_session(session)
    postal.later()
    assert postal.news() == ["ivy: cancelled CANCEL 2 08.12. 09:00"]


def test_with_invitations_off_nobody_is_told_of_days(tmp_path: Path, ledger: SqlLedger) -> None:
    postal = a_postal(tmp_path, ledger, invitations=Invitations.OFF).begun()
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.newcomer("ivy", session, role="instructor")
    postal.later()
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == []


# Rails --------------------------------------------------------------------------------------------


def test_sessions_that_vanish_at_once_are_not_cancelled_before_somebody_lets_go(postal: Postal) -> None:
    postal.begun()
    sessions = [postal.lms.add_session(MONDAY) for _ in range(6)]
    postal.newcomer("ana", *sessions)
    postal.later()
    assert len(postal.news()) == 6
    for session in sessions:
        postal.lms.drop_session(session)
    postal.later()
    postal.later()
    assert postal.news() == []
    (hold,) = postal.ledger.holds()
    assert hold.count == 6
    postal.ledger.release_hold(hold.guard, hold.subject, "op", postal.clock())
    postal.later()
    assert len(postal.news()) == 6
    postal.later()
    assert postal.ledger.holds() == []


@pytest.mark.parametrize("how", ["account", "pause", "whole"])
def test_who_only_observes_mails_nobody_and_catches_up_afterwards(postal: Postal, how: str) -> None:
    session = a_learner(postal)
    observing = postal
    if how == "account":
        postal.switch(mode=Mode.OBSERVE)
    elif how == "pause":
        postal.ledger.hold(Hold("pause", "*", "lunch", postal.clock(), 0))
    else:
        world = replace(postal.loop.world, mode=Mode.OBSERVE)
        observing = replace(postal, loop=replace(postal.loop, world=world))
    postal.lms.move(session, TUESDAY)
    observing.later()
    assert postal.news() == []
    if how == "account":
        postal.switch(mode=Mode.SYNC)
    elif how == "pause":
        postal.ledger.end_hold("pause", "*", "over", postal.clock())
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 1 08.12. 09:00"]


def test_upsert_only_invites_and_cancels_nothing_until_it_may(postal: Postal) -> None:
    session = a_learner(postal)
    postal.switch(mode=Mode.UPSERT_ONLY)
    postal.lms.cancel("ana", session)
    postal.newcomer("ben", session)
    postal.later()
    assert postal.news() == ["ben: invitation REQUEST 0 07.12. 09:00"]
    postal.switch(mode=Mode.SYNC)
    postal.later()
    assert postal.news() == ["ana: cancelled CANCEL 1 07.12. 09:00"]


def test_without_email_notifications_nobody_is_mailed_and_their_return_is_a_new_beginning(
    postal: Postal,
) -> None:
    session = a_learner(postal)
    postal.switch(email_notifications=False)
    postal.newcomer("ben", session)
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == []
    postal.switch(email_notifications=True)
    postal.later()
    # Ana's entry would stay wrong; what Ben got meanwhile is no news.
    assert postal.news() == ["ana: invitation REQUEST 1 08.12. 09:00"]


def test_during_a_pilot_only_its_people_are_mailed_and_whoever_joins_begins_anew(postal: Postal) -> None:
    postal.switch(people=frozenset({"ana"}))
    postal.begun()
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.newcomer("ben", session)
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]
    postal.switch(people=None)
    postal.later()
    assert postal.news() == []
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert len(postal.news()) == 2


# Transitions --------------------------------------------------------------------------------------


def test_connecting_withdraws_the_invitation_once_the_event_is_there(postal: Postal) -> None:
    a_learner(postal)
    postal.connect("ana")
    postal.later()
    assert postal.news() == []
    postal.calendars()
    postal.later()
    assert postal.news() == ["ana: withdrawn CANCEL 1 07.12. 09:00"]
    postal.later()
    assert postal.news() == []


def connected(postal: Postal) -> str:
    """Ana, with Monday in her calendar."""
    postal.begun()
    session = postal.lms.add_session(MONDAY)
    postal.newcomer("ana", session)
    postal.connect("ana")
    postal.calendars()
    postal.later()
    assert postal.news() == []
    return session


def test_disconnecting_mails_only_what_changes_from_then_on(postal: Postal) -> None:
    session = connected(postal)
    postal.ledger.disconnect("ana", "test", "test", postal.clock())
    postal.later()
    assert postal.news() == []
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 08.12. 09:00"]


def test_an_owner_who_switches_the_vendor_off_mails_only_what_changes_from_then_on(postal: Postal) -> None:
    session = connected(postal)
    postal.switch(vendors=frozenset())
    postal.later()
    assert postal.news() == []
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 08.12. 09:00"]


def test_while_the_connection_is_broken_what_lies_there_gets_a_plain_notice_and_the_rest_an_entry(
    postal: Postal,
) -> None:
    session = connected(postal)
    (connection,) = postal.ledger.connections(["ana"])
    postal.ledger.set_connection_state(
        connection, ConnectionState.REAUTHORIZE, "consent withdrawn", postal.clock()
    )
    postal.lms.move(session, TUESDAY)
    postal.lms.book("ana", postal.lms.add_session(MONDAY))
    postal.later()
    assert postal.news() == [
        "ana: changed",
        "ana: invitation REQUEST 0 07.12. 09:00",
        "ana: reauthorize",
    ]
    postal.later(DAY)
    assert postal.news() == []


def test_within_48_hours_also_the_connected_get_a_plain_mail(postal: Postal) -> None:
    session = connected(postal)
    postal.lms.move(session, TOMORROW)
    postal.calendars()
    postal.later()
    assert postal.news() == ["ana: soon"]
    postal.lms.cancel_session(session)
    postal.calendars()
    postal.later()
    assert postal.news() == ["ana: soon"]


# Sending ------------------------------------------------------------------------------------------


def test_the_daily_limit_holds_back_letters_about_days_and_says_so(tmp_path: Path, ledger: SqlLedger) -> None:
    postal = a_postal(tmp_path, ledger, daily_limit=2).begun()
    session = postal.lms.add_session(MONDAY)
    for person in ("ana", "ben", "cy"):
        postal.newcomer(person, session)
    postal.mail()
    postal.clock.now += COALESCE
    run = postal.mail()
    assert len(postal.news()) == 2
    assert (run.result, run.counts["mail over the limit"]) == ("held", 1)
    postal.later(DAY + MINUTE)
    assert len(postal.news()) == 1


def test_the_daily_limit_counts_no_notices_of_other_things(tmp_path: Path, ledger: SqlLedger) -> None:
    postal = a_postal(tmp_path, ledger, daily_limit=1)
    session = connected(postal)
    (connection,) = postal.ledger.connections(["ana"])
    postal.ledger.set_connection_state(connection, ConnectionState.REAUTHORIZE, "withdrawn", postal.clock())
    postal.later()
    assert postal.news() == ["ana: reauthorize"]
    postal.lms.move(session, TUESDAY)
    postal.later()
    assert postal.news() == ["ana: changed"]


def test_what_is_being_sent_is_not_taken_back_as_if_it_had_never_been(postal: Postal) -> None:
    postal.begun()
    postal.newcomer("ana", postal.lms.add_session(MONDAY))
    postal.mail()
    (letter,) = postal.ledger.mails([MailState.WAITING], 9)
    lease = postal.ledger.lease(["ana"], "planner", 60)
    assert letter.body is not None
    assert postal.ledger.claim(letter, letter.body, "sender", 60)
    assert not postal.ledger.save_letters(lease, "ana", (), (), [letter.id], "nothing")
    assert postal.ledger.mail_counts() == {"sending": 1}


def test_a_day_that_was_moved_into_the_past_is_put_right_where_it_was_to_come(postal: Postal) -> None:
    session = a_learner(postal)
    postal.lms.move(session, When(datetime(2026, 11, 20, 9), datetime(2026, 11, 20, 17)))
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 1 20.11. 09:00"]


def test_two_processes_send_each_letter_once(postal: Postal) -> None:
    postal.begun()
    session = postal.lms.add_session(MONDAY)
    for number in range(20):
        postal.newcomer(f"p{number:02}", session)
    other = postal.other()
    postal.mail()
    other.mail()
    postal.clock.now += timedelta(minutes=10)
    other.loop.mail()
    postal.loop.mail()
    assert len(postal.news()) == 20


def test_an_entry_whose_update_was_refused_is_cancelled_all_the_same(postal: Postal) -> None:
    session = a_learner(postal)
    postal.server.answers = [Delivery(Outcome.REFUSED, 554, "it looks like spam")]
    postal.lms.change(session, title="Another")
    postal.later()
    assert postal.news() == []
    postal.lms.cancel("ana", session)
    postal.later()
    assert postal.news() == ["ana: cancelled CANCEL 2 07.12. 09:00"]
