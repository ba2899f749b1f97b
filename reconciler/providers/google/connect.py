"""A person's consent at Google: authorization code, PKCE, state, nonce.

People can untick what they grant, so what was granted is read from the answer. Without events there is
nothing to do; without the list of calendars the one thing lost is to see where an owner moved an event.

Sources: Google's guide "Using OAuth 2.0 for Web Server Applications" (granular permissions, offline access,
revoking), "OpenID Connect" (claims ``sub``, ``hd``, ``email_verified``); RFC 9700; RFC 9207 (``iss``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

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
from reconciler.providers.google.client import PROVIDER, About, Client
from reconciler.providers.google.oauth import TOKEN_URI, Refused, TokenRequest
from reconciler.providers.google.transport import Transport

EVENTS = "https://www.googleapis.com/auth/calendar.events"
CALENDARS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"
SCOPES = ("openid", "email", EVENTS, CALENDARS)
"""Both of the calendar's are what Google calls sensitive; the narrower ones do not show events at all."""

AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
REVOKE_URI = "https://oauth2.googleapis.com/revoke"
KEYS_URI = "https://www.googleapis.com/oauth2/v3/certs"

_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CONSUMER_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_PROBLEMS = {
    "access_denied": ConsentProblem.DECLINED,
    "admin_policy_enforced": ConsentProblem.ADMIN_APPROVAL,
    "org_internal": ConsentProblem.WRONG_ACCOUNT,
    "invalid_grant": ConsentProblem.EXPIRED,
}
_OURS = {"invalid_client", "unauthorized_client", "redirect_uri_mismatch", "deleted_client"}
_PASSING = {"temporarily_unavailable", "server_error"}


