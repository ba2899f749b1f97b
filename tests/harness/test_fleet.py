"""Many seats vanish at one vendor at once: nobody loses one before somebody has looked."""

from __future__ import annotations

import pytest

from reconciler.errors import ReconcilerError
from reconciler.ledger.tables import connection
from reconciler.model import Answer
from reconciler.ports import Fleet, FleetLimit, Registrar, RegistrarAnswer, RegistrarOutcome, Unregistration
from tests.harness.mailbox import Trouble
from tests.harness.process import METRICS
from tests.harness.site import DAY, HOUR, MINUTE, Site, when

CROWD = [f"person-{number}" for number in range(8)]


def a_crowd(site: Site, *others: str) -> str:
    """Eight learners in one session, and others who lose nothing."""
    session = site.lms.add_session(when(9), id="session-1")
    for person in (*CROWD, *others):
        site.newcomer(person, "google", session)
    site.round()
    return session


def seats(site: Site, session: str) -> set[str]:
    return {status for one in site.people for status in site.facts.statuses(one, session).values()}


def about_to_be_asked(site: Site) -> Registrar:
    """One of the crowd has deleted their event and its grace is over: who is asked in the next cycle."""
    site.delete(CROWD[0])
    site.audit_all()
    site.clock.move(31 * MINUTE)
    confirming = site.process().house.loop.confirming
    assert confirming is not None
    return confirming.registrar


def test_more_than_five_are_held_until_an_operator_lets_them_go(site: Site) -> None:
    session = a_crowd(site, "zoe")
    for person in CROWD:
        site.delete(person)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert {state for person in CROWD for state in site.states(person)} == {"held"}
    assert seats(site, session) == {"booked"}
    assert site.told == []
    for person in CROWD:
        site.answer(person, session, Answer.GIVE_BACK)
    site.desk.release_hold("fleet", "google", "test", site.clock())
    site.round()
    assert seats(site, session) == {"booked", "cancelled"}
    assert len(site.oracle.given) == len(CROWD)
    assert site.wrongs() == []


def test_five_or_fewer_are_not(site: Site) -> None:
    session = a_crowd(site)
    for person in CROWD[:5]:
        site.delete(person)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert len(site.oracle.given) == 5
    assert seats(site, session) == {"booked", "cancelled"}


@pytest.mark.parametrize("people", [2, 8])
def test_a_vendor_that_shows_nothing_to_anybody_unregisters_nobody(site: Site, people: int) -> None:
    session = site.lms.add_session(when(9), id="session-1")
    for person in CROWD[:people]:
        site.newcomer(person, "google", session)
    site.round()
    site.vendors["google"].troubles.add(Trouble.LYING)
    for _ in range(4):
        site.audit_all()
        site.clock.move(31 * MINUTE)
    assert seats(site, session) == {"booked"}
    assert len(site.events(CROWD[0])) == 1
    site.settle()
    assert site.wrongs() == []


def lies_at(site: Site, person: str, server: str) -> None:
    """This person's calendar is on one of the servers that the vendor's name stands for."""
    subject = f"{server}/{person}/"
    site.vendors["google"].mailboxes[subject] = site.mailbox(person)
    with site.desk.database.writing() as transaction:
        transaction.execute(connection.update().where(connection.c.person == person).values(subject=subject))


def test_a_server_that_shows_nothing_to_anybody_unregisters_nobody_though_others_show_theirs(
    site: Site,
) -> None:
    session = site.lms.add_session(when(9), id="session-1")
    for person in ("ana", "ben", "yan", "zoe"):
        site.newcomer(person, "google", session)
        lies_at(site, person, f"https://{'small' if person in ('ana', 'ben') else 'large'}.example")
    site.round()
    for person in ("ana", "ben"):
        site.mailbox(person).troubles.add(Trouble.LYING)
    for _ in range(4):
        site.audit_all()
        site.clock.move(31 * MINUTE)
    assert seats(site, session) == {"booked"}
    assert site.states("ana") == site.states("ben") == ["held"]
    assert [hold.subject for hold in site.desk.holds()] == ["google https://small.example"]
    assert site.states("zoe") == ["live"]
    site.delete("zoe")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert site.states("zoe") == ["unregistered"]  # what is held at one server holds nobody at another
    site.settle()
    assert site.wrongs() == []


