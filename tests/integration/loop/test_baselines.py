"""What vanished while nobody maintained a calendar proves nothing: it is put back, under a new id."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.model import ConnectionState, Mode, State
from reconciler.simulators.lms import When
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MINUTE, HouseBed

IN_MARCH = When(datetime(2027, 3, 8, 9), datetime(2027, 3, 8, 17))
LATER_IN_MARCH = When(datetime(2027, 3, 9, 9), datetime(2027, 3, 9, 17))


@pytest.fixture
def session(house: HouseBed, vendor: str) -> str:
    """A session in spring, in Ana's calendar."""
    made = house.lms.add_session(IN_MARCH, title="Safety")
    house.newcomer("ana", vendor, made)
    house.once()
    assert house.titles("ana") == ["Safety"]
    house.count_anew()
    return made


def generations(house: HouseBed) -> list[tuple[State, int]]:
    return [(entry.state, entry.generation) for entry in house.entries("ana")]


def put_back(house: HouseBed) -> bool:
    """Whether Ana has her event again, in its second generation, and nobody suspects her of anything."""
    return house.titles("ana") == ["Safety"] and generations(house) == [(State.LIVE, 1)]


def test_what_vanished_while_it_was_disconnected_is_put_back(
    house: HouseBed, session: str, vendor: str
) -> None:
    house.disconnect("ana")
    house.remove("ana")
    house.clock.move(2 * DAY)
    house.once()
    assert house.calls() == {}
    house.connect("ana", vendor)
    house.once()
    assert put_back(house)


def test_disconnecting_leaves_the_events_and_connecting_again_takes_them_up(
    house: HouseBed, session: str, vendor: str
) -> None:
    (before,) = house.seen("ana")
    house.disconnect("ana")
    house.lms.change(session, title="Safety for all")
    house.once()
    assert house.seen("ana") == [before]
    house.connect("ana", vendor)
    house.once()
    (after,) = house.seen("ana")
    assert (after.id, after.title) == (before.id, "Safety for all")


@pytest.mark.parametrize("other", ["google", "microsoft"])
def test_another_calendar_may_be_connected_after_the_first_and_gets_everything(
    house: HouseBed, session: str, vendor: str, other: str
) -> None:
    first, address = house.addresses["ana"]
    house.disconnect("ana")
    house.connect("ana", other, f"second@{other}.example")
    runs = house.once()
    assert [run.result for run in runs] == ["success"] * len(runs)
    assert house.titles("ana") == ["Safety"]
    house.lms.cancel("ana", session)
    house.once()
    assert house.titles("ana") == []
    assert len(first.events(address)) == 1  # disconnecting leaves the events where they are


OFF: dict[str, Callable[[HouseBed], None]] = {
    "vendor": lambda house: house.switch(vendors=frozenset()),
    "notifications": lambda house: house.switch(email_notifications=False),
    "observed": lambda house: house.switch(mode=Mode.OBSERVE),
    "pilot": lambda house: house.switch(people=frozenset({"ben"})),
}


@pytest.mark.parametrize("off", OFF.values(), ids=OFF)
def test_what_vanished_in_a_month_of_being_switched_off_is_put_back(
    house: HouseBed, session: str, off: Callable[[HouseBed], None]
) -> None:
    before = house.house.ledger.switches()["acme"]
    off(house)
    house.once()
    house.remove("ana")
    house.clock.move(30 * DAY)
    house.once()
    assert house.calls() == {}
    house.house.ledger.set_switches(before, "test", house.clock())
    house.once()
    assert put_back(house)


def test_what_vanished_during_a_short_switching_off_is_put_back_too(house: HouseBed, session: str) -> None:
    """Shorter than the time after which an unlisted calendar proves nothing anyway."""
    house.switch(email_notifications=False)
    house.once()
    house.remove("ana")
    house.switch(email_notifications=True)
    house.once()
    assert put_back(house)


def test_what_was_cancelled_while_switched_off_is_deleted_at_its_second_sight(
    house: HouseBed, session: str
) -> None:
    house.switch(email_notifications=False)
    house.once()
    house.lms.cancel("ana", session)
    house.switch(email_notifications=True)
    house.once()
    assert house.titles("ana") == ["Safety"]
    house.audit(20 * MINUTE)
    assert house.titles("ana") == []


def test_what_vanished_before_it_was_authorized_again_is_put_back(
    house: HouseBed, session: str, vendor: str
) -> None:
    address = house.addresses["ana"][1]
    house.google.revoke(address) if vendor == "google" else house.microsoft.revoke(address)
    house.close()
    house.audit()
    assert house.connection("ana").state is ConnectionState.REAUTHORIZE
    house.remove("ana")
    if vendor == "microsoft":
        house.microsoft.revoke(address, None)
    house.connect("ana", vendor)
    house.once()
    assert put_back(house)


def test_what_vanished_while_the_mailbox_was_gone_is_put_back(house: HouseBed, session: str) -> None:
    vendor, address = house.addresses["ana"]
    vendor.faults.add(Fault("dead_mailbox", mailbox=address, times=-1))
    house.audit()
    assert house.connection("ana").state is ConnectionState.SUSPENDED
    vendor.faults.clear()
    house.remove("ana")
    house.audit()
    assert house.connection("ana").state is ConnectionState.CONNECTED
    house.push()
    assert put_back(house)


def test_what_vanished_in_eight_days_without_a_look_is_put_back(house: HouseBed, session: str) -> None:
    house.clock.move(8 * DAY)
    house.remove("ana")
    house.audit()
    house.push()
    assert put_back(house)


