"""Once a day: idle grants are kept alive, people who are gone are forgotten, what is past its time goes."""

from __future__ import annotations

from datetime import timedelta

from reconciler.model import ConnectionState, State
from reconciler.ports import Run
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MONDAY, HouseBed


def upkeep(house: HouseBed, later: timedelta = DAY) -> Run:
    """So much later, by everybody's clock, in a program that has no access token in memory."""
    house.close()
    house.clock.move(later)
    for vendor in house.vendors:
        vendor.clock.advance(later)
    return house.house.take_up().loop.upkeep()


def tokens(house: HouseBed) -> int:
    return sum(vendor.recorder.count("token") for vendor in house.vendors)


# Idle grants --------------------------------------------------------------------------------------


def test_a_grant_that_idles_is_used_once_a_month_and_costs_nothing_else(house: HouseBed, vendor: str) -> None:
    house.newcomer("ana", vendor)
    house.once()
    house.count_anew()
    for _ in range(29):
        assert upkeep(house).sentence == "upkeep: nothing idle, nothing past its time"
    assert tokens(house) == 0
    assert upkeep(house, 2 * DAY).sentence == "upkeep: idle grant of 1 person used, to keep it alive"
    assert upkeep(house).sentence == "upkeep: nothing idle, nothing past its time"
    assert (tokens(house), house.calls()) == (1, {})


def test_a_year_of_having_nothing_to_do_breaks_no_connection(house: HouseBed, vendor: str) -> None:
    house.newcomer("ana", vendor)
    house.once()
    for _ in range(12):
        upkeep(house, 31 * DAY)
    house.lms.book("ana", house.lms.add_session(MONDAY._replace(
        starts=MONDAY.starts.replace(year=2028), ends=MONDAY.ends.replace(year=2028)
    )))  # fmt: skip
    house.push()
    assert len(house.seen("ana")) == 1
    assert house.connection("ana").state is ConnectionState.CONNECTED