def test_a_server_that_is_away_keeps_nobody_waiting_at_another(site: Site) -> None:
    session = site.lms.add_session(when(9), id="session-1")
    people = [f"ana-{number}" for number in range(4)]
    for person in (*people, "zoe"):
        site.newcomer(person, "google", session)
        lies_at(site, person, f"https://{'large' if person == 'zoe' else 'small'}.example")
    for person in people:
        site.mailbox(person).troubles.add(Trouble.DOWN)
    site.cycle("push")
    assert [len(site.events(person)) for person in (*people, "zoe")] == [0, 0, 0, 0, 1]


def test_nobody_is_unregistered_before_another_calendar_of_the_vendor_was_seen(site: Site) -> None:
    session = site.lms.add_session(when(9), id="session-1")
    for person in ("ana", "ben"):
        site.newcomer(person, "google", session)
    site.round()
    site.round()
    site.vendors["google"].troubles.add(Trouble.LYING)
    site.clock.move(MINUTE)
    site.desk.make_due("ana", site.clock())
    site.cycle("audit")
    for _ in range(3):  # the other one has not been looked at yet
        site.cycle("confirm")
        site.clock.move(31 * MINUTE)
    assert (site.states("ana"), site.states("ben")) == (["missing"], ["live"])
    assert site.told == []
    site.cycle("audit")
    site.cycle("confirm")
    assert (site.states("ana"), site.states("ben")) == (["held"], ["held"])
    assert seats(site, session) == {"booked"}


@pytest.mark.parametrize("role", ["learner", "instructor"])
def test_the_other_calendar_is_looked_at_in_the_next_audit(site: Site, role: str) -> None:
    session = site.lms.add_session(when(9), id="session-1")
    for person in ("ana", "ben"):
        site.newcomer(person, "google", session, role=role)
    site.round()
    site.round()
    site.delete("ana")
    site.clock.move(MINUTE)
    site.desk.make_due("ana", site.clock())
    site.cycle("audit")
    site.cycle("confirm")
    assert site.told == []
    assert site.states("ana") == ["missing"]
    site.clock.move(MINUTE)
    site.cycle("audit")
    site.cycle("confirm")
    assert site.states("ana") == (["missing"] if role == "learner" else ["live"])
    assert [str(one.kind) for one in site.told] == (["deleted"] if role == "learner" else [])


def test_a_crash_leaves_no_calendar_missed_in_part(site: Site) -> None:
    for number in range(4):
        site.lms.add_session(when(9 + number), id=f"session-{number}")
    site.newcomer("ana", "google", *(f"session-{number}" for number in range(4)))
    site.round()
    site.delete("ana")
    seen = []
    for boundary in range(12):
        site.desk.make_due("ana", site.clock())
        site.boundaries.arm(boundary)
        site.cycle("audit")
        site.boundaries.disarm()
        seen.append(set(site.states("ana")))
    assert {"live"} in seen
    assert seen[-1] == {"missing"}
    assert all(len(states) == 1 for states in seen)


def test_what_was_missed_before_the_program_stood_still_is_counted_after_it(site: Site) -> None:
    session = a_crowd(site, "zoe")
    for person in CROWD:
        site.mailbox(person).troubles.add(Trouble.LYING)
        site.desk.make_due(person, site.clock())
    site.cycle("push")
    site.cycle("audit")
    site.kill()
    for _ in range(3):
        site.clock.move(2 * HOUR)
        site.desk.make_due("zoe", site.clock())  # whose calendar can be seen
        site.cycle("audit")
        site.cycle("confirm")
    assert seats(site, session) == {"booked"}
    assert site.told == []


