"""Grants that end and quotas that fill up: whom it stops, and for how long."""

from __future__ import annotations

import threading

import pytest

from reconciler.errors import ReauthorizationNeeded, Throttled, VendorNonsense, VendorUnavailable
from reconciler.providers.google.provider import GoogleCalendar
from reconciler.providers.throttle import Quota
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.wire import Fault
from tests.support.builders import NOW
from tests.support.google import (
    ANA,
    BEN,
    CALENDARS,
    EVERYTHING,
    FOR_EVER,
    Google,
    Known,
    a_draft_of,
    fails,
    refused,
    running,
)

# Grants -------------------------------------------------------------------------------------------


def token_requests(google: Google) -> int:
    return google.sim.recorder.count("token")


def test_an_access_token_serves_many_requests(google: Google) -> None:
    for _ in range(3):
        google.calendar.listing(NOW)
    assert token_requests(google) == 1


@pytest.mark.parametrize("operation", EVERYTHING)
def test_an_access_token_that_is_no_longer_accepted_is_refreshed_once(known: Known, operation: str) -> None:
    known.google.sim.grants.expire_access_tokens()
    getattr(known, operation)()
    assert token_requests(known.google) == 1


def test_an_access_token_near_its_end_is_refreshed_before_it_is_used() -> None:
    with running(sim=GoogleSimulator(access_token_seconds=60)) as google:
        google.calendar.listing(NOW)
        google.calendar.listing(NOW)
        assert token_requests(google) == 2
        assert google.operations() == ["list", "list"]


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_revoked_grant_asks_its_owner_to_connect_again(known: Known, operation: str) -> None:
    known.google.sim.revoke(ANA)
    assert isinstance(fails(known, operation), ReauthorizationNeeded)


def test_a_fresh_token_that_is_rejected_too_asks_the_owner_to_connect_again(known: Known) -> None:
    known.google.sim.faults.add(Fault("status", "list", status=401, times=FOR_EVER))
    assert isinstance(fails(known, "list"), ReauthorizationNeeded)
    assert known.google.operations() == ["list", "list"]


def test_a_grant_without_the_scope_for_events_asks_its_owner_to_connect_again(google: Google) -> None:
    ben = google.open(google.connect(2, BEN, [CALENDARS]))
    with pytest.raises(ReauthorizationNeeded):
        ben.listing(NOW)


def test_credentials_that_are_gone_ask_their_owner_to_connect_again(google: Google) -> None:
    google.store.remove(google.ana)
    with pytest.raises(ReauthorizationNeeded):
        google.calendar.listing(NOW)
    google.store.put(google.ana, {})
    with pytest.raises(ReauthorizationNeeded):
        google.calendar.listing(NOW)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", "token", status=503, times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=429, times=FOR_EVER), VendorUnavailable),
        (Fault("drop", "token", times=FOR_EVER), VendorUnavailable),
        (Fault("html", "token", times=FOR_EVER), VendorNonsense),
        (Fault("status", "token", status=401, reason="invalid_client", times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=400, reason="invalid_request", times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=400, reason="invalid_grant"), ReauthorizationNeeded),
        (Fault("status", "token", status=400, reason="admin_policy_enforced"), ReauthorizationNeeded),
    ],
)
def test_only_a_dead_grant_is_a_reason_to_connect_again(
    google: Google, fault: Fault, error: type[Exception]
) -> None:
    google.sim.faults.add(fault)
    with pytest.raises(error):
        google.calendar.listing(NOW)


def test_our_own_wrong_secret_parks_nobody() -> None:
    with (
        running(client_secret="wrong") as google,
        pytest.raises(VendorUnavailable, match="client id and secret"),
    ):
        google.calendar.listing(NOW)


def test_many_threads_refresh_a_connections_token_once(google: Google) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            google.calendar.listing(NOW)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert token_requests(google) == 1
    assert google.operations() == ["list"] * 8


def test_a_connection_to_another_account_does_not_use_the_formers_token(google: Google) -> None:
    google.calendar.create(a_draft_of())
    ben = google.open(google.connect(google.ana.id, BEN))
    assert ben.listing(NOW).events == ()


# Quotas -------------------------------------------------------------------------------------------


def test_a_short_refusal_is_waited_out(known: Known) -> None:
    known.google.sim.faults.add(refused(429, "rateLimitExceeded", retry_after=1))
    known.create()
    assert known.google.operations() == ["create", "create"]
    assert known.google.observer.refusals == {"project": 1}


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_long_refusal_stops_that_persons_requests_and_nobody_elses(known: Known, operation: str) -> None:
    ben = known.google.open(known.google.connect(2, BEN))
    known.google.sim.faults.add(refused(retry_after=120))
    error = fails(known, operation)
    assert isinstance(error, Throttled)
    assert 119 < error.retry_after <= 120
    asked = len(known.google.operations())
    for another in EVERYTHING:
        assert isinstance(fails(known, another), Throttled)
    assert len(known.google.operations()) == asked
    assert ben.listing(NOW).events == ()


def test_a_refusal_of_the_whole_project_stops_everybody(known: Known) -> None:
    ben = known.google.open(known.google.connect(2, BEN))
    known.google.sim.faults.add(refused(reason="rateLimitExceeded", retry_after=120))
    assert isinstance(fails(known, "list"), Throttled)
    with pytest.raises(Throttled):
        ben.listing(NOW)


def test_a_calendars_usage_limit_leaves_its_owner_alone_for_hours(known: Known) -> None:
    known.google.sim.faults.add(refused(reason="quotaExceeded"))
    error = fails(known, "create")
    assert isinstance(error, Throttled)
    assert (error.retry_after, error.scope) == (6 * 3600, "google/ana")


def test_a_pause_asked_for_by_a_failing_google_is_kept(known: Known) -> None:
    known.google.sim.faults.add(Fault("status", "list", status=503, retry_after=60))
    assert isinstance(fails(known, "list"), Throttled)
    assert known.google.operations() == ["list"]


def listings_until_throttled(calendar: GoogleCalendar) -> int:
    for count in range(100):
        try:
            calendar.listing(NOW)
        except Throttled:
            return count
    return 100


def test_we_stay_under_the_quota_by_ourselves() -> None:
    sim = GoogleSimulator(quota=QuotaLimits(user=20, project=30))
    # An hour instead of a minute: a slow machine must not see the first request leave the window.
    project, person = [Quota(30, 3600)], [Quota(20, 3600)]
    with running(sim=sim, project=project, person=person, patience=0) as google:
        ben = google.open(google.connect(2, BEN))
        assert listings_until_throttled(google.calendar) == 19
        assert listings_until_throttled(ben) == 10
        assert google.sim.quota.refused == 0
