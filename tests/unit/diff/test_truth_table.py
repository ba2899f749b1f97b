"""Row by row, what the truth table makes of a real world; and that it speaks of every case exactly once.

The tests bear the numbers of the rows in ``tests.support.truth_table``.
"""

from __future__ import annotations

from collections.abc import Callable

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
from reconciler.diff.decide import News, Sight, Verdict, Wish, decide
from reconciler.diff.fields import Field
from reconciler.diff.plan import Plan
from reconciler.model import State
from tests.support.builders import NOW, a_desired_event
from tests.support.truth_table import GENERATION, TABLE, Scene, every_case, scenes

_TESTED: set[int] = set()

TEXTS = frozenset({Field.TITLE, Field.LOCATION, Field.BLOCK})
DIFFERS = {"equal": frozenset(), "changed": frozenset({Field.TITLE}), "moved": frozenset({Field.TIME})}
"""What a calendar that holds what was last written differs in."""

VERDICTS = {
    "finish the removal, then look again": Verdict.FINISH_REMOVAL,
    "resolve after its deadline": Verdict.RESOLVE_UNREGISTERING,
    "nothing": Verdict.NOTHING,
    "delete the orphan at its second sight": Verdict.DELETE_ORPHAN,
    "look first": Verdict.LOOK,
    "create": Verdict.CREATE,
    "create again": Verdict.CREATE_AGAIN,
    "create next": Verdict.CREATE_NEXT,
    "adopt": Verdict.ADOPT,
    "live": Verdict.TAKE,
    "update": Verdict.UPDATE,
    "missing": Verdict.MARK_MISSING,
    "leave to the confirm pass": Verdict.LEAVE_TO_CONFIRM,
    "wait for the person or an operator": Verdict.WAIT_HELD,
    "wait at most an hour": Verdict.WAIT_UNREGISTERED,
    "delete": Verdict.DELETE,
    "delete by id": Verdict.DELETE_BY_ID,
    "forget": Verdict.FORGET,
}