def test_what_vanished_in_three_days_without_a_look_is_a_suspicion(house: HouseBed, session: str) -> None:
    house.close()
    house.clock.move(3 * DAY)
    house.remove("ana")
    house.audit()
    assert house.states("ana") == [State.MISSING]
    assert house.writes() == 0


# The state itself ---------------------------------------------------------------------------------


def state_file(house: HouseBed) -> Path:
    return house.folder / "state.db"


def lose_state(house: HouseBed, ledger_file: Path) -> None:
    house.close()
    for file in house.folder.glob("state.db*"):
        file.unlink()
    shutil.copy(ledger_file, state_file(house))


def test_a_lost_state_is_rebuilt_from_the_markers_without_a_duplicate(
    house: HouseBed, session: str, vendor: str, ledger_file: Path
) -> None:
    other = house.lms.add_session(IN_MARCH, LATER_IN_MARCH, title="First aid")
    house.lms.book("ana", other)
    house.once()
    before = [(event.id, event.raw) for event in house.seen()]
    lose_state(house, ledger_file)
    house.count_anew()
    house.connect("ana", vendor)
    house.once()
    assert [(event.id, event.raw) for event in house.seen()] == before
    assert house.writes() == 0
    assert house.states("ana") == [State.LIVE] * 3
    house.lms.cancel("ana", other)
    house.once()
    assert house.titles("ana") == ["Safety"]


def test_after_a_lost_state_what_nobody_wants_any_more_is_deleted_at_its_second_sight(
    house: HouseBed, session: str, vendor: str, ledger_file: Path
) -> None:
    house.lms.cancel("ana", session)
    lose_state(house, ledger_file)
    house.connect("ana", vendor)
    house.once()
    assert house.titles("ana") == ["Safety"]
    house.audit(20 * MINUTE)
    assert house.titles("ana") == []


@pytest.mark.parametrize("vendor", ["google"])
def test_an_id_found_used_and_cancelled_at_creation_is_evidence_of_nothing(
    house: HouseBed, session: str, vendor: str, ledger_file: Path
) -> None:
    """The state was lost, and the id that would be chosen first lies in the bin."""
    house.remove("ana")
    lose_state(house, ledger_file)
    house.connect("ana", vendor)
    house.once()
    assert put_back(house)
    assert set(house.lms.statuses("ana", session).values()) == {"booked"}


def restore_last_week(house: HouseBed, meanwhile: Callable[[], None]) -> None:
    house.close()
    backup = shutil.copy(state_file(house), house.folder / "backup.db")
    house.clock.move(5 * DAY)
    meanwhile()
    house.close()
    for file in house.folder.glob("state.db*"):
        file.unlink()
    shutil.copy(backup, state_file(house))


def test_a_state_from_last_week_suspects_nobody_and_doubles_nothing(
    house: HouseBed, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    def meanwhile() -> None:
        house.lms.book("ana", house.lms.add_session(LATER_IN_MARCH, title="New"))
        house.once()
        house.remove("ana", "Safety")

    restore_last_week(house, meanwhile)
    house.once()
    assert "restored" in caplog.text
    assert house.titles("ana") == ["New", "Safety"]
    assert [state for state, _ in generations(house)] == [State.LIVE, State.LIVE]


def test_a_state_whose_witness_is_gone_suspects_nobody(house: HouseBed, session: str) -> None:
    house.close()
    (house.folder / "witness").unlink()
    house.remove("ana")
    house.once()
    assert put_back(house)


def test_a_plain_restart_suspects_whoever_deleted_meanwhile(house: HouseBed, session: str) -> None:
    house.close()
    house.remove("ana")
    house.audit()
    assert house.states("ana") == [State.MISSING]


# The installation ---------------------------------------------------------------------------------


MOVED = {
    "another public address": {"installation": {"public_url": "https://clone.example.org"}},
    "another LMS address": {"lms": {"url": "sqlite:///moved.db"}},
}


@pytest.mark.parametrize("other", MOVED.values(), ids=MOVED)
def test_a_moved_installation_only_observes_until_it_is_adopted(
    house: HouseBed, session: str, caplog: pytest.LogCaptureFixture, other: dict[str, dict[str, str]]
) -> None:
    house.lms.change(session, title="Safety for all")
    with closing(sqlite3.connect(house.folder / "lms.db")) as lms:
        lms.execute("VACUUM INTO ?", (str(house.folder / "moved.db"),))
    house.configure(**other)
    house.once()
    ((value,),) = [section.values() for section in other.values()]
    assert re.search(
        rf"\((LMS|public address) .*{value.removeprefix('sqlite:///')}, not .*\): it", caplog.text
    )
    assert house.titles("ana") == ["Safety"]
    assert house.writes() == 0
    opened = house.house
    opened.ledger.adopt_installation(opened.installation, "test", "test", house.clock())
    house.once()
    assert house.titles("ana") == ["Safety for all"]


def test_what_vanished_before_a_moved_installation_was_adopted_proves_nothing(
    house: HouseBed, session: str
) -> None:
    house.configure(installation={"public_url": "https://elsewhere.example.org"})
    house.remove("ana")
    assert house.cli("adopt-installation", *house.at()).exit_code == 0
    house.once()
    assert put_back(house)


def test_a_clone_with_another_id_leaves_the_events_of_the_first_alone(
    house: HouseBed, session: str, vendor: str, ledger_file: Path
) -> None:
    (first,) = house.seen("ana")
    lose_state(house, ledger_file)
    house.configure(installation={"id": "clone"})
    house.connect("ana", vendor)
    house.once()
    assert len(house.seen("ana")) == 2
    house.lms.cancel("ana", session)
    house.once()
    assert [event.id for event in house.seen("ana")] == [first.id]
