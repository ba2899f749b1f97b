"""Who is given events, and whose calendar is left alone."""

from __future__ import annotations

from datetime import datetime

import pytest

from reconciler.errors import ReconcilerError
from reconciler.model import Mode, State
from reconciler.simulators.lms import When
from tests.support.house import MONDAY, TUESDAY, WEDNESDAY, HouseBed


def test_learner_and_instructor_get_an_event_for_every_day(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY, TUESDAY, title="First aid", location="Room 4")
    house.newcomer("ana", vendor, session)
    house.newcomer("ines", vendor)
    house.lms.book("ines", session, role="instructor")
    house.once()
    assert [(event.person, event.title, event.location) for event in house.seen()] == [
        (person, "First aid", "Room 4") for person in ("ana", "ana", "ines", "ines")
    ]
    assert all("With: Name of ines" in event.text for event in house.seen())
    assert [event.starts.isoformat() for event in house.seen("ana")] == [
        "2026-12-07T08:00:00+00:00",
        "2026-12-08T08:00:00+00:00",
    ]


@pytest.mark.parametrize("status", ["waiting", "requested", "declined", "cancelled"])
def test_whoever_has_no_seat_gets_no_event(house: HouseBed, status: str) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", "google")
    house.lms.book("ana", session, status=status)
    house.once()
    assert house.seen() == []
    assert house.writes() == 0


def test_a_learner_who_also_teaches_the_session_gets_one_event(house: HouseBed) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", "google", session)
    house.lms.book("ana", session, role="instructor")
    house.once()
    assert len(house.seen("ana")) == 1


def test_a_day_that_is_past_gets_no_event_and_one_under_way_does(house: HouseBed) -> None:
    over = When(datetime(2026, 11, 22, 8), datetime(2026, 11, 22, 9, 59))
    begun = When(datetime(2026, 11, 22, 9), datetime(2026, 11, 22, 11))
    house.newcomer("ana", "google", house.lms.add_session(over, begun))
    house.once()
    assert [event.ends.hour for event in house.seen("ana")] == [10]