def row(number: int) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Run the test for every case of this row of the table."""
    _TESTED.add(number)
    return pytest.mark.parametrize("scene", scenes(number), ids=str)


# The table as a whole -----------------------------------------------------------------------------


def test_every_combination_has_exactly_one_row() -> None:
    spoken_of = [case for row in TABLE for case in row.cases]
    assert sorted(map(str, spoken_of)) == sorted(map(str, every_case()))


def test_every_combination_has_the_verdict_of_its_row() -> None:
    assert {
        case: decide(Wish(case.desired), State(case.ledger), Sight(case.actual), News(case.digest))
        for case in every_case()
    } == {case: VERDICTS[row.verdict] for row in TABLE for case in row.cases}


def test_every_row_has_its_test() -> None:
    assert sorted(_TESTED) == [row.number for row in TABLE]


# What a plan can come to --------------------------------------------------------------------------


def asks_nothing(plan: Plan) -> bool:
    return not (plan.changes or plan.look or plan.waiting or plan.surplus)


def looks_first(plan: Plan) -> bool:
    return plan.look and not plan.changes


def waits(plan: Plan) -> bool:
    return plan.waiting and not (plan.changes or plan.look or plan.surplus)


def the_event(scene: Scene) -> object:
    return a_desired_event(scene.seat)


def creates_next(scene: Scene) -> bool:
    create = Create(
        key=the_event(scene).key,
        cause=Cause.LMS,
        event=the_event(scene),
        entry=scene.row,
        generation=GENERATION + 1,
        search=True,
    )
    return scene.plan().changes == (create,)


def adopts(scene: Scene, cause: Cause) -> bool:
    adopt = Adopt(
        key=the_event(scene).key,
        cause=cause,
        event=the_event(scene),
        entry=scene.row,
        actual=scene.event,
        differs=DIFFERS[scene.case.digest],
    )
    return scene.plan().changes == (adopt,)


# Row by row ---------------------------------------------------------------------------------------


@row(1)
def test_01_a_removal_that_was_begun_is_finished_whatever_else_is_so(scene: Scene) -> None:
    assert scene.plan().changes == (FinishRemoval(scene.row.key, Cause.REPAIR, scene.row),)


@row(2)
def test_02_an_unregistration_that_was_begun_is_left_to_who_resolves_it(scene: Scene) -> None:
    assert waits(scene.plan())


@row(3)
def test_03_what_is_kept_is_left_as_it_is(scene: Scene) -> None:
    assert asks_nothing(scene.plan())


@row(4)
def test_04_nothing_desired_nothing_proven_nothing_seen_is_nothing_to_do(scene: Scene) -> None:
    assert asks_nothing(scene.plan())


@row(5)
def test_05_an_orphan_is_deleted_at_its_second_sight(scene: Scene) -> None:
    first = scene.plan()
    assert first.changes == ()
    assert first.surplus == (scene.event.event_id,)
    second = scene.plan(seen_before=first.surplus)
    key = scene.event.marker.key
    assert second.changes == (DeleteSurplus(key, Cause.REPAIR, scene.row, scene.event),)


@row(6)
def test_06_nothing_is_created_in_a_calendar_before_a_complete_listing_of_it(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(7)
def test_07_what_a_complete_listing_lacks_is_created(scene: Scene) -> None:
    (create,) = scene.plan().changes
    assert create.event == the_event(scene)
    assert create.entry == scene.row
    if scene.row is None:
        assert (create.cause, create.generation) == (Cause.LMS, 0)
        assert not create.search
    else:
        assert (create.cause, create.generation) == (Cause.RECONNECT, GENERATION + 1)
        assert create.search
    assert not create.again


@row(8)
def test_08_an_event_found_without_a_proven_row_is_adopted_and_put_right(scene: Scene) -> None:
    assert adopts(scene, Cause.RECONNECT if scene.row else Cause.REPAIR)


@row(9)
def test_09_a_pending_row_proves_nothing_and_is_created_again_under_the_same_id(scene: Scene) -> None:
    create = Create(
        key=scene.row.key,
        cause=Cause.REPAIR,
        event=the_event(scene),
        entry=scene.row,
        generation=GENERATION,
        again=True,
    )
    assert scene.plan().changes == (create,)


@row(10)
def test_10_a_pending_event_that_is_there_is_adopted(scene: Scene) -> None:
    assert adopts(scene, Cause.REPAIR)


@row(11)
def test_11_an_event_that_is_there_is_live_up_to_date_and_of_the_newest_seat(scene: Scene) -> None:
    event, changes = the_event(scene), scene.plan().changes
    if scene.case.digest != "equal":
        differs = DIFFERS[scene.case.digest]
        assert changes == (Update(event.key, Cause.LMS, event, scene.row, scene.event, differs),)
    else:
        assert changes == (Take(event.key, Cause.DRIFT, event, scene.row, scene.event),)


@row(12)
def test_12_a_push_pass_finds_nothing_to_do_where_the_digests_are_equal(scene: Scene) -> None:
    assert asks_nothing(scene.plan())


@row(13)
def test_13_a_push_pass_updates_what_the_lms_changed_without_looking(scene: Scene) -> None:
    event = the_event(scene)
    differs = TEXTS if scene.case.digest == "changed" else frozenset({Field.TIME})
    assert scene.plan().changes == (Update(event.key, Cause.LMS, event, scene.row, None, differs),)


@row(14)
def test_14_a_live_event_that_a_complete_listing_lacks_is_missing_with_the_time(scene: Scene) -> None:
    assert scene.plan().changes == (MarkMissing(scene.row.key, Cause.DRIFT, scene.row, NOW),)


@row(15)
def test_15_news_of_another_time_after_its_owner_tidied_it_away_creates_it_once_more(scene: Scene) -> None:
    assert creates_next(scene)


@row(16)
def test_16_a_missing_event_is_left_to_the_confirm_pass(scene: Scene) -> None:
    assert waits(scene.plan())


@row(17)
def test_17_a_held_event_waits_for_the_person_or_an_operator(scene: Scene) -> None:
    assert waits(scene.plan())


@row(18)
def test_18_a_missing_or_held_event_that_was_moved_is_created_once_more(scene: Scene) -> None:
    assert creates_next(scene)


@row(19)
def test_19_a_missing_or_held_event_that_was_moved_is_looked_for_first(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(20)
def test_20_the_deletion_of_an_event_concerned_the_old_seat_only(scene: Scene) -> None:
    assert creates_next(scene)


@row(21)
def test_21_a_row_never_takes_a_newer_seat_unseen(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(22)
def test_22_a_dismissed_event_stays_away_while_the_session_stays_as_it_is(scene: Scene) -> None:
    assert asks_nothing(scene.plan())


@row(23)
def test_23_a_dismissed_event_comes_back_when_the_session_changes(scene: Scene) -> None:
    assert creates_next(scene)


@row(24)
def test_24_a_dismissed_event_of_a_changed_session_is_looked_for_first(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(25)
def test_25_a_dismissed_event_comes_back_with_a_newer_seat(scene: Scene) -> None:
    assert creates_next(scene)


@row(26)
def test_26_a_dismissed_event_of_a_newer_seat_is_looked_for_first(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(27)
def test_27_an_event_that_we_made_and_nobody_wants_any_more_is_deleted(scene: Scene) -> None:
    seen = scene.event
    delete = Delete(scene.row.key, Cause.LMS, scene.row, seen.event_id, seen.calendar_id, seen.etag)
    assert scene.plan().changes == (delete,)


@row(28)
def test_28_a_row_nobody_wants_whose_event_is_not_there_is_forgotten_after_a_search(scene: Scene) -> None:
    assert scene.plan().changes == (Forget(scene.row.key, Cause.LMS, scene.row, search=True),)


@row(29)
def test_29_a_push_pass_deletes_by_the_recorded_id_and_etag(scene: Scene) -> None:
    row = scene.row
    delete = Delete(row.key, Cause.LMS, row, row.event_id, row.calendar_id, row.etag)
    assert scene.plan().changes == (delete,)


@row(30)
def test_30_what_is_gone_and_not_wanted_is_done_with(scene: Scene) -> None:
    assert asks_nothing(scene.plan())


@row(31)
def test_31_an_event_back_in_the_calendar_and_wanted_again_is_adopted(scene: Scene) -> None:
    assert adopts(scene, Cause.REPAIR)


@row(32)
def test_32_an_event_that_is_gone_and_wanted_again_gets_the_next_generation(scene: Scene) -> None:
    assert creates_next(scene)


@row(33)
def test_33_an_event_that_is_gone_and_wanted_again_is_looked_for_first(scene: Scene) -> None:
    assert looks_first(scene.plan())


@row(34)
def test_34_the_lms_may_take_an_hour_to_show_an_unregistration_of_ours(scene: Scene) -> None:
    assert waits(scene.plan())


@row(35)
def test_35_an_event_taken_back_is_adopted_for_the_newer_seat(scene: Scene) -> None:
    assert adopts(scene, Cause.REPAIR)


@row(36)
def test_36_who_signs_up_again_after_an_unregistration_gets_the_next_generation(scene: Scene) -> None:
    assert creates_next(scene)


@row(37)
def test_37_who_signs_up_again_after_an_unregistration_is_looked_at_first(scene: Scene) -> None:
    assert looks_first(scene.plan())
