"""What is about to be written to a calendar stands in the ledger before, and what was written after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.model import Connection, LedgerEntry, State
from reconciler.ports import Calendar
from reconciler.simulators.wire import Fault
from tests.support.house import MINUTE, MONDAY, HouseBed

Told = tuple[str, State, str | None]
"""A call that writes, and what the ledger says of its event at that moment: state and intent."""


@dataclass
class Witness:
    """A calendar, and what the ledger says of its owner's only event whenever it is written to."""

    calendar: Calendar
    house: HouseBed
    person: str
    told: list[Told] = field(default_factory=list)
    rows: list[LedgerEntry] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.calendar, name)
        if name not in ("create", "update", "delete"):
            return asked

        def write(*arguments: Any) -> Any:
            entries = self.house.entries(self.person)
            assert entries, f"{name}: the ledger knows nothing of it"
            row = entries[-1]
            self.told.append((name, row.state, row.intent))
            self.rows.append(row)
            return asked(*arguments)

        return write


@pytest.fixture
def witnessed(house: HouseBed, vendor: str, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """Ana's calendar, with one session to come to it."""
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    provider = house.house.providers[vendor]
    opened = provider.open
    witness = Witness(None, house, "ana")  # type: ignore[arg-type]

    def open_(connection: Connection) -> Any:
        witness.calendar = opened(connection)
        return witness

    monkeypatch.setattr(provider, "open", open_)
    return witness


def test_a_row_is_written_as_an_intent_before_every_create_update_and_delete_and_confirmed_after(
    house: HouseBed, witnessed: Witness
) -> None:
    def confirmed() -> tuple[State, str | None]:
        (row,) = house.entries("ana")
        return row.state, row.intent

    house.push()
    assert witnessed.told.pop() == ("create", State.PENDING, "create")
    assert confirmed() == (State.LIVE, None)
    house.lms.change("session-1", title="Renamed")
    house.push()
    assert witnessed.told.pop() == ("update", State.LIVE, "update")
    assert confirmed() == (State.LIVE, None)
    house.lms.cancel("ana", "session-1")
    house.push()
    assert witnessed.told.pop() == ("delete", State.REMOVING, "delete")
    assert confirmed() == (State.GONE, None)
    assert witnessed.told == []


def test_an_event_put_right_is_an_intent_too(house: HouseBed, witnessed: Witness) -> None:
    """Drift, and what a new baseline finds: adopted as it is, then written."""
    house.push()
    house.disconnect("ana")
    house.lms.change("session-1", title="Renamed")
    house.connect("ana", house.addresses["ana"][0].name)
    house.push()
    assert witnessed.told[1:] == [("update", State.LIVE, "update")]
    assert house.titles("ana") == ["Renamed"]


def test_every_id_is_doomed_before_its_delete_goes_out_orphans_too(
    house: HouseBed, witnessed: Witness
) -> None:
    """A state that was lost knows nothing of the event; nobody wants it any more."""
    house.push()
    (event,) = house.seen("ana")
    house.lms.cancel("ana", "session-1")
    house.disconnect("ana")
    house.connect("ana", house.addresses["ana"][0].name)
    house.push()
    assert len(house.seen("ana")) == 1
    house.audit(20 * MINUTE)
    assert witnessed.told[-1][0] == "delete"
    assert witnessed.rows[-1].doomed == (event.id,)
    assert house.seen("ana") == []


@pytest.mark.parametrize("vendor", ["microsoft"])
def test_an_id_that_is_found_by_its_marker_is_doomed_before_its_delete_goes_out(
    house: HouseBed, witnessed: Witness
) -> None:
    """The vendor's answer was lost, and with it the id; meanwhile the seat is cancelled."""
    house.microsoft.faults.add(Fault("lost_reply", "create", times=1))
    house.push()
    (event,) = house.seen("ana")
    assert house.entries("ana")[0].event_id is None
    house.lms.cancel("ana", "session-1")
    house.clock.move(5 * MINUTE)
    house.push()
    assert witnessed.told[-1] == ("delete", State.REMOVING, "delete")
    assert witnessed.rows[-1].doomed == (event.id,)
    assert house.seen("ana") == []
