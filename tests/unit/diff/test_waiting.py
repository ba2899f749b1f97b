"""What waits, for how long, and that nothing is looked at or kept open for it in vain."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.diff.changes import Create
from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, LedgerEntry, Registration, Standing, State
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

SEAT = a_registration()
UNWANTED = a_registration(standing=Standing.NONE)
TWO_DAYS = a_registration(a_session(days=[a_day("2026-12-01 09:00"), a_day("2026-12-02 09:00")]))


def push(seat: Registration, *rows: LedgerEntry) -> Plan:
    return plan(a_desired(seat), rows, None, a_policy(), NOW)


def audit(seat: Registration, rows: list[LedgerEntry], *events: ActualEvent) -> Plan:
    return plan(a_desired(seat), rows, a_listing(*events), a_policy(), NOW)


def test_an_hour_after_an_unregistration_the_lms_is_believed() -> None:
    row = an_entry(state=State.UNREGISTERED, generation=2, updated_at=NOW - timedelta(hours=1))
    assert push(SEAT, row).look
    (create,) = audit(SEAT, [row]).changes
    assert isinstance(create, Create)
    assert create.generation == 3


def test_within_the_hour_the_lms_may_lag_behind_our_own_write() -> None:
    row = an_entry(state=State.UNREGISTERED, updated_at=NOW - timedelta(minutes=59))
    for planned in (push(SEAT, row), audit(SEAT, [row]), audit(SEAT, [row], an_event())):
        assert (planned.changes, planned.look, planned.waiting) == ((), False, True)


@pytest.mark.parametrize("state", [State.UNREGISTERING, State.UNREGISTERED])
def test_while_the_lms_may_lag_the_session_s_other_days_are_not_created_again(state: State) -> None:
    rows = [an_entry(TWO_DAYS, 0, state=state, updated_at=NOW), an_entry(TWO_DAYS, 1, state=State.GONE)]
    for planned in (push(TWO_DAYS, *rows), audit(TWO_DAYS, rows)):
        assert (planned.changes, planned.look, planned.waiting) == ((), False, True)


def test_a_newer_seat_waits_for_no_unregistration() -> None:
    rows = [an_entry(TWO_DAYS, 0, state=State.UNREGISTERED), an_entry(TWO_DAYS, 1, state=State.GONE)]
    planned = audit(replace(TWO_DAYS, seat="seat-2"), rows)
    assert [type(change) for change in planned.changes] == [Create, Create]


def test_an_event_that_was_refused_is_backed_off() -> None:
    row = an_entry(state=State.PENDING, attempts=1, retry_at=NOW + timedelta(minutes=5))
    planned = push(SEAT, row)
    assert (planned.changes, planned.waiting) == ((), True)


def test_an_event_that_was_refused_is_tried_again_when_its_time_has_come() -> None:
    row = an_entry(state=State.PENDING, attempts=1, retry_at=NOW)
    assert [type(change) for change in push(SEAT, row).changes] == [Create]


def test_a_back_off_does_not_keep_open_what_needs_nothing() -> None:
    row = an_entry(state=State.GONE, attempts=1, retry_at=NOW + timedelta(minutes=5))
    assert not push(UNWANTED, row).waiting


def test_a_back_off_causes_no_listing() -> None:
    row = an_entry(state=State.GONE, attempts=1, retry_at=NOW + timedelta(minutes=5))
    planned = push(SEAT, row)
    assert (planned.look, planned.waiting) == (False, True)


def test_a_removal_that_was_refused_is_backed_off_too() -> None:
    row = an_entry(state=State.REMOVING, attempts=1, retry_at=NOW + timedelta(minutes=5))
    planned = push(UNWANTED, row)
    assert (planned.changes, planned.waiting) == ((), True)
