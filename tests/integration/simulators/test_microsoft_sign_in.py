"""The simulated Entra, signed in to with the real msal and looked at as a browser would."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from microsoft_caller import ANA, Microsoft, certificates, https_session, running

from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET

CALLBACK = "https://ilt.example/connect/microsoft/callback"
SCOPES = ["User.Read", "Calendars.ReadWrite"]


@pytest.fixture
def entra() -> Iterator[Microsoft]:
    with running() as started:
        started.sim.directory.apps[DEFAULT_CLIENT_ID].redirect_uris.add(CALLBACK)
        yield started


def application(
    entra: Microsoft, tenant: str = "common", credential: Any = DEFAULT_SECRET
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        DEFAULT_CLIENT_ID,
        client_credential=credential,
        authority=f"{entra.url}/{tenant}",
        instance_discovery=False,
        http_client=https_session(),
    )


def decide(entra: Microsoft, address: str, account: str = ANA, decision: str = "accept") -> requests.Response:
    """What the person does on the page; redirects are not followed."""
    page = entra.session.get(address, timeout=20)
    assert page.ok
    assert page.headers["X-Frame-Options"] == "DENY"
    given = {"account": account, "decision": decision}
    return entra.session.post(address, data=given, allow_redirects=False, timeout=20)


def returned(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def sign_in(entra: Microsoft, app: msal.ConfidentialClientApplication, **more: Any) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, **more)
    return app.acquire_token_by_auth_code_flow(flow, returned(decide(entra, flow["auth_uri"])))


def ask_token(entra: Microsoft, tenant: str = "common", **fields: str) -> requests.Response:
    given = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_SECRET, **fields}
    return entra.session.post(f"{entra.url}/{tenant}/oauth2/v2.0/token", data=given, timeout=20)


def refresh(entra: Microsoft, token: str, **more: str) -> requests.Response:
    return ask_token(entra, grant_type="refresh_token", refresh_token=token, **more)


def codes(answer: requests.Response) -> list[int]:
    return answer.json()["error_codes"]


@pytest.mark.parametrize("tenant", ["common", "organizations", "contoso.example"])
def test_msal_signs_a_person_in_and_the_token_opens_their_calendar(entra: Microsoft, tenant: str) -> None:
    result = sign_in(entra, application(entra, tenant))
    claims, account = result["id_token_claims"], entra.sim.mailbox(ANA).account
    assert (claims["oid"], claims["tid"], claims["preferred_username"]) == (account.oid, account.tenant, ANA)
    assert claims["iss"] == f"{entra.url}/{account.tenant}/v2.0"
    opened = entra.call("GET", "/v1.0/me", headers={"Authorization": f"Bearer {result['access_token']}"})
    assert opened.json()["id"] == account.oid


def test_the_id_token_verifies_against_the_published_keys(entra: Microsoft) -> None:
    result = sign_in(entra, application(entra))
    configuration = entra.session.get(f"{entra.url}/common/v2.0/.well-known/openid-configuration").json()
    [key] = entra.session.get(configuration["jwks_uri"]).json()["keys"]
    header = jwt.get_unverified_header(result["id_token"])
    assert header["kid"] == key["kid"]
    claims = jwt.decode(result["id_token"], jwt.PyJWK(key).key, ["RS256"], audience=DEFAULT_CLIENT_ID)
    assert claims["ver"] == "2.0"


def test_client_info_names_the_account_when_asked_for(entra: Microsoft) -> None:
    sign_in(entra, app := application(entra))
    account = entra.sim.mailbox(ANA).account
    assert [one["home_account_id"] for one in app.get_accounts()] == [f"{account.oid}.{account.tenant}"]
    plain = refresh(entra, entra.sim.issue_refresh_token(ANA)).json()
    assert "client_info" not in plain
    asked = refresh(entra, entra.sim.issue_refresh_token(ANA), client_info="1").json()["client_info"]
    assert json.loads(base64.urlsafe_b64decode(asked + "=="))["uid"] == account.oid


def test_msal_refreshes_silently_and_stores_the_rotated_token(entra: Microsoft) -> None:
    sign_in(entra, app := application(entra))
    [account] = app.get_accounts()
    kept = app.token_cache.search(msal.TokenCache.CredentialType.REFRESH_TOKEN)
    before = [one["secret"] for one in kept]
    result = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert entra.call("GET", "events", headers={"Authorization": f"Bearer {result['access_token']}"}).ok
    kept = app.token_cache.search(msal.TokenCache.CredentialType.REFRESH_TOKEN)
    assert [one["secret"] for one in kept] != before


def test_a_form_post_answer_carries_the_code_in_a_form(entra: Microsoft) -> None:
    app = application(entra)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, response_mode="form_post")
    page = decide(entra, flow["auth_uri"]).text
    assert f'action="{CALLBACK}"' in page
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert "access_token" in app.acquire_token_by_auth_code_flow(flow, fields)


def test_a_person_who_cancels_is_sent_back_with_access_denied(entra: Microsoft) -> None:
    flow = application(entra).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    answer = returned(decide(entra, flow["auth_uri"], decision="cancel"))
    assert (answer["error"], answer["state"]) == ("access_denied", flow["state"])
    assert answer["error_description"].startswith("AADSTS65004")


def test_where_only_admins_consent_the_person_is_told_and_sent_back(entra: Microsoft) -> None:
    entra.sim.directory.tenant("contoso.example").user_consent = False
    flow = application(entra).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    assert "Need admin approval" in decide(entra, flow["auth_uri"]).text
    answer = returned(decide(entra, flow["auth_uri"], decision="return"))
    assert answer["error_description"].startswith("AADSTS90094")


def test_an_admin_approves_for_everyone(entra: Microsoft) -> None:
    tenant = entra.sim.directory.tenant("contoso.example")
    tenant.user_consent = False
    entra.sim.add_account("root@contoso.example", admin=True)
    address = f"{entra.url}/contoso.example/v2.0/adminconsent?client_id={DEFAULT_CLIENT_ID}&state=s1"
    address += f"&redirect_uri={CALLBACK}&scope=https://graph.microsoft.com/Calendars.ReadWrite"
    assert "Need admin approval" in decide(entra, address, account=ANA).text
    answer = returned(decide(entra, address, account="root@contoso.example"))
    assert (answer["admin_consent"], answer["tenant"], answer["state"]) == ("True", tenant.id, "s1")
    assert "access_token" in sign_in(entra, application(entra))


@pytest.mark.parametrize("code", [50105, 53003, 50076])
def test_a_tenant_may_refuse_every_sign_in(entra: Microsoft, code: int) -> None:
    entra.sim.directory.tenant("contoso.example").refusal = code
    flow = application(entra).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    assert returned(decide(entra, flow["auth_uri"]))["error_description"].startswith(f"AADSTS{code}")
    assert codes(refresh(entra, entra.sim.issue_refresh_token(ANA))) == [code]


def test_an_unregistered_redirect_address_is_never_followed(entra: Microsoft) -> None:
    flow = application(entra).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK + "/x")
    page = entra.session.get(flow["auth_uri"], allow_redirects=False)
    assert page.status_code == 200
    assert "AADSTS50011" in page.text


def test_on_localhost_any_port_will_do(entra: Microsoft) -> None:
    entra.sim.directory.apps[DEFAULT_CLIENT_ID].redirect_uris.add("http://localhost/back")
    app = application(entra)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri="http://localhost:8123/back")
    assert "code" in returned(decide(entra, flow["auth_uri"]))


def test_strangers_to_the_tenant_are_shown_a_page(entra: Microsoft) -> None:
    entra.sim.add_account("leo@outlook.example", consumer=True)
    flow = application(entra, "organizations").initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    assert "AADSTS50020" in decide(entra, flow["auth_uri"], account="leo@outlook.example").text
    assert "AADSTS50034" in decide(entra, flow["auth_uri"], account="nobody@x.example").text
    assert "access_token" in sign_in(entra, application(entra, "common"))


def test_silent_prompts_need_a_sign_in(entra: Microsoft) -> None:
    flow = application(entra).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, prompt="none")
    answer = entra.session.get(flow["auth_uri"], allow_redirects=False)
    assert returned(answer)["error"] == "login_required"


def test_a_code_works_once_with_its_verifier_and_in_time(entra: Microsoft) -> None:
    app = application(entra)

    def redeem(code: str, flow: dict[str, Any], **more: str) -> requests.Response:
        fields = {"redirect_uri": CALLBACK, "code_verifier": flow["code_verifier"], **more}
        return ask_token(entra, grant_type="authorization_code", code=code, **fields)

    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    code = returned(decide(entra, flow["auth_uri"]))["code"]
    assert codes(redeem(code, flow, code_verifier="guessed")) == [501481]
    assert codes(redeem(code, flow, redirect_uri=CALLBACK + "/x")) == [50011]
    assert redeem(code, flow).ok
    assert codes(redeem(code, flow)) == [54005]
    late = returned(decide(entra, flow["auth_uri"]))["code"]
    entra.tell("clock", advance=601)
    assert codes(redeem(late, flow)) == [70008]
    assert codes(redeem("made-up", flow)) == [70000]


def test_a_rotated_refresh_token_lives_on_for_a_while(entra: Microsoft) -> None:
    old = entra.sim.issue_refresh_token(ANA)
    new = refresh(entra, old).json()["refresh_token"]
    assert new != old
    assert refresh(entra, old).ok
    entra.tell("clock", advance=3601)
    assert codes(refresh(entra, old)) == [70008]
    assert refresh(entra, new).ok


def test_without_offline_access_there_is_no_refresh_token(entra: Microsoft) -> None:
    query = {
        "client_id": DEFAULT_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid User.Read",
    }
    address = requests.Request("GET", f"{entra.url}/common/oauth2/v2.0/authorize", params=query).prepare().url
    code = returned(decide(entra, str(address)))["code"]
    answer = ask_token(entra, grant_type="authorization_code", code=code, redirect_uri=CALLBACK).json()
    assert "refresh_token" not in answer
    assert answer["scope"] == "openid User.Read"


def test_a_refresh_token_unused_for_ninety_days_is_dead(entra: Microsoft) -> None:
    token = entra.sim.issue_refresh_token(ANA)
    entra.tell("clock", advance=90 * 86400 + 1)
    answer = refresh(entra, token)
    assert (answer.status_code, answer.json()["error"], codes(answer)) == (400, "invalid_grant", [700082])


@pytest.mark.parametrize(
    ("code", "error", "suberror"),
    [
        (700082, "invalid_grant", "bad_token"),
        (50173, "invalid_grant", "bad_token"),
        (70008, "invalid_grant", "bad_token"),
        (70043, "invalid_grant", "bad_token"),
        (65001, "invalid_grant", "consent_required"),
        (50076, "interaction_required", "basic_action"),
        (53003, "interaction_required", "message_only"),
    ],
)
def test_a_dead_grant_says_why_and_a_new_sign_in_mends_it(
    entra: Microsoft, code: int, error: str, suberror: str
) -> None:
    sign_in(entra, app := application(entra))
    entra.sim.revoke(ANA, code)
    [account] = app.get_accounts()
    result = app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)
    assert (result["error"], result["suberror"], result["error_codes"]) == (error, suberror, [code])
    assert "access_token" in sign_in(entra, application(entra))


def test_a_revocation_can_be_taken_back_over_http(entra: Microsoft) -> None:
    token = entra.tell("grants", mailbox=ANA)["refresh_token"]
    entra.tell("grants", mailbox=ANA, revoke=70043)
    assert codes(refresh(entra, token)) == [70043]
    entra.tell("grants", mailbox=ANA, revoke=None)
    assert refresh(entra, token).ok


def test_a_scope_nobody_agreed_to_is_refused(entra: Microsoft) -> None:
    token = entra.sim.issue_refresh_token(ANA, scopes="offline_access User.Read")
    answer = refresh(entra, token, scope="https://graph.microsoft.com/Calendars.ReadWrite")
    assert (answer.json()["suberror"], codes(answer)) == ("consent_required", [65001])


def test_the_default_scope_is_whatever_was_agreed_to(entra: Microsoft) -> None:
    token = entra.sim.issue_refresh_token(ANA)
    answer = refresh(entra, token, scope="https://graph.microsoft.com/.default").json()
    assert set(answer["scope"].split()) == {"User.Read", "Calendars.ReadWrite"}


def test_client_secrets_are_checked_and_expire(entra: Microsoft) -> None:
    token = entra.sim.issue_refresh_token(ANA)
    wrong = refresh(entra, token, client_secret="wrong")
    assert (wrong.status_code, wrong.json()["error"], codes(wrong)) == (401, "invalid_client", [7000215])
    assert codes(refresh(entra, token, client_id="unknown")) == [700016]
    app = entra.sim.directory.apps[DEFAULT_CLIENT_ID]
    app.secret_expires = datetime.now(UTC) - timedelta(days=1)
    assert codes(refresh(entra, token)) == [7000222]


def certificate_and_key() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def test_an_application_signs_in_with_its_secret_or_its_certificate(entra: Microsoft) -> None:
    tenant = entra.sim.directory.tenant("contoso.example")
    tenant.application_permissions[DEFAULT_CLIENT_ID] = {"Calendars.ReadWrite"}
    certificate, key = certificate_and_key()
    credential = {"private_key": key.decode(), "public_certificate": certificate.decode()}
    assert codes_of(application(entra, tenant.id, credential)) == [700027]
    entra.sim.directory.apps[DEFAULT_CLIENT_ID].certificate = certificate
    oid = entra.sim.mailbox(ANA).account.oid
    for one in (credential, DEFAULT_SECRET):
        result = application(entra, tenant.id, one).acquire_token_for_client(
            ["https://graph.microsoft.com/.default"]
        )
        headers = {"Authorization": f"Bearer {result['access_token']}"}
        assert entra.call("GET", f"/v1.0/users/{oid}/events", headers=headers).ok


def codes_of(app: msal.ConfidentialClientApplication) -> list[int]:
    return app.acquire_token_for_client(["https://graph.microsoft.com/.default"])["error_codes"]


def test_an_application_nobody_approved_gets_nothing(entra: Microsoft) -> None:
    assert codes_of(application(entra, "contoso.example")) == [700016]
    assert codes(ask_token(entra, "contoso.example", grant_type="client_credentials", scope="User.Read")) == [
        1002012
    ]


def test_an_unknown_tenant_is_refused(entra: Microsoft) -> None:
    answer = entra.session.get(f"{entra.url}/nowhere.example/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error"], codes(answer)) == (400, "invalid_tenant", [90002])


def test_planned_faults_of_the_token_endpoint_speak_oauth(entra: Microsoft) -> None:
    token = entra.sim.issue_refresh_token(ANA)
    entra.tell("faults", kind="status", operation="token", mailbox=ANA, status=503, retry_after=3)
    answer = refresh(entra, token)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "3"
    entra.tell("faults", kind="status", operation="token", reason="700082")
    assert codes(refresh(entra, token)) == [700082]
    assert refresh(entra, token).ok


def test_id_tokens_may_follow_real_time_while_the_vendor_lives_in_another_year() -> None:
    with running(id_tokens_follow_real_time=True) as entra:
        entra.sim.directory.apps[DEFAULT_CLIENT_ID].redirect_uris.add(CALLBACK)
        entra.tell("clock", now="2030-01-01T00:00:00Z")
        assert "access_token" in sign_in(entra, application(entra))


def test_nothing_but_the_simulators_own_authority_is_trusted(entra: Microsoft) -> None:
    session = requests.Session()
    session.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        session.get(f"{entra.url}/common/v2.0/.well-known/openid-configuration", timeout=20)
    assert certificates().ca_file.exists()
