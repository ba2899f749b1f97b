"""A learner deletes an event: the seat is given back, after the proof, and never without one."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from reconciler.model import Answer
from reconciler.ports import RegistrarAnswer, RegistrarOutcome
from tests.harness.mailbox import Trouble
from tests.harness.site import DAY, HOUR, MINUTE, Site, when


def seats(site: Site, person: str, session: str) -> set[str]:
    return set(site.facts.statuses(person, session).values())


def told(site: Site) -> list[str]:
    return [str(notice.kind) for notice in site.told]


def ana_in(site: Site, *days: float, vendor: str = "google") -> str:
    """Ana is booked into one session, her event of each day is there."""
    session = site.lms.add_session(*map(when, days))
    site.newcomer("ana", vendor, session)
    site.round()
    assert len(site.events("ana")) == len(days)
    return session


def test_the_seat_is_given_back_after_the_grace(site: Site) -> None:
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    assert site.states("ana") == ["missing"]
    site.clock.move(25 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"booked"}
    site.clock.move(5 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    site.settle()
    assert told(site) == ["deleted", "given-back"]
    assert site.wrongs() == []


def test_a_session_that_moves_after_the_deletion_is_shown_anew_instead(site: Site) -> None:
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    site.lms.move(session, when(10))
    site.clock.move(31 * MINUTE)
    site.cycle("confirm")
    assert seats(site, "ana", session) == {"booked"}
    site.settle()
    assert len(site.events("ana")) == 1
    assert site.wrongs() == []


def test_days_deleted_one_after_the_other_give_the_seat_back(site: Site) -> None:
    session = ana_in(site, 9, 10)
    site.delete("ana", day=0)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert site.states("ana") == ["held", "live"]
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    assert told(site) == ["question", "deleted", "given-back"]


def test_an_event_that_lost_its_marker_gets_it_back_and_is_missed_no_more(site: Site) -> None:
    ana_in(site, 9)
    mailbox = site.mailbox("ana")
    mailbox.strip(site.events("ana")[0])
    site.audit_all()
    assert site.events("ana")[0].marker is not None
    site.audit_all()
    assert site.states("ana") == ["live"]


def test_a_vendor_that_finds_nothing_makes_nothing_come_back_twice(site: Site) -> None:
    session = site.lms.add_session(when(9))
    for person in ("ben", "eva"):
        site.newcomer(person, "google", session, role="instructor")
    site.round()
    site.vendors["google"].troubles.add(Trouble.LYING)
    site.audit_all()
    assert site.states("ben") == site.states("eva") == ["held"]
    site.vendors["google"].troubles.clear()
    site.audit_all()
    assert (len(site.events("ben")), len(site.events("eva"))) == (1, 1)
    assert site.wrongs() == []


def test_an_unregistration_without_an_end_is_resolved_even_when_the_day_is_over(site: Site) -> None:
    session = ana_in(site, 0.5)
    site.delete("ana")
    site.audit_all()
    site.clock.move(11 * MINUTE)
    registrar = site.process().house.loop.confirming.registrar  # type: ignore[union-attr]
    site.boundaries.arm(0)
    given = registrar.unregister
    registrar.unregister = lambda request: (  # type: ignore[method-assign]
        given(request),
        RegistrarAnswer(RegistrarOutcome.UNKNOWN),
    )[1]
    site.boundaries.disarm()
    site.cycle("confirm")
    assert site.states("ana") == ["unregistering"]
    site.kill()
    site.clock.move(DAY)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    assert site.states("ana") == ["unregistered"]


def test_a_vendor_that_asks_to_wait_is_not_asked_by_the_confirm_pass(site: Site) -> None:
    ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    google = site.vendors["google"]
    google.troubles.add(Trouble.THROTTLED)
    site.cycle("confirm")
    asked = google.calls
    site.clock.move(MINUTE)
    site.cycle("confirm")
    assert google.calls == asked


def test_what_was_missed_before_a_long_silence_is_not_given_back_at_its_end(site: Site) -> None:
    session = ana_in(site, 20)
    site.delete("ana")
    site.audit_all()
    site.kill()
    site.clock.move(timedelta(days=8))
    site.cycle("confirm")
    assert seats(site, "ana", session) == {"booked"}
    site.audit_all()
    assert len(site.events("ana")) == 1


@pytest.mark.parametrize("vendor", ["google", "microsoft", "caldav"])
def test_an_event_in_a_calendar_that_is_gone_is_asked_about_and_not_given_back(
    site: Site, vendor: str
) -> None:
    session = ana_in(site, 9, vendor=vendor)
    mailbox = site.mailbox("ana")
    mailbox.move(site.events("ana")[0], mailbox.calendars[1], site.clock())
    site.audit_all()
    mailbox.lose(mailbox.calendars[1], site.clock())
    for _ in range(3):
        site.audit_all()
        site.clock.move(HOUR)
    assert site.states("ana") == ["held"]
    assert seats(site, "ana", session) == {"booked"}
    site.clock.move(3 * DAY)
    site.audit_all()
    assert len([one for one in site.events("ana") if one.there]) == 1


def test_an_event_taken_back_too_late_is_removed_again(site: Site) -> None:
    ana_in(site, 9)
    event = site.events("ana")[0]
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert site.states("ana") == ["unregistered"]
    for _ in range(3):  # nothing is there that could be looked at, and it is looked at all the same
        site.clock.move(DAY + 3 * HOUR)
        site.round()
    site.mailbox("ana").restore(event)
    site.clock.move(DAY + 3 * HOUR)
    site.round()
    assert site.events("ana") == []


def test_an_event_whose_id_was_never_told_goes_with_its_seat(site: Site) -> None:
    class Losing(random.Random):
        def random(self) -> float:
            return 0.0

    session = site.lms.add_session(when(9))
    site.newcomer("ana", "microsoft", session)
    site.vendors["microsoft"].losing = Losing()
    site.round()
    assert site.states("ana") == ["pending"]
    assert len(site.events("ana")) == 1
    site.vendors["microsoft"].losing = None
    site.lms.cancel("ana", session)
    for _ in range(2):
        site.clock.move(16 * MINUTE)  # past its back-off
        site.round()
    assert site.events("ana") == []


def test_whoever_is_to_be_looked_at_is_looked_at_though_nothing_is_to_come(site: Site) -> None:
    site.newcomer("ana", "google")
    site.round()
    calls = site.vendors["google"].calls
    site.audit_all()
    assert site.vendors["google"].calls > calls


def test_an_event_without_its_marker_is_removed_when_the_seat_is_cancelled(site: Site) -> None:
    session = ana_in(site, 9)
    site.mailbox("ana").strip(site.events("ana")[0])
    site.lms.cancel("ana", session)
    for person in site.people:
        site.desk.make_due(person, site.clock())
    site.clock.move(MINUTE)
    site.cycle("audit")
    site.round()
    site.audit_all()
    assert site.events("ana") == []


def test_an_event_without_its_marker_is_found_by_a_new_baseline(site: Site) -> None:
    session = ana_in(site, 9)
    site.mailbox("ana").strip(site.events("ana")[0])
    site.lms.cancel("ana", session)
    site.connect("ana")
    for _ in range(3):
        site.audit_all()
    assert site.events("ana") == []


def test_a_state_restored_from_a_copy_made_while_the_program_ran_proves_nothing(site: Site) -> None:
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    backup = site.back_up()
    site.clock.move(3 * HOUR)
    site.mailbox("ana").restore(next(one for one in site.mailbox("ana").events if one.key))
    site.audit_all()
    site.delete("ana")
    site.oracle.void("ana", "the state is about to be restored")
    site.restore_state(backup)
    for kind in ("confirm", "audit", "push"):
        site.cycle(kind)
    assert seats(site, "ana", session) == {"booked"}
    site.settle()
    assert site.wrongs() == []


def test_a_second_event_goes_though_another_seat_waits_for_an_answer(site: Site) -> None:
    one, other = site.lms.add_session(when(9)), site.lms.add_session(when(6), when(7))
    site.newcomer("ana", "google", one, other)
    site.round()
    first = site.events("ana", one)[0]
    site.delete("ana", one)
    site.delete("ana", other, 0)
    site.audit_all()
    site.answer("ana", one, Answer.KEEP)
    site.clock.move(31 * MINUTE)
    site.round()
    assert site.states("ana") == ["live", "held", "live"]
    site.mailbox("ana").restore(first)
    for _ in range(2):
        site.audit_all()
    assert len(site.events("ana", one)) == 1


def test_what_was_put_back_once_is_put_back_once_though_it_was_missed_for_a_moment(site: Site) -> None:
    """What Microsoft has just made is not found by its marker for a while; found again, it is not new."""
    session = site.lms.add_session(when(9), id="session-1")
    site.newcomer("ben", "microsoft", session, role="instructor")
    site.round()
    site.delete("ben")
    site.audit_all()
    site.desk.make_due("ben", site.clock())
    for kind in ("push", "audit", "confirm"):
        site.cycle(kind)
    assert "found again" in [line.what for line in site.desk.history("ben", session)]
    site.delete("ben")
    site.audit_all()
    assert site.states("ben") == ["dismissed"]


def test_an_event_adopted_but_not_yet_put_right_is_where_it_is_until_it_is(site: Site) -> None:
    """Its new day may pass while the vendor refuses the write: it would stand there on its old day."""
    session = site.lms.add_session(when(2), id="session-1")
    site.newcomer("eva", "google", session)
    site.round()
    site.connect("eva")
    site.lms.move(session, when(0.6))
    site.mailbox("eva").refusals = 1
    site.audit_all()
    site.clock.move(26 * HOUR)
    site.audit_all()
    (event,) = site.events("eva")
    assert event.day is not None
    assert event.day.starts == when(0.6).starts


def test_before_a_next_generation_the_recorded_id_is_asked_for(site: Site) -> None:
    """Its marker is gone, so no list shows it and no search finds it: it is there all the same."""
    session = ana_in(site, 9)
    (event,) = site.events("ana")
    site.mailbox("ana").strip(event)
    site.lms.cancel("ana", session)
    site.lms.book("ana", session)
    site.audit_all()
    assert [one.event_id for one in site.events("ana")] == [event.event_id]
    assert site.wrongs() == []


def test_a_row_takes_the_newer_seat_with_whatever_is_written(site: Site) -> None:
    """Booked anew and changed in one go: the event is the new seat's, and deleting it gives that one back."""
    session = ana_in(site, 9)
    site.lms.cancel("ana", session)
    site.lms.book("ana", session)
    site.lms.change(session, title="First aid")
    site.audit_all()
    assert [one.title for one in site.events("ana")] == ["First aid"]
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    assert site.wrongs() == []