def test_a_calendar_that_is_looked_at_is_not_idle(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    house.audit(DAY * 10)
    house.clock.move(DAY * 25)
    house.count_anew()
    house.house.loop.upkeep()
    assert tokens(house) == 0


def test_a_grant_that_died_while_idle_asks_its_owner_and_a_silent_vendor_asks_nobody(
    house: HouseBed, vendor: str
) -> None:
    house.newcomer("ana", vendor)
    house.once()
    at, address = house.addresses["ana"]
    at.faults.add(Fault("status", "token", status=503, times=1))
    assert upkeep(house, 31 * DAY).result == "partial"
    assert house.connection("ana").state is ConnectionState.CONNECTED
    at.revoke(address)
    assert "with a connection that does not work any more" in upkeep(house).sentence
    assert house.connection("ana").state is ConnectionState.REAUTHORIZE


# People who are gone ------------------------------------------------------------------------------


def test_a_person_gone_from_the_lms_loses_events_then_token_and_is_then_forgotten(
    house: HouseBed, vendor: str
) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    house.newcomer("ben", vendor, house.lms.add_session(MONDAY))
    house.once()
    house.lms.drop_person("ana")
    house.once()
    assert house.seen("ana") == []
    assert house.connection("ana").state is ConnectionState.CONNECTED

    house.once()
    upkeep(house, 6 * DAY)
    assert house.connection("ana").state is ConnectionState.CONNECTED
    ended = upkeep(house, DAY * 2)
    assert "1 person forgotten" in ended.sentence
    assert house.house.ledger.connections(["ana"]) == []
    assert house.house.ledger.everything_about("ana") == {}
    assert house.connection("ben").state is ConnectionState.CONNECTED
    if vendor == "google":
        assert house.google.grants.consent(house.addresses["ana"][1], "any").refresh_tokens == {}
    assert 'reconciler_purged_total{what="people"} 1.0' in house.metrics()


def test_a_person_who_is_back_within_the_week_stays_connected(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.once()
    house.lms.drop_person("ana")
    upkeep(house)
    house.lms.add_person("ana")
    upkeep(house, 3 * DAY)
    house.lms.drop_person("ana")
    upkeep(house, 5 * DAY)
    assert house.connection("ana").state is ConnectionState.CONNECTED


def test_nobody_is_forgotten_while_events_are_still_to_come(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    house.lms.drop_person("ana")
    house.switch(vendors=frozenset())
    house.once()
    upkeep(house)
    upkeep(house, 8 * DAY)
    assert house.states("ana") == [State.LIVE]


def test_many_people_gone_at_once_are_held_until_an_operator_says_so(house: HouseBed) -> None:
    people = [f"p{number}" for number in range(8)]
    for person in people:
        house.newcomer(person, "google")
    house.once()
    for person in people[:6]:
        house.lms.drop_person(person)
    upkeep(house)
    held = upkeep(house, 8 * DAY)
    assert held.result == "held"
    assert len(house.house.ledger.connections()) == 8
    assert "vanished-people" in house.cli("status").stdout

    assert house.cli("release", "--guard", "vanished-people", "--yes").exit_code == 0
    upkeep(house)
    assert [one.person for one in house.house.ledger.connections()] == people[6:]
    upkeep(house)
    assert house.house.ledger.holds() == []


def test_an_lms_that_cannot_be_read_is_nobodys_going(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.once()
    (house.folder / "lms.db").rename(house.folder / "away.db")
    assert upkeep(house).result == "error"
    (house.folder / "away.db").rename(house.folder / "lms.db")
    assert upkeep(house, 8 * DAY).result == "success"
    assert house.connection("ana").state is ConnectionState.CONNECTED


def test_an_installation_that_only_observes_uses_no_grant_and_forgets_nobody(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.once()
    house.lms.drop_person("ana")
    house.configure(mode="observe")
    house.count_anew()
    upkeep(house)
    upkeep(house, 40 * DAY)
    assert tokens(house) == 0
    assert house.connection("ana").state is ConnectionState.CONNECTED


# What was kept long enough ------------------------------------------------------------------------


def test_past_days_keep_their_ids_and_nothing_else_and_later_not_even_those(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    (written,) = house.entries("ana")
    upkeep(house, 100 * DAY)
    assert house.entries("ana") == [written]
    assert "1 row past" in upkeep(house, 10 * DAY).sentence
    (stripped,) = house.entries("ana")
    assert (stripped.event_id, stripped.generation) == (written.event_id, written.generation)
    assert (stripped.state, stripped.seat, stripped.digest.content) == (State.GONE, None, "")
    upkeep(house, 320 * DAY)
    assert house.entries("ana") == []
    assert 'reconciler_purged_total{what="ids"} 1.0' in house.metrics()


def test_what_belongs_to_an_ended_connection_goes_after_a_month(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    house.disconnect("ana")
    upkeep(house, 29 * DAY)
    assert len(house.entries("ana")) == 1
    upkeep(house, 2 * DAY)
    left = house.house.ledger.everything_about("ana")
    assert set(left) == {"history", "audit_log"}
    upkeep(house, 400 * DAY)
    assert house.house.ledger.everything_about("ana") == {}


def test_a_person_who_connected_again_loses_only_the_old_connection(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    house.disconnect("ana")
    house.clock.move(DAY)
    house.connect("ana", "microsoft")
    house.once()
    upkeep(house, 40 * DAY)
    assert [one["provider"] for one in house.house.ledger.everything_about("ana")["connection"]] == [
        "microsoft"
    ]
    assert len(house.entries("ana")) == 1


def test_how_long_it_is_kept_is_a_setting(house: HouseBed) -> None:
    house.configure(state={"retention": {"disconnected": "1d"}})
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.once()
    house.disconnect("ana")
    upkeep(house, 2 * DAY)
    assert house.entries("ana") == []
