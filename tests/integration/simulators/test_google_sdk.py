"""Google's own Python client, unchanged but for the address, against the simulated Google."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import google_auth_httplib2
import httplib2
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from google_caller import ANA, Google, event, private, running
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from reconciler.simulators.google import CLIENT
from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.wire import Fault

EVENTS = "https://www.googleapis.com/auth/calendar.events"
ROBOT = "robot@project.iam.gserviceaccount.com"


@pytest.fixture
def google() -> Iterator[Google]:
    with running(quota=QuotaLimits()) as started:
        yield started


def _transport(google: Google) -> AuthRequest:
    session = requests.Session()
    session.trust_env = False
    return AuthRequest(session)


def _service(google: Google, credentials: Any) -> Any:
    http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(timeout=20, proxy_info=None))
    return build(
        "calendar", "v3", http=http, static_discovery=True,
        client_options={"api_endpoint": f"{google.url}/calendar/v3/"},
    )  # fmt: skip


def _credentials(google: Google) -> Credentials:
    credentials = Credentials(
        None, refresh_token=google.sim.issue_refresh_token(ANA), token_uri=f"{google.url}/token",
        client_id=CLIENT.id, client_secret=CLIENT.secret, scopes=[EVENTS],
    )  # fmt: skip
    credentials.refresh(_transport(google))
    return credentials


@pytest.fixture
def events(google: Google) -> Any:
    return _service(google, _credentials(google)).events()


def test_an_event_lives_and_dies_through_the_client(events: Any) -> None:
    made = events.insert(calendarId="primary", body=event("abcde")).execute()
    renamed = {**event(), "summary": "New"}
    request = events.update(calendarId="primary", eventId="abcde", body=renamed)
    request.headers["If-Match"] = made["etag"]
    assert request.execute()["summary"] == "New"
    with pytest.raises(HttpError) as stale:
        request.execute()
    assert (stale.value.status_code, stale.value.error_details[0]["reason"]) == (412, "conditionNotMet")
    assert events.delete(calendarId="primary", eventId="abcde").execute() == ""
    with pytest.raises(HttpError) as gone:
        events.delete(calendarId="primary", eventId="abcde").execute()
    assert gone.value.reason == "Resource has been deleted"


def test_the_client_follows_pages_to_the_end(events: Any) -> None:
    ids = [
        events.insert(calendarId="primary", body=event(extendedProperties=private(k="v"))).execute()["id"]
        for _ in range(5)
    ]
    request = events.list(calendarId="primary", maxResults=2, privateExtendedProperty="k=v")
    found: list[str] = []
    while request is not None:
        answer = request.execute()
        found += [one["id"] for one in answer["items"]]
        request = events.list_next(request, answer)
    assert found == ids


def test_a_query_over_2048_characters_is_answered_all_the_same(google: Google, events: Any) -> None:
    value = "ü" * 1000
    made = events.insert(calendarId="primary", body=event(extendedProperties=private(k=value))).execute()
    answer = events.list(calendarId="primary", privateExtendedProperty=f"k={value}").execute()
    assert [one["id"] for one in answer["items"]] == [made["id"]]
    assert "x-http-method-override" in google.sim.recorder.seen[-1].headers


def test_the_client_retries_what_google_says_may_be_retried(google: Google, events: Any) -> None:
    google.sim.faults.add(
        Fault("status", operation="get", status=403, reason="userRateLimitExceeded"),
        Fault("status", operation="get", status=503),
    )
    events.insert(calendarId="primary", body=event("abcde")).execute()
    request = events.get(calendarId="primary", eventId="abcde")
    request._rand, request._sleep = (lambda: 0.0), (lambda seconds: None)
    assert request.execute(num_retries=2)["id"] == "abcde"
    assert google.sim.recorder.count("get") == 3


def test_a_withdrawn_consent_raises_refresh_error_in_the_client(google: Google) -> None:
    credentials = _credentials(google)
    google.sim.revoke(ANA)
    with pytest.raises(RefreshError, match="invalid_grant: Token has been expired or revoked"):
        _service(google, credentials).events().list(calendarId="primary").execute()


def _robot(google: Google, *, subject: str | None = None, other_key: bool = False) -> Any:
    key, wrong = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    pem = (wrong if other_key else key).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    google.sim.add_service_account(ROBOT, public_key=public, delegated=[EVENTS])
    info = {"client_email": ROBOT, "private_key": pem.decode(), "token_uri": f"{google.url}/token"}
    return service_account.Credentials.from_service_account_info(info, scopes=[EVENTS], subject=subject)


def test_a_delegated_service_account_acts_as_the_person_on_its_own_quota(google: Google) -> None:
    google.insert("abcde")
    credentials = _robot(google, subject=ANA)
    credentials.refresh(_transport(google))
    found = _service(google, credentials).events().list(calendarId="primary").execute()
    assert [one["id"] for one in found["items"]] == ["abcde"]
    assert google.sim.grants.live_access(credentials.token).charged_to == ROBOT


def test_a_service_account_reaches_a_calendar_shared_with_it_but_invites_nobody(google: Google) -> None:
    credentials = _robot(google)
    credentials.refresh(_transport(google))
    google.sim.share(ANA, ROBOT, "writer")
    events = _service(google, credentials).events()
    assert events.insert(calendarId=ANA, body=event("abcde")).execute()["creator"]["email"] == ROBOT
    guests = event(attendees=[{"email": "guest@example.com"}])
    with pytest.raises(HttpError) as refused:
        events.insert(calendarId=ANA, body=guests).execute()
    assert refused.value.error_details[0]["reason"] == "forbiddenForServiceAccounts"


def test_an_assertion_signed_with_another_key_is_refused(google: Google) -> None:
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        _robot(google, other_key=True).refresh(_transport(google))


def test_delegation_does_not_reach_strangers_nor_consumer_accounts(google: Google) -> None:
    google.sim.add_account("someone@gmail.com")
    with pytest.raises(RefreshError, match="Invalid email or User ID"):
        _robot(google, subject="nobody@example.com").refresh(_transport(google))
    with pytest.raises(RefreshError, match="unauthorized_client"):
        _robot(google, subject="someone@gmail.com").refresh(_transport(google))
