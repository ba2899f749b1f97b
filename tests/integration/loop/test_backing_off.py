"""An event that a vendor refuses is tried later and later; one that is over needs nobody's attention."""

from __future__ import annotations

import pytest

from reconciler.simulators.wire import Fault
from tests.support.house import MINUTE, MONDAY, TUESDAY, HouseBed

both = pytest.mark.parametrize("person", ["ana", "ben"])


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana at Google, Ben at Microsoft, each with two sessions to get; nothing is there yet."""
    made = [house.lms.add_session(when) for when in (MONDAY, TUESDAY)]
    house.newcomer("ana", "google", *made)
    house.newcomer("ben", "microsoft", *made)
    return house


def refuse(house: HouseBed, person: str, operation: str) -> None:
    vendor, address = house.addresses[person]
    fault = Fault("status", operation, mailbox=address, times=-1, status=400, reason="invalid")
    vendor.faults.add(fault)


@both
@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_each_refusal_doubles_the_wait_up_to_six_hours(acme: HouseBed, person: str, operation: str) -> None:
    if operation != "create":
        acme.push()
    refuse(acme, person, operation)
    if operation == "update":
        acme.lms.change("session-1", title="Renamed")
    elif operation == "delete":
        acme.lms.cancel(person, "session-1")
    waits = []
    for _ in range(9):
        acme.push()
        again = acme.entries(person)[0].retry_at
        assert again is not None
        waits.append(round((again - acme.clock()) / MINUTE))
        acme.clock.now = again
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 360]


@both
def test_what_was_refused_and_is_deleted_needs_nobody_s_attention(acme: HouseBed, person: str) -> None:
    acme.push()
    refuse(acme, person, "update")
    acme.lms.change("session-1", title="Renamed")
    acme.push()
    assert [row.attempts for row in acme.entries(person)] == [1, 0]
    acme.lms.cancel_session("session-1")
    acme.clock.move(10 * MINUTE)
    acme.push()
    assert len(acme.seen(person)) == 1
    assert [row.attempts for row in acme.entries(person)] == [0, 0]
    assert "refused" not in acme.cli("status", *acme.at()).stdout


@both
def test_what_was_refused_and_is_written_at_last_needs_nobody_s_either(acme: HouseBed, person: str) -> None:
    refuse(acme, person, "create")
    acme.push()
    assert [row.attempts for row in acme.entries(person)] == [1, 1]
    acme.addresses[person][0].faults.clear()  # type: ignore[union-attr]
    acme.clock.move(10 * MINUTE)
    acme.push()
    assert [(row.attempts, row.last_error) for row in acme.entries(person)] == [(0, None)] * 2


@both
def test_whoever_is_resynced_has_what_was_refused_tried_at_once(acme: HouseBed, person: str) -> None:
    refuse(acme, person, "create")
    acme.push()
    acme.addresses[person][0].faults.clear()  # type: ignore[union-attr]
    acme.push()
    assert acme.seen(person) == []
    acme.cli("resync", *acme.at(), person)
    acme.push()
    assert len(acme.seen(person)) == 2
