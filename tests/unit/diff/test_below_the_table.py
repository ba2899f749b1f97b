"""The rules beneath the truth table: what is ours, copies, twins, orphans, doomed ids, baselines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.changes import (
    Adopt,
    Cause,
    Create,
    Delete,
    DeleteSurplus,
    FinishRemoval,
    Forget,
    MarkMissing,
    Take,
    Update,
)
from reconciler.diff.fields import Field
from reconciler.diff.plan import Plan, plan, released
from reconciler.model import (
    ActualEvent,
    EventKey,
    LedgerEntry,
    Registration,
    Role,
    Standing,
    State,
)
from tests.support.builders import (
    NOW,
    a_copy_of,
    a_day,
    a_desired,
    a_listing,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
)

SEAT = a_registration()
UNWANTED = a_registration(standing=Standing.NONE)
LONG_PAST = a_day("2026-11-21 09:00")
OPEN = (State.PENDING, State.LIVE, State.MISSING, State.HELD, State.DISMISSED)


def push(seat: Registration, *rows: LedgerEntry) -> Plan:
    return plan(a_desired(seat), rows, None, a_policy(), NOW)


def audit(seat: Registration, rows: list[LedgerEntry], *events: ActualEvent, **options: object) -> Plan:
    return plan(a_desired(seat), rows, a_listing(*events), a_policy(), NOW, **options)


# What is ours, and whose ---------------------------------------------------------------------------


def test_an_event_without_marker_and_without_recorded_id_is_in_no_plan() -> None:
    owners = an_event(event_id="lunch", marker=None, made_as="lunch")
    planned = audit(UNWANTED, [an_entry(state=State.GONE)], owners)
    assert (planned.changes, planned.surplus) == ((), ())


def test_an_event_of_another_installation_is_in_no_plan() -> None:
    event = an_event()
    other = replace(event, event_id="other", marker=replace(event.marker, installation="another"))
    planned = audit(UNWANTED, [], other)
    assert (planned.changes, planned.surplus) == ((), ())


def test_an_event_whose_key_names_another_person_is_counted_and_never_an_orphan() -> None:
    bobs = an_event(a_registration(person="bob"))
    planned = audit(UNWANTED, [], bobs, seen_before=[bobs.event_id])
    assert planned.foreign == 1
    assert (planned.changes, planned.surplus) == ((), ())


def test_an_event_whose_marker_its_owner_removed_is_known_by_its_recorded_id() -> None:
    bare = an_event(marker=None, etag="etag-2")
    row = an_entry()
    assert audit(UNWANTED, [row], bare).changes == (
        Delete(row.key, Cause.LMS, row, bare.event_id, bare.calendar_id, "etag-2"),
    )


def test_a_marker_that_its_owner_removed_is_put_back() -> None:
    (update,) = audit(SEAT, [an_entry()], an_event(marker=None)).changes
    assert isinstance(update, Update)
    assert (update.cause, update.differs) == (Cause.DRIFT, {Field.MARKER})


def test_a_marker_that_names_another_day_is_put_right() -> None:
    event = an_event()
    wrong = replace(event, marker=replace(event.marker, key=EventKey("ana", "s1", 7)))
    (update,) = audit(SEAT, [an_entry()], wrong).changes
    assert isinstance(update, Update)
    assert update.differs == {Field.MARKER}


def test_an_event_of_another_installation_is_not_adopted() -> None:
    event = an_event()
    other = replace(event, event_id="other", marker=replace(event.marker, installation="another"))
    assert [type(change) for change in audit(SEAT, [], other).changes] == [Create]


# Copies ---------------------------------------------------------------------------------------------


def test_beside_a_copy_the_recorded_id_wins() -> None:
    event = an_event()
    planned = audit(SEAT, [an_entry()], a_copy_of(event, "a-copy"), event)
    assert (planned.changes, planned.surplus) == ((), ())


def test_a_copy_is_never_deleted_however_often_it_is_seen() -> None:
    event = an_event()
    copy = a_copy_of(event)
    assert audit(SEAT, [an_entry()], event, copy, seen_before=[copy.event_id]).changes == ()
    assert audit(UNWANTED, [], copy, seen_before=[copy.event_id]).changes == ()


@pytest.mark.parametrize("state", [State.LIVE, State.MISSING, State.HELD, State.DISMISSED])
def test_where_the_recorded_id_is_gone_the_copy_is_adopted_and_the_recorded_one_asked_for(
    state: State,
) -> None:
    copy = a_copy_of(an_event())
    (adopt,) = audit(SEAT, [an_entry(state=state)], copy).changes
    assert isinstance(adopt, Adopt)
    assert (adopt.actual, adopt.cause) == (copy, Cause.DRIFT)
    assert adopt.ask_first


def test_of_a_copy_and_an_event_that_we_made_the_latter_is_adopted() -> None:
    ours = an_event(generation=1)
    row = an_entry(generation=2)
    (adopt,) = audit(SEAT, [row], a_copy_of(ours, "0-first-by-id"), ours).changes
    assert isinstance(adopt, Adopt)
    assert adopt.actual == ours


@pytest.mark.parametrize("state", OPEN)
def test_an_adopted_copy_stays_when_the_seat_is_lost_and_its_row_becomes_gone(state: State) -> None:
    copy = a_copy_of(an_event())
    row = an_entry(state=state, event_id=copy.event_id)
    assert audit(UNWANTED, [row], copy).changes == (Forget(row.key, Cause.LMS, row, search=False),)


@pytest.mark.parametrize("state", [State.GONE, State.UNREGISTERED])
def test_a_copy_beside_a_row_that_is_done_with_asks_for_nothing(state: State) -> None:
    planned = audit(UNWANTED, [an_entry(state=state)], a_copy_of(an_event()))
    assert (planned.changes, planned.waiting) == ((), False)


def test_beside_a_copy_the_event_we_made_is_searched_for_before_its_row_is_forgotten() -> None:
    """Its owner dragged ours to another calendar and keeps a copy: ours must still go."""
    row = an_entry()
    assert audit(UNWANTED, [row], a_copy_of(an_event())).changes == (
        Forget(row.key, Cause.LMS, row, search=True),
    )


def test_beside_a_twin_the_recorded_event_is_searched_for_before_its_row_is_forgotten() -> None:
    row, twin = an_entry(generation=1), an_event(generation=0)
    assert audit(UNWANTED, [row], twin).changes == (Forget(row.key, Cause.LMS, row, search=True),)


def test_a_pending_event_of_unknown_id_that_nobody_wants_is_deleted_as_seen() -> None:
    row, event = an_entry(state=State.PENDING, event_id=None, etag=None), an_event(event_id="vendor-7")
    assert audit(UNWANTED, [row], event).changes == (
        Delete(row.key, Cause.LMS, row, "vendor-7", event.calendar_id, event.etag),
    )


def test_a_pending_row_of_unknown_id_that_nobody_wants_is_forgotten_after_a_search() -> None:
    row = an_entry(state=State.PENDING, event_id=None)
    assert push(UNWANTED, row).changes == (Forget(row.key, Cause.LMS, row, search=True),)


def test_unseen_an_event_that_we_made_is_deleted_by_its_id() -> None:
    row = an_entry(event_id="vendor-7")
    (delete,) = push(UNWANTED, row).changes
    assert delete == Delete(row.key, Cause.LMS, row, "vendor-7", row.calendar_id or "", row.etag)


def test_unseen_an_adopted_copy_stays_and_what_we_made_of_its_key_is_searched_for() -> None:
    row = an_entry(event_id="vendor-7", copied=True)
    assert push(UNWANTED, row).changes == (Forget(row.key, Cause.LMS, row, search=True),)


# Twins and orphans ----------------------------------------------------------------------------------


def test_a_twin_beside_the_recorded_event_is_deleted_at_its_second_sight() -> None:
    row, event, twin = an_entry(generation=1), an_event(generation=1), an_event(generation=0)
    first = audit(SEAT, [row], event, twin)
    assert (first.changes, first.surplus) == ((), (twin.event_id,))
    second = audit(SEAT, [row], event, twin, seen_before=first.surplus)
    assert second.changes == (DeleteSurplus(row.key, Cause.REPAIR, row, twin),)


def test_a_twin_goes_though_its_owner_removed_the_marker_of_the_recorded_event() -> None:
    row, event, twin = an_entry(generation=1), an_event(generation=1, marker=None), an_event(generation=0)
    assert audit(SEAT, [row], event, twin).surplus == (twin.event_id,)


def test_a_released_event_that_nobody_wants_is_an_orphan_even_without_its_marker() -> None:
    row, bare = an_entry(state=State.RELEASED), an_event(marker=None)
    assert audit(UNWANTED, [row], bare).surplus == (bare.event_id,)


def test_an_orphan_of_the_past_stays() -> None:
    past = an_event(day=a_day("2026-11-22 06:00", "2026-11-22 08:00"))
    assert audit(UNWANTED, [], past, seen_before=[past.event_id]).changes == ()


@pytest.mark.parametrize("state", [State.RELEASED, State.GONE, State.UNREGISTERED])
def test_what_came_back_goes_while_its_day_is_to_come_though_its_row_is_of_the_past(state: State) -> None:
    """A session moves, its old event comes out of the bin, and the LMS wants neither any more."""
    row = an_entry(day=LONG_PAST, state=state)
    back = an_event(generation=1)
    planned = audit(UNWANTED, [row], back, seen_before=[back.event_id])
    assert [type(change) for change in planned.changes] == [
        DeleteSurplus if state is State.RELEASED else Delete
    ]
    past = an_event(generation=1, day=LONG_PAST)
    assert audit(UNWANTED, [row], past, seen_before=[past.event_id]).changes == ()


def test_a_twin_of_a_day_to_come_goes_though_the_recorded_event_is_of_the_past() -> None:
    row, event = an_entry(day=LONG_PAST, generation=1), an_event(day=LONG_PAST, generation=1)
    twin = an_event(generation=0)
    first = audit(a_registration(a_session(days=(LONG_PAST,))), [row], event, twin)
    assert (first.changes, first.surplus) == ((), (twin.event_id,))


def test_an_orphan_whose_time_cannot_be_read_stays() -> None:
    strange = an_event(day=None)
    strange = replace(strange, day=None)
    assert audit(UNWANTED, [], strange, seen_before=[strange.event_id]).changes == ()


def test_what_was_seen_before_but_is_wanted_is_not_deleted() -> None:
    event = an_event()
    assert audit(SEAT, [an_entry()], event, seen_before=[event.event_id]).changes == ()


def test_a_twin_is_deleted_after_whatever_else_its_key_needs() -> None:
    """Both change the row, and the row must remember every id that we doomed."""
    row, event, twin = an_entry(generation=1), an_event(generation=1), an_event(generation=0)
    edited = replace(event, title="Boring")
    assert [type(one) for one in audit(SEAT, [row], edited, twin, seen_before=[twin.event_id]).changes] == [
        Update
    ]
    assert [
        type(one) for one in audit(UNWANTED, [row], event, twin, seen_before=[twin.event_id]).changes
    ] == [Delete]


def test_twins_are_deleted_one_at_a_time() -> None:
    row, event = an_entry(generation=2), an_event(generation=2)
    twins = [an_event(generation=0), an_event(generation=1)]
    seen = [twin.event_id for twin in twins]
    planned = audit(SEAT, [row], event, *twins, seen_before=seen)
    assert [type(change) for change in planned.changes] == [DeleteSurplus]
    assert sorted(planned.surplus) == sorted(seen)


# Doomed ids -----------------------------------------------------------------------------------------


def test_the_absence_of_a_doomed_id_is_never_evidence_and_the_event_is_created_again() -> None:
    row = an_entry()
    doomed = replace(row, doomed=(row.event_id,))
    (create,) = audit(SEAT, [doomed]).changes
    assert isinstance(create, Create)
    assert (create.generation, create.search, create.cause) == (1, True, Cause.REPAIR)


def test_another_doomed_id_says_nothing_about_the_recorded_one() -> None:
    row = an_entry(doomed=("a-twin",))
    (missing,) = audit(SEAT, [row]).changes
    assert isinstance(missing, MarkMissing)


# Events elsewhere -----------------------------------------------------------------------------------


def test_an_event_moved_to_another_calendar_is_followed() -> None:
    """It was looked up by its id there, so it is part of what was seen."""
    row, moved = an_entry(), an_event(calendar_id="private", etag="etag-2")
    (take,) = audit(SEAT, [row], moved).changes
    assert isinstance(take, Take)
    assert take.actual.calendar_id == "private"


def test_an_event_deleted_in_its_other_calendar_is_missing_like_any_other() -> None:
    (missing,) = audit(SEAT, [an_entry(calendar_id="private")]).changes
    assert isinstance(missing, MarkMissing)


# Taking note ----------------------------------------------------------------------------------------


def test_a_new_etag_without_any_difference_is_noted_without_a_write() -> None:
    (take,) = audit(SEAT, [an_entry()], an_event(etag="etag-2")).changes
    assert isinstance(take, Take)


@pytest.mark.parametrize(
    "trouble",
    [{"attempts": 3}, {"last_error": "refused"}, {"retry_at": NOW - timedelta(minutes=1)}],
    ids=lambda trouble: next(iter(trouble)),
)
def test_an_event_that_is_as_it_should_be_is_no_longer_failing(trouble: dict[str, object]) -> None:
    (take,) = audit(SEAT, [an_entry(**trouble)], an_event()).changes
    assert isinstance(take, Take)


def test_a_learner_who_becomes_its_instructor_keeps_the_event() -> None:
    instructor = a_registration(a_session(cancellable=False), role=Role.INSTRUCTOR, seat=None)
    learner = replace(instructor, role=Role.LEARNER, seat="seat-1")
    (take,) = audit(instructor, [an_entry(learner)], an_event(learner)).changes
    assert isinstance(take, Take)
    assert take.event.role is Role.INSTRUCTOR


# The baseline ---------------------------------------------------------------------------------------


def test_a_new_baseline_releases_whatever_might_still_be_there() -> None:
    rows = [an_entry(state=state, missing_since=NOW) for state in State if state is not State.NONE]
    kept = {row.state: after.state for row, after in zip(rows, released(rows), strict=True)}
    assert {state for state, after in kept.items() if after is State.RELEASED} == {
        State.RELEASED,
        State.PENDING,
        State.LIVE,
        State.MISSING,
        State.HELD,
    }
    assert all(state is after for state, after in kept.items() if after is not State.RELEASED)


def test_what_a_first_listing_lacks_is_created_again_in_the_next_generation() -> None:
    (create,) = audit(SEAT, released([an_entry(generation=4)])).changes
    assert isinstance(create, Create)
    assert (create.generation, create.cause, create.search) == (5, Cause.RECONNECT, True)


def test_a_lost_state_is_rebuilt_from_the_markers() -> None:
    days = [a_day("2026-12-01 09:00"), a_day("2026-12-02 09:00")]
    seat = a_registration(a_session(days=days))
    planned = audit(seat, [], an_event(seat, 0), an_event(seat, 1))
    assert [(type(change), change.key.slot, change.differs) for change in planned.changes] == [
        (Adopt, 0, frozenset()),
        (Adopt, 1, frozenset()),
    ]


def test_a_removal_begun_before_is_finished_before_anything_else() -> None:
    row = an_entry(state=State.REMOVING)
    assert [type(change) for change in audit(SEAT, [row], an_event()).changes] == [FinishRemoval]