def test_what_was_dismissed_stays_dismissed_over_a_new_baseline(site: Site) -> None:
    session = site.lms.add_session(when(9))
    site.newcomer("ben", "google", session, role="instructor")
    site.round()
    for _ in range(2):
        site.delete("ben")
        site.audit_all()
        site.audit_all()
    assert site.states("ben") == ["dismissed"]
    site.connect("ben")
    for _ in range(2):
        site.audit_all()
    assert (site.states("ben"), site.events("ben")) == (["dismissed"], [])
    site.lms.move(session, when(10))
    site.audit_all()
    assert len(site.events("ben")) == 1


def test_the_recorded_id_is_asked_for_before_another_id_is_adopted(site: Site) -> None:
    """Its owner copied it, and the first lost its marker: lists show the copy alone."""
    ana_in(site, 9)
    (event,) = site.events("ana")
    site.mailbox("ana").copy(event, site.clock())
    site.mailbox("ana").strip(event)
    site.audit_all()
    (row,) = site.rows("ana")
    assert (row.event_id, row.copied) == (event.event_id, False)
    assert site.wrongs() == []


def test_an_event_that_is_made_again_begins_without_suspicion(site: Site) -> None:
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    site.lms.move(session, when(10))
    site.clock.move(31 * MINUTE)
    site.round()
    assert len(site.events("ana")) == 1
    site.delete("ana")
    site.audit_all()
    assert seats(site, "ana", session) == {"booked"}
    assert told(site) == ["deleted", "deleted"]
    site.clock.move(31 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}


def test_a_row_outside_the_default_calendar_is_looked_up_by_its_id_in_each_audit(site: Site) -> None:
    """It is not missed again at each look, to be found again by the search of the confirm pass."""
    ana_in(site, 9)
    mailbox = site.mailbox("ana")
    mailbox.move(site.events("ana")[0], mailbox.calendars[1], site.clock())
    for _ in range(2):
        site.audit_all()
    assert site.states("ana") == ["live"]
    for _ in range(2):
        site.desk.make_due("ana", site.clock())
        site.clock.move(MINUTE)
        site.cycle("audit")
        assert site.states("ana") == ["live"]
