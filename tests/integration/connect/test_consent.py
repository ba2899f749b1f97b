"""A person's consent at either vendor: what is asked, what comes of each answer, what is never believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.errors import ConsentProblem, ConsentRefused, VendorNonsense, VendorUnavailable
from reconciler.ports import FlowStart
from reconciler.providers import openid
from reconciler.providers.openid import verified
from reconciler.simulators.wire import Fault
from tests.support.consent import ANA, Consent, at_google, at_microsoft

Bed = Callable[[], AbstractContextManager[Consent]]
VENDORS: list[Bed] = [at_google, at_microsoft]


@pytest.fixture(params=VENDORS, ids=["google", "microsoft"])
def vendor(request: pytest.FixtureRequest) -> Iterator[Consent]:
    with request.param() as bed:
        yield bed


def refusal(attempt: Callable[[], object]) -> ConsentProblem:
    """Why it is refused; it must be."""
    with pytest.raises(ConsentRefused) as caught:
        attempt()
    assert ANA not in str(caught.value)
    return caught.value.problem


def asked(start: FlowStart) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(start.auth_url).query))


# What is asked ------------------------------------------------------------------------------------


def test_a_consent_is_asked_with_pkce_state_and_a_nonce_that_are_new_each_time(vendor: Consent) -> None:
    first, second = asked(vendor.begin("one")), asked(vendor.begin("two"))
    assert (first["state"], second["state"]) == ("one", "two")
    assert first["code_challenge_method"] == "S256"
    assert first["response_type"] == "code"
    assert first["nonce"] != second["nonce"]
    assert first["code_challenge"] != second["code_challenge"]


def test_what_is_kept_for_the_return_is_not_in_the_address(vendor: Consent) -> None:
    start = vendor.begin()
    sent = set(asked(start).values())
    if "verifier" in start.secrets:
        assert start.secrets["verifier"] not in sent
        assert openid.challenge_of(start.secrets["verifier"]) in sent
    else:
        assert "code_verifier" in start.secrets["flow"]


def test_an_account_is_suggested_where_it_is_known(vendor: Consent) -> None:
    assert asked(vendor.begin(hint=ANA))["login_hint"] == ANA
    assert "select_account" in asked(vendor.begin())["prompt"]


# What is granted ----------------------------------------------------------------------------------


def test_a_grant_names_the_account_its_calendar_and_its_scopes(vendor: Consent) -> None:
    granted = vendor.granted()
    assert granted.address == ANA
    assert granted.lacking == ()
    assert any("calendar" in scope.lower() for scope in granted.scopes)
    assert set(granted.credentials) == {"refresh_token"}
    if vendor.flow.name == "google":
        account = vendor.simulator.store.accounts[ANA]
        assert (granted.subject, granted.calendar_id) == (account.sub, ANA)
    else:
        mailbox = vendor.simulator.mailbox(ANA)
        assert granted.subject == f"{mailbox.account.tenant}:{mailbox.account.oid}"
        assert granted.calendar_id == mailbox.default.id


def test_whoever_granted_before_gets_a_new_refresh_token(vendor: Consent) -> None:
    assert vendor.granted().credentials != vendor.granted().credentials


# What is refused ----------------------------------------------------------------------------------


def test_declining_is_told_as_declining(vendor: Consent) -> None:
    no = "deny" if vendor.flow.name == "google" else "cancel"
    assert refusal(lambda: vendor.granted(decision=no)) is ConsentProblem.DECLINED
    assert vendor.answers() == 0


def test_a_replayed_code_connects_nobody(vendor: Consent) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.finish(start, answer)
    assert refusal(lambda: vendor.finish(start, answer)) is ConsentProblem.EXPIRED


def test_another_state_is_refused_before_anything_is_asked(vendor: Consent) -> None:
    start = vendor.begin()
    answer = {**vendor.press(start.auth_url), "state": "state-2"}
    for wrong in (answer, {"code": answer["code"]}):
        assert refusal(lambda wrong=wrong: vendor.finish(start, wrong)) is ConsentProblem.EXPIRED
    assert vendor.answers() == 0


def test_a_code_of_another_browser_does_not_fit_this_ones_verifier(vendor: Consent) -> None:
    mine, theirs = vendor.begin("mine"), vendor.begin("theirs")
    injected = {**vendor.press(theirs.auth_url), "state": "mine"}
    assert refusal(lambda: vendor.finish(mine, injected)) is ConsentProblem.EXPIRED


def test_a_token_for_another_request_is_refused_by_its_nonce(vendor: Consent) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    other = FlowStart(start.auth_url, {**start.secrets, "nonce": "another"})
    assert refusal(lambda: vendor.finish(other, answer)) is ConsentProblem.EXPIRED


def test_an_answer_with_neither_code_nor_error_makes_no_sense(vendor: Consent) -> None:
    start = vendor.begin()
    assert refusal(lambda: vendor.finish(start, {"state": "state-1"})) is ConsentProblem.BROKEN


@pytest.mark.parametrize("fault", ["drop", "lost_reply"])
def test_a_token_endpoint_that_goes_down_in_the_middle_connects_nobody(vendor: Consent, fault: Any) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.simulator.faults.add(Fault(fault, "token", times=-1))
    with pytest.raises((VendorUnavailable, ConsentRefused)):
        vendor.finish(start, answer)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_at_the_token_endpoint_is_the_vendors_not_the_persons(vendor: Consent, status: int) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.simulator.faults.add(Fault("status", "token", status=status))
    with pytest.raises(VendorUnavailable):
        vendor.finish(start, answer)
    vendor.finish(start, answer)


def test_a_page_instead_of_tokens_is_nonsense(vendor: Consent) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.simulator.faults.add(Fault("html", "token"))
    with pytest.raises(VendorNonsense):
        vendor.finish(start, answer)


def test_a_calendar_that_cannot_be_asked_for_yet_connects_nobody(vendor: Consent) -> None:
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.simulator.faults.add(Fault("status", "calendars", status=503, times=-1))
    with pytest.raises(VendorUnavailable):
        vendor.finish(start, answer)


def test_an_account_without_a_calendar_is_the_wrong_account(vendor: Consent) -> None:
    google = vendor.flow.name == "google"
    reason = "notFound" if google else "MailboxNotEnabledForRESTAPI"
    start = vendor.begin()
    answer = vendor.press(start.auth_url)
    vendor.simulator.faults.add(Fault("dead_mailbox", "calendars", status=404, reason=reason, times=-1))
    assert refusal(lambda: vendor.finish(start, answer)) is ConsentProblem.WRONG_ACCOUNT


@pytest.mark.parametrize("bed", VENDORS, ids=["google", "microsoft"])
def test_a_wrong_client_secret_is_the_operators_to_see_to(bed: Callable[..., Any]) -> None:
    with bed(secret="wrong") as vendor, pytest.raises(VendorUnavailable, match="Check the"):
        vendor.granted()


# The id token -------------------------------------------------------------------------------------

KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
KEYS = {"keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}]}
CLAIMS = {"iss": "https://issuer", "aud": "us", "sub": "1", "nonce": "n", "iat": 1, "exp": 4_000_000_000}


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", kid: str = "k1") -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def checked(token: object, issuer: str = "https://issuer") -> Any:
    return verified(token, KEYS, audience="us", issuers=[issuer], nonce="n")


def test_a_good_id_token_is_believed() -> None:
    assert checked(signed(CLAIMS))["sub"] == "1"
    tenant = signed({**CLAIMS, "iss": "https://issuer/t1/v2.0", "tid": "t1"})
    assert checked(tenant, "https://issuer/{tenantid}/v2.0")["tid"] == "t1"


@pytest.mark.parametrize(
    "token",
    [
        signed(CLAIMS, OTHER),
        signed(CLAIMS, kid="k2"),
        signed(CLAIMS, "a secret that is long enough for HS256", "HS256"),
        signed(CLAIMS, None, "none"),
        signed({**CLAIMS, "aud": "somebody else"}),
        signed({**CLAIMS, "iss": "https://another"}),
        signed({**CLAIMS, "exp": 2}),
        signed({name: value for name, value in CLAIMS.items() if name != "exp"}),
        signed({name: value for name, value in CLAIMS.items() if name != "sub"}),
        "not a token",
        None,
    ],
    ids=[
        "key",
        "kid",
        "symmetric",
        "unsigned",
        "audience",
        "issuer",
        "expired",
        "endless",
        "nameless",
        "text",
        "none",
    ],
)
def test_an_id_token_that_is_wrong_in_anything_is_not(token: object) -> None:
    assert refusal(lambda: checked(token)) is ConsentProblem.BROKEN


@pytest.mark.parametrize("nonce", ["m", ""])
def test_an_id_token_with_another_nonce_is_not(nonce: str) -> None:
    assert refusal(lambda: checked(signed({**CLAIMS, "nonce": nonce}))) is ConsentProblem.EXPIRED


def test_the_tenant_in_an_issuer_is_the_tokens_own() -> None:
    token = signed({**CLAIMS, "iss": "https://issuer/t2/v2.0", "tid": "t1"})
    assert refusal(lambda: checked(token, "https://issuer/{tenantid}/v2.0")) is ConsentProblem.BROKEN
