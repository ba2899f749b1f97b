"""Listings in the simulated Graph: filters, pages, what is shown, held against Microsoft's documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from microsoft_caller import ANA, KEY, Microsoft, by_key, error_of, running, when


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def test_the_value_of_a_property_is_found_without_regard_to_case_its_name_only_exactly(
    graph: Microsoft,
) -> None:
    made = graph.create("AbC")
    assert graph.find("aBc") == [made["id"]]
    wrong_name = {"$filter": by_key("abc", KEY.replace("Name key", "Name Key"))}
    assert graph.walk(**wrong_name) == []
    upper_guid = {"$filter": by_key("abc", KEY.replace("66f5a359", "66F5A359"))}
    assert len(graph.walk(**upper_guid)) == 1


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (by_key("k1") + " and start/dateTime ge '2027-04-21T09:00:00Z'", 1),
        (by_key("k1") + " and start/dateTime gt '2027-04-21T09:00:00Z'", 0),
        (by_key("k1") + " and end/dateTime ge '2027-04-21T11:00:00'", 1),
        (f"(end/dateTime lt '2028-01-01T00:00:00Z') and {by_key('k1')}", 1),
        (f"{by_key('k1')} or {by_key('K2')}", 2),
        (f"not {by_key('k1')}", 1),
        (f"singleValueExtendedProperties/any(p:p/id eq '{KEY}' and startswith(p/value, 'K'))", 2),
        (f"singleValueExtendedProperties/Any(ep: ep/id eq '{KEY}' and contains(ep/value,'2'))", 1),
        (f"singleValueExtendedProperties/Any(ep: ep/id eq '{KEY}' and ep/value ne 'k1')", 1),
        ("subject eq 'Safety basics'", 2),
        ("subject eq 'it''s'", 0),
    ],
)
def test_filters(graph: Microsoft, condition: str, found: int) -> None:
    graph.create("k1")
    graph.create("k2")
    assert len(graph.walk(**{"$filter": condition})) == found


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "singleValueExtendedProperties/Any(ep: ep/id eq 'key' and ep/value eq 'v')"},
        {"$filter": "transactionId eq 't1'"},
        {"$filter": "subject eq"},
        {"$filter": "subject eq 'open"},
        {"$filter": "subject is 'x'"},
        {"$filter": "singleValueExtendedProperties/Any(ep: subject eq 'x')"},
        {"$expand": "singleValueExtendedProperties"},
        {"$expand": "attachments"},
        {"$select": "colour"},
        {"$orderby": "colour"},
        {"$top": "1001"},
        {"$top": "many"},
        {"$skiptoken": "made-up"},
        {"$skiptoken": "e30="},
        {"$filter": "start/dateTime ge 'soon'"},
        {"$filter": "subject gt true"},
    ],
)
def test_a_query_graph_does_not_know_is_refused_with_400(graph: Microsoft, query: dict[str, str]) -> None:
    graph.create("k1")
    assert graph.call("GET", "events", params=query).status_code == 400


def test_a_listing_comes_in_pages_of_ten_unless_asked_otherwise(graph: Microsoft) -> None:
    made = {graph.create("k1")["id"] for _ in range(23)}
    sizes, address = [], "events"
    while address:
        answer = graph.call("GET", address, params={"$filter": by_key("k1")} if address == "events" else None)
        sizes.append(len(answer.json()["value"]))
        address = answer.json().get("@odata.nextLink")
    assert sizes == [10, 10, 3]
    assert set(graph.find("k1", **{"$top": "7"})) == made
    assert len(graph.call("GET", "events", params={"$top": "1000"}).json()["value"]) == 23


def test_pages_shift_when_events_go_away_between_them(graph: Microsoft) -> None:
    made = [graph.create("k1")["id"] for _ in range(15)]
    first = graph.call("GET", "events", params={"$filter": by_key("k1")}).json()
    seen = [one["id"] for one in first["value"]]
    graph.delete(seen[0])
    second = graph.call("GET", first["@odata.nextLink"]).json()
    assert len(set(seen) | {one["id"] for one in second["value"]}) == len(made) - 1


def test_pages_may_be_shorter_than_asked_for() -> None:
    with running(page_cap=2) as graph:
        for _ in range(5):
            graph.create("k1")
        first = graph.call("GET", "events", params={"$top": "100"}).json()
        assert len(first["value"]) == 2
        assert len(graph.find("k1", **{"$top": "100"})) == 5


def test_an_empty_page_may_come_before_the_real_ones(graph: Microsoft) -> None:
    graph.create("k1")
    graph.tell("faults", kind="empty_page", operation="list", mailbox=ANA)
    first = graph.call("GET", "events", params={"$filter": by_key("k1")}).json()
    assert first["value"] == []
    assert len(graph.call("GET", first["@odata.nextLink"]).json()["value"]) == 1


def test_a_listing_may_be_wrongly_empty_and_claim_to_be_complete(graph: Microsoft) -> None:
    graph.create("k1")
    graph.tell("faults", kind="empty_list", operation="list")
    answer = graph.call("GET", "events", params={"$filter": by_key("k1")}).json()
    assert answer["value"] == []
    assert "@odata.nextLink" not in answer
    assert len(graph.find("k1")) == 1


@pytest.mark.parametrize("count", [1, 8])
def test_a_cut_listing_answers_part_and_then_500(graph: Microsoft, count: int) -> None:
    for _ in range(count):
        graph.create("k1")
    graph.tell("faults", kind="cut_page", operation="list")
    first = graph.call("GET", "events", params={"$filter": by_key("k1")}).json()
    assert len(first["value"]) == max(1, count // 2)
    assert graph.call("GET", first["@odata.nextLink"]).status_code == 500
    assert graph.call("GET", first["@odata.nextLink"]).status_code == 500


def test_a_new_event_may_be_missing_from_the_index_for_some_listings() -> None:
    with running(index_delay_listings=2) as graph:
        made = graph.create("k1")
        assert graph.find("k1") == []
        assert graph.get(made["id"]).ok
        assert [one["id"] for one in graph.walk()] == [made["id"]]
        assert graph.find("k1") == []
        assert graph.find("k1") == [made["id"]]


def test_a_new_event_may_be_missing_from_the_index_for_some_seconds() -> None:
    with running(index_delay_seconds=30) as graph:
        made = graph.create("k1")
        assert graph.find("k1") == []
        graph.tell("clock", advance=31)
        assert graph.find("k1") == [made["id"]]


def test_select_leaves_only_what_was_asked_for_beside_id_and_etag(graph: Microsoft) -> None:
    graph.create("k1")
    [shown] = graph.walk(**{"$select": "subject,start"})
    assert set(shown) == {"@odata.etag", "id", "subject", "start"}


def test_a_listing_can_be_ordered_and_counted(graph: Microsoft) -> None:
    for day in ("22", "20", "21"):
        graph.create(start=when(f"2027-04-{day}T08:00:00"), end=when(f"2027-04-{day}T09:00:00"))
    starts = [one["start"]["dateTime"][:10] for one in graph.walk(**{"$orderby": "start/dateTime desc"})]
    assert starts == ["2027-04-22", "2027-04-21", "2027-04-20"]
    assert graph.call("GET", "events", params={"$count": "true", "$top": "1"}).json()["@odata.count"] == 3


@pytest.mark.parametrize(("spans", "found"), [(False, 1), (True, 2)])
def test_the_top_level_listing_may_or_may_not_span_calendars(spans: bool, found: int) -> None:
    with running(events_span_calendars=spans) as graph:
        other = graph.sim.owner(ANA).add_calendar("Private")
        graph.create("k1")
        graph.create("k1", path=f"calendars/{other.id}/events")
        assert len(graph.find("k1")) == found
        assert len(graph.find("k1", path="calendar/events")) == 1


def test_a_calendar_view_expands_series_and_a_listing_does_not(graph: Microsoft) -> None:
    made = graph.create("k1")
    graph.sim.owner(ANA).recur(made["id"], weeks=3)
    assert [one["type"] for one in graph.walk()] == ["seriesMaster"]
    window = {"startDateTime": "2027-04-22T00:00:00Z", "endDateTime": "2028-01-01T00:00:00Z"}
    shown = graph.walk("calendarView", **window)
    assert [one["start"]["dateTime"][:10] for one in shown] == ["2027-04-28", "2027-05-05"]
    assert {one["seriesMasterId"] for one in shown} == {made["id"]}
    assert graph.call("GET", "calendarView").status_code == 400


def test_calendars_are_listed_in_pages_too_with_one_default(graph: Microsoft) -> None:
    for number in range(11):
        graph.sim.owner(ANA).add_calendar(f"Extra {number}")
    shown = graph.walk("calendars")
    assert len(shown) == 12
    assert len(graph.call("GET", "calendars").json()["value"]) == 10
    [default] = [one for one in shown if one["isDefaultCalendar"]]
    assert graph.call("GET", "calendar").json()["id"] == default["id"]
    assert graph.call("GET", f"calendars/{default['id']}").json()["name"] == "Calendar"
    assert error_of(graph.call("GET", "calendars/none/events")) == (404, "ErrorItemNotFound")


def test_people_and_calendars_can_be_selected_from_too(graph: Microsoft) -> None:
    assert set(graph.call("GET", "/v1.0/me", params={"$select": "mail"}).json()) == {
        "@odata.context",
        "id",
        "mail",
    }
    [shown] = graph.walk("calendars", **{"$select": "id,isDefaultCalendar"})
    assert set(shown) == {"id", "isDefaultCalendar"}


def test_events_shown_without_being_asked_for_are_noted(graph: Microsoft) -> None:
    owner = graph.sim.owner(ANA)
    theirs = owner.create(
        subject="Dentist", start=when("2027-04-21T15:00:00"), end=when("2027-04-21T16:00:00")
    )
    made = graph.create("k1")
    graph.find("k1")
    graph.get(made["id"])
    graph.get(theirs.immutable_id)
    assert graph.sim.foreign_events_shown() == []
    graph.walk()
    assert {one.event for one in graph.sim.foreign_events_shown()} == {made["id"], theirs.immutable_id}


def test_an_event_shown_by_the_other_half_of_an_or_is_noted(graph: Microsoft) -> None:
    owner = graph.sim.owner(ANA)
    theirs = owner.create(
        subject="Dentist", start=when("2027-04-21T15:00:00"), end=when("2027-04-21T16:00:00")
    )
    graph.create("k1")
    graph.walk(**{"$filter": by_key("k1") + " or subject eq 'Dentist'"})
    assert [one.event for one in graph.sim.foreign_events_shown()] == [theirs.immutable_id]
