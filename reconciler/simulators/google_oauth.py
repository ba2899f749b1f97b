"""Google's token, revocation and key endpoints.

Source: Google's OAuth guides; RFC 6749, RFC 7636 (PKCE), RFC 7523 (assertions), RFC 7517 (keys).
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug.wrappers import Request, Response

from reconciler.simulators.certificates import signing_key
from reconciler.simulators.google_grants import Client, Code, Grants, ServiceAccount, canonical
from reconciler.simulators.google_store import GoogleStore, GoogleSwitches
from reconciler.simulators.wire import SimClock

ISSUER = "https://accounts.google.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_KEY_ID = "simulated-google-key-1"


class OAuthError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description

    def response(self) -> Response:
        """The answer, as RFC 6749 section 5.2 lays it out."""
        return _json({"error": self.error, "error_description": self.description}, self.status)


class Authority:
    """The endpoints by which tokens are had and ended."""

    def __init__(self, grants: Grants, store: GoogleStore, clock: SimClock, switches: GoogleSwitches) -> None:
        self._grants, self._store, self._clock, self._switches = grants, store, clock, switches

    def whose(self, request: Request) -> str | None:
        """The account a token request is about, as far as can be told before it is judged."""
        form = request.form
        code = self._grants.code(form.get("code", ""))
        if code is not None:
            return code.mailbox
        text = form.get("refresh_token") or form.get("token") or ""
        refresh, access = self._grants.live_refresh(text), self._grants.known_access(text)
        if refresh is not None:
            return refresh.consent.mailbox
        if access is not None:
            return access.mailbox
        claims = _claims(form.get("assertion", ""))
        who = claims.get("sub") or claims.get("iss")
        return str(who) if who else None

    def token(self, request: Request) -> Response:
        """``POST /token``: by code, refresh token or assertion."""
        grant_type = request.form.get("grant_type")
        try:
            if grant_type == JWT_BEARER:
                return self._by_assertion(request)
            client = self._client(request)
            if grant_type == "authorization_code":
                return self._by_code(request, client)
            if grant_type == "refresh_token":
                return self._by_refresh(request, client)
            raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")
        except OAuthError as refusal:
            return refusal.response()

    def revoke(self, request: Request) -> Response:
        """``POST /revoke``: any token ends the whole consent; 400 for one that is dead already."""
        if self._grants.revoke(request.values.get("token", "")):
            return _json({}, 200)
        return OAuthError(400, "invalid_token", "Token expired or revoked").response()

    def certs(self) -> Response:
        """The JWKS; the key is new with every simulator."""
        numbers = signing_key().public_key().public_numbers()
        key = {
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID, "n": _number(numbers.n),
            "e": _number(numbers.e),
        }  # fmt: skip
        response = _json({"keys": [key]}, 200)
        response.headers["Cache-Control"] = "public, max-age=20000, must-revalidate, no-transform"
        return response

    def _client(self, request: Request) -> Client:
        given, secret = request.form.get("client_id"), request.form.get("client_secret")
        if request.authorization is not None and request.authorization.type == "basic":
            given, secret = request.authorization.username, request.authorization.password
        client = self._grants.clients.get(given or "")
        if client is None:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
        if secret != client.secret:
            raise OAuthError(401, "invalid_client", "Unauthorized")
        return client

    def _by_code(self, request: Request, client: Client) -> Response:
        form = request.form
        known = self._grants.code(form.get("code", ""))
        if known is None or known.client_id != client.id:
            raise OAuthError(400, "invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != known.redirect_uri:
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        _check_verifier(known, form.get("code_verifier"))
        code = self._grants.use_code(form["code"])
        if code is None:
            raise OAuthError(400, "invalid_grant", "Bad Request")
        extra: dict[str, Any] = {}
        consent = self._grants.consent(code.mailbox, client.id)
        consent.scopes |= code.scopes
        if code.refreshable:
            extra["refresh_token"] = self._grants.refresh_token(code.mailbox, client.id, code.scopes)
        if "openid" in code.scopes:
            extra["id_token"] = self._id_token(code)
        access = self._grants.access_token(code.mailbox, code.scopes, consent=consent)
        return self._tokens(access, code.scopes, extra)

    def _by_refresh(self, request: Request, client: Client) -> Response:
        token = self._grants.live_refresh(request.form.get("refresh_token", ""))
        if token is None or token.consent.mailbox not in self._store.accounts:
            raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
        if token.consent.client_id != client.id:
            raise OAuthError(401, "unauthorized_client", "Unauthorized")
        wanted = canonical(request.form.get("scope", "").split()) or token.scopes
        if not wanted <= token.scopes:
            raise OAuthError(400, "invalid_scope", "Some requested scopes were invalid or were not granted.")
        token.used = self._clock.now()
        access = self._grants.access_token(token.consent.mailbox, wanted, consent=token.consent)
        return self._tokens(access, wanted, {})

    def _by_assertion(self, request: Request) -> Response:
        text = request.form.get("assertion", "")
        claims = _claims(text)
        account = self._grants.service_accounts.get(str(claims.get("iss")))
        if account is None:
            raise OAuthError(400, "invalid_grant", "Invalid grant: account not found")
        self._check_assertion(text, claims, account)
        scopes, subject = frozenset(str(claims.get("scope", "")).split()), claims.get("sub")
        mailbox = account.email
        if subject is not None and subject != account.email:
            mailbox = str(subject)
            if not scopes <= account.delegated or mailbox.endswith("@gmail.com"):
                raise OAuthError(
                    401, "unauthorized_client",
                    "Client is unauthorized to retrieve access tokens using this method, or client not "
                    "authorized for any of the scopes requested.",
                )  # fmt: skip
        if mailbox not in self._store.accounts:
            raise OAuthError(400, "invalid_grant", "Invalid email or User ID")
        access = self._grants.access_token(mailbox, scopes, charged_to=account.email)
        return self._tokens(access, None, {})

    def _check_assertion(self, text: str, claims: dict[str, Any], account: ServiceAccount) -> None:
        now = self._clock.now().timestamp()
        issued, expires = claims.get("iat", 0), claims.get("exp", 0)
        if expires <= now or issued > now + 300 or expires - issued > 3600:
            raise OAuthError(
                400, "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )  # fmt: skip
        if not str(claims.get("aud", "")).endswith("/token"):
            raise OAuthError(400, "invalid_grant", "Invalid JWT: Failed audience check.")
        if account.public_key is not None and not _signed_by(text, account.public_key):
            raise OAuthError(400, "invalid_grant", "Invalid JWT Signature.")

    def _tokens(self, access: str, scopes: frozenset[str] | None, extra: dict[str, Any]) -> Response:
        answer: dict[str, Any] = {"access_token": access, "expires_in": self._grants.access_seconds - 1}
        if scopes is not None:
            answer["scope"] = " ".join(sorted(scopes))
        return _json(answer | {"token_type": "Bearer"} | extra, 200)

    def _id_token(self, code: Code) -> str:
        now = datetime.now(UTC) if self._switches.id_tokens_follow_real_time else self._clock.now()
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER, "azp": code.client_id, "aud": code.client_id,
            "sub": self._store.accounts[code.mailbox].sub, "iat": issued, "exp": issued + 3600,
        }  # fmt: skip
        if any(scope.endswith("userinfo.email") for scope in code.scopes):
            claims |= {"email": code.mailbox, "email_verified": True}
            domain = code.mailbox.rpartition("@")[2]
            if not self._store.accounts[code.mailbox].personal and domain != "gmail.com":
                claims["hd"] = domain
        if code.nonce is not None:
            claims["nonce"] = code.nonce
        head = {"alg": "RS256", "kid": _KEY_ID, "typ": "JWT"}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        signature = signing_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


def _check_verifier(code: Code, verifier: str | None) -> None:
    if code.challenge is None:
        return
    if not verifier:
        raise OAuthError(400, "invalid_grant", "Missing code verifier.")
    if _base64(hashlib.sha256(verifier.encode()).digest()) != code.challenge:
        raise OAuthError(400, "invalid_grant", "Invalid code verifier.")


def _claims(assertion: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; empty for what is none."""
    try:
        claims = json.loads(_unbase64(assertion.split(".")[1]))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _signed_by(assertion: str, public_key: bytes) -> bool:
    signed, _, signature = assertion.rpartition(".")
    key = serialization.load_pem_public_key(public_key)
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(_unbase64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _json(body: object, status: int) -> Response:
    text = json.dumps(body, indent=2)
    return Response(text, status=status, content_type="application/json; charset=utf-8")
