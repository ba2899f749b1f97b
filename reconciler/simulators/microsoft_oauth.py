"""Microsoft Entra's sign-in endpoints: discovery, authorize, token, admin consent.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow,
.../v2-oauth2-client-creds-grant-flow, .../v2-admin-consent, .../certificate-credentials.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography import x509
from werkzeug.routing import Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from reconciler.simulators.microsoft_directory import Account, ClientApp, Directory, Tenant
from reconciler.simulators.microsoft_errors import SIGN_IN_CODES, SignInProblem
from reconciler.simulators.microsoft_grants import (
    OPENID_SCOPES,
    Access,
    Code,
    Grants,
    short_scopes,
)
from reconciler.simulators.microsoft_pages import (
    approval_page,
    consent_page,
    form_post_page,
    problem_page,
)
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.wire import Call, Fault, SimClock, json_response

OAUTH_OPERATIONS = {
    "openid_configuration": "auth",
    "signing_keys": "auth",
    "authorize": "auth",
    "admin_consent": "auth",
    "token": "token",
}
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SHARED_AUTHORITIES = ("common", "organizations", "consumers")


def oauth_rules() -> Iterator[Rule]:
    """Every path below /{tenant}."""
    configuration = "/<tenant>/v2.0/.well-known/openid-configuration"
    yield Rule(configuration, endpoint="openid_configuration", methods=["GET"])
    yield Rule("/<tenant>/discovery/v2.0/keys", endpoint="signing_keys", methods=["GET"])
    yield Rule("/<tenant>/oauth2/v2.0/authorize", endpoint="authorize", methods=["GET", "POST"])
    yield Rule("/<tenant>/oauth2/v2.0/token", endpoint="token", methods=["POST"])
    yield Rule("/<tenant>/v2.0/adminconsent", endpoint="admin_consent", methods=["GET", "POST"])
    yield Rule("/<tenant>/adminconsent", endpoint="admin_consent", methods=["GET", "POST"])


class SignIn:
    """The endpoints of login.microsoftonline.com."""

    def __init__(
        self,
        directory: Directory,
        grants: Grants,
        clock: SimClock,
        switches: MicrosoftSwitches,
        random: Random,
    ) -> None:
        self._directory = directory
        self._grants = grants
        self._clock = clock
        self._switches = switches
        self._random = random

    def answer(self, call: Call) -> Response:
        """The endpoint's answer, or a refusal: JSON at the token endpoint, a page where a person looks."""
        endpoint = getattr(self, call.endpoint)
        try:
            response: Response = endpoint(call)
        except SignInProblem as problem:
            if call.endpoint in ("authorize", "admin_consent"):
                return problem_page(problem.text)
            return self.refusal(problem.code)
        return response

    def holder(self, request: Request) -> Account | None:
        """Whose grant a token request is about."""
        form = request.form
        code, refresh = form.get("code", ""), form.get("refresh_token", "")
        return self._grants.holder_of_code(code) or self._grants.holder_of_refresh(refresh)

    def refusal(self, code: int) -> Response:
        """An AADSTS code as the token endpoint answers it."""
        entry = SIGN_IN_CODES[code]
        return self._error(entry.status, entry.error, f"AADSTS{code}: {entry.text}", [code], entry.suberror)

    def fault_answer(self, fault: Fault) -> Response:
        """A planned fault's ``reason`` may be an AADSTS number or an OAuth error."""
        if fault.reason and fault.reason.isdigit():
            return self.refusal(int(fault.reason))
        error = fault.reason or "temporarily_unavailable"
        return self._error(fault.status, error, "AADSTS90033: A transient error has occurred.", [90033], None)

    def _error(self, status: int, error: str, text: str, codes: list[int], suberror: str | None) -> Response:
        trace, correlation = (str(uuid.UUID(int=self._random.getrandbits(128), version=4)) for _ in range(2))
        stamp = self._clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        answer: dict[str, Any] = {
            "error": error,
            "error_description": f"{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": codes,
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={codes[0]}",
        }
        if suberror is not None:
            answer["suberror"] = suberror
        return json_response(answer, status)

    # discovery --------------------------------------------------------------------------------
    def openid_configuration(self, call: Call) -> Response:
        """The OpenID Connect discovery document."""
        tenant, base = call.args["tenant"], call.request.host_url
        shared = tenant in _SHARED_AUTHORITIES
        own = "{tenantid}" if shared else self._directory.tenant(tenant).id
        return json_response(
            {
                "issuer": f"{base}{own}/v2.0",
                "authorization_endpoint": f"{base}{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}{tenant}/oauth2/v2.0/token",
                "jwks_uri": f"{base}{tenant}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code"],
                "scopes_supported": sorted(OPENID_SCOPES),
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "tenant_region_scope": None,
                "cloud_instance_name": "microsoftonline.com",
                "msgraph_host": "graph.microsoft.com",
            }
        )

    def signing_keys(self, call: Call) -> Response:
        """The JWKS."""
        return json_response(self._grants.public_keys())

    # authorize --------------------------------------------------------------------------------
    def authorize(self, call: Call) -> Response:
        """GET shows the page, POST (from the page) answers to the application."""
        query = call.request.args
        app = self._directory.app(query.get("client_id"))
        _check_redirect(app, query.get("redirect_uri", ""))
        challenged = query.get("code_challenge") is None or query.get("code_challenge_method") == "S256"
        if query.get("response_type") != "code" or not query.get("scope") or not challenged:
            return self._to_application(call, _refused(900144))
        if query.get("prompt") == "none":
            return self._to_application(call, _refused(50058))
        if call.request.method == "GET":
            known = [one.upn for one in self._directory.accounts()[:50]]
            return consent_page(app.client_id, query["scope"].split(), query.get("login_hint", ""), known)
        return self._decided(call, app)

    def _decided(self, call: Call, app: ClientApp) -> Response:
        decision = call.request.form.get("decision")
        if decision == "return":
            return self._to_application(call, _refused(90094))
        if decision != "accept":
            return self._to_application(call, {**_refused(65004), "error_subcode": "cancel"})
        account = self._signed_in(call)
        tenant = self._directory.tenant(account.tenant)
        if tenant.refusal is not None:
            return self._to_application(call, _refused(tenant.refusal))
        if not tenant.user_consent and app.client_id not in tenant.admin_consented:
            return approval_page(app.client_id, account.upn)
        return self._to_application(call, self._granted(call, app, account))

    def _signed_in(self, call: Call) -> Account:
        account = self._directory.account(call.request.form.get("account", ""))
        if account is None:
            raise SignInProblem(50034)
        if not self._directory.admits(call.args["tenant"], account):
            raise SignInProblem(50020)
        return account

    def _granted(self, call: Call, app: ClientApp, account: Account) -> dict[str, str]:
        query = call.request.args
        consents = self._grants.consents.setdefault((account.oid, app.client_id), set())
        consents |= short_scopes(query["scope"])
        code = Code(
            client_id=app.client_id,
            account=account,
            scope=query["scope"],
            redirect_uri=query["redirect_uri"],
            challenge=query.get("code_challenge"),
            nonce=query.get("nonce"),
            issued=self._clock.now(),
        )
        answer = {"code": self._grants.issue_code(code)}
        if query.get("client_info") == "1":
            answer["client_info"] = _client_info(account)
        return answer

    def _to_application(self, call: Call, answer: dict[str, str]) -> Response:
        query = call.request.args
        if "state" in query:
            answer = {**answer, "state": query["state"]}
        target, mode = query["redirect_uri"], query.get("response_mode", "query")
        if mode == "form_post":
            return form_post_page(target, answer)
        mark = "#" if mode == "fragment" else "&" if urlsplit(target).query else "?"
        return redirect(f"{target}{mark}{urlencode(answer)}", 302)

    # admin consent ----------------------------------------------------------------------------
    def admin_consent(self, call: Call) -> Response:
        """An administrator approves the application for everyone; a person who is none may not."""
        query = call.request.args
        app = self._directory.app(query.get("client_id"))
        _check_redirect(app, query.get("redirect_uri", ""))
        if call.request.method == "GET":
            known = [one.upn for one in self._directory.accounts() if one.admin][:50]
            return consent_page(app.client_id, query.get("scope", ".default").split(), "", known)
        if call.request.form.get("decision") != "accept":
            return self._to_application(call, {**_refused(65004), "admin_consent": "True"})
        account = self._signed_in(call)
        if not account.admin:
            return approval_page(app.client_id, account.upn)
        tenant = self._directory.tenant(account.tenant)
        tenant.admin_consented.add(app.client_id)
        tenant.application_permissions.setdefault(app.client_id, {"Calendars.ReadWrite", "User.Read.All"})
        answer = {"admin_consent": "True", "tenant": tenant.id, "scope": query.get("scope", "")}
        return self._to_application(call, answer)

    # token ------------------------------------------------------------------------------------
    def token(self, call: Call) -> Response:
        """Redeem a code, a refresh token, or an application's own credentials."""
        form = call.request.form
        app = self._directory.app(form.get("client_id"))
        self._authenticate(call.request, app)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem_code(call, app)
            case "refresh_token":
                return self._refresh(call, app)
            case "client_credentials":
                return self._client_credentials(call, app)
        raise SignInProblem(70003)

    def _authenticate(self, request: Request, app: ClientApp) -> None:
        form = request.form
        if form.get("client_assertion_type") == _ASSERTION:
            _check_assertion(form.get("client_assertion", ""), app, request.host_url)
        elif "client_secret" not in form:
            raise SignInProblem(7000218)
        elif form["client_secret"] != app.secret:
            raise SignInProblem(7000215)
        elif app.secret_expires is not None and app.secret_expires <= self._clock.now():
            raise SignInProblem(7000222)

    def _redeem_code(self, call: Call, app: ClientApp) -> Response:
        form = call.request.form
        code = self._grants.redeem_code(
            form.get("code", ""), app.client_id, form.get("redirect_uri", ""), form.get("code_verifier")
        )
        answer = self._tokens(call, app, code.account, form.get("scope") or code.scope, code.nonce)
        if "offline_access" in short_scopes(code.scope):
            answer["refresh_token"] = self._grants.issue_refresh(app.client_id, code.account, code.scope)
        return json_response(answer)

    def _refresh(self, call: Call, app: ClientApp) -> Response:
        text = call.request.form.get("refresh_token", "")
        known = self._grants.redeem_refresh(text, app.client_id)
        tenant = self._directory.tenant(known.account.tenant)
        if tenant.refusal is not None:
            raise SignInProblem(tenant.refusal)
        scope = call.request.form.get("scope") or known.scope
        answer = self._tokens(call, app, known.account, scope, None)
        answer["refresh_token"] = self._grants.rotate(text)
        return json_response(answer)

    def _tokens(
        self, call: Call, app: ClientApp, account: Account, scope: str, nonce: str | None
    ) -> dict[str, Any]:
        wanted = self._consented(app, account, short_scopes(scope))
        if not self._directory.admits(call.args["tenant"], account):
            raise SignInProblem(50020)
        access = Access(app.client_id, account.tenant, account.oid, wanted - OPENID_SCOPES)
        shown = [one for one in scope.split() if one != "offline_access" and not one.endswith(".default")]
        answer = _bearer(self._grants.issue_access(access), self._switches.access_token_seconds)
        answer["scope"] = " ".join(shown or sorted(wanted - OPENID_SCOPES))
        if "openid" in wanted:
            issuer = f"{call.request.host_url}{account.tenant}/v2.0"
            answer["id_token"] = self._grants.id_token(account, app.client_id, issuer, nonce)
        if call.request.form.get("client_info") == "1":
            answer["client_info"] = _client_info(account)
        return answer

    def _consented(self, app: ClientApp, account: Account, wanted: frozenset[str]) -> frozenset[str]:
        """The scopes to grant; AADSTS65001 where neither the person nor an administrator has agreed."""
        agreed = self._grants.consents.get((account.oid, app.client_id), set())
        if ".default" in wanted:
            return frozenset(agreed) | (wanted & OPENID_SCOPES)
        by_admin = app.client_id in self._directory.tenant(account.tenant).admin_consented
        if not by_admin and not wanted - OPENID_SCOPES <= agreed:
            raise SignInProblem(65001)
        return wanted

    def _client_credentials(self, call: Call, app: ClientApp) -> Response:
        if call.args["tenant"] in _SHARED_AUTHORITIES:
            raise SignInProblem(90002)
        tenant: Tenant = self._directory.tenant(call.args["tenant"])
        if not call.request.form.get("scope", "").endswith("/.default"):
            raise SignInProblem(1002012)
        permissions = tenant.application_permissions.get(app.client_id)
        if permissions is None:
            raise SignInProblem(700016)
        access = Access(app.client_id, tenant.id, None, frozenset(permissions))
        return json_response(_bearer(self._grants.issue_access(access), self._switches.access_token_seconds))


