"""The turns of a batch take longer than a lease: what happened to the last of them meanwhile counts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from reconciler.model import Connection
from reconciler.ports import Calendar
from tests.support.house import MONDAY, HouseBed


def slow(house: HouseBed, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Ana's calendar takes 40 seconds to open, and something happens meanwhile."""
    google, begun = house.house.providers["google"], time.monotonic
    opened = google.open

    def open_(connection: Connection) -> Calendar:
        if connection.person == "ana":
            monkeypatch.setattr(time, "monotonic", lambda: begun() + 40)
            meanwhile()
        return opened(connection)

    monkeypatch.setattr(google, "open", open_)


@pytest.fixture
def both(house: HouseBed) -> HouseBed:
    """Ana and Ben have an event to come each; their turns are of one batch."""
    session = house.lms.add_session(MONDAY)
    for person in ("ana", "ben"):
        house.newcomer(person, "google", session)
    return house


def test_for_whoever_asks_to_leave_while_a_batch_is_under_way_nothing_is_added(
    both: HouseBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = both.house.ledger
    slow(both, monkeypatch, lambda: ledger.leave("ben", "ben", "test", both.clock()))
    both.push()
    assert [event.person for event in both.seen()] == ["ana"]
    assert both.calls()["create"] == 1


def test_a_long_batch_serves_everybody(both: HouseBed, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(both, monkeypatch, lambda: None)
    run = both.push()
    assert run.result == "success"
    assert [event.person for event in both.seen()] == ["ana", "ben"]
