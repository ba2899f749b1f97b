"""What operators see of seats that are held, and how they let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reconciler.ledger.tables import connection
from reconciler.ports import Hold
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MONDAY, TUESDAY, HouseBed

SEATS = 6
"""More than the fleet guard lets pass within an hour."""
GRACE = timedelta(minutes=31)


@pytest.fixture
def held(house: HouseBed) -> HouseBed:
    """Six people whose events, of two days each, an outage at Google hides from everybody."""
    session = house.lms.add_session(MONDAY, TUESDAY, id="101", title="Safety")
    for number in range(SEATS):
        house.newcomer(f"p{number}", "google", session)
    house.once()
    with hidden(house):
        house.clock.move(DAY)
        house.once()
    return house


@contextmanager
def hidden(house: HouseBed) -> Iterator[None]:
    """While Google answers that nothing is there."""
    house.google.faults.add(
        Fault("empty_list", "list", times=-1), Fault("status", "get", times=-1, status=404)
    )
    yield
    house.google.faults.clear()


def booked(house: HouseBed) -> int:
    return sum(
        list(house.lms.statuses(f"p{number}", "101").values()) == ["booked"] for number in range(SEATS)
    )


def holds(house: HouseBed) -> list[Hold]:
    return list(house.house.ledger.holds())


def status(house: HouseBed) -> str:
    return house.cli("status").stdout


def test_status_names_each_held_seat_once_and_says_why_and_what_to_do(held: HouseBed) -> None:
    said = status(held)
    assert "HELD: 6 of 6 seats vanished within the hour (at google), since" in said
    assert "Seats held: 6\n  person p0, session 101, since 2026-11-23 09:02Z\n" in said
    assert "so an operator is asked." in said
    assert "`reconciler release --guard fleet`" in said
    assert "day 0" not in said
    assert "fleet-guard" not in said


def test_release_of_a_guard_proves_each_seat_again_and_what_is_there_again_is_kept(held: HouseBed) -> None:
    released = held.cli("release", "--guard", "fleet", input="y\n")
    assert released.exit_code == 0, released.output
    assert "person p0, session 101: held since 2026-11-23 09:02Z, as many people's events" in released.output
    held.once()
    assert booked(held) == SEATS
    assert len(held.seen()) == 2 * SEATS


def test_what_is_held_of_a_server_is_let_go_by_its_name(held: HouseBed) -> None:
    with held.house.ledger.database.writing() as transaction:
        subject = sa.literal("https://cloud.example/") + connection.c.person
        transaction.execute(connection.update().values(subject=subject))
    another = held.cli(
        "release", "--guard", "fleet", "--subject", "google https://cloud.example.org", "--yes"
    )
    assert another.exit_code == 1
    assert "Seats held: 6" in status(held)
    held.cli("release", "--guard", "fleet", "--subject", "google https://cloud.example", "--yes")
    assert "Seats held" not in status(held)


def test_a_hold_that_was_let_go_ends_once_nobody_is_in_question(held: HouseBed) -> None:
    held.cli("release", "--guard", "fleet", "--yes")
    assert "Let go, ending: 6 of 6 seats vanished" in status(held)
    held.once()
    held.once()
    assert holds(held) == []


def test_a_hold_nobody_lets_go_stays_although_the_events_are_seen_again(held: HouseBed) -> None:
    held.clock.move(DAY)
    held.once()
    held.once()
    assert "Seats held" not in status(held)
    assert len(holds(held)) == 1


def test_released_while_they_are_really_gone_the_seats_are_given_back(held: HouseBed) -> None:
    for number in range(SEATS):
        held.remove(f"p{number}")
    held.cli("release", "--guard", "fleet", "--yes")
    held.once()
    assert booked(held) == SEATS
    held.clock.move(GRACE)
    held.once()
    assert booked(held) == 0


def test_released_they_are_proven_by_every_rule_and_nobody_has_answered_for_their_owners(
    held: HouseBed,
) -> None:
    for number in range(SEATS):
        vendor, address = held.addresses[f"p{number}"]
        vendor.remove(address, held.seen(f"p{number}")[0].id)
    held.cli("release", "--guard", "fleet", "--yes")
    for _ in range(3):
        held.once()
        held.clock.move(GRACE)
    assert booked(held) == SEATS
    assert "only some of the session's days were deleted" in status(held)


def test_restored_they_are_put_back_though_they_are_really_gone(held: HouseBed) -> None:
    for number in range(SEATS):
        held.remove(f"p{number}")
    held.cli("release", "--guard", "fleet", "--restore", "--yes")
    held.once()
    assert booked(held) == SEATS
    assert len(held.seen()) == 2 * SEATS


def test_nothing_is_let_go_without_a_yes(held: HouseBed) -> None:
    assert held.cli("release", "--guard", "fleet", input="n\n").exit_code == 1
    assert not holds(held)[0].released


def test_nothing_held_is_said_in_words(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    refused = house.cli("release", "--guard", "vanished-sessions", "--yes")
    assert refused.exit_code == 1
    assert "nothing of that kind is held" in refused.stderr


def test_an_account_that_only_reports_has_its_events_put_back(house: HouseBed) -> None:
    session = house.lms.add_session(MONDAY, id="101", title="Safety")
    house.newcomer("p0", "google", session)
    house.once()
    assert house.cli("account", "set", "acme", "--unregister", "report").exit_code == 0
    assert "mode sync; unregister report" in house.cli("account", "list").stdout
    house.once()
    house.remove("p0")
    house.clock.move(DAY)
    house.once()
    assert house.titles("p0") == ["Safety"]
    assert list(house.lms.statuses("p0", "101").values()) == ["booked"]
