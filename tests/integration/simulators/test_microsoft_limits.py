"""Refusals of the simulated Graph: tokens, permissions, throttling, dead mailboxes, faults, batches."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from graph_schema import document
from microsoft_caller import ANA, KEY, Microsoft, error_of, event, running

from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID
from reconciler.simulators.microsoft_grants import Access

BO = "bo@contoso.example"


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def application_token(graph: Microsoft, *permissions: str) -> str:
    tenant = graph.sim.directory.tenant("contoso.example")
    return graph.sim.grants.issue_access(Access(DEFAULT_CLIENT_ID, tenant.id, None, frozenset(permissions)))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer made.up", "Basic abc"])
def test_without_a_good_token_everything_is_401(graph: Microsoft, header: str) -> None:
    answer = graph.call("GET", "events", headers={"Authorization": header})
    assert error_of(answer) == (401, "InvalidAuthenticationToken")


def test_an_access_token_dies_by_the_simulated_clock(graph: Microsoft) -> None:
    graph.tell("clock", advance=3599)
    assert graph.call("GET", "events").ok
    graph.tell("clock", advance=2)
    assert graph.call("GET", "events").status_code == 401


def test_errors_carry_the_request_ids(graph: Microsoft) -> None:
    answer = graph.get("none", headers={"client-request-id": "mine-1"})
    inner = answer.json()["error"]["innerError"]
    assert inner["client-request-id"] == "mine-1" == answer.headers["client-request-id"]
    assert inner["request-id"] == answer.headers["request-id"]
    assert graph.call("GET", "events").headers["request-id"] != inner["request-id"]


def test_paths_and_methods_that_are_not_there(graph: Microsoft) -> None:
    assert graph.call("GET", "nothing").status_code == 404
    assert graph.call("PUT", "events").status_code == 405


def test_a_person_reads_their_own_profile_and_nobody_elses_calendar(graph: Microsoft) -> None:
    other = graph.sim.add_account(BO)
    me = graph.call("GET", "/v1.0/me").json()
    assert me["userPrincipalName"] == ANA
    assert graph.call("GET", f"/v1.0/users/{me['id']}/events").ok
    assert error_of(graph.call("GET", f"/v1.0/users/{other.oid}/events")) == (403, "ErrorAccessDenied")


def test_scopes_bind(graph: Microsoft) -> None:
    graph.sign_in(ANA, scopes="https://graph.microsoft.com/Calendars.Read")
    assert graph.call("GET", "events").ok
    assert error_of(graph.call("POST", "events", json=event())) == (403, "ErrorAccessDenied")
    assert error_of(graph.call("GET", "/v1.0/me")) == (403, "Authorization_RequestDenied")


def test_an_application_addresses_people_by_id_and_never_me(graph: Microsoft) -> None:
    headers = bearer(application_token(graph, "Calendars.ReadWrite"))
    oid = graph.sim.mailbox(ANA).account.oid
    made = graph.call("POST", f"/v1.0/users/{oid}/events", json=event(), headers=headers)
    assert made.status_code == 201
    assert graph.call("GET", f"/v1.0/users/{ANA}/events", headers=headers).json()["value"]
    assert graph.call("GET", "/v1.0/me/events", headers=headers).status_code == 400
    assert error_of(graph.call("GET", "/v1.0/users/none/events", headers=headers)) == (
        404,
        "ErrorInvalidUser",
    )


def test_an_application_is_kept_to_its_tenant_and_its_scope_of_mailboxes(graph: Microsoft) -> None:
    stranger = graph.sim.add_account("cy@fabrikam.example")
    headers = bearer(application_token(graph, "Calendars.ReadWrite"))
    assert graph.call("GET", f"/v1.0/users/{stranger.oid}/events", headers=headers).status_code == 404
    oid = graph.sim.mailbox(ANA).account.oid
    graph.sim.directory.tenant("contoso.example").application_reach[DEFAULT_CLIENT_ID] = set()
    refused = graph.call("GET", f"/v1.0/users/{oid}/events", headers=headers)
    assert error_of(refused) == (403, "ErrorAccessDenied")
    assert refused.json()["error"]["message"] == "Access to OData is disabled."


def test_a_fifth_request_at_once_is_refused_and_other_mailboxes_are_not(graph: Microsoft) -> None:
    graph.sim.add_account(BO)
    lane = (DEFAULT_CLIENT_ID, ANA)
    slots = [graph.sim.throttle.slot(lane) for _ in range(4)]
    for slot in slots:
        slot.__enter__()
    refused = graph.call("GET", "events")
    assert error_of(refused) == (429, "ApplicationThrottled")
    assert refused.json()["error"]["message"] == "Application is over its MailboxConcurrency limit."
    assert refused.headers["Retry-After"] == "5"
    graph.sign_in(BO)
    assert graph.call("GET", "events").ok
    graph.sign_in(ANA)
    slots[0].__exit__(None, None, None)
    assert graph.call("GET", "events").ok
    assert graph.sim.throttle.refused == {"concurrency": 1}


def test_slow_requests_hold_their_places() -> None:
    with running(concurrent_requests=1, latency_seconds=0.2) as graph, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: graph.call("GET", "events").status_code, range(6)))
        assert 200 in answers
        assert answers.count(429) == graph.sim.throttle.refused["concurrency"] > 0
        assert graph.sim.throttle.most_at_once == 1


def test_the_rate_window_slides_and_says_when_there_is_room_again() -> None:
    with running(window_requests=3, window_seconds=60, refused_requests_count=False) as graph:
        graph.call("GET", "events")
        graph.tell("clock", advance=20)
        for _ in range(2):
            assert graph.call("GET", "events").ok
        refused = graph.call("GET", "events")
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert 30 < wait <= 40
        graph.tell("clock", advance=wait)
        assert graph.call("GET", "events").ok
        assert graph.call("GET", "events").status_code == 429


def test_requests_refused_for_their_rate_may_count_against_it() -> None:
    with running(window_requests=2, window_seconds=60) as graph:
        codes = [graph.call("GET", "events").status_code for _ in range(4)]
        assert codes == [200, 200, 429, 429]
        graph.tell("clock", advance=59)
        assert graph.call("GET", "events").status_code == 429
        graph.tell("clock", advance=2)
        assert graph.call("GET", "events").ok


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("MailboxNotEnabledForRESTAPI", 404),
        ("ErrorInvalidUser", 404),
        ("ErrorAccessDenied", 403),
        ("ErrorMailboxMoveInProgress", 503),
        ("ErrorMailboxStoreUnavailable", 503),
    ],
)
def test_a_dead_mailbox_says_why_to_every_operation(graph: Microsoft, reason: str, status: int) -> None:
    graph.tell("faults", kind="dead_mailbox", mailbox=ANA, reason=reason, times=-1)
    for answer in (graph.call("GET", "events"), graph.call("POST", "events", json=event()), graph.get("x")):
        assert error_of(answer) == (status, reason)
    assert graph.sim.owner(ANA).look() == []


def test_stale_mailbox_info_troubles_addresses_and_not_object_ids(graph: Microsoft) -> None:
    graph.tell("faults", kind="dead_mailbox", mailbox=ANA, reason="MailboxInfoStale", times=-1)
    oid = graph.sim.mailbox(ANA).account.oid
    assert error_of(graph.call("GET", f"/v1.0/users/{ANA}/events")) == (503, "MailboxInfoStale")
    assert graph.call("GET", f"/v1.0/users/{oid}/events").ok


def test_a_planned_status_comes_in_graphs_envelope(graph: Microsoft) -> None:
    graph.tell(
        "faults",
        kind="status",
        operation="create",
        status=503,
        reason="ErrorConcurrentItemSave",
        retry_after=7,
    )
    answer = graph.call("POST", "events", json=event())
    assert error_of(answer) == (503, "ErrorConcurrentItemSave")
    assert answer.headers["Retry-After"] == "7"
    assert graph.find() == []


def test_an_event_may_be_made_although_the_answer_is_an_error(graph: Microsoft) -> None:
    graph.tell(
        "faults", kind="late_status", operation="create", reason="ErrorConcurrentItemSave", retry_after=2
    )
    answer = graph.call("POST", "events", json=event("k1"))
    assert error_of(answer) == (503, "ErrorConcurrentItemSave")
    assert answer.headers["Retry-After"] == "2"
    assert len(graph.find("k1")) == 1


def test_a_lost_reply_leaves_the_event_behind(graph: Microsoft) -> None:
    graph.call("GET", "events")
    graph.tell("faults", kind="lost_reply", operation="create")
    with pytest.raises(requests.ConnectionError):
        graph.call("POST", "events", json=event("k1"))
    assert len(graph.find("k1")) == 1


def test_a_dropped_request_leaves_nothing_behind(graph: Microsoft) -> None:
    graph.tell("faults", kind="drop", operation="create")
    with pytest.raises(requests.ConnectionError):
        graph.call("POST", "events", json=event("k1"))
    assert graph.find("k1") == []


def batch(graph: Microsoft, *requests_: dict[str, object]) -> requests.Response:
    return graph.call("POST", "/v1.0/$batch", json={"requests": list(requests_)})


def posted(number: int, **more: object) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'}
    one = {"id": str(number), "method": "POST", "url": "/me/events", "headers": headers}
    return {**one, "body": event(f"k{number}"), **more}


def test_a_batch_answers_each_request_by_itself_in_another_order(graph: Microsoft) -> None:
    answer = batch(graph, posted(1), {"id": "2", "method": "GET", "url": "/me/events/none"}, posted(3))
    assert answer.status_code == 200
    shown = {one["id"]: one for one in answer.json()["responses"]}
    assert list(shown) != ["1", "2", "3"]
    assert {number: one["status"] for number, one in shown.items()} == {"1": 201, "2": 404, "3": 201}
    assert graph.find("k1") == [shown["1"]["body"]["id"]]
    assert graph.sim.recorder.count("create") == 2


def test_a_failed_parent_fails_what_depends_on_it(graph: Microsoft) -> None:
    wrong = {"id": "1", "method": "GET", "url": "/me/events/none"}
    shown = batch(graph, wrong, posted(2, dependsOn=["1"])).json()["responses"]
    assert {one["id"]: one["status"] for one in shown} == {"1": 404, "2": 424}
    assert graph.sim.owner(ANA).look() == []


def test_a_throttled_item_has_its_own_retry_after() -> None:
    with running(window_requests=1) as graph:
        shown = {one["id"]: one for one in batch(graph, posted(1), posted(2)).json()["responses"]}
        assert (shown["1"]["status"], shown["2"]["status"]) == (201, 429)
        assert int(shown["2"]["headers"]["Retry-After"]) > 0


@pytest.mark.parametrize(
    "items",
    [
        [],
        [posted(number) for number in range(21)],
        [posted(1), posted(1)],
        [{"id": "1", "method": "POST", "url": "/me/events", "body": {}}],
        [{"id": "1", "method": "GET", "url": "https://elsewhere.example/me"}],
        [posted(1, dependsOn=["2"]), posted(2)],
    ],
)
def test_a_malformed_batch_is_refused_whole(graph: Microsoft, items: list[dict[str, object]]) -> None:
    assert batch(graph, *items).status_code == 400
    assert graph.sim.owner(ANA).look() == []


@pytest.mark.skipif(document() is None, reason="needs the published schema")
def test_the_schema_that_answers_are_held_against_can_tell_wrong_from_right(graph: Microsoft) -> None:
    made = graph.create("k1")
    graph.sim.mailbox(ANA).events[made["id"]].fields["showAs"] = "asleep"
    with pytest.raises(AssertionError, match="asleep"):
        graph.get(made["id"])


def test_many_properties_with_one_key_each_stay_apart(graph: Microsoft) -> None:
    made = {key: graph.create(key)["id"] for key in ("a", "b", "c")}
    graph.patch(made["a"], singleValueExtendedProperties=[{"id": KEY, "value": "b"}])
    assert graph.find("a") == []
    assert set(graph.find("b")) == {made["a"], made["b"]}