class GoogleConsent:
    """:class:`~reconciler.ports.ConnectFlow` for Google.

    ``allowed_domains``: the Workspace organisations whose accounts may be connected (``gmail.com`` stands
    for personal accounts); empty for everybody's.
    """

    name = PROVIDER
    manage_url = "https://myaccount.google.com/connections"

    def __init__(
        self,
        transport: Transport,
        client: Client,
        *,
        client_id: str,
        client_secret: str,
        allowed_domains: Collection[str] = (),
        auth_uri: str = AUTH_URI,
        token_uri: str = TOKEN_URI,
        revoke_uri: str = REVOKE_URI,
        keys_uri: str = KEYS_URI,
    ) -> None:
        self._transport = transport
        self._ask = TokenRequest(transport)
        self._client = client
        self._client_id = client_id
        self._client_secret = client_secret
        self._allowed_domains = frozenset(domain.lower() for domain in allowed_domains)
        self._auth_uri, self._token_uri = auth_uri, token_uri
        self._revoke_uri, self._keys_uri = revoke_uri, keys_uri

    def try_out(self) -> None:
        """See the port."""
        self._keys()

    def begin(self, redirect_uri: str, state: str, login_hint: str | None) -> FlowStart:
        """To Google's page; ``prompt=consent``, since only that gives a refresh token to one who has
        granted before."""
        nonce, verifier = openid.new_secret(), openid.new_secret()
        asked = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "state": state,
            "nonce": nonce,
            "code_challenge": openid.challenge_of(verifier),
            "code_challenge_method": "S256",
            "access_type": "offline",
            "include_granted_scopes": "true",
            "prompt": "consent" if login_hint else "consent select_account",
        }
        if login_hint:
            asked["login_hint"] = login_hint
        if len(self._allowed_domains - _CONSUMER_DOMAINS) == 1 == len(self._allowed_domains):
            (asked["hd"],) = self._allowed_domains
        secrets = {"state": state, "nonce": nonce, "verifier": verifier}
        return FlowStart(f"{self._auth_uri}?{urlencode(asked)}", secrets)

    def finish(self, start: Mapping[str, str], redirect_uri: str, answer: Mapping[str, str]) -> Granted:
        """The grant, with the address and calendar of the account that gave it."""
        openid.check_state(start["state"], answer)
        if answer.get("iss", _ISSUERS[0]) not in _ISSUERS:
            raise ConsentRefused("the answer is not Google's", ConsentProblem.BROKEN)
        if "code" not in answer:
            raise _judged(answer.get("error", "an answer without a code"))
        tokens = self._redeemed(answer["code"], start["verifier"], redirect_uri)
        claims = self._claims(tokens, start["nonce"])
        self._check_domain(claims)
        scopes = tuple(str(tokens.get("scope", "")).split())
        if EVENTS not in scopes:
            raise ConsentRefused("the box for the calendar was left unticked", ConsentProblem.SCOPES_LACKING)
        if not tokens.get("refresh_token"):
            raise ConsentRefused("Google gave no refresh token", ConsentProblem.BROKEN)
        lacking = tuple(scope for scope in (EVENTS, CALENDARS) if scope not in scopes)
        return Granted(
            subject=str(claims["sub"]),
            address=str(claims["email"]),
            calendar_id=str(claims["email"]) if lacking else self._primary(tokens, claims),
            scopes=scopes,
            lacking=lacking,
            credentials={"refresh_token": str(tokens["refresh_token"])},
        )

    def admin_consent_url(self, redirect_uri: str, state: str) -> None:
        """Google knows no such page: an administrator trusts the application in the Admin console."""

    def admin_approval(self, state: str, answer: Mapping[str, str]) -> str:
        """Never reached at Google."""
        raise ConsentRefused("Google sends no administrator here", ConsentProblem.BROKEN)

    def revoke(self, credentials: Mapping[str, str]) -> bool:
        """End the whole grant; one that had ended already is as good."""
        form = urlencode({"token": credentials["refresh_token"]}).encode()
        try:
            self._ask(self._revoke_uri, "POST", form, _FORM)
        except Refused as refused:
            if refused.code not in ("invalid_token", "invalid_grant"):
                raise VendorUnavailable(f"Google refuses to end a grant: {refused.code}") from None
        return True

    # ----------------------------------------------------------------------------------------------

    def _redeemed(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }
        try:
            answer = self._ask(self._token_uri, "POST", urlencode(form).encode(), _FORM)
        except Refused as refused:
            raise _judged(refused.code) from None
        found: Mapping[str, Any] = json.loads(answer.data)
        return found

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        claims = openid.verified(
            tokens.get("id_token"), self._keys(), audience=self._client_id, issuers=_ISSUERS, nonce=nonce
        )
        if not claims.get("email"):
            raise ConsentRefused("its id token names no address", ConsentProblem.BROKEN)
        return claims

    def _keys(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = json.loads(self._ask(self._keys_uri).data)
        except Refused as refused:
            raise VendorUnavailable(f"Google does not show its keys: {refused.code}") from None
        return found

    def _check_domain(self, claims: Mapping[str, Any]) -> None:
        """By ``hd``, which only an organisation's own accounts have; an address alone proves no employer."""
        if not self._allowed_domains:
            return
        domain = str(claims.get("hd", "")).lower()
        if not domain and claims.get("email_verified"):
            personal = str(claims["email"]).lower().rpartition("@")[2]
            domain = personal if personal in _CONSUMER_DOMAINS else ""
        if domain not in self._allowed_domains:
            raise ConsentRefused(
                "accounts of this organisation may not be connected", ConsentProblem.WRONG_ACCOUNT
            )

    def _primary(self, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """The id of the account's own calendar."""
        nobody = Connection(
            id=0,
            person=str(claims["sub"]),  # whom the quota is counted for
            account="",
            provider=PROVIDER,
            subject=str(claims["sub"]),
            address="",
            calendar_id="primary",
            identity="",
            state=ConnectionState.CONNECTED,
        )
        client = self._client.holding(str(tokens.get("access_token", "")))
        request = client.calendar_list.get(calendarId="primary")
        try:
            found = client.read(nobody, "get", About.CALENDAR, request).get("id")
        except ConnectionBroken as problem:
            what = f"this account has no calendar: {problem.what}"
            raise ConsentRefused(what, ConsentProblem.WRONG_ACCOUNT) from problem
        except (Throttled, EventError) as problem:
            raise VendorUnavailable(f"Google does not tell the calendar's id: {problem.what}") from problem
        if not isinstance(found, str) or not found:
            raise VendorNonsense("Google's calendar has no id")
        return found


def _judged(code: str) -> Exception:
    """What a refusal by Google means, by its OAuth error code alone."""
    if code in _OURS:
        next_step = "Check the client id, its secret and its redirect URIs in Google's console."
        return VendorUnavailable(f"Google refuses this installation: {code}", next_step=next_step)
    if code in _PASSING:
        return VendorUnavailable(f"Google's sign-in answered {code}")
    return ConsentRefused(f"Google says {code[:60]}", _PROBLEMS.get(code, ConsentProblem.BROKEN))
