"""What is Google's own in a consent: boxes, domains, refusals by its error codes, revoking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.errors import ConsentProblem, ConsentRefused, VendorUnavailable
from reconciler.providers.google.connect import CALENDARS, EVENTS
from reconciler.simulators.wire import Fault
from tests.support.consent import ANA, Consent, at_google


@pytest.fixture
def google() -> Iterator[Consent]:
    with at_google() as bed:
        yield bed


def test_only_events_and_the_list_of_calendars_are_asked_for_and_a_lasting_grant(google: Consent) -> None:
    url = google.begin().auth_url
    assert "access_type=offline" in url
    assert "include_granted_scopes=true" in url
    assert "prompt=consent" in url
    assert url.count("www.googleapis.com") == 2


def test_without_the_box_for_events_nothing_is_connected(google: Consent) -> None:
    with pytest.raises(ConsentRefused) as caught:
        google.granted(ticked=[CALENDARS])
    assert caught.value.problem is ConsentProblem.SCOPES_LACKING


def test_without_the_box_for_calendars_that_scope_is_lacking_and_the_rest_goes_on(google: Consent) -> None:
    granted = google.granted(ticked=[EVENTS])
    assert granted.lacking == (CALENDARS,)
    assert CALENDARS not in granted.scopes
    assert granted.calendar_id == ANA
    assert google.simulator.recorder.count("calendars") == 0


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("access_denied", ConsentProblem.DECLINED),
        ("admin_policy_enforced", ConsentProblem.ADMIN_APPROVAL),
        ("org_internal", ConsentProblem.WRONG_ACCOUNT),
        ("interaction_required", ConsentProblem.BROKEN),
        ("anything <script>", ConsentProblem.BROKEN),
    ],
)
def test_each_error_google_returns_with_has_its_meaning(
    google: Consent, error: str, problem: ConsentProblem
) -> None:
    with pytest.raises(ConsentRefused) as caught:
        google.finish(google.begin(), {"state": "state-1", "error": error})
    assert caught.value.problem is problem


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "redirect_uri_mismatch"])
def test_googles_own_trouble_is_not_the_persons(google: Consent, error: str) -> None:
    with pytest.raises(VendorUnavailable):
        google.finish(google.begin(), {"state": "state-1", "error": error})


@pytest.mark.parametrize(
    ("error", "problem"),
    [("invalid_grant", ConsentProblem.EXPIRED), ("admin_policy_enforced", ConsentProblem.ADMIN_APPROVAL)],
)
def test_each_refusal_of_a_code_has_its_meaning(google: Consent, error: str, problem: ConsentProblem) -> None:
    google.simulator.faults.add(Fault("status", "token", status=400, reason=error))
    with pytest.raises(ConsentRefused) as caught:
        google.granted()
    assert caught.value.problem is problem


def test_an_answer_that_names_another_issuer_is_refused_before_its_code_is_used(google: Consent) -> None:
    start = google.begin()
    answer = {**google.press(start.auth_url), "iss": "https://evil.example"}
    with pytest.raises(ConsentRefused):
        google.finish(start, answer)
    assert google.answers() == 0
    assert google.finish(start, {**answer, "iss": "https://accounts.google.com"}).address == ANA


@pytest.mark.parametrize(
    ("mailbox", "personal", "domains", "taken"),
    [
        (ANA, False, ["contoso.example"], True),
        (ANA, False, ["Contoso.Example", "gmail.com"], True),
        (ANA, False, ["fabrikam.example"], False),
        (ANA, True, ["contoso.example"], False),
        (ANA, True, [], True),
        ("ana@gmail.com", True, ["gmail.com"], True),
        ("ana@gmail.com", True, ["contoso.example"], False),
    ],
)
def test_only_accounts_of_an_allowed_domain_are_taken(
    mailbox: str, personal: bool, domains: list[str], taken: bool
) -> None:
    with at_google(allowed_domains=domains) as google:
        google.simulator.add_account(mailbox).personal = personal
        if taken:
            assert google.granted(mailbox).address == mailbox
            return
        with pytest.raises(ConsentRefused) as caught:
            google.granted(mailbox)
        assert caught.value.problem is ConsentProblem.WRONG_ACCOUNT


def test_a_grant_is_ended_at_google_and_ending_it_again_is_as_good(google: Consent) -> None:
    credentials = google.granted().credentials
    assert google.flow.revoke(credentials)
    assert google.simulator.grants.live_refresh(credentials["refresh_token"]) is None
    assert google.flow.revoke(credentials)


@pytest.mark.parametrize("fault", [Fault("drop", "revoke", times=-1), Fault("status", "revoke", status=503)])
def test_a_grant_that_may_live_on_is_not_called_ended(google: Consent, fault: Fault) -> None:
    credentials = google.granted().credentials
    google.simulator.faults.add(fault)
    with pytest.raises(VendorUnavailable):
        google.flow.revoke(credentials)


def test_there_is_no_page_for_administrators(google: Consent) -> None:
    assert google.flow.admin_consent_url("https://calendar.example/approved", "s") is None
    with pytest.raises(ConsentRefused):
        google.flow.admin_approval("s", {"state": "s"})
