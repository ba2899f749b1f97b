"""What the LMS changes, the calendars follow, at either vendor, in one push."""

from __future__ import annotations

from datetime import datetime

import pytest

from reconciler.diff import fields
from reconciler.model import State
from reconciler.simulators.lms import When
from tests.support.house import DAY, MINUTE, MONDAY, TUESDAY, WEDNESDAY, HouseBed
from tests.support.vendors import Seen

NOTE = "Mine: take the early train."


@pytest.fixture
def session(house: HouseBed, vendor: str) -> str:
    """A session of two days in Ana's calendar, with Ines to teach it."""
    made = house.lms.add_session(MONDAY, TUESDAY, title="Safety", location="Room 1", details="Bring boots.")
    house.newcomer("ana", vendor, made)
    house.newcomer("ines", vendor)
    house.lms.book("ines", made, role="instructor")
    house.once()
    assert len(house.seen("ana")) == len(house.seen("ines")) == 2
    house.count_anew()
    return made


def ids(house: HouseBed, person: str = "ana") -> list[str]:
    return [event.id for event in house.seen(person)]


def days(house: HouseBed, person: str = "ana") -> list[str]:
    return [f"{event.starts:%d %H:%M}" for event in house.seen(person)]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"title": "Safety for all"}, "title"), ({"location": "Room 2"}, "location")],
    ids=["title", "location"],
)
def test_another_title_or_room_changes_the_same_events_in_place(
    house: HouseBed, session: str, change: dict[str, str], field: str
) -> None:
    before = ids(house)
    house.lms.change(session, **change)
    house.push()
    assert ids(house) == before
    assert [getattr(event, field) for event in house.seen("ana")] == [change[field]] * 2


def test_other_details_change_our_part_of_the_description(house: HouseBed, session: str) -> None:
    house.lms.change(session, details="Bring <b>shoes</b>.")
    house.push()
    for event in house.seen("ana"):
        assert "Bring shoes." in event.text
        assert "boots" not in event.text


def test_days_that_move_are_moved_and_keep_their_events(house: HouseBed, session: str) -> None:
    before = ids(house)
    afternoon = MONDAY._replace(starts=datetime(2026, 12, 7, 13))
    house.lms.move(session, afternoon, WEDNESDAY)
    house.push()
    assert days(house) == ["07 12:00", "09 08:00"]
    assert ids(house) == before


def test_another_zone_moves_the_instant(house: HouseBed, session: str) -> None:
    house.lms.move(session, MONDAY._replace(time_zone="Asia/Kolkata"), TUESDAY)
    house.push()
    assert days(house) == ["07 03:30", "08 08:00"]


def test_an_added_day_is_created_and_the_others_are_left_alone(house: HouseBed, session: str) -> None:
    house.lms.move(session, MONDAY, TUESDAY, WEDNESDAY)
    house.push()
    assert days(house) == ["07 08:00", "08 08:00", "09 08:00"]
    assert {one: count for one, count in house.calls().items() if one != "list"} == {"create": 2}


def test_a_dropped_day_is_deleted_and_the_others_are_left_alone(house: HouseBed, session: str) -> None:
    kept = ids(house)[1]
    house.lms.move(session, TUESDAY)
    house.push()
    assert ids(house) == [kept]
    assert house.writes() == 2  # Ana's and Ines's


def test_saving_a_session_without_a_change_asks_nothing_of_any_vendor(house: HouseBed, session: str) -> None:
    house.lms.move(session, MONDAY, TUESDAY)
    house.push()
    house.lms.move(session, TUESDAY, MONDAY)
    house.push()
    assert house.google.recorder.count() == house.microsoft.recorder.count() == 0


def test_whoever_is_unregistered_loses_the_days_and_nobody_else_does(house: HouseBed, session: str) -> None:
    house.lms.cancel("ana", session)
    house.push()
    assert ids(house) == []
    assert len(ids(house, "ines")) == 2


def test_whoever_signs_up_again_gets_the_days_again(house: HouseBed, session: str) -> None:
    house.lms.cancel("ana", session)
    house.push()
    house.lms.book("ana", session)
    house.push()
    assert days(house) == ["07 08:00", "08 08:00"]
    assert house.states("ana") == [State.LIVE, State.LIVE]


def test_a_session_called_off_is_taken_out_of_everybodys_calendar(house: HouseBed, session: str) -> None:
    house.lms.cancel_session(session)
    house.push()
    assert house.seen() == []


def test_a_session_deleted_without_trace_is_taken_out_of_everybodys_calendar(
    house: HouseBed, session: str
) -> None:
    house.lms.drop_session(session)
    house.push()
    assert house.seen() == []


def test_another_instructor_takes_the_event_over(house: HouseBed, session: str, vendor: str) -> None:
    before = ids(house)
    house.newcomer("ivan", vendor)
    house.lms.drop("ines", session)
    house.lms.book("ivan", session, role="instructor")
    house.push()
    assert ids(house, "ines") == []
    assert len(ids(house, "ivan")) == 2
    assert ids(house) == before
    assert all("With: Name of ivan" in event.text for event in house.seen("ana"))


def test_a_change_is_one_write_for_each_event(house: HouseBed, session: str) -> None:
    house.lms.change(session, title="Safety for all")
    house.push()
    assert house.writes() == 4
    assert sum(house.calls().values()) <= 8  # where the owner's additions are to be kept, a read each


