"""What the LMS changes, the calendar follows, and nothing else moves: days, seats, fields, templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reconciler.diff import fields
from reconciler.diff.changes import Cause, Create, Delete, MarkMissing, Take, Update
from reconciler.diff.fields import Field
from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, Day, LedgerEntry, Registration, Role, Standing, State
from tests.support.builders import (
    NOW,
    a_day,
    a_desired,
    a_listing,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
)

MONDAY, TUESDAY, WEDNESDAY = (a_day(f"2026-12-0{number} 09:00") for number in (7, 8, 9))


def booked(*days: Day, **changes: object) -> Registration:
    return a_registration(a_session(days=days, **changes))


def recorded(seat: Registration) -> list[LedgerEntry]:
    return [an_entry(seat, slot) for slot in range(len(seat.session.days))]


def seen(seat: Registration) -> list[ActualEvent]:
    return [an_event(seat, slot) for slot in range(len(seat.session.days))]


def push(seat: Registration, rows: Sequence[LedgerEntry]) -> Plan:
    return plan(a_desired(seat), rows, None, a_policy(), NOW)


def audit(seat: Registration, rows: Sequence[LedgerEntry], events: Sequence[ActualEvent]) -> Plan:
    return plan(a_desired(seat), rows, a_listing(*events), a_policy(), NOW)


def what(planned: Plan) -> list[tuple[type, int]]:
    return [(type(change), change.key.slot) for change in planned.changes]


# Days -----------------------------------------------------------------------------------------------


def test_day_rows_created_anew_in_any_order_cause_no_traffic() -> None:
    before, after = booked(MONDAY, TUESDAY, WEDNESDAY), booked(WEDNESDAY, MONDAY, TUESDAY)
    assert what(push(after, recorded(before))) == []
    assert what(audit(after, recorded(before), seen(before))) == []


def test_day_rows_created_anew_in_another_order_leave_the_person_s_digest_as_it_is() -> None:
    assert a_desired(booked(MONDAY, TUESDAY)).digest == a_desired(booked(TUESDAY, MONDAY)).digest


def test_a_day_added_concerns_that_day_only() -> None:
    before, after = booked(MONDAY, WEDNESDAY), booked(MONDAY, TUESDAY, WEDNESDAY)
    planned = audit(after, recorded(before), seen(before))
    assert what(planned) == [(Create, 2)]
    assert planned.changes[0].event.day == TUESDAY


def test_a_day_added_is_looked_for_before_it_is_created() -> None:
    assert push(booked(MONDAY, TUESDAY), recorded(booked(MONDAY))).look


def test_a_day_dropped_concerns_that_day_only() -> None:
    before, after = booked(MONDAY, TUESDAY, WEDNESDAY), booked(MONDAY, WEDNESDAY)
    assert what(push(after, recorded(before))) == [(Delete, 1)]


def test_a_day_moved_is_the_same_event_at_another_time() -> None:
    before, after = booked(MONDAY, TUESDAY), booked(MONDAY, WEDNESDAY)
    (update,) = push(after, recorded(before)).changes
    assert isinstance(update, Update)
    assert (update.key.slot, update.event.day, update.differs) == (1, WEDNESDAY, {Field.TIME})
    assert update.cause is Cause.LMS


def test_days_that_swap_their_hours_keep_their_events() -> None:
    before = booked(
        a_day("2026-12-07 09:00", "2026-12-07 11:00"), a_day("2026-12-08 09:00", "2026-12-08 16:00")
    )
    after = booked(
        a_day("2026-12-07 09:00", "2026-12-07 16:00"), a_day("2026-12-08 09:00", "2026-12-08 11:00")
    )
    planned = push(after, recorded(before))
    assert what(planned) == [(Update, 0), (Update, 1)]
    assert [change.event.day for change in planned.changes] == list(after.session.days)


def test_a_day_split_in_two_keeps_its_event_for_the_first_half() -> None:
    whole = a_day("2026-12-07 09:00", "2026-12-07 17:00")
    halves = a_day("2026-12-07 09:00", "2026-12-07 12:00"), a_day("2026-12-07 13:00", "2026-12-07 17:00")
    planned = audit(booked(*halves), recorded(booked(whole)), seen(booked(whole)))
    assert what(planned) == [(Update, 0), (Create, 1)]


def test_all_days_moved_together_keep_their_order() -> None:
    before = booked(MONDAY, TUESDAY)
    after = booked(a_day("2026-12-15 09:00"), a_day("2026-12-14 09:00"))
    planned = push(after, recorded(before))
    assert [(change.key.slot, change.event.day.starts.day) for change in planned.changes] == [
        (0, 14),
        (1, 15),
    ]


def test_the_slot_of_a_day_long_dropped_is_not_used_for_another() -> None:
    rows = [an_entry(booked(MONDAY), state=State.GONE)]
    planned = audit(booked(TUESDAY), rows, [])
    assert what(planned) == [(Create, 1)]
    assert planned.changes[0].generation == 0


def test_a_day_added_again_at_its_old_time_gets_its_old_slot_in_the_next_generation() -> None:
    rows = [an_entry(booked(MONDAY), state=State.GONE)]
    planned = audit(booked(MONDAY), rows, [])
    assert what(planned) == [(Create, 0)]
    assert planned.changes[0].generation == 1


def test_a_day_that_is_being_removed_takes_no_other_day_s_place() -> None:
    """The second day moves while the removal of the first is not yet confirmed: it stays an update."""
    before = booked(MONDAY, TUESDAY)
    rows = [an_entry(before, 0, state=State.REMOVING), an_entry(before, 1)]
    (_, update) = sorted(push(booked(WEDNESDAY), rows).changes, key=lambda change: change.key)
    assert isinstance(update, Update)
    assert update.key.slot == 1


def test_of_two_days_that_start_together_each_keeps_its_own_event() -> None:
    long, short = a_day("2026-12-07 09:00", "2026-12-07 16:00"), a_day("2026-12-07 09:00", "2026-12-07 10:00")
    assert what(push(booked(short, long), recorded(booked(long, short)))) == []


def test_a_moved_day_is_a_recorded_event_rather_than_an_orphan() -> None:
    orphan = an_event(booked(MONDAY, MONDAY), 1)
    before, after = booked(TUESDAY), booked(WEDNESDAY)
    planned = audit(after, recorded(before), [*seen(before), orphan])
    assert what(planned) == [(Update, 0)]
    assert planned.surplus == (orphan.event_id,)


def test_a_session_that_loses_its_date_loses_its_events() -> None:
    assert what(push(booked(), recorded(booked(MONDAY, TUESDAY)))) == [(Delete, 0), (Delete, 1)]


def test_a_past_day_whose_session_moves_into_the_future_moves_along() -> None:
    yesterday = a_day("2026-11-21 09:00")
    (update,) = push(booked(MONDAY), recorded(booked(yesterday))).changes
    assert isinstance(update, Update)


def test_a_past_day_stays_when_another_day_moves() -> None:
    yesterday = a_day("2026-11-21 09:00")
    planned = push(booked(yesterday, WEDNESDAY), recorded(booked(yesterday, MONDAY)))
    assert what(planned) == [(Update, 1)]


def test_a_dropped_past_day_does_not_lend_its_event_to_a_day_that_moved() -> None:
    yesterday = a_day("2026-11-21 09:00")
    planned = push(booked(WEDNESDAY), recorded(booked(yesterday, MONDAY)))
    assert what(planned) == [(Update, 1)]


def test_days_that_all_move_keep_their_order_though_one_is_past() -> None:
    yesterday = a_day("2026-11-21 09:00")
    planned = push(booked(TUESDAY, WEDNESDAY), recorded(booked(yesterday, MONDAY)))
    assert [(change.key.slot, change.event.day) for change in planned.changes] == [
        (0, TUESDAY),
        (1, WEDNESDAY),
    ]


# Zones ----------------------------------------------------------------------------------------------


def test_another_zone_at_the_same_wall_time_is_a_move() -> None:
    london = replace(MONDAY, zone="Europe/London")
    rows = [an_entry(booked(MONDAY))]
    (update,) = push(booked(london), rows).changes
    assert update.differs == {Field.TIME}
    assert what(audit(booked(london), rows, [])) == [(Create, 0)]


def test_another_name_for_the_zone_moves_nothing_and_brings_no_deleted_event_back() -> None:
    paris = replace(MONDAY, zone="Europe/Paris")
    rows = [an_entry(booked(MONDAY))]
    assert what(push(booked(paris), rows)) == [(Update, 0)]
    assert what(audit(booked(paris), rows, [])) == [(MarkMissing, 0)]
    assert what(audit(booked(paris), rows, seen(booked(MONDAY)))) == [(Take, 0)]


def test_a_new_tz_database_that_shifts_the_instant_of_a_wall_time_rewrites_nothing() -> None:
    """As recorded, the day began an hour later; its wall time is what it was."""
    row = an_entry(booked(MONDAY))
    shifted = replace(row, starts=row.starts.replace(hour=9), ends=row.ends.replace(hour=12))
    assert what(push(booked(MONDAY), [shifted])) == []
    assert what(audit(booked(MONDAY), [shifted], [])) == [(MarkMissing, 0)]
    assert what(audit(booked(MONDAY), [shifted], seen(booked(MONDAY)))) == [(Take, 0)]


# Seats ----------------------------------------------------------------------------------------------


def test_a_new_seat_takes_over_the_event_that_is_there() -> None:
    seat = booked(MONDAY)
    again = replace(seat, seat="seat-2")
    assert push(again, recorded(seat)).look
    (take,) = audit(again, recorded(seat), seen(seat)).changes
    assert isinstance(take, Take)
    assert take.event.seat == "seat-2"


def test_seats_have_no_order() -> None:
    seat = replace(booked(MONDAY), seat="seat-9")
    assert push(replace(seat, seat="seat-1"), recorded(seat)).look


def test_where_the_lms_cannot_tell_seats_apart_nothing_is_newer() -> None:
    seat = booked(MONDAY)
    assert what(push(replace(seat, seat=None), recorded(seat))) == [(Update, 0)]
    assert push(replace(seat, seat=None), recorded(seat)).changes[0].cause is Cause.REWRITE


@pytest.mark.parametrize("standing", [Standing.NONE], ids=str)
def test_a_lost_seat_deletes_every_day_still_to_come(standing: Standing) -> None:
    seat = booked(MONDAY, TUESDAY)
    assert what(push(replace(seat, standing=standing), recorded(seat))) == [(Delete, 0), (Delete, 1)]


def test_a_cancelled_session_deletes_its_events() -> None:
    assert what(push(booked(MONDAY, cancelled=True), recorded(booked(MONDAY)))) == [(Delete, 0)]


def test_an_instructor_gets_the_events_of_a_session_without_any_learner() -> None:
    teaches = a_registration(a_session(days=[MONDAY]), role=Role.INSTRUCTOR, seat=None)
    assert what(audit(teaches, [], [])) == [(Create, 0)]


def test_an_instructor_replaced_loses_the_events() -> None:
    teaches = a_registration(a_session(days=[MONDAY]), role=Role.INSTRUCTOR, seat=None)
    assert what(plan(a_desired(), recorded(teaches), None, a_policy(), NOW)) == [(Delete, 0)]


# Fields ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"title": "Safety for all"}, Field.TITLE),
        ({"location": "Room 2"}, Field.LOCATION),
        ({"details": "Bring your helmet."}, Field.BLOCK),
        ({"instructors": ("Iris",)}, Field.BLOCK),
        ({"course": "Health"}, Field.BLOCK),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_changes_in_the_lms_changes_in_the_same_event(change: dict[str, object], differs: Field) -> None:
    before, after = booked(MONDAY), booked(MONDAY, **change)
    (unseen,) = push(after, recorded(before)).changes
    assert isinstance(unseen, Update)
    assert differs in unseen.differs
    (update,) = audit(after, recorded(before), seen(before)).changes
    assert isinstance(update, Update)
    assert (update.cause, update.differs) == (Cause.LMS, {differs})


@pytest.mark.parametrize(
    ("edit", "differs"),
    [
        ({"title": "Boring"}, Field.TITLE),
        ({"location": ""}, Field.LOCATION),
        ({"block": "My own words"}, Field.BLOCK),
        ({"block": None}, Field.BLOCK),
        ({"day": TUESDAY}, Field.TIME),
        ({"day": replace(MONDAY, zone="Asia/Tokyo")}, Field.TIME),
        ({"marker": None}, Field.MARKER),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_edit_of_a_managed_field_is_drift_and_is_put_back(edit: dict[str, object], differs: Field) -> None:
    seat = booked(MONDAY)
    (update,) = audit(seat, recorded(seat), [replace(an_event(seat), etag="etag-2", **edit)]).changes
    assert isinstance(update, Update)
    assert (update.cause, update.differs) == (Cause.DRIFT, {differs})


def test_an_event_whose_time_is_no_time_of_ours_is_put_back() -> None:
    seat = booked(MONDAY)
    (update,) = audit(seat, recorded(seat), [replace(an_event(seat), day=None)]).changes
    assert update.differs == {Field.TIME}


def test_the_course_s_name_is_no_news_where_the_title_says_it() -> None:
    before, after = booked(MONDAY, course=""), booked(MONDAY, course="Safety basics")
    assert what(push(after, recorded(before))) == []


def test_what_others_see_of_a_changed_number_of_seats_is_nothing() -> None:
    before = booked(MONDAY)
    assert what(push(replace(before, seats=("seat-1", "seat-2")), recorded(before))) == []


# Rewrites -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"url": "https://lms.example/new"}, {"cancellable": False}], ids=str)
def test_another_link_or_closing_sentence_is_no_news(change: dict[str, object]) -> None:
    before, after = booked(MONDAY), booked(MONDAY, **change)
    for planned in (push(after, recorded(before)), audit(after, recorded(before), seen(before))):
        (update,) = planned.changes
        assert (update.cause, update.differs) == (Cause.REWRITE, {Field.BLOCK})


def test_a_new_template_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    seat = booked(MONDAY)
    rows, events = recorded(seat), seen(seat)
    monkeypatch.setattr(fields, "FORM_VERSION", "2")
    (update,) = push(seat, rows).changes
    assert (update.cause, update.differs) == (Cause.REWRITE, {Field.BLOCK})
    assert what(audit(seat, rows, events)) == [(Take, 0)]


def test_a_new_template_brings_no_dismissed_event_back() -> None:
    row = an_entry(booked(MONDAY), state=State.DISMISSED)
    assert what(audit(booked(MONDAY, url="https://lms.example/new"), [row], [])) == []


def test_a_new_template_does_not_make_an_owner_s_edit_wait() -> None:
    before, after = booked(MONDAY), booked(MONDAY, url="https://lms.example/new")
    (update,) = audit(after, recorded(before), [replace(an_event(before), title="Boring")]).changes
    assert (update.cause, update.differs) == (Cause.DRIFT, {Field.TITLE, Field.BLOCK})


def test_news_together_with_a_new_template_is_news() -> None:
    before, after = booked(MONDAY), booked(MONDAY, url="https://lms.example/new", title="Safety for all")
    (update,) = push(after, recorded(before)).changes
    assert update.cause is Cause.LMS


# Order ----------------------------------------------------------------------------------------------


def test_near_sessions_come_first_rewrites_after_news_and_deletes_last() -> None:
    near, far = booked(MONDAY, id="near"), booked(WEDNESDAY, id="far")
    old, lost = booked(MONDAY, id="old"), booked(MONDAY, id="lost")
    rows = [*recorded(near), *recorded(far), *recorded(old), *recorded(lost)]
    wanted = (
        booked(WEDNESDAY, id="far", title="Far"),
        booked(MONDAY, id="near", title="Near"),
        booked(MONDAY, id="old", url="https://lms.example/new"),
        replace(lost, standing=Standing.NONE),
    )
    planned = plan(a_desired(*wanted), rows, None, a_policy(), NOW)
    assert [change.key.session for change in planned.changes] == ["near", "far", "old", "lost"]
