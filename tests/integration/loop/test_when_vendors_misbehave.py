"""What goes wrong at a vendor stops no more than it must, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from reconciler.model import Connection, ConnectionState, State
from reconciler.ports import Calendar
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MINUTE, MONDAY, TUESDAY, WEDNESDAY, HouseBed

PEOPLE = {"ana": "google", "gil": "google", "ben": "microsoft", "mia": "microsoft"}
EVER = -1
SMALL = 65_536


@pytest.fixture
def everybody(house: HouseBed) -> Iterator[HouseBed]:
    """Two people at each vendor, each with three sessions to get."""
    sessions = [house.lms.add_session(when) for when in (MONDAY, TUESDAY, WEDNESDAY)]
    for person, vendor in PEOPLE.items():
        house.newcomer(person, vendor, *sessions)
    yield house
    for vendor in house.vendors:
        vendor.faults.clear()
    for _ in range(3):  # whatever it was, it passes, and then all is as it should be
        house.close()
        house.clock.move(DAY)
        house.push()
    house.audit()
    assert {person: len(house.seen(person)) for person in PEOPLE} == dict.fromkeys(PEOPLE, 3)
    assert {state for person in PEOPLE for state in house.states(person)} == {State.LIVE}


def trouble(house: HouseBed, person: str, kind: str, operation: str = "*", **more: object) -> None:
    vendor, address = house.addresses[person]
    vendor.faults.add(Fault(kind, operation, mailbox=address, **{"times": EVER, **more}))  # type: ignore[arg-type]


def others_have_everything(house: HouseBed, *but: str) -> bool:
    return all(len(house.seen(person)) == 3 for person in PEOPLE if person not in but)


@pytest.mark.parametrize("person", ["ana", "ben"])
def test_one_event_that_is_refused_stops_no_other(everybody: HouseBed, person: str) -> None:
    house = everybody
    trouble(house, person, "status", "create", status=400, reason="invalid", skip=1, times=1)
    house.push()
    assert len(house.seen(person)) == 2
    assert others_have_everything(house, person)
    assert "Refused once by the vendor" in house.explained(person)
    assert "Events that are refused: 1" in house.cli("status").stdout
    writes = house.writes()
    house.push()
    assert house.writes() == writes  # backed off
    house.clock.move(10 * MINUTE)
    house.push()
    assert len(house.seen(person)) == 3


@pytest.mark.parametrize("person", ["ana", "ben"])
@pytest.mark.parametrize("kind", ["lost_reply", "late_status", "drop", "status"])
def test_a_create_without_an_answer_is_made_once(everybody: HouseBed, person: str, kind: str) -> None:
    house = everybody
    trouble(house, person, kind, "create", times=1)
    house.push()
    assert others_have_everything(house, person)
    house.clock.move(5 * MINUTE)
    house.push()
    assert len(house.seen(person)) == 3


@pytest.mark.parametrize("person", ["ana", "ben"])
@pytest.mark.parametrize("kind", ["lost_reply", "late_status"])
def test_an_update_without_an_answer_is_written_whole(everybody: HouseBed, person: str, kind: str) -> None:
    house = everybody
    house.push()
    house.lms.change("session-2", title="Renamed")
    trouble(house, person, kind, "update", times=1)
    house.push()
    house.clock.move(5 * MINUTE)
    house.push()
    assert "Renamed" in house.titles(person)
    assert len(house.seen(person)) == 3


@pytest.mark.parametrize("person", ["ana", "ben"])
@pytest.mark.parametrize("kind", ["lost_reply", "late_status"])
def test_a_delete_without_an_answer_is_done_and_never_taken_for_its_owners(
    everybody: HouseBed, person: str, kind: str
) -> None:
    house = everybody
    house.push()
    house.lms.cancel(person, "session-2")
    trouble(house, person, kind, "delete", times=1)
    house.push()
    house.clock.move(5 * MINUTE)
    house.push()
    assert len(house.seen(person)) == 2
    assert sorted(house.states(person)) == [State.GONE, State.LIVE, State.LIVE]
    house.lms.book(person, "session-2")
    house.push()
    assert house.states(person) == [State.LIVE] * 3


@pytest.mark.parametrize(
    ("kind", "more"),
    [("html", {}), ("huge", {"size": 10 * SMALL}), ("empty_page", {}), ("cut_page", {})],
    ids=["html", "ten-times-the-size", "empty-page", "cut-page"],
)
@pytest.mark.parametrize("person", ["ana", "ben"])
def test_a_listing_that_is_no_listing_is_never_taken_for_an_empty_calendar(
    everybody: HouseBed, person: str, kind: str, more: dict[str, int]
) -> None:
    house = everybody
    house.configure(network={"max_body_bytes": SMALL})
    house.push()
    trouble(house, person, kind, "list", **more)
    house.audit()
    assert house.states(person) == [State.LIVE] * 3
    if kind != "empty_page":
        assert "could not be looked at" in house.explained(person)


@pytest.mark.parametrize("person", ["ana", "ben"])
@pytest.mark.parametrize("kind", ["html", "huge"])
def test_an_answer_to_a_write_that_is_not_the_vendors_stops_this_calendar(
    everybody: HouseBed, person: str, kind: str
) -> None:
    house = everybody
    house.configure(network={"max_body_bytes": SMALL})
    trouble(house, person, kind, "create", size=10 * SMALL)
    assert house.push().result == "partial"
    assert others_have_everything(house, person)


def test_a_grant_that_died_parks_its_connection_and_its_owner_is_named(everybody: HouseBed) -> None:
    house = everybody
    house.push()
    house.google.revoke("ana@google.example")
    house.microsoft.revoke("ben@microsoft.example")
    house.close()
    house.lms.change("session-1", title="Renamed")
    house.push()
    parked = {person: house.connection(person).state for person in PEOPLE}
    broken, fine = ConnectionState.REAUTHORIZE, ConnectionState.CONNECTED
    assert parked == {"ana": broken, "ben": broken, "gil": fine, "mia": fine}
    assert "Renamed" in house.titles("gil")
    assert "Connections that do not work: 2" in house.cli("status").stdout
    assert "needs to be authorized again" in house.explained("ana")
    asked = house.google.recorder.count() + house.microsoft.recorder.count()
    house.push()
    assert house.google.recorder.count() + house.microsoft.recorder.count() == asked  # nobody knocks in vain
    house.microsoft.revoke("ben@microsoft.example", None)
    house.connect("ana", "google")
    house.connect("ben", "microsoft")


@pytest.mark.parametrize("person", ["ana", "ben"])
def test_a_dead_mailbox_suspends_its_connection_is_probed_slowly_and_unregisters_nobody(
    everybody: HouseBed, person: str
) -> None:
    house = everybody
    house.push()
    trouble(house, person, "dead_mailbox")
    house.audit()
    assert house.connection(person).state is ConnectionState.SUSPENDED
    assert house.states(person) == [State.LIVE] * 3
    vendor = house.addresses[person][0]
    vendor.recorder.clear()
    house.audit(timedelta(hours=5))
    assert all(seen.mailbox != house.addresses[person][1] for seen in vendor.recorder.seen)
    house.audit(timedelta(hours=2))
    assert any(seen.mailbox == house.addresses[person][1] for seen in vendor.recorder.seen)
    assert set(house.lms.statuses(person, "session-1").values()) == {"booked"}


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_a_vendor_that_is_down_is_left_alone_after_three_failures_and_the_other_goes_on(
    everybody: HouseBed, vendor: str
) -> None:
    house = everybody
    for number in range(6):
        house.newcomer(f"{vendor}-{number}", vendor, "session-1")
    down = house.google if vendor == "google" else house.microsoft
    down.faults.add(Fault("drop", "list", times=EVER))
    house.configure(dispatch={"threads": 1})
    run = house.push()
    assert run.result == "partial"
    assert {p: len(house.seen(p)) for p, at in PEOPLE.items() if at != vendor} == {
        p: 3 for p, at in PEOPLE.items() if at != vendor
    }
    assert run.counts["skipped"] == 5
    assert run.counts["failed"] == 3
    down.faults.clear()
    house.clock.move(5 * MINUTE)
    house.push()
    assert all(len(house.seen(f"{vendor}-{number}")) == 1 for number in range(6))


@pytest.mark.parametrize("person", ["ana", "ben"])
def test_whoever_is_throttled_waits_as_long_as_asked_and_the_others_go_on(
    everybody: HouseBed, person: str
) -> None:
    house = everybody
    reason = "userRateLimitExceeded" if person == "ana" else "ApplicationThrottled"
    trouble(house, person, "status", "create", status=429, reason=reason, retry_after=1800, times=1)
    house.push()
    assert others_have_everything(house, person)
    asked = house.calls()
    house.push()
    assert house.calls() == asked
    house.close()  # the pause is real time, which a test does not wait for
    house.clock.move(31 * MINUTE)
    house.push()
    assert len(house.seen(person)) == 3


def test_an_unforeseen_exception_is_contained_to_its_person_and_logged(
    everybody: HouseBed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = everybody
    google = house.house.providers["google"]
    opened = google.open

    def stumble(connection: Connection) -> Calendar:
        if connection.person == "ana":
            raise ZeroDivisionError("nobody thought of this")
        return opened(connection)

    with monkeypatch.context() as patched:
        patched.setattr(google, "open", stumble)
        run = house.push()
    assert run.counts["exception"] == 1
    assert run.result == "partial"
    assert others_have_everything(house, "ana")
    assert "nobody thought of this" in caplog.text
    assert "contained_exceptions_total 1.0" in house.metrics()


def test_a_lost_calendar_that_an_event_was_moved_to_stops_no_other_event(house: HouseBed) -> None:
    for when in (MONDAY, TUESDAY):
        house.lms.add_session(when)
    house.newcomer("ana", "google", "session-1", "session-2")
    house.push()
    other = house.google.owner.add_calendar("ana@google.example", "Other")
    house.google.owner.move("ana@google.example", house.seen("ana")[0].id, other)
    house.audit()
    house.once()
    assert house.states("ana") == [State.LIVE, State.LIVE]
    assert house.writes() == 2
    house.google.owner.delete_calendar("ana@google.example", other)
    house.audit()
    house.lms.change("session-2", title="Renamed")
    house.push()
    assert house.titles("ana") == ["Renamed"]
    assert set(house.lms.statuses("ana", "session-1").values()) == {"booked"}
    house.lms.drop("ana", "session-1")
    house.lms.book("ana", "session-1")
    house.push()
    assert house.titles("ana") == ["Renamed", "Title of session-1"]


def test_a_wrong_client_secret_stops_nobody_for_good(everybody: HouseBed) -> None:
    """Ours to repair: no connection may be parked for it."""
    house = everybody
    secret = (house.folder / "google-secret").read_text()
    (house.folder / "google-secret").write_text("wrong")
    house.close()
    house.push()
    assert house.seen("ana", "gil") == []
    assert house.connection("ana").state is ConnectionState.CONNECTED
    assert others_have_everything(house, "ana", "gil")
    (house.folder / "google-secret").write_text(secret)


def test_a_token_that_does_not_work_stops_its_connection_alone(everybody: HouseBed) -> None:
    house = everybody
    house.house.tokens.put(house.connection("ana"), {"refresh_token": "no token at all"})
    house.push()
    assert house.connection("ana").state is ConnectionState.REAUTHORIZE
    assert others_have_everything(house, "ana")
    house.connect("ana", "google")


def test_a_token_encrypted_with_a_key_that_is_gone_is_refused_at_the_start(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    (house.folder / "token-key").write_text(house.cli("new-key").stdout)
    house.close()
    refused = house.cli("once", *house.at())
    assert refused.exit_code == 78
    assert "key" in refused.stderr
    assert house.google.recorder.count() == 0