def test_an_idle_push_asks_nothing(house: HouseBed, session: str) -> None:
    house.push()
    house.push()
    assert house.google.recorder.count() == house.microsoft.recorder.count() == 0


def test_an_idle_audit_lists_each_calendar_once(house: HouseBed, session: str) -> None:
    house.audit()
    assert house.calls() == {"list": 2}


def test_what_its_owner_changed_of_ours_is_put_back(house: HouseBed, session: str) -> None:
    for event in house.seen("ana"):
        house.addresses["ana"][0].rename(
            "ana@" + house.addresses["ana"][0].name + ".example", event.id, "Dull"
        )
    house.audit()
    assert house.titles("ana") == ["Safety", "Safety"]


def test_what_its_owner_added_survives_every_change(house: HouseBed, session: str, vendor: str) -> None:
    add_a_note(house, vendor, house.seen("ana")[0])
    house.lms.change(session, title="Safety for all")
    house.push()
    house.lms.change(session, details="Bring nothing.")
    house.audit()
    house.push()
    (noted, plain) = house.seen("ana")
    assert NOTE in noted.text
    assert "Bring nothing." in noted.text
    assert NOTE not in plain.text
    assert house.titles("ana") == ["Safety for all", "Safety for all"]


def add_a_note(house: HouseBed, vendor: str, event: Seen) -> None:
    if vendor == "google":
        house.google.owner.edit("ana@google.example", event.id, description=f"{event.text}\n\n{NOTE}")
    else:
        body = {"contentType": "text", "content": f"{event.text}\n\n{NOTE}"}
        house.microsoft.owner("ana@microsoft.example").edit(event.id, body=body)


def test_a_copy_that_its_owner_made_is_left_alone(house: HouseBed, session: str, vendor: str) -> None:
    (first, _) = house.seen("ana")
    if vendor == "google":
        house.google.owner.copy("ana@google.example", first.id)
    else:
        house.microsoft.owner("ana@microsoft.example").copy(first.id)
    house.audit()
    house.audit()
    assert len(house.seen("ana")) == 3
    house.lms.cancel("ana", session)
    house.push()
    house.audit()
    house.audit()
    assert len(house.seen("ana")) == 1


def test_an_event_that_was_deleted_is_noticed_and_not_put_back_at_once(house: HouseBed, session: str) -> None:
    house.remove("ana")
    house.audit()
    assert house.states("ana") == [State.MISSING, State.MISSING]
    assert house.seen("ana") == []
    assert house.writes() == 0


def test_news_after_an_event_was_deleted_unseen_is_not_written_into_the_bin(
    house: HouseBed, session: str
) -> None:
    """The push finds it gone, looks, and takes it for what it is: deleted by its owner."""
    house.remove("ana")
    house.lms.change(session, title="Safety for all")
    house.push()
    assert house.seen("ana") == []
    assert house.states("ana") == [State.MISSING, State.MISSING]


def test_a_session_that_moves_after_its_event_was_deleted_comes_back(house: HouseBed, session: str) -> None:
    house.remove("ana")
    house.audit()
    house.lms.move(session, MONDAY, WEDNESDAY)
    house.push()
    assert days(house) == ["09 08:00"]


def test_past_days_are_left_as_they_are(house: HouseBed, session: str) -> None:
    house.clock.move(16 * DAY)
    house.lms.cancel("ana", session)
    house.push()
    house.audit(
        15 * MINUTE
    )  # nobody had looked for a fortnight: what is not wanted is deleted at second sight
    assert days(house) == ["07 08:00"]


def test_a_day_of_a_zone_nobody_knows_is_refused_for_its_session_alone(house: HouseBed, session: str) -> None:
    other = house.lms.add_session(WEDNESDAY, title="Fine")
    house.lms.book("ana", other)
    house.lms.move(session, MONDAY._replace(time_zone="Mars/Olympus"), TUESDAY)
    house.lms.change(session, title="Not to be seen")
    house.push()
    assert house.titles("ana") == ["Fine", "Safety", "Safety"]
    status = house.cli("status").stdout
    assert "Not understood in the LMS" in status
    assert "Mars/Olympus" in status


def test_a_day_of_whole_days_is_one_in_the_calendar(house: HouseBed, vendor: str) -> None:
    whole = When(datetime(2026, 12, 7), datetime(2026, 12, 8), all_day=True)
    house.newcomer("ana", vendor, house.lms.add_session(whole))
    house.once()
    (event,) = house.seen("ana")
    assert (event.starts, event.ends) == (datetime(2026, 12, 7), datetime(2026, 12, 8))
    told = house.cli("explain", "ana", *house.at()).stdout
    assert (told.count("Mon 7 Dec 2026"), told.count("Mon 7 Dec 2026, all day")) == (3, 3)
    house.count_anew()
    house.audit()
    assert house.writes() == 0


def test_of_a_new_template_or_link_a_plan_names_the_cause(
    house: HouseBed, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "FORM_VERSION", "2")
    url = "https://lms.example/elsewhere"
    house.lms.change(session, url=url)
    assert {(line.change, line.cause) for line in house.plan()} == {("update", "rewrite")}
    house.push()
    assert house.writes() == 4
    assert all(url in event.text for event in house.seen("ana"))