def test_what_begins_its_grace_meanwhile_meets_the_guard_in_the_commit_of_the_intent(site: Site) -> None:
    """Five are proven a first time; three more vanish in the cycle in which the five are to be given up."""
    session = a_crowd(site, "zoe")
    for person in CROWD[:5]:
        site.delete(person)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    loop = site.process().house.loop
    asked = loop.world.ledger.exceeding

    def more_vanish(limit: FleetLimit) -> Fleet | None:
        counted = asked(limit)
        if not site.oracle.deletions[5:] and limit.service.provider == "google":
            for person in CROWD[5:]:
                site.delete(person)
                site.desk.make_due(person, site.clock())
            site.cycle("audit", "b")
        return counted

    loop.world.ledger.exceeding = more_vanish  # type: ignore[method-assign]
    site.cycle("confirm")
    assert len(site.oracle.deletions) == 8
    assert seats(site, session) == {"booked"}


def test_an_intent_is_not_touched_before_its_deadline(site: Site) -> None:
    session = a_crowd(site)
    registrar = about_to_be_asked(site)
    registrar.unregister = (  # type: ignore[method-assign]
        lambda request: RegistrarAnswer(RegistrarOutcome.UNKNOWN)
    )
    site.cycle("confirm")
    assert site.states(CROWD[0]) == ["unregistering"]
    site.cycle("confirm", "b")
    assert site.states(CROWD[0]) == ["unregistering"]
    with pytest.raises(ReconcilerError, match="Too late"):
        site.desk.answer(CROWD[0], session, Answer.KEEP, CROWD[0], "test", site.clock())
    site.kill()
    site.clock.move(2 * MINUTE)
    site.cycle("confirm", "b")
    site.cycle("confirm", "b")
    assert site.states(CROWD[0]) == ["unregistered"]
    assert len(site.oracle.given) == 1


def test_what_the_lms_refuses_is_put_back(site: Site) -> None:
    a_crowd(site)
    registrar = about_to_be_asked(site)
    registrar.unregister = (  # type: ignore[method-assign]
        lambda request: RegistrarAnswer(RegistrarOutcome.REFUSED, "not-cancellable")
    )
    site.cycle("confirm")
    assert site.states(CROWD[0]) == ["live"]
    assert len(site.events(CROWD[0])) == 1
    assert [str(one.kind) for one in site.told] == ["deleted", "put-back"]


def test_seats_that_vanish_on_different_days_are_no_crowd(site: Site) -> None:
    a_crowd(site)
    for person in CROWD[:7]:
        site.delete(person)
        site.audit_all()
        site.clock.move(31 * MINUTE)
        site.round()
        site.clock.move(2 * HOUR)
    assert len(site.oracle.given) == 7
    assert site.clock() < site.begun + 2 * DAY


def test_what_comes_of_deletions_is_counted_and_timed(site: Site) -> None:
    def told(name: str, **labels: str) -> float:
        return METRICS.registry.get_sample_value(f"reconciler_{name}", {"provider": "google", **labels}) or 0

    a_crowd(site)
    before = [told("unregistrations_total", outcome=one) for one in ("done", "held")]
    waited = told("unregistration_seconds_sum")
    site.delete(CROWD[0])
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert told("unregistrations_total", outcome="done") == before[0] + 1
    assert told("unregistration_seconds_sum") == waited + 32 * 60
    for person in CROWD[1:]:
        site.delete(person)
    site.audit_all()
    assert told("unregistrations_total", outcome="held") == before[1] + 7


def test_a_seat_that_is_lost_meanwhile_is_gone_and_nobody_is_told_anything(site: Site) -> None:
    """An administrator has cancelled it and booked it anew between the proof and the write."""
    session = a_crowd(site)
    registrar = about_to_be_asked(site)
    given = registrar.unregister

    def after_the_administrator(request: Unregistration) -> RegistrarAnswer:
        site.lms.cancel(CROWD[0], session)
        site.lms.book(CROWD[0], session)
        return given(request)

    registrar.unregister = after_the_administrator  # type: ignore[method-assign]
    site.cycle("confirm")
    assert site.states(CROWD[0]) == ["gone"]
    assert [notice.kind.value for notice in site.told] == ["deleted"]
    site.round()
    assert "booked" in site.facts.statuses(CROWD[0], session).values()
    assert len(site.events(CROWD[0])) == 1
    assert site.wrongs() == []
