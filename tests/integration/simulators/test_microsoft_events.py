"""Single events in the simulated Graph, held against Microsoft's documents over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from microsoft_caller import ANA, KEY, Microsoft, error_of, event, running, when


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def test_a_created_event_is_answered_201_with_every_default(graph: Microsoft) -> None:
    answer = graph.call("POST", "events", json=event())
    assert answer.status_code == 201
    made = answer.json()
    assert made["reminderMinutesBeforeStart"] == 15
    assert made["isReminderOn"] is True
    assert made["showAs"] == "busy"
    assert made["responseRequested"] is True
    assert made["organizer"]["emailAddress"]["address"] == ANA
    assert made["responseStatus"]["time"] == "0001-01-01T00:00:00Z"
    assert made["@odata.etag"] == f'W/"{made["changeKey"]}"' == answer.headers["ETag"]
    assert "transactionId" not in made


def test_what_a_client_says_of_the_servers_own_fields_is_ignored(graph: Microsoft) -> None:
    made = graph.create(iCalUId="mine", id="mine", organizer={"emailAddress": {"address": "x@y"}})
    assert "mine" not in (made["iCalUId"], made["id"])
    assert made["organizer"]["emailAddress"]["address"] == ANA


def test_extended_properties_are_kept_but_shown_only_when_expanded(graph: Microsoft) -> None:
    made = graph.create("k1")
    assert "singleValueExtendedProperties" not in made
    assert "singleValueExtendedProperties" not in graph.get(made["id"]).json()
    expand = {"$expand": f"singleValueExtendedProperties($filter=id eq '{KEY}')"}
    shown = graph.get(made["id"], params=expand).json()
    assert shown["singleValueExtendedProperties"] == [{"id": KEY, "value": "k1"}]


def test_an_expansion_may_name_several_properties_and_shows_only_those(graph: Microsoft) -> None:
    other, third = (KEY.replace("Name key", f"Name {name}") for name in ("digest", "secret"))
    values = [{"id": one, "value": "v"} for one in (KEY, other, third)]
    made = graph.create(None, singleValueExtendedProperties=values)
    wanted = f"singleValueExtendedProperties($filter=id eq '{KEY}' or id eq '{other}')"
    shown = graph.get(made["id"], params={"$expand": wanted}).json()
    assert [one["id"] for one in shown["singleValueExtendedProperties"]] == [KEY, other]


def test_consumer_accounts_lose_properties_on_create_and_take_them_on_patch(graph: Microsoft) -> None:
    graph.sim.add_account("leo@outlook.example", consumer=True)
    graph.sign_in("leo@outlook.example")
    made = graph.create("k1")
    assert graph.find("k1") == []
    graph.patch(made["id"], singleValueExtendedProperties=[{"id": KEY, "value": "k1"}])
    assert graph.find("k1") == [made["id"]]


def test_a_patch_merges_and_changes_the_etag(graph: Microsoft) -> None:
    made = graph.create("k1", categories=["Training"], location={"displayName": "Room 1"})
    answer = graph.patch(made["id"], subject="Moved")
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["subject"], changed["categories"]) == ("Moved", ["Training"])
    assert changed["@odata.etag"] != made["@odata.etag"]
    assert changed["iCalUId"] == made["iCalUId"]
    assert graph.find("k1") == [made["id"]]


def test_location_and_locations_move_together(graph: Microsoft) -> None:
    made = graph.create(locations=[{"displayName": "Room 1"}, {"displayName": "Room 2"}])
    assert made["location"]["displayName"] == "Room 1; Room 2"
    changed = graph.patch(made["id"], location={"displayName": "Room 3"}).json()
    assert [one["displayName"] for one in changed["locations"]] == ["Room 3"]
    emptied = graph.patch(made["id"], location=None).json()
    assert (emptied["location"]["displayName"], emptied["locations"]) == ("", [])


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_stale_etag_is_refused_with_412_and_changes_nothing(graph: Microsoft, method: str) -> None:
    made = graph.create()
    current = graph.patch(made["id"], subject="Newer").json()
    answer = getattr(graph, method)(made["id"], if_match=made["@odata.etag"])
    assert error_of(answer) == (412, "ErrorIrresolvableConflict")
    assert graph.get(made["id"]).json()["changeKey"] == current["changeKey"]
    assert getattr(graph, method)(made["id"], if_match=current["@odata.etag"]).ok


def test_stale_etags_may_be_ignored_where_the_vendor_turns_out_to_do_so() -> None:
    with running(stale_update="ignored", stale_delete="409") as graph:
        made = graph.create()
        assert graph.patch(made["id"], if_match='W/"stale"', subject="x").ok
        assert error_of(graph.delete(made["id"], if_match='W/"stale"')) == (409, "ErrorIrresolvableConflict")


def test_a_deleted_event_is_gone_by_either_id_and_from_listings(graph: Microsoft) -> None:
    made = graph.create("k1")
    assert graph.delete(made["id"]).status_code == 204
    for answer in (graph.get(made["id"]), graph.patch(made["id"], subject="x"), graph.delete(made["id"])):
        assert error_of(answer) == (404, "ErrorItemNotFound")
    assert graph.find("k1") == []


def test_its_owner_can_restore_it_from_deleted_items(graph: Microsoft) -> None:
    made = graph.create("k1")
    graph.delete(made["id"])
    graph.sim.owner(ANA).restore(made["id"])
    assert graph.get(made["id"]).json()["subject"] == "Safety basics"
    assert graph.find("k1") == [made["id"]]


def test_a_restored_event_may_have_a_new_immutable_id() -> None:
    with running(restore_keeps_immutable_id=False) as graph:
        made = graph.create("k1")
        graph.delete(made["id"])
        graph.sim.owner(ANA).restore(made["id"])
        assert error_of(graph.get(made["id"])) == (404, "ErrorItemNotFound")
        [found] = graph.find("k1")
        assert found != made["id"]


def test_a_soft_deleted_event_may_still_answer_to_its_immutable_id() -> None:
    with running(soft_deleted_answers_get=True) as graph:
        made = graph.create("k1")
        plain = graph.get(made["id"], prefer="").json()["id"]
        graph.delete(made["id"])
        assert graph.get(made["id"]).status_code == 200
        assert graph.get(plain).status_code == 404
        assert graph.find("k1") == []


def test_a_move_changes_the_plain_id_and_keeps_the_immutable_one(graph: Microsoft) -> None:
    made = graph.create("k1")
    plain = graph.get(made["id"], prefer="").json()["id"]
    owner = graph.sim.owner(ANA)
    other = owner.add_calendar("Private")
    owner.move(made["id"], "Private")
    assert graph.get(plain).status_code == 404
    assert graph.get(made["id"]).json()["id"] == made["id"]
    assert graph.find("k1") == []
    assert graph.find("k1", path=f"calendars/{other.id}/events") == [made["id"]]
    assert graph.call("GET", f"calendars/{other.id}/events/{made['id']}").ok
    assert graph.call("GET", f"calendar/events/{made['id']}").ok


def test_ids_are_told_apart_by_case(graph: Microsoft) -> None:
    made = graph.create()
    assert graph.get(made["id"].swapcase()).status_code == 404


@pytest.mark.parametrize(
    ("repeat", "status", "same"),
    [("first_201", 201, True), ("first_200", 200, True), ("another", 201, False)],
)
def test_a_second_post_with_the_same_transaction_id(repeat: str, status: int, same: bool) -> None:
    with running(transaction_repeat=repeat) as graph:
        first = graph.create("k1", transactionId="t1")
        assert first["transactionId"] == "t1"
        second = graph.call("POST", "events", json=event("k1", transactionId="t1"))
        assert second.status_code == status
        assert (second.json()["id"] == first["id"]) is same
        assert len(graph.find("k1")) == (1 if same else 2)


def test_a_second_post_with_the_same_transaction_id_may_be_a_conflict() -> None:
    with running(transaction_repeat="conflict_409") as graph:
        graph.create("k1", transactionId="t1")
        assert graph.call("POST", "events", json=event("k1", transactionId="t1")).status_code == 409


@pytest.mark.parametrize(
    ("way", "status", "live"), [("another", 201, 1), ("first_201", 201, 0), ("conflict_409", 409, 0)]
)
def test_the_transaction_id_of_a_deleted_event(way: str, status: int, live: int) -> None:
    with running(transaction_after_delete=way) as graph:
        first = graph.create("k1", transactionId="t1")
        graph.delete(first["id"])
        assert graph.call("POST", "events", json=event("k1", transactionId="t1")).status_code == status
        assert len(graph.find("k1")) == live


def test_transaction_ids_may_be_forgotten_after_a_while() -> None:
    with running(transaction_memory_seconds=60) as graph:
        first = graph.create("k1", transactionId="t1")
        graph.tell("clock", advance=61)
        assert graph.create("k1", transactionId="t1")["id"] != first["id"]


def test_a_transaction_id_cannot_be_changed(graph: Microsoft) -> None:
    made = graph.create(transactionId="t1")
    assert graph.patch(made["id"], transactionId="t2").status_code == 400
    assert graph.get(made["id"]).json()["transactionId"] == "t1"


def test_a_mailbox_policy_adds_a_teams_meeting_unless_told_not_to() -> None:
    with running(adds_online_meeting=True) as graph:
        met = graph.create(location={"displayName": "Room 1"})
        assert met["onlineMeeting"]["joinUrl"]
        assert met["location"]["displayName"] == "Room 1; Microsoft Teams Meeting"
        quiet = graph.create(location={"displayName": "Room 1"}, isOnlineMeeting=False)
        assert (quiet["onlineMeeting"], quiet["location"]["displayName"]) == (None, "Room 1")


def test_nulls_may_be_left_out() -> None:
    with running(omits_nulls=True) as graph:
        assert "recurrence" not in graph.create()


def test_guests_an_owner_added_get_mail_on_every_change_of_ours(graph: Microsoft) -> None:
    made = graph.create()
    graph.patch(made["id"], subject="Alone")
    assert graph.sim.mails_sent(ANA) == []
    graph.sim.owner(ANA).guest(made["id"], "bo@fabrikam.example")
    graph.patch(made["id"], subject="Together")
    graph.delete(made["id"])
    assert [(one.kind, one.to) for one in graph.sim.mails_sent(ANA)] == [
        ("update", ("bo@fabrikam.example",)),
        ("cancel", ("bo@fabrikam.example",)),
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"colour": "red"}, "RequestBodyRead"),
        ({"showAs": "asleep"}, "RequestBodyRead"),
        ({"subject": 5}, "RequestBodyRead"),
        ({"isReminderOn": "yes"}, "RequestBodyRead"),
        ({"start": None}, "RequestBodyRead"),
        ({"start": when("tomorrow")}, "ErrorInvalidParameter"),
        ({"start": when("2027-04-21T10:00:00", "Mars/Olympus")}, "TimeZoneNotSupportedException"),
        ({"end": when("2027-04-21T09:00:00")}, "ErrorPropertyValidationFailure"),
        ({"singleValueExtendedProperties": [{"id": "key", "value": "v"}]}, "ErrorInvalidProperty"),
    ],
)
def test_a_malformed_event_is_refused_with_400(
    graph: Microsoft, fields: dict[str, object], code: str
) -> None:
    assert error_of(graph.call("POST", "events", json=event(**fields))) == (400, code)
    assert graph.sim.owner(ANA).look() == []


def test_a_refused_patch_changes_nothing(graph: Microsoft) -> None:
    made = graph.create()
    assert graph.patch(made["id"], subject="x", end=when("2027-04-21T09:00:00")).status_code == 400
    kept = graph.get(made["id"]).json()
    assert (kept["subject"], kept["end"], kept["changeKey"]) == (
        made["subject"],
        made["end"],
        made["changeKey"],
    )


def test_an_event_may_end_as_it_starts(graph: Microsoft) -> None:
    made = graph.create(end=when("2027-04-21T10:00:00"))
    assert made["start"] == made["end"]


@pytest.mark.parametrize("junk", [None, 5, "x", [], ["x"], [[]], {}, {"x": 1}, True, "\u2028\x00", 10**30])
def test_no_field_takes_junk_without_an_answer_in_graphs_words(graph: Microsoft, junk: object) -> None:
    made = graph.create("k1")
    for name in (*made, "singleValueExtendedProperties", "transactionId", "unheard_of"):
        if not name.startswith("@"):
            answer = graph.patch(made["id"], **{name: junk})
            assert answer.status_code in (200, 400), (name, answer.text)
            assert graph.get(made["id"]).ok
    window = {"startDateTime": "2027-01-01T00:00:00Z", "endDateTime": "2028-01-01T00:00:00Z"}
    assert graph.call("GET", "calendarView", params=window).ok


@pytest.mark.parametrize(
    "fields",
    [
        {"attendees": [{"emailAddress": 5}]},
        {"recurrence": {"pattern": "daily", "range": {}}},
        {"recurrence": {"pattern": {"interval": "often"}, "range": {}}},
        {"location": {"displayName": 5}},
        {"body": {"contentType": "rtf", "content": ""}},
    ],
)
def test_junk_within_fields_is_refused(graph: Microsoft, fields: dict[str, object]) -> None:
    assert graph.call("POST", "events", json=event(**fields)).status_code == 400
