"""Consent, tokens and their ends in the simulated Google, over plain HTTP."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup
from google.auth.transport.requests import Request as GoogleRequest
from google.oauth2 import id_token
from google_caller import ANA, Google, error_of, running

from reconciler.simulators.google import CLIENT
from reconciler.simulators.wire import Fault

EVENTS = "https://www.googleapis.com/auth/calendar.events"
LISTS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"
BACK = "http://localhost:9/back"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        del started.session.headers["Authorization"]
        started.sim.grants.revoke_all(ANA)
        yield started


def _asked(**more: str) -> dict[str, str]:
    return {
        "client_id": CLIENT.id, "redirect_uri": BACK, "response_type": "code", "state": "st&te",
        "scope": f"openid email {EVENTS} {LISTS}", "access_type": "offline", "prompt": "consent",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", "nonce": "once", "login_hint": ANA,
        **more,
    }  # fmt: skip


def _press(google: Google, decision: str, tick: list[str], **more: str) -> dict[str, str]:
    """Through the page as a browser goes: what the client is told in the redirect."""
    page = google.call("GET", "/o/oauth2/v2/auth", params=_asked(**more))
    form = BeautifulSoup(page.text, "html.parser").form
    assert form is not None
    offered = [str(box["value"]) for box in form.find_all("input", type="checkbox")]
    assert set(tick) <= set(offered)
    given = {"request": form.find("input", {"name": "request"})["value"], "account": form.option.text}
    answer = google.call(
        "POST",
        str(form["action"]),
        data={**given, "scope": tick, "decision": decision},
        allow_redirects=False,
    )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def _token(google: Google, **form: str) -> requests.Response:
    known = {"client_id": CLIENT.id, "client_secret": CLIENT.secret}
    return google.call("POST", "/token", data={**known, **form})


def _redeem(google: Google, code: str, **more: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return _token(google, **{**form, **more})


def _refresh(google: Google, token: str, **more: str) -> requests.Response:
    return _token(google, grant_type="refresh_token", refresh_token=token, **more)


def _refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def _works(google: Google, access_token: str) -> bool:
    return google.call("GET", headers={"Authorization": f"Bearer {access_token}"}).ok


def test_allowing_all_gives_tokens_that_work(google: Google) -> None:
    told = _press(google, "allow", [EVENTS, LISTS])
    assert told["state"] == "st&te"
    tokens = _redeem(google, told["code"]).json()
    email = "https://www.googleapis.com/auth/userinfo.email"
    assert tokens["scope"].split() == sorted([EVENTS, LISTS, "openid", email])
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)
    assert _works(google, tokens["access_token"])
    again = _refresh(google, tokens["refresh_token"]).json()
    assert "refresh_token" not in again
    assert _works(google, again["access_token"])


def test_scopes_come_unticked_and_only_the_ticked_ones_are_granted(google: Google) -> None:
    page = google.call("GET", "/o/oauth2/v2/auth", params=_asked())
    boxes = BeautifulSoup(page.text, "html.parser").find_all("input", type="checkbox")
    assert [box.has_attr("checked") for box in boxes] == [False, False]
    tokens = _redeem(google, _press(google, "allow", [LISTS])["code"]).json()
    assert EVENTS not in tokens["scope"].split()
    answer = google.call("GET", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert error_of(answer) == (403, "insufficientPermissions")


def test_denying_tells_the_client_so(google: Google) -> None:
    assert _press(google, "deny", [EVENTS]) == {"error": "access_denied", "state": "st&te"}
    assert _press(google, "allow", [], scope=EVENTS)["error"] == "access_denied"


def test_the_page_refuses_to_be_framed(google: Google) -> None:
    page = google.call("GET", "/o/oauth2/v2/auth", params=_asked())
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"redirect_uri": ""}, {"response_type": "token"}])
def test_a_wrong_request_is_shown_to_the_person_and_not_redirected(
    google: Google, wrong: dict[str, str]
) -> None:
    answer = google.call("GET", "/o/oauth2/v2/auth", params=_asked(**wrong), allow_redirects=False)
    assert (answer.status_code in (400, 401), "Location" in answer.headers) == (True, False)


def test_what_a_person_types_into_a_request_is_escaped_on_the_page() -> None:
    with running(clients=[type(CLIENT)("<script>x</script>", "s")]) as google:
        page = google.call("GET", "/o/oauth2/v2/auth", params=_asked(client_id="<script>x</script>"))
        assert "<script>" not in page.text


def test_a_code_is_good_once_for_the_verifier_and_address_it_was_made_for(google: Google) -> None:
    code = _press(google, "allow", [EVENTS])["code"]
    assert _refusal(_redeem(google, code, code_verifier="w" * 50)) == (400, "invalid_grant")
    assert _refusal(_redeem(google, code, code_verifier="")) == (400, "invalid_grant")
    assert _refusal(_redeem(google, code, redirect_uri=BACK + "2")) == (400, "redirect_uri_mismatch")
    assert _redeem(google, code).ok
    assert _refusal(_redeem(google, code)) == (400, "invalid_grant")


def test_a_code_is_good_for_ten_minutes(google: Google) -> None:
    code = _press(google, "allow", [EVENTS])["code"]
    google.sim.clock.advance(timedelta(minutes=11))
    assert _refusal(_redeem(google, code)) == (400, "invalid_grant")


def test_a_second_consent_gives_a_refresh_token_only_when_asked_to_prompt(google: Google) -> None:
    def again(**more: str) -> dict[str, Any]:
        answer: dict[str, Any] = _redeem(google, _press(google, "allow", [EVENTS], **more)["code"]).json()
        return answer

    assert "refresh_token" in again(prompt="")
    assert "refresh_token" not in again(prompt="")
    assert "refresh_token" in again()
    assert "refresh_token" not in again(access_type="online")


def test_scopes_granted_before_are_included_on_request(google: Google) -> None:
    _redeem(google, _press(google, "allow", [EVENTS])["code"])
    more = {"scope": LISTS, "include_granted_scopes": "true"}
    granted = _redeem(google, _press(google, "allow", [LISTS], **more)["code"]).json()["scope"].split()
    assert {EVENTS, LISTS} <= set(granted)


def test_the_id_token_names_the_account_by_an_immutable_sub(google: Google) -> None:
    tokens = _redeem(google, _press(google, "allow", [EVENTS])["code"]).json()
    claims = id_token.verify_token(
        tokens["id_token"], GoogleRequest(google.session), audience=CLIENT.id, certs_url=f"{google.url}/certs"
    )
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["sub"] == google.sim.store.accounts[ANA].sub
    assert (claims["email"], claims["nonce"]) == (ANA, "once")


def test_access_tokens_end_after_their_hour(google: Google) -> None:
    access = _refresh(google, google.sim.issue_refresh_token(ANA)).json()["access_token"]
    google.sim.clock.advance(timedelta(seconds=3590))
    assert _works(google, access)
    google.sim.clock.advance(timedelta(seconds=20))
    assert not _works(google, access)


def test_revoking_one_token_ends_all_of_that_account(google: Google) -> None:
    first, second = (google.sim.issue_refresh_token(ANA) for _ in range(2))
    access = _refresh(google, first).json()["access_token"]
    assert google.call("POST", "/revoke", data={"token": access}).status_code == 200
    for token in (first, second):
        answer = _refresh(google, token)
        assert answer.status_code == 400
        assert answer.json() == {
            "error": "invalid_grant",
            "error_description": "Token has been expired or revoked.",
        }
    assert not _works(google, access)
    assert _refusal(google.call("POST", "/revoke", data={"token": access})) == (400, "invalid_token")


def test_an_owner_who_withdraws_consent_may_grant_it_again(google: Google) -> None:
    old = google.sim.issue_refresh_token(ANA)
    google.call("POST", "/_sim/revoke", json={"mailbox": ANA})
    new = google.call("POST", "/_sim/tokens", json={"mailbox": ANA}).json()["refresh_token"]
    assert _refusal(_refresh(google, old)) == (400, "invalid_grant")
    assert _refresh(google, new).ok


def test_of_more_than_a_hundred_refresh_tokens_the_oldest_is_dropped(google: Google) -> None:
    tokens = [google.sim.issue_refresh_token(ANA) for _ in range(101)]
    assert _refusal(_refresh(google, tokens[0])) == (400, "invalid_grant")
    assert _refresh(google, tokens[1]).ok
    assert _refresh(google, tokens[100]).ok


def test_a_refresh_token_unused_for_half_a_year_is_dead(google: Google) -> None:
    used, unused = google.sim.issue_refresh_token(ANA), google.sim.issue_refresh_token(ANA)
    google.sim.clock.advance(timedelta(days=100))
    assert _refresh(google, used).ok
    google.sim.clock.advance(timedelta(days=100))
    assert _refresh(google, used).ok
    assert _refusal(_refresh(google, unused)) == (400, "invalid_grant")


def test_an_app_in_testing_loses_its_refresh_tokens_after_a_week() -> None:
    with running(testing_app=True) as google:
        token = google.sim.issue_refresh_token(ANA)
        google.sim.clock.advance(timedelta(days=6))
        assert _refresh(google, token).ok
        google.sim.clock.advance(timedelta(days=2))
        assert _refusal(_refresh(google, token)) == (400, "invalid_grant")


def test_a_refresh_may_ask_for_fewer_scopes_but_not_for_more(google: Google) -> None:
    token = google.sim.issue_refresh_token(ANA, [EVENTS, LISTS])
    assert _refresh(google, token, scope=EVENTS).json()["scope"] == EVENTS
    assert _refusal(_refresh(google, token, scope="https://mail.google.com/")) == (400, "invalid_scope")


def test_a_client_must_be_known_and_have_its_secret(google: Google) -> None:
    token = google.sim.issue_refresh_token(ANA)
    assert _refusal(_refresh(google, token, client_secret="wrong")) == (401, "invalid_client")
    assert _refusal(_refresh(google, token, client_id="wrong")) == (401, "invalid_client")
    assert _refusal(_token(google, grant_type="password")) == (400, "unsupported_grant_type")
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert google.call("POST", "/token", data=form, auth=(CLIENT.id, CLIENT.secret)).ok


def test_faults_of_the_token_endpoint_look_like_oauths(google: Google) -> None:
    token = google.sim.issue_refresh_token(ANA)
    google.sim.faults.add(
        Fault("status", operation="token", mailbox=ANA, status=503),
        Fault("status", operation="token", mailbox=ANA, status=400),
        Fault("status", operation="token", mailbox=ANA, status=400, reason="admin_policy_enforced"),
    )
    assert [_refusal(_refresh(google, token)) for _ in range(3)] == [
        (503, "internal_failure"),
        (400, "invalid_grant"),
        (400, "admin_policy_enforced"),
    ]
    assert _refresh(google, token).ok


def test_a_decision_can_be_made_without_a_browser(google: Google) -> None:
    url = f"{google.url}/o/oauth2/v2/auth?{urlencode(_asked())}"
    told = parse_qs(urlsplit(google.sim.decide(url, ANA, [EVENTS])).query)
    assert EVENTS in _redeem(google, told["code"][0]).json()["scope"]
    assert "error=access_denied" in google.sim.decide(url, ANA, allow=False)
