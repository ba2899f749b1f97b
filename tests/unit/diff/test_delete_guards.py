"""A strange reading of the LMS is not an order: modes, holds and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reconciler.diff.changes import Change, name_of
from reconciler.diff.guards import Allowed, DeleteGuard, allow, too_many_vanished
from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, Desired, LedgerEntry, Mode, Registration, Standing, State
from tests.support.builders import (
    ACCOUNT,
    NOW,
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


def booked(session: str, **changes: object) -> Registration:
    return a_registration(a_session(session, **changes))


def audit(
    desired: Desired,
    rows: Sequence[LedgerEntry],
    events: Sequence[ActualEvent] = (),
    seen: Sequence[str] = (),
) -> Plan:
    return plan(desired, rows, a_listing(*events), a_policy(), NOW, seen)


def names(changes: Sequence[Change]) -> list[str]:
    return sorted(f"{name_of(change)} {change.key.session}" for change in changes)


def everything() -> Plan:
    """A plan in which every kind of change is."""
    wanted = [booked(f"{letter}-session", title="New") for letter in "abcd"]
    rows = [
        an_entry(wanted[1], state=State.RELEASED),  # b: adopt
        an_entry(booked("c-session")),  # c: update
        an_entry(wanted[3]),  # d: missing
        an_entry(booked("e-session")),  # deleted
        an_entry(booked("f-session")),  # forgotten
        an_entry(booked("g-session"), state=State.REMOVING),
        an_entry(booked("h-session"), state=State.MISSING),  # taken
    ]
    orphan = an_event(booked("o-session"))
    events = [
        an_event(wanted[1]),
        an_event(booked("c-session")),
        an_event(booked("e-session")),
        an_event(booked("h-session")),
        orphan,
    ]
    desired = a_desired(*wanted, booked("h-session"))
    return audit(desired, rows, events, [orphan.event_id])


WRITES = ["adopt b-session", "create a-session", "missing d-session", "take h-session", "update c-session"]
DELETES = ["delete e-session", "delete g-session", "delete o-session", "forget f-session"]


def guarded(planned: Plan, mode: Mode = Mode.SYNC, held: bool = False, may_delete: bool = True) -> Allowed:
    return allow(planned, mode, account_held=held, may_delete=may_delete)


# Modes ----------------------------------------------------------------------------------------------


def test_in_sync_everything_goes_ahead() -> None:
    allowed = guarded(everything())
    assert names(allowed.changes) == sorted(WRITES + DELETES)
    assert allowed.whole


def test_upsert_only_never_deletes() -> None:
    allowed = guarded(everything(), Mode.UPSERT_ONLY)
    assert (names(allowed.changes), names(allowed.left_out)) == (WRITES, DELETES)
    assert not allowed.whole


def test_observe_does_nothing_at_all() -> None:
    allowed = guarded(everything(), Mode.OBSERVE)
    assert (allowed.changes, names(allowed.left_out)) == ((), sorted(WRITES + DELETES))


@pytest.mark.parametrize("one", Mode)
@pytest.mark.parametrize("other", Mode)
def test_of_two_modes_the_one_that_allows_less_holds(one: Mode, other: Mode) -> None:
    strictness = [Mode.SYNC, Mode.UPSERT_ONLY, Mode.OBSERVE]
    assert one.stricter(other) is strictness[max(strictness.index(one), strictness.index(other))]


# Holds ----------------------------------------------------------------------------------------------


def test_a_reading_that_is_not_the_one_the_scan_saw_deletes_nothing() -> None:
    allowed = guarded(everything(), may_delete=False)
    assert (names(allowed.changes), names(allowed.held)) == (WRITES, DELETES)


def test_while_an_account_is_held_what_vanished_without_trace_stays() -> None:
    allowed = guarded(everything(), held=True)
    assert (names(allowed.changes), names(allowed.held)) == (WRITES, DELETES)


@pytest.mark.parametrize(
    "order",
    [
        booked("s1", cancelled=True),
        replace(booked("s1"), standing=Standing.NONE),
    ],
    ids=["session cancelled", "seat cancelled"],
)
def test_a_row_that_says_so_is_an_order_and_never_held(order: Registration) -> None:
    allowed = guarded(audit(a_desired(order), [an_entry(booked("s1"))]), held=True)
    assert names(allowed.changes) == ["forget s1"]


def test_a_dropped_day_of_a_session_that_is_there_is_never_held() -> None:
    session = a_session("s1")
    before = a_registration(replace(session, days=(*session.days, *an_earlier_day())))
    rows = [an_entry(before, 0), an_entry(before, 1)]
    allowed = guarded(plan(a_desired(booked("s1")), rows, None, a_policy(), NOW), held=True)
    assert names(allowed.changes) == ["delete s1"]


def an_earlier_day() -> tuple[object, ...]:
    (day,) = a_session().days
    return (
        replace(day, starts=day.starts.replace(month=11, day=30), ends=day.ends.replace(month=11, day=30)),
    )


def test_a_session_that_lost_all_its_days_has_vanished_too() -> None:
    """An LMS whose table of days came back empty looks like that."""
    allowed = guarded(audit(a_desired(booked("s1", days=())), [an_entry(booked("s1"))]), held=True)
    assert names(allowed.held) == ["forget s1"]


def test_a_cancelled_session_without_days_is_an_order() -> None:
    dateless = booked("s1", days=(), cancelled=True)
    allowed = guarded(audit(a_desired(dateless), [an_entry(booked("s1"))]), held=True)
    assert names(allowed.changes) == ["forget s1"]


@pytest.mark.parametrize("desired", [nobody(), a_desired()], ids=["person gone", "seat gone"])
def test_who_vanished_without_trace_is_held_as_well(desired: Desired) -> None:
    allowed = guarded(audit(desired, [an_entry(booked("s1"))]), held=True)
    assert names(allowed.held) == ["forget s1"]


def test_a_person_suspended_by_a_row_of_the_lms_loses_what_the_row_speaks_of() -> None:
    suspended = a_desired(booked("s1"), person=a_person(active=False))
    allowed = guarded(audit(suspended, [an_entry(booked("s1"))]), held=True)
    assert names(allowed.changes) == ["forget s1"]


def test_orphans_of_a_lost_state_are_held_with_the_rest() -> None:
    orphan = an_event(booked("s1"))
    allowed = guarded(audit(a_desired(), [], [orphan], [orphan.event_id]), held=True)
    assert names(allowed.held) == ["delete s1"]


# Thresholds -----------------------------------------------------------------------------------------


def vanished(gone: int, of: int, people: int = 1, guard: DeleteGuard | None = None) -> list[object]:
    upcoming = {ACCOUNT: {f"s{number}": people for number in range(of)}}
    present = {ACCOUNT: {f"s{number}" for number in range(gone, of)}}
    crowd = {f"s{number}": 1 for number in range(of)}
    return list(too_many_vanished(upcoming, present, crowd, guard or DeleteGuard()))


@pytest.mark.parametrize(
    ("gone", "of", "held"),
    [
        (4, 4, False),  # all of them, but fewer than five
        (5, 5, True),
        (5, 16, True),  # 31 %
        (5, 17, False),  # 29 %
        (30, 100, False),  # exactly 30 %
        (31, 100, True),
        (0, 100, False),
    ],
)
def test_more_than_thirty_percent_and_at_least_five_are_too_many(gone: int, of: int, held: bool) -> None:
    assert bool(vanished(gone, of)) is held


def test_the_hold_names_the_account_and_its_vanished_sessions() -> None:
    (found,) = vanished(5, 6)
    assert (found.account, found.sessions, found.of) == (ACCOUNT, {"s0", "s1", "s2", "s3", "s4"}, 6)


def test_the_thresholds_are_the_operator_s() -> None:
    assert vanished(1, 10, guard=DeleteGuard(max_share=0.05, min_sessions=1))
    assert not vanished(5, 5, guard=DeleteGuard(max_share=0.30, min_sessions=6))


def test_an_account_the_lms_no_longer_shows_has_lost_everything() -> None:
    upcoming = {ACCOUNT: dict.fromkeys("abcde", 1), "other": {"z": 1}}
    (found,) = too_many_vanished(upcoming, {"other": {"z"}}, {"z": 1}, DeleteGuard())
    assert (found.account, len(found.sessions)) == (ACCOUNT, 5)


def test_one_account_s_loss_does_not_count_for_another() -> None:
    upcoming = {"one": dict.fromkeys("abc", 1), "two": dict.fromkeys("defg", 1)}
    assert too_many_vanished(upcoming, {}, {}, DeleteGuard()) == []


@pytest.mark.parametrize(("people", "held"), [(1, False), (2, True)])
def test_a_session_that_lost_all_of_its_people_at_once_has_vanished(people: int, held: bool) -> None:
    """One person may well have given back the only seat; an LMS that lost its seats looks like the rest."""
    sessions = dict.fromkeys("abcde", people)
    found = too_many_vanished({ACCOUNT: sessions}, {ACCOUNT: set(sessions)}, {}, DeleteGuard())
    assert bool(found) is held


def test_a_session_whose_seats_were_all_cancelled_by_a_row_has_not_vanished() -> None:
    sessions = dict.fromkeys("abcde", 2)
    crowd = dict.fromkeys(sessions, 2)
    assert too_many_vanished({ACCOUNT: sessions}, {ACCOUNT: set(sessions)}, crowd, DeleteGuard()) == []