def test_nobody_is_invited_and_nobody_is_mailed(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", vendor, session)
    house.newcomer("ben", vendor, session)
    house.once()
    assert all(not event.raw.get("attendees") for event in house.seen())
    assert house.microsoft.mails_sent() == []


def test_nothing_is_asked_of_a_vendor_that_the_account_has_not_enabled(house: HouseBed) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", "google", session)
    house.newcomer("ben", "microsoft", session)
    house.switch(vendors=frozenset({"google"}))
    house.once()
    assert [event.person for event in house.seen()] == ["ana"]
    assert house.microsoft.recorder.count() == 0
    assert "has not enabled microsoft" in house.explained("ben")


def test_no_calendar_is_updated_while_an_account_has_its_mails_off(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.switch(email_notifications=False)
    house.once()
    assert house.google.recorder.count() == 0
    assert "notifications are OFF" in house.cli("status").stdout
    assert "notifications are off" in house.explained("ana")


def test_of_a_pilot_only_those_on_its_list_get_events(house: HouseBed) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", "google", session)
    house.newcomer("ben", "google", session)
    house.configure(accounts={"defaults": {"people": ["ben"]}})
    house.once()
    assert [event.person for event in house.seen()] == ["ben"]
    assert "not on the account's list" in house.explained("ana")


def test_what_an_account_begins_with_comes_from_the_file_and_then_the_database_rules(
    house: HouseBed,
) -> None:
    house.configure(accounts={"each": {"acme": {"vendors": ["google"]}}})
    session = house.lms.add_session(MONDAY)
    house.newcomer("ben", "microsoft", session)
    house.once()
    assert house.seen() == []
    house.configure(accounts={"each": {"acme": {"vendors": ["microsoft"]}}})
    house.once()
    assert house.seen() == []
    house.switch(vendors=frozenset({"microsoft"}))
    house.once()
    assert len(house.seen("ben")) == 1


def test_whoever_is_observed_is_planned_for_and_not_written_to(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.switch(mode=Mode.OBSERVE)
    house.once()
    assert house.seen() == []
    assert [(line.fate, line.change) for line in house.plan()] == [("left out", "create")]
    assert house.writes() == 0


def test_the_stricter_of_the_whole_and_the_account_decides(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.configure(mode="observe")
    house.switch(mode=Mode.SYNC)
    house.once()
    assert house.seen() == []
    house.configure(mode="sync")
    house.once()
    assert len(house.seen()) == 1


def test_upsert_only_creates_and_updates_and_deletes_nothing_until_it_is_lifted(
    house: HouseBed, vendor: str
) -> None:
    kept = house.lms.add_session(MONDAY, title="Before")
    left = house.lms.add_session(TUESDAY, title="Cancelled")
    house.newcomer("ana", vendor, kept, left)
    house.once()
    house.configure(mode="upsert-only")
    house.lms.change(kept, title="After")
    house.lms.cancel("ana", left)
    house.lms.book("ana", house.lms.add_session(WEDNESDAY, title="New"))
    house.once()
    assert sorted(house.titles("ana")) == ["After", "Cancelled", "New"]
    assert [(line.fate, line.change) for line in house.plan()] == [("left out", "delete")]
    house.configure(mode="sync")
    house.once()
    assert sorted(house.titles("ana")) == ["After", "New"]


def test_a_suspended_person_loses_what_is_to_come_and_gets_it_back(house: HouseBed, vendor: str) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    house.once()
    house.lms.change_person("ana", active=False)
    house.once()
    assert house.seen() == []
    house.lms.change_person("ana", active=True)
    house.once()
    assert len(house.seen()) == 1


def test_whoever_is_gone_from_the_lms_loses_what_is_to_come(house: HouseBed, vendor: str) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    house.once()
    house.lms.drop_person("ana")
    house.once()
    assert house.seen() == []
    assert "does not know this person" in house.explained("ana")


def test_an_id_that_the_lms_gives_to_somebody_else_brings_them_nothing_of_the_first(
    house: HouseBed,
) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY, title="Of the first"))
    house.once()
    house.lms.drop_person("ana")
    house.lms.add_person("ana", identity="another human")
    house.lms.book("ana", house.lms.add_session(TUESDAY, title="Of the second"))
    house.once()
    assert house.titles("ana") == []
    assert house.states("ana") == [State.GONE]


def test_a_second_calendar_of_a_person_is_refused(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    with pytest.raises(ReconcilerError, match="Another calendar"):
        house.connect("ana", "microsoft")


def test_a_vendor_account_serves_one_person(house: HouseBed) -> None:
    house.newcomer("ana", "google")
    house.lms.add_person("ben")
    with pytest.raises(ReconcilerError, match="already serves another person"):
        house.connect("ben", "google", "ana@google.example")


def test_an_id_that_people_sort_elsewhere_is_found_all_the_same(house: HouseBed) -> None:
    """The two streams of a push are merged in order of code points, whatever the database's own order is."""
    session = house.lms.add_session(MONDAY)
    people = ["a", "B", "b-1", "b1", "ä", "ß", "Z", "10", "9", "-"]
    for number, person in enumerate(people):
        house.lms.add_person(person)
        house.lms.book(person, session)
        house.connect(person, "google", f"number-{number}@google.example")
    house.once()
    assert {event.person for event in house.seen()} == set(people)


def test_one_person_never_sees_another(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY, details="Bring boots.")
    for person in ("ana", "ben"):
        house.newcomer(person, vendor, session)
    house.once()
    assert all("ben" not in str(event.raw) for event in house.seen("ana"))
    assert all("ana" not in str(event.raw) for event in house.seen("ben"))


def test_a_session_that_is_created_is_its_instructors_at_once(house: HouseBed, vendor: str) -> None:
    house.newcomer("ines", vendor)
    house.once()
    house.lms.book("ines", house.lms.add_session(MONDAY, title="New"), role="instructor")
    house.push()
    assert house.titles("ines") == ["New"]


@pytest.mark.parametrize("status", ["attended", "completed"])
def test_of_a_seat_attended_or_completed_nothing_is_done_and_nothing_concluded(
    house: HouseBed, vendor: str, status: str
) -> None:
    session = house.lms.add_session(MONDAY, TUESDAY)
    house.newcomer("ana", vendor, session)
    house.once()
    before = house.entries("ana")
    house.lms.set_status("ana", session, status)
    house.lms.change(session, title="Renamed")
    house.once()
    house.audit()
    assert house.titles("ana") == ["Title of session-1"] * 2
    house.remove("ana")
    for _ in range(3):
        house.audit()
        house.once()
    assert house.titles("ana") == []
    assert house.entries("ana") == before
    assert set(house.lms.statuses("ana", session).values()) == {status}


def test_deleting_a_past_day_never_unregisters(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", vendor, session)
    house.once()
    for _ in range(16):
        house.audit()
    assert house.clock() > house.entries("ana")[0].ends
    house.remove("ana")
    for _ in range(3):
        house.audit()
        house.once()
    assert house.states("ana") == [State.LIVE]
    assert set(house.lms.statuses("ana", session).values()) == {"booked"}


def test_learners_events_say_what_deleting_them_does_and_lead_to_the_session(
    house: HouseBed, vendor: str
) -> None:
    url = "https://lms.example/sessions/1"
    session = house.lms.add_session(MONDAY, url=url)
    closed = house.lms.add_session(TUESDAY, url=url, cancellable=0)
    house.newcomer("ana", vendor, session, closed)
    house.newcomer("ines", vendor)
    house.lms.book("ines", session, role="instructor")
    house.once()
    says = {
        (event.person, event.title): "Delete this event, and your seat is given back." in event.text
        for event in house.seen()
    }
    assert says == {
        ("ana", "Title of session-1"): True,
        ("ana", "Title of session-2"): False,
        ("ines", "Title of session-1"): False,
    }
    assert all(url in event.text for event in house.seen())


def test_declining_hiding_and_showing_as_free_change_nothing(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY)
    house.newcomer("ana", vendor, session)
    house.once()
    (event,) = house.seen("ana")
    address = house.addresses["ana"][1]
    if vendor == "google":
        itself = {"email": address, "self": True, "responseStatus": "declined"}
        house.google.owner.edit(address, event.id, transparency="transparent", attendees=[itself])
    else:
        declined = {"response": "declined", "time": "2026-11-22T10:00:00Z"}
        house.microsoft.owner(address).edit(event.id, showAs="free", responseStatus=declined)
    house.count_anew()
    for _ in range(3):
        house.audit()
        house.once()
    assert house.states("ana") == [State.LIVE]
    assert house.writes() == 0
    assert set(house.lms.statuses("ana", session).values()) == {"booked"}
