"""Faults, quotas and refusals of the simulated Google, in Google's own words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from google_caller import ANA, CALENDAR_SCOPE, Google, error_of, event, running

from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.google_store import GoogleSwitches
from reconciler.simulators.wire import Fault


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        yield started


def test_a_lost_reply_leaves_the_event_behind(google: Google) -> None:
    google.sim.faults.add(Fault("lost_reply", operation="create"))
    with pytest.raises(requests.ConnectionError):
        google.call("POST", json=event("abcde"))
    assert google.call("GET", "abcde").json()["status"] == "confirmed"
    assert error_of(google.call("POST", json=event("abcde"))) == (409, "duplicate")


def test_a_dropped_request_leaves_nothing(google: Google) -> None:
    google.sim.faults.add(Fault("drop", operation="create"))
    with pytest.raises(requests.ConnectionError):
        google.call("POST", json=event("abcde"))
    assert google.call("GET", "abcde").status_code == 404


def test_an_empty_page_comes_before_the_real_ones(google: Google) -> None:
    google.insert("abcde")
    google.sim.faults.add(Fault("empty_page", operation="list"))
    first = google.call("GET").json()
    assert first["items"] == []
    assert google.ids(pageToken=first["nextPageToken"]) == ["abcde"]


def test_an_empty_list_looks_complete(google: Google) -> None:
    google.insert("abcde")
    google.sim.faults.add(Fault("empty_list", operation="list"))
    answer = google.call("GET").json()
    assert (answer["items"], "nextPageToken" in answer) == ([], False)
    assert google.ids() == ["abcde"]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_cut_list_fails_on_its_second_page_however_often_it_is_asked(google: Google, count: int) -> None:
    for _ in range(count):
        google.insert()
    google.sim.faults.add(Fault("cut_page", operation="list"))
    first = google.call("GET").json()
    assert len(first["items"]) <= count
    for _ in range(3):
        assert error_of(google.call("GET", params={"pageToken": first["nextPageToken"]})) == (
            500,
            "backendError",
        )
    assert len(google.ids()) == count


@pytest.mark.parametrize(("status", "reason"), [(503, "notFound"), (404, "notFound"), (403, "forbidden")])
def test_a_dead_mailbox_refuses_everything_but_only_that_one(
    google: Google, status: int, reason: str
) -> None:
    google.sim.add_account("bob@example.com")
    google.insert("abcde")
    google.sim.faults.add(Fault("dead_mailbox", mailbox=ANA, times=-1, status=status))
    for method, path in (("GET", ""), ("GET", "abcde"), ("DELETE", "abcde")):
        answer = google.call(method, path)
        assert error_of(answer) == (403 if status == 403 else 404, reason)
    google.sign_in("bob@example.com", CALENDAR_SCOPE)
    assert google.ids() == []


@pytest.mark.parametrize(
    ("fault", "domain", "message"),
    [
        (
            Fault("status", status=403, reason="quotaExceeded"),
            "usageLimits",
            "Calendar usage limits exceeded.",
        ),
        (Fault("status", status=429, reason="rateLimitExceeded"), "usageLimits", "Rate Limit Exceeded"),
        (Fault("status", status=503), "global", "Backend Error"),
    ],
)
def test_a_planned_refusal_bears_googles_words(
    google: Google, fault: Fault, domain: str, message: str
) -> None:
    google.sim.faults.add(fault)
    answer = google.call("GET")
    assert answer.status_code == fault.status
    error = answer.json()["error"]["errors"][0]
    assert (error["domain"], error["message"]) == (domain, message)
    assert google.call("GET").status_code == 200


def test_over_quota_a_user_is_refused_until_the_minute_has_slid_on() -> None:
    with running(quota=QuotaLimits(user=5)) as google:
        google.insert("abcde")
        assert google.call("PATCH", "abcde", json={}).status_code == 200
        assert google.call("GET", "abcde").status_code == 200
        refused = google.call("GET", "abcde")
        assert error_of(refused) == (403, "userRateLimitExceeded")
        assert refused.json()["error"]["errors"][0]["domain"] == "usageLimits"
        assert google.sim.quota.refused == 1
        google.sim.clock.advance(timedelta(seconds=61))
        assert google.call("GET", "abcde").status_code == 200


def test_a_patch_costs_what_the_switch_says() -> None:
    with running(GoogleSwitches(patch_units=1), quota=QuotaLimits(user=3)) as google:
        google.insert("abcde")
        assert google.call("PATCH", "abcde", json={}).status_code == 200
        assert google.call("PATCH", "abcde", json={}).status_code == 200
        assert google.call("PATCH", "abcde", json={}).status_code == 403


def test_the_projects_quota_is_shared_by_all_users() -> None:
    with running(quota=QuotaLimits(project=2)) as google:
        google.sim.add_account("bob@example.com")
        google.ids()
        google.sign_in("bob@example.com", CALENDAR_SCOPE)
        google.ids()
        assert error_of(google.call("GET")) == (403, "rateLimitExceeded")


def test_without_a_good_token_the_front_end_refuses(google: Google) -> None:
    for header in ("Bearer nonsense", "Basic abc", ""):
        answer = google.call("GET", headers={"Authorization": header})
        assert error_of(answer) == (401, "authError")
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


def test_a_token_without_the_scope_is_refused_with_details(google: Google) -> None:
    google.sign_in(ANA, "https://www.googleapis.com/auth/calendar.events.readonly")
    assert google.call("GET").status_code == 200
    answer = google.call("POST", json=event())
    assert error_of(answer) == (403, "insufficientPermissions")
    error = answer.json()["error"]
    assert error["status"] == "PERMISSION_DENIED"
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert error["details"][0]["metadata"]["method"] == "calendar.v3.Events.Insert"


def test_the_scope_for_calendars_an_app_made_reaches_no_other(google: Google) -> None:
    made = google.sim.add_calendar(ANA, "Training", made_by_app=True).id
    google.sign_in(ANA, "https://www.googleapis.com/auth/calendar.app.created")
    assert error_of(google.call("POST", json=event())) == (404, "notFound")
    path = f"/calendar/v3/calendars/{made}/events"
    created = google.call("POST", path, json=event("abcde"))
    assert created.status_code == 200
    move = google.call("POST", f"{path}/abcde/move", params={"destination": ANA})
    assert error_of(move) == (403, "insufficientPermissions")


def test_concurrent_inserts_of_one_id_make_one_event(google: Google) -> None:
    statuses: list[int] = []

    def insert() -> None:
        headers = {"Authorization": str(google.session.headers["Authorization"])}
        with requests.Session() as session:
            session.trust_env = False
            url = f"{google.url}/calendar/v3/calendars/primary/events"
            statuses.append(session.post(url, json=event("abcde"), headers=headers, timeout=20).status_code)

    threads = [threading.Thread(target=insert) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
