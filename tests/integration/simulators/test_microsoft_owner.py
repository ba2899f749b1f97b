"""What a calendar's owner does in the simulated Outlook, by method and over the control endpoints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from microsoft_caller import ANA, KEY, Microsoft, event, running, when


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def own(graph: Microsoft, action: str, event_id: str | None = None, **fields: object) -> str:
    answer = graph.tell("owner", mailbox=ANA, action=action, event=event_id, fields=fields)
    assert "error" not in answer
    return answer["id"]


def look(graph: Microsoft, deleted: str = "") -> list[dict[str, object]]:
    query = {"mailbox": ANA, "deleted": deleted}
    return graph.session.get(f"{graph.url}/_sim/calendar", params=query, timeout=20).json()["events"]


def test_an_owners_doings_are_no_vendor_requests(graph: Microsoft) -> None:
    made = graph.create()
    before = graph.sim.recorder.count()
    own(graph, "edit", made["id"], subject="Mine")
    own(graph, "delete", made["id"])
    assert look(graph) == []
    assert [one["subject"] for one in look(graph, deleted="1")] == ["Mine"]
    assert graph.sim.recorder.count() == before


def test_delete_restore_and_purge(graph: Microsoft) -> None:
    made = graph.create("k1")
    own(graph, "delete", made["id"])
    assert graph.get(made["id"]).status_code == 404
    assert own(graph, "restore", made["id"]) == made["id"]
    assert graph.find("k1") == [made["id"]]
    own(graph, "purge", made["id"])
    assert look(graph, deleted="1") == []
    assert graph.get(made["id"]).status_code == 404


def test_a_copy_keeps_the_marker_and_has_ids_of_its_own_and_no_transaction_id(graph: Microsoft) -> None:
    made = graph.create("k1", transactionId="t1")
    copy = own(graph, "copy", made["id"])
    assert set(graph.find("k1")) == {made["id"], copy}
    shown = graph.get(copy).json()
    assert shown["iCalUId"] != made["iCalUId"]
    assert shown["subject"] == made["subject"]
    assert "transactionId" not in shown


def test_a_copy_is_its_own_event(graph: Microsoft) -> None:
    made = graph.create("k1", categories=["Training"])
    copy = own(graph, "copy", made["id"])
    graph.patch(copy, subject="Other", categories=["Other"])
    own(graph, "guest", copy, attendees=["bo@fabrikam.example"])
    kept = graph.get(made["id"]).json()
    assert (kept["subject"], kept["categories"], kept["attendees"]) == (made["subject"], ["Training"], [])


def test_an_edit_changes_the_etag_and_leaves_the_marker(graph: Microsoft) -> None:
    made = graph.create("k1")
    own(graph, "edit", made["id"], start=when("2027-04-21T11:00:00"))
    shown = graph.get(made["id"]).json()
    assert shown["start"]["dateTime"] == "2027-04-21T10:00:00.0000000"
    assert shown["@odata.etag"] != made["@odata.etag"]
    assert graph.find("k1") == [made["id"]]


def test_a_series_and_guests(graph: Microsoft) -> None:
    made = graph.create("k1")
    own(graph, "recur", made["id"], weeks=2)
    own(graph, "guest", made["id"], attendees=["bo@fabrikam.example"])
    shown = graph.get(made["id"]).json()
    assert shown["type"] == "seriesMaster"
    assert shown["recurrence"]["range"]["endDate"] == "2027-04-28"
    assert shown["attendees"][0]["emailAddress"]["address"] == "bo@fabrikam.example"


def test_the_marker_taken_off(graph: Microsoft) -> None:
    made = graph.create("k1")
    own(graph, "unmark", made["id"])
    assert graph.find("k1") == []
    assert graph.get(made["id"]).ok


def test_a_calendar_deleted_takes_its_events_along(graph: Microsoft) -> None:
    calendar = own(graph, "add_calendar", name="Private")
    made = graph.create("k1")
    own(graph, "move", made["id"], calendar="Private")
    assert look(graph)[0]["calendar"] == "Private"
    own(graph, "remove_calendar", calendar=calendar)
    assert graph.get(made["id"]).status_code == 404
    assert graph.call("GET", f"calendars/{calendar}/events").status_code == 404


def test_events_of_the_owners_own(graph: Microsoft) -> None:
    made = own(
        graph, "create", subject="Dentist", start=when("2027-04-21T15:00:00"), end=when("2027-04-21T16:00:00")
    )
    assert graph.get(made).json()["subject"] == "Dentist"
    assert graph.find("k1") == []
    assert look(graph)[0]["properties"] == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"mailbox": "nobody@x.example", "action": "delete", "event": "x"},
        {"mailbox": ANA, "action": "delete", "event": "x"},
        {"mailbox": ANA, "action": "look"},
    ],
)
def test_what_is_not_there_cannot_be_acted_on(graph: Microsoft, wrong: dict[str, str]) -> None:
    assert "error" in graph.tell("owner", **wrong)


def test_accounts_apps_and_tenants_can_be_made_over_http(graph: Microsoft) -> None:
    [made] = graph.tell("accounts", upn="bo@fabrikam.example", name="Bo")
    assert graph.sim.mailbox(made["oid"]).account.name == "Bo"
    graph.tell("tenants", domain="fabrikam.example", user_consent=False)
    assert graph.sim.directory.tenant(made["tenant"]).user_consent is False
    graph.tell("apps", client_id="app-2", secret="s", redirect_uris=["https://a.example/back"])
    assert graph.sim.directory.app("app-2").redirect_uris == {"https://a.example/back"}


def test_counts_can_be_read_over_http(graph: Microsoft) -> None:
    made = graph.create("k1", attendees=[{"emailAddress": {"address": "bo@fabrikam.example"}}])
    graph.walk()
    counts = graph.session.get(f"{graph.url}/_sim/counts", timeout=20).json()
    assert [mail["kind"] for mail in counts["mails"]] == ["invite"]
    assert [one["event"] for one in counts["foreign"]] == [made["id"]]
    assert counts["refused"] == {}


def test_the_same_doings_leave_the_same_ids_and_etags_behind() -> None:
    traces = []
    for _ in range(2):
        with running() as graph:
            made = graph.create("k1")
            graph.patch(made["id"], singleValueExtendedProperties=[{"id": KEY, "value": "k2"}])
            traces.append([(one["id"], one["plainId"], one["changeKey"]) for one in look(graph)])
    assert traces[0] == traces[1]


def test_a_mailbox_of_thousands_can_be_searched_and_walked(graph: Microsoft) -> None:
    owner = graph.sim.owner(ANA)
    for number in range(3000):
        owner.create(**event(f"k{number}"))
    assert len(graph.find("k2999")) == 1
    assert len(graph.walk(**{"$top": "1000"})) == 3000
