"""Who gets an event for a day, whose events are removed, and what is kept as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.changes import Adopt, Create, Delete, FinishRemoval, Update
from reconciler.diff.plan import Plan, plan
from reconciler.model import (
    ActualEvent,
    Day,
    Desired,
    LedgerEntry,
    Registration,
    Removal,
    Role,
    SeatStatus,
    Standing,
    State,
    standing_of,
)
from tests.support.builders import (
    NOW,
    a_day,
    a_desired,
    a_listing,
    a_person,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
    nobody,
)

YESTERDAY, TOMORROW = a_day("2026-11-21 09:00"), a_day("2026-11-23 09:00")
OVER = a_day(NOW - timedelta(hours=3), NOW)
ON_NOW = a_day(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
ROWS_TO_KEEP = tuple(
    state for state in State if state not in (State.NONE, State.REMOVING, State.UNREGISTERING)
)


def booked(*days: Day, **changes: object) -> Registration:
    return a_registration(a_session(days=days, **changes))


def plans(desired: Desired, rows: list[LedgerEntry], *events: ActualEvent) -> list[Plan]:
    """What a push pass, an audit that sees these events and one that sees nothing would do."""
    return [
        plan(desired, rows, listing, a_policy(), NOW, [event.event_id for event in events])
        for listing in (None, a_listing(*events), a_listing())
    ]


def nothing_is_done(desired: Desired, rows: list[LedgerEntry], *events: ActualEvent) -> bool:
    return not any(
        planned.changes or planned.look or planned.waiting or planned.surplus
        for planned in plans(desired, rows, *events)
    )


# Who ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_learners_and_instructors_get_one_event_for_every_day(role: Role) -> None:
    seat = replace(booked(TOMORROW, a_day("2026-11-24 09:00")), role=role)
    planned = plan(a_desired(seat), [], a_listing(), a_policy(), NOW)
    assert [(type(change), change.key.slot) for change in planned.changes] == [(Create, 0), (Create, 1)]
    assert (planned.wanted, planned.next_start) == (2, TOMORROW.start_instant)


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (SeatStatus.BOOKED, Standing.WANTED),
        (SeatStatus.WAITING, Standing.NONE),
        (SeatStatus.REQUESTED, Standing.NONE),
        (SeatStatus.DECLINED, Standing.NONE),
        (SeatStatus.CANCELLED, Standing.NONE),
        (SeatStatus.ATTENDED, Standing.KEEP),
        (SeatStatus.PARTIALLY_ATTENDED, Standing.KEEP),
        (SeatStatus.COMPLETED, Standing.KEEP),
        (SeatStatus.NO_SHOW, Standing.KEEP),
    ],
)
def test_a_booked_seat_is_wanted_an_attended_one_kept_any_other_is_none(
    status: SeatStatus, standing: Standing
) -> None:
    assert standing_of(status) is standing


def test_no_event_without_a_seat() -> None:
    assert nothing_is_done(a_desired(replace(booked(TOMORROW), standing=Standing.NONE)), [])


@pytest.mark.parametrize(
    ("seat", "gives_back", "removal"),
    [
        (booked(TOMORROW), True, Removal.UNREGISTERS),
        (booked(TOMORROW), False, Removal.PUT_BACK),
        (booked(TOMORROW, cancellable=False), True, Removal.PUT_BACK),
        (replace(booked(TOMORROW), seat=None), True, Removal.PUT_BACK),
        (replace(booked(TOMORROW), role=Role.INSTRUCTOR), True, Removal.PUT_BACK),
    ],
    ids=["a learner", "switched off", "not cancellable", "an LMS that cannot say", "an instructor"],
)
def test_deleting_an_event_gives_back_only_a_learner_s_seat_that_may_be_cancelled(
    seat: Registration, gives_back: bool, removal: Removal
) -> None:
    planned = plan(a_desired(seat), [], a_listing(), a_policy(gives_back=gives_back), NOW)
    event = planned.changes[0].event
    assert event.removal is removal
    assert ("Delete this event" in event.content.block) == (removal is Removal.UNREGISTERS)


# What is past ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ROWS_TO_KEEP)
def test_a_past_day_is_left_as_it_is_whatever_its_row_says(state: State) -> None:
    assert nothing_is_done(
        a_desired(booked(OVER)), [an_entry(booked(OVER), state=state)], an_event(booked(OVER))
    )


@pytest.mark.parametrize("state", ROWS_TO_KEEP)
@pytest.mark.parametrize("desired", [nobody(), a_desired()], ids=["person gone", "seat gone"])
def test_a_past_day_stays_though_nobody_wants_it_any_more(state: State, desired: Desired) -> None:
    assert nothing_is_done(desired, [an_entry(booked(OVER), state=state)], an_event(booked(OVER)))


def test_a_day_that_is_over_is_never_created() -> None:
    assert nothing_is_done(a_desired(booked(OVER)), [])


def test_a_day_that_is_going_on_is_not_past() -> None:
    (create,) = plan(a_desired(booked(ON_NOW)), [], a_listing(), a_policy(), NOW).changes
    assert isinstance(create, Create)


def test_what_is_wanted_and_next_is_counted_without_the_past() -> None:
    planned = plan(a_desired(booked(YESTERDAY, ON_NOW, TOMORROW)), [], a_listing(), a_policy(), NOW)
    assert (planned.wanted, planned.next_start) == (2, ON_NOW.start_instant)


def test_a_day_is_past_by_the_later_of_ledger_and_lms() -> None:
    brought_forward = plans(a_desired(booked(YESTERDAY)), [an_entry(booked(TOMORROW))])[0]
    put_off = plans(a_desired(booked(TOMORROW)), [an_entry(booked(YESTERDAY))])[0]
    assert [type(change) for change in (*brought_forward.changes, *put_off.changes)] == [Update, Update]


def test_a_removal_begun_before_the_day_was_past_is_finished() -> None:
    rows = [an_entry(booked(OVER), state=State.REMOVING)]
    assert [type(change) for change in plans(a_desired(booked(OVER)), rows)[0].changes] == [FinishRemoval]


# What is kept ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ROWS_TO_KEEP)
def test_of_a_seat_attended_or_completed_nothing_is_touched(state: State) -> None:
    seat = booked(TOMORROW)
    attended = replace(seat, standing=Standing.KEEP, session=replace(seat.session, title="Changed"))
    assert nothing_is_done(a_desired(attended), [an_entry(seat, state=state)], an_event(seat))


@pytest.mark.parametrize("state", ROWS_TO_KEEP)
def test_of_a_session_that_the_adapter_refused_nothing_is_touched(state: State) -> None:
    seat = booked(TOMORROW)
    refused = replace(seat, session=replace(seat.session, days=(), refused="unknown zone Mars/Base"))
    assert nothing_is_done(a_desired(refused), [an_entry(seat, state=state)], an_event(seat))


def test_an_unproven_event_of_a_session_that_is_kept_is_no_orphan() -> None:
    seat = booked(TOMORROW)
    assert nothing_is_done(a_desired(replace(seat, standing=Standing.KEEP)), [], an_event(seat))


def test_no_day_is_created_for_a_seat_that_is_kept() -> None:
    assert nothing_is_done(a_desired(replace(booked(TOMORROW), standing=Standing.KEEP)), [])


def test_a_cancelled_session_is_an_order_even_for_a_seat_that_is_kept() -> None:
    seat = booked(TOMORROW)
    cancelled = replace(seat, standing=Standing.KEEP, session=replace(seat.session, cancelled=True))
    assert [type(one) for one in plans(a_desired(cancelled), [an_entry(seat)])[0].changes] == [Delete]


# Who is gone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "desired",
    [nobody(), a_desired(booked(TOMORROW), person=a_person(active=False)), a_desired()],
    ids=["gone", "suspended", "without any seat"],
)
def test_of_a_person_suspended_or_gone_the_events_still_to_come_are_removed(desired: Desired) -> None:
    days = booked(YESTERDAY, TOMORROW)
    rows = [an_entry(days, 0), an_entry(days, 1)]
    for planned in plans(desired, rows, an_event(days, 1))[:2]:
        assert [(type(change), change.key.slot) for change in planned.changes] == [(Delete, 1)]


def test_a_person_suspended_gets_nothing_new() -> None:
    assert nothing_is_done(a_desired(booked(TOMORROW), person=a_person(active=False)), [])


def test_a_person_no_longer_suspended_gets_the_events_back() -> None:
    rows = [an_entry(booked(TOMORROW), state=State.GONE)]
    (create,) = plans(a_desired(booked(TOMORROW)), rows)[2].changes
    assert (type(create), create.generation) == (Create, 1)


def test_what_is_adopted_is_the_person_s_own() -> None:
    seat = booked(TOMORROW)
    bobs = an_event(replace(seat, person="bob"))
    planned = plans(a_desired(seat), [], bobs, an_event(seat))[1]
    assert [(type(change), change.key.person) for change in planned.changes] == [(Adopt, "ana")]
    assert planned.foreign == 1