def _bearer(token: str, seconds: int) -> dict[str, Any]:
    return {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token,
    }


def _client_info(account: Account) -> str:
    text = json.dumps({"uid": account.oid, "utid": account.tenant})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _refused(code: int) -> dict[str, str]:
    problem = SignInProblem(code)
    return {"error": problem.entry.error, "error_description": problem.text}


def _check_redirect(app: ClientApp, target: str) -> None:
    """Exactly as registered; for http://localhost any port will do (RFC 8252 section 7.3)."""
    if target in app.redirect_uris:
        return
    parts = urlsplit(target)
    bare = f"{parts.scheme}://{parts.hostname}{parts.path}"
    if parts.scheme == "http" and parts.hostname == "localhost" and bare in app.redirect_uris:
        return
    raise SignInProblem(50011)


def _check_assertion(assertion: str, app: ClientApp, audience: str) -> None:
    """A JWT by the registered certificate's key, for this authority, naming the application twice."""
    if app.certificate is None:
        raise SignInProblem(700027)
    key: Any = x509.load_pem_x509_certificate(app.certificate).public_key()
    try:
        claims = jwt.decode(
            assertion, key, algorithms=["PS256", "RS256"], options={"verify_aud": False, "verify_iat": False}
        )
    except jwt.InvalidTokenError as problem:
        raise SignInProblem(700027) from problem
    wanted = {"iss": app.client_id, "sub": app.client_id}
    if not str(claims.get("aud", "")).startswith(audience) or any(
        claims.get(n) != v for n, v in wanted.items()
    ):
        raise SignInProblem(700027)
