"""A person's consent at Microsoft: msal's code flow with PKCE, its id token verified here.

msal checks neither signature nor nonce of an id token (since 1.38), so both are checked with the keys that
Entra's discovery document leads to. The account is its tenant and object id; names and addresses change.

In many organisations nobody may consent for themselves: approval by an administrator is the normal way
there, once for everyone (https://learn.microsoft.com/entra/identity-platform/v2-admin-consent).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from reconciler.errors import (
    ConnectionBroken,
    ConsentProblem,
    ConsentRefused,
    EventError,
    Throttled,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import Connection, ConnectionState
from reconciler.ports import FlowStart, Granted
from reconciler.providers import openid
from reconciler.providers.microsoft.client import NAME, Graph, Mailbox
from reconciler.providers.microsoft.oauth import REFRESH_TOKEN, SCOPES, Entra

# The answer comes in the query: a cross-site POST would arrive without the session's SameSite=Lax cookie.
# PKCE, and a code good once, are what RFC 9700 asks against a code that leaks from an address.
warnings.filterwarnings("ignore", "response_mode='form_post' is recommended", module="msal")

_SIGNED_IN = ("openid", "profile", "offline_access")
_PROBLEMS = {
    50020: ConsentProblem.WRONG_ACCOUNT,  # not an account of this tenant
    50034: ConsentProblem.WRONG_ACCOUNT,  # does not exist
    50105: ConsentProblem.ADMIN_APPROVAL,  # not assigned to the application
    53003: ConsentProblem.ADMIN_APPROVAL,  # Conditional Access
    54005: ConsentProblem.EXPIRED,  # the code was redeemed already
    65001: ConsentProblem.ADMIN_APPROVAL,  # no consent, and none could be asked for
    65004: ConsentProblem.DECLINED,
    70000: ConsentProblem.EXPIRED,  # the code is not one, or another verifier's
    70008: ConsentProblem.EXPIRED,  # the code is too old
    90094: ConsentProblem.ADMIN_APPROVAL,
    90095: ConsentProblem.ADMIN_APPROVAL,  # approval was asked for
    501481: ConsentProblem.EXPIRED,  # the verifier is not the one of this code
    700016: ConsentProblem.ADMIN_APPROVAL,  # the application is not known in the tenant yet
}
"""By the number after AADSTS (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)."""

_ERRORS = {
    "access_denied": ConsentProblem.DECLINED,
    "consent_required": ConsentProblem.ADMIN_APPROVAL,
    "invalid_grant": ConsentProblem.EXPIRED,
}
_OURS = {"invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error", "invalid_scope"}


class MicrosoftConsent:
    """:class:`~reconciler.ports.ConnectFlow` for Microsoft.

    ``tenant`` is whose accounts may sign in: a tenant's id, or ``organizations`` or ``common``.
    ``allowed_tenants`` are the ids of the only tenants whose accounts may be connected; empty for all.
    """

    name = NAME
    manage_url = "https://myapplications.microsoft.com"

    def __init__(
        self,
        entra: Entra,
        graph: Graph,
        *,
        tenant: str = "organizations",
        allowed_tenants: Collection[str] = (),
    ) -> None:
        self._entra = entra
        self._graph = graph
        self._tenant = tenant
        self._allowed_tenants = frozenset(one.lower() for one in allowed_tenants)

    def try_out(self) -> None:
        """See the port."""
        self._published()

    def begin(self, redirect_uri: str, state: str, login_hint: str | None) -> FlowStart:
        """To Entra's page. The tenant's discovery document may have to be fetched for it."""
        flow = self._entra.application(self._tenant).initiate_auth_code_flow(
            list(SCOPES),
            redirect_uri=redirect_uri,
            state=state,
            login_hint=login_hint,
            prompt=None if login_hint else "select_account",
        )
        url = str(flow["auth_uri"])
        nonce = parse_qs(urlsplit(url).query)["nonce"][0]  # as sent: msal sends a digest of the flow's
        return FlowStart(url, {"state": state, "nonce": nonce, "flow": json.dumps(flow)})

    def finish(self, start: Mapping[str, str], redirect_uri: str, answer: Mapping[str, str]) -> Granted:
        """The grant, with the mailbox's address and the id of its default calendar."""
        openid.check_state(start["state"], answer)
        if "code" not in answer:
            raise _judged(answer)
        flow = {**json.loads(start["flow"]), "redirect_uri": redirect_uri}
        tokens: Mapping[str, Any] = self._entra.application(self._tenant).acquire_token_by_auth_code_flow(
            flow, {"code": answer["code"], "state": answer["state"]}
        )
        if "access_token" not in tokens:
            raise _judged(tokens)
        claims = self._claims(tokens, start["nonce"])
        scopes = tuple(str(tokens.get("scope", "")).split())
        if not {scope.lower() for scope in SCOPES} <= {_short(scope) for scope in scopes}:
            raise ConsentRefused("the calendar was not granted", ConsentProblem.SCOPES_LACKING)
        if not tokens.get("refresh_token"):
            raise ConsentRefused("Entra gave no refresh token", ConsentProblem.BROKEN)
        subject = f"{claims['tid']}:{claims['oid']}"
        calendar_id, address = self._calendar(subject, str(tokens["access_token"]))
        return Granted(
            subject=subject,
            address=address or str(claims.get("preferred_username", "")),
            calendar_id=calendar_id,
            scopes=scopes,
            lacking=(),
            credentials={REFRESH_TOKEN: str(tokens["refresh_token"])},
        )

    def admin_consent_url(self, redirect_uri: str, state: str) -> str | None:
        """Where an administrator approves for their whole organisation; none for personal accounts."""
        if self._tenant == "consumers":
            return None
        tenant = "organizations" if self._tenant == "common" else self._tenant
        resource = self._graph.url.rpartition("/")[0]
        asked = {
            "client_id": self._entra.client_id,
            "scope": " ".join([*_SIGNED_IN, *(f"{resource}/{scope}" for scope in SCOPES)]),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._entra.login_url}/{tenant}/v2.0/adminconsent?{urlencode(asked)}"

    def admin_approval(self, state: str, answer: Mapping[str, str]) -> str:
        """The tenant that was approved for. Anybody could have written this answer: it is for showing, and
        what holds is what the next person's consent says."""
        openid.check_state(state, answer)
        tenant = answer.get("tenant", "").lower()
        if answer.get("admin_consent", "").lower() != "true" or "error" in answer:
            raise _judged(answer)
        if not re.fullmatch("[0-9a-f-]{36}", tenant):
            raise ConsentRefused("Entra names no tenant", ConsentProblem.BROKEN)
        self._check_tenant(tenant)
        return tenant

    def revoke(self, credentials: Mapping[str, str]) -> bool:
        """Entra offers no way to end one application's grant for a person; they can (``manage_url``)."""
        return False

    # ----------------------------------------------------------------------------------------------

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        about, keys = self._published()
        claims = openid.verified(
            tokens.get("id_token"),
            keys,
            audience=self._entra.client_id,
            issuers=[str(about.get("issuer"))],
            nonce=nonce,
        )
        if not claims.get("tid") or not claims.get("oid"):
            raise ConsentRefused("its id token names no account", ConsentProblem.BROKEN)
        self._check_tenant(str(claims["tid"]))
        return claims

    def _published(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What Entra says of itself for this tenant, and the keys it signs with."""
        about = self._entra.document(
            f"{self._entra.login_url}/{self._tenant}/v2.0/.well-known/openid-configuration"
        )
        return about, self._entra.document(str(about.get("jwks_uri")))

    def _check_tenant(self, tenant: str) -> None:
        if self._allowed_tenants and tenant.lower() not in self._allowed_tenants:
            raise ConsentRefused(
                "accounts of this organisation may not be connected", ConsentProblem.WRONG_ACCOUNT
            )

    def _calendar(self, subject: str, token: str) -> tuple[str, str]:
        """The default calendar's id, and the address of the mailbox it lies in."""
        nobody = Connection(
            id=0,
            person="",
            account="",
            provider=NAME,
            subject=subject,
            address="",
            calendar_id="",
            identity="",
            state=ConnectionState.CONNECTED,
        )
        mailbox = Mailbox(replace(self._graph, tokens=_Held(token)), nobody)
        try:
            found = mailbox.get("/calendar", {"$select": "id,owner"})
        except (ConnectionBroken, EventError) as problem:
            what = f"this account has no mailbox that can be used: {problem.what}"
            raise ConsentRefused(what, ConsentProblem.WRONG_ACCOUNT) from problem
        except Throttled as problem:
            raise VendorUnavailable(problem.what) from problem
        calendar_id, owner = found.get("id"), found.get("owner")
        if not isinstance(calendar_id, str) or not calendar_id:
            raise VendorNonsense("Graph's calendar has no id")
        return calendar_id, str((owner if isinstance(owner, dict) else {}).get("address") or "")


class _Held:
    """One token that was given with a consent, and cannot be renewed yet."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self, connection: Connection, rejected: str | None = None) -> str:
        return self._token


def _short(scope: str) -> str:
    """A scope without the resource it may be named with, in lower case: Entra writes it either way."""
    return scope.rpartition("/")[2].lower()


def _judged(answer: Mapping[str, Any]) -> Exception:
    """What a refusal means: by Entra's numbers first, then by its OAuth error, never by its text."""
    error = str(answer.get("error", "an answer without a code"))[:60]
    codes = [code for code in answer.get("error_codes") or () if isinstance(code, int)]
    codes += [int(code) for code in re.findall(r"AADSTS(\d+)", str(answer.get("error_description", "")))]
    named = " ".join([f"Entra says {error}", *(f"AADSTS{code}" for code in dict.fromkeys(codes))])
    for code in codes:
        if code in _PROBLEMS:
            return ConsentRefused(named, _PROBLEMS[code])
    if answer.get("suberror") == "consent_required":
        return ConsentRefused(named, ConsentProblem.ADMIN_APPROVAL)
    if error in _OURS:
        return VendorUnavailable(named, next_step="Check the application's registration and credential.")
    return ConsentRefused(named, _ERRORS.get(error, ConsentProblem.BROKEN))
