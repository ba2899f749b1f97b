"""What people are told besides their days, once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.why import LMS_REFUSED
from reconciler.errors import VendorUnavailable
from reconciler.mail.letter import Template
from reconciler.mail.smtp import Delivery, Outcome
from reconciler.model import Answer, MailState, UnregisterMode, Written
from reconciler.ports import Notice, NoticeKind
from reconciler.post.notices import OutboxNotices
from reconciler.providers.memory import MemoryCalendar
from tests.support.postal import DAY, MINUTE, MONDAY, NOW, TUESDAY, Postal

GRACE = timedelta(minutes=31)


def with_a_calendar(postal: Postal, *sessions: str, person: str = "ana", role: str = "learner") -> None:
    """Somebody whose calendar has everything."""
    postal.begun()
    postal.newcomer(person, *sessions, role=role)
    postal.connect(person)
    postal.calendars()
    postal.later()
    postal.news()


def delete(postal: Postal, person: str = "ana", session: str | None = None, slot: int | None = None) -> None:
    """The owner deletes events; the next look misses them."""
    empty(postal, person, session, slot)
    hear(postal)


def empty(postal: Postal, person: str = "ana", session: str | None = None, slot: int | None = None) -> None:
    """The owner deletes events, and nobody has looked yet."""
    mailbox = postal.loop.world.providers["memory"].mailboxes[f"subject-{person}"]  # type: ignore[attr-defined]
    for row in postal.ledger.entries([person])[person]:
        if session in (None, row.key.session) and slot in (None, row.key.slot):
            for events in mailbox.calendars.values():
                events.pop(row.event_id, None)


def judge(postal: Postal) -> None:
    """Ana is looked at, and what vanished is heard; her mail is still to be sent."""
    postal.ledger.make_due("ana", postal.clock())
    postal.calendars()
    postal.loop.confirm()


def hear(postal: Postal) -> None:
    """The same, and the mail is sent."""
    judge(postal)
    postal.mail()
    postal.clock.now += MINUTE
    postal.mail()


def test_a_deletion_is_told_at_the_beginning_of_its_grace_and_the_seat_given_back_after_it(
    postal: Postal,
) -> None:
    session = postal.lms.add_session(MONDAY)
    with_a_calendar(postal, session)
    delete(postal)
    assert postal.news() == ["ana: deleted"]
    assert postal.server.taken[-1].facts["session"]["title"] == f"Title of {session}"
    hear(postal)
    assert postal.news() == []
    postal.clock.now += GRACE
    hear(postal)
    assert postal.news() == ["ana: given-back"]
    assert list(postal.lms.statuses("ana", session).values()) == ["cancelled"]
    hear(postal)
    assert postal.news() == []


def test_a_seat_that_is_kept_before_it_could_be_told_is_not_asked_about(postal: Postal) -> None:
    session = postal.lms.add_session(MONDAY)
    with_a_calendar(postal, session)
    empty(postal)
    judge(postal)
    postal.ledger.answer("ana", session, Answer.KEEP, "ana", "test", postal.clock())
    postal.mail()
    assert postal.news() == []
    assert postal.ledger.mail_counts() == {"dropped": 1}


def test_nor_where_it_is_kept_before_the_mail_server_takes_it(postal: Postal) -> None:
    session = postal.lms.add_session(MONDAY)
    with_a_calendar(postal, session)
    empty(postal)
    judge(postal)
    postal.server.answers = [Delivery(Outcome.DEFERRED, 450, "greylisted")]
    postal.mail()
    assert postal.ledger.mail_counts() == {"waiting": 1}
    postal.ledger.answer("ana", session, Answer.KEEP, "ana", "test", postal.clock())
    postal.clock.now += 5 * MINUTE
    postal.mail()
    assert postal.news() == []
    assert postal.ledger.mail_counts() == {"dropped": 1}


def test_an_instructors_event_is_put_back_without_a_word(postal: Postal) -> None:
    with_a_calendar(postal, postal.lms.add_session(MONDAY), role="instructor")
    delete(postal)
    assert postal.news() == []


def test_a_learner_whose_seat_may_not_be_cancelled_is_told_whom_to_ask(postal: Postal) -> None:
    with_a_calendar(postal, postal.lms.add_session(MONDAY, cancellable=0))
    delete(postal)
    assert postal.news() == ["ana: put-back"]
    assert postal.server.taken[-1].facts["why"] == "not-allowed"


def test_that_it_was_put_back_is_told_once_it_is_there_again(
    postal: Postal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_calendar(postal, postal.lms.add_session(MONDAY, cancellable=0))
    empty(postal)
    created = MemoryCalendar.create

    def away(*given: object) -> Written:
        raise VendorUnavailable("it does not answer")

    monkeypatch.setattr(MemoryCalendar, "create", away)
    hear(postal)
    assert postal.news() == []
    monkeypatch.setattr(MemoryCalendar, "create", created)
    postal.clock.now += DAY
    hear(postal)
    assert postal.news() == ["ana: put-back"]


def test_days_of_a_session_that_are_put_back_are_one_letter(postal: Postal) -> None:
    with_a_calendar(postal, postal.lms.add_session(MONDAY, TUESDAY, cancellable=0))
    delete(postal)
    assert postal.news() == ["ana: put-back"]
    hear(postal)
    assert postal.news() == []


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ("begun", "begun"),
        ("cancel-until", "too-late"),
        ("not-cancellable", "not-allowed"),
        ("attended", "attended"),
        ("not-a-learner", "refused"),
        ("no idea", "refused"),
    ],
)
def test_a_refusal_of_the_lms_is_told_as_what_it_is(postal: Postal, answered: str, told: str) -> None:
    session = postal.lms.add_session(MONDAY)
    postal.begun()
    postal.newcomer("ana", session)
    why = f"{LMS_REFUSED}{answered}"
    tell(postal, Notice(NoticeKind.PUT_BACK, "ana", "acme", session, why))
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00", "ana: put-back"]
    (letter,) = [one for one in postal.server.taken if one.template == Template.PUT_BACK]
    assert letter.facts["why"] == told


def test_a_deadline_that_has_passed_is_told_as_what_it_is(postal: Postal) -> None:
    closed = postal.lms.add_session(MONDAY, cancel_until=NOW.replace(tzinfo=None))
    with_a_calendar(postal, closed)
    delete(postal)
    assert postal.news() == ["ana: put-back"]
    assert postal.server.taken[-1].facts["why"] == "too-late"


def test_where_deleting_never_gives_a_seat_back_that_is_told(postal: Postal) -> None:
    postal.loop = replace(postal.loop, world=replace(postal.loop.world, unregister=UnregisterMode.NEVER))
    with_a_calendar(postal, postal.lms.add_session(MONDAY))
    delete(postal)
    assert postal.news() == ["ana: put-back"]
    assert postal.server.taken[-1].facts["why"] == "never"


def test_several_seats_of_one_person_are_one_question(postal: Postal) -> None:
    sessions = [postal.lms.add_session(MONDAY) for _ in range(3)]
    with_a_calendar(postal, *sessions)
    delete(postal)
    assert postal.news() == ["ana: question"]
    asked = postal.server.taken[-1].facts["sessions"]
    assert sorted(one["title"] for one in asked) == sorted(f"Title of {one}" for one in sessions)
    hear(postal)
    assert postal.news() == []


def test_a_question_that_was_not_taken_is_asked_whole_the_next_time(postal: Postal) -> None:
    with_a_calendar(postal, *(postal.lms.add_session(MONDAY) for _ in range(3)))
    empty(postal)
    judge(postal)
    postal.clock.now += MINUTE
    postal.server.answers = [Delivery(Outcome.DEFERRED, 450, "greylisted")]
    postal.mail()
    assert postal.news() == []
    postal.clock.now += 5 * MINUTE
    postal.mail()
    assert postal.news() == ["ana: question"]
    assert len(postal.server.taken[-1].facts["sessions"]) == 3


@pytest.mark.parametrize("answered", [2, 3])
def test_a_question_that_was_answered_meanwhile_is_not_asked(postal: Postal, answered: int) -> None:
    sessions = [postal.lms.add_session(MONDAY) for _ in range(3)]
    with_a_calendar(postal, *sessions)
    empty(postal)
    judge(postal)
    for session in sessions[:answered]:
        postal.ledger.answer("ana", session, Answer.GIVE_BACK, "ana", "test", postal.clock())
    postal.clock.now += MINUTE
    postal.mail()
    open_ = sessions[answered:]
    assert postal.news() == ["ana: question"] * len(open_)
    asked = [one["title"] for letter in postal.server.taken[-1:] for one in letter.facts.get("sessions", ())]
    assert asked == [f"Title of {one}" for one in open_]


def test_some_days_of_a_session_are_one_question(postal: Postal) -> None:
    session = postal.lms.add_session(MONDAY, TUESDAY)
    with_a_calendar(postal, session)
    delete(postal, slot=0)
    postal.clock.now += GRACE
    hear(postal)
    assert postal.news() == ["ana: question"]


def a_notice(mark: str = "") -> Notice:
    return Notice(
        NoticeKind.CONNECTED, "ana", "acme", "", "", mark=mark, vendor="google", address="a@v.example"
    )


def tell(postal: Postal, notice: Notice) -> None:
    for letter in OutboxNotices(postal.posting, postal.clock).letters(notice):
        postal.ledger.post(letter)


def test_a_change_is_told_once_however_often_it_is_said(postal: Postal) -> None:
    postal.begun()
    postal.newcomer("ana")
    for _ in range(3):
        tell(postal, a_notice("the same"))
    tell(postal, a_notice("another"))
    postal.mail()
    assert postal.news() == ["ana: connected", "ana: connected"]


def test_nobody_is_told_anything_where_the_owner_wants_no_mails(postal: Postal) -> None:
    postal.begun()
    postal.newcomer("ana")
    postal.switch(email_notifications=False)
    tell(postal, a_notice())
    postal.mail()
    assert postal.news() == []
    (dropped,) = postal.ledger.mails((MailState.DROPPED,), 10)
    assert dropped.last_error == "the account's e-mail notifications are off"


def test_a_notice_that_comes_too_late_is_dropped(postal: Postal) -> None:
    postal.begun()
    postal.newcomer("ana")
    tell(postal, a_notice())
    postal.clock.now += 4 * DAY
    postal.mail()
    assert postal.news() == []
    assert postal.ledger.mail_counts() == {"dropped": 1}
