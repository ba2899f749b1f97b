"""What people and administrators have granted: authorization codes, refresh tokens, access tokens, keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import jwt

from reconciler.simulators.certificates import signing_key
from reconciler.simulators.microsoft_directory import Account
from reconciler.simulators.microsoft_errors import SignInProblem
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.wire import SimClock

OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
CODE_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class Access:
    """What an access token says. ``account`` is None for an application's own token."""

    client_id: str
    tenant: str
    account: str | None
    scopes: frozenset[str]


@dataclass(frozen=True)
class Code:
    """An authorization code, and what it was asked with."""

    client_id: str
    account: Account
    scope: str
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    issued: datetime


@dataclass(frozen=True)
class Refresh:
    """A refresh token. ``dies`` is set once it has been rotated."""

    client_id: str
    account: Account
    scope: str
    issued: datetime
    dies: datetime | None = None


def short_scope(scope: str) -> str:
    """``https://graph.microsoft.com/Calendars.ReadWrite`` and ``Calendars.ReadWrite`` are the same."""
    return scope.rsplit("/", 1)[-1]


def short_scopes(scope: str) -> frozenset[str]:
    """The scopes of a space-separated list, without their resource."""
    return frozenset(short_scope(one) for one in scope.split())


class Grants:
    """Issues, redeems and revokes. Access tokens are sealed, not stored: they live until they expire."""

    def __init__(self, clock: SimClock, switches: MicrosoftSwitches, random: Random) -> None:
        self._clock = clock
        self._switches = switches
        self._random = random
        self._seal = random.randbytes(32)
        self._codes: dict[str, Code | None] = {}
        self._refresh: dict[str, Refresh] = {}
        self._prune_at = 1000
        self._dead: dict[str, tuple[int, datetime]] = {}  # oid: AADSTS code, since when
        self.consents: dict[tuple[str, str], set[str]] = {}  # oid, client id: scopes

    # access tokens ----------------------------------------------------------------------------
    def issue_access(self, access: Access) -> str:
        """A bearer token, good for as long as the switches say."""
        claims = {
            "c": access.client_id,
            "t": access.tenant,
            "a": access.account,
            "s": sorted(access.scopes),
            "e": self._clock.now().timestamp() + self._switches.access_token_seconds,
        }
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"EwB{body}.{self._sign(body)}"

    def read_access(self, token: str) -> Access | None:
        """None for a token that is not ours, or has expired by the simulated clock."""
        body, _, seal = token.removeprefix("EwB").partition(".")
        if not hmac.compare_digest(seal.encode(), self._sign(body).encode()):
            return None
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["e"] <= self._clock.now().timestamp():
            return None
        return Access(claims["c"], claims["t"], claims["a"], frozenset(claims["s"]))

    def _sign(self, body: str) -> str:
        return hmac.new(self._seal, body.encode(), hashlib.sha256).hexdigest()

    # authorization codes ----------------------------------------------------------------------
    def issue_code(self, code: Code) -> str:
        """A code for the application to redeem."""
        text = f"0.A{self._random.randbytes(40).hex()}"
        self._codes[text] = code
        return text

    def redeem_code(self, text: str, client_id: str, redirect_uri: str, verifier: str | None) -> Code:
        """Once only; the verifier must be the one whose S256 challenge came with the request."""
        if text not in self._codes:
            raise SignInProblem(70000)
        code = self._codes[text]
        if code is None:
            raise SignInProblem(54005)
        if code.client_id != client_id or self._clock.now() - code.issued > CODE_LIFETIME:
            raise SignInProblem(70008)
        if code.redirect_uri != redirect_uri:
            raise SignInProblem(50011)
        if code.challenge is not None and challenge_of(verifier or "") != code.challenge:
            raise SignInProblem(501481)
        self._codes[text] = None
        return code

    def holder_of_code(self, text: str) -> Account | None:
        """Whose code it is; None once redeemed."""
        code = self._codes.get(text)
        return code.account if code else None

    # refresh tokens ---------------------------------------------------------------------------
    def issue_refresh(self, client_id: str, account: Account, scope: str) -> str:
        """A refresh token, the first of its family."""
        text = f"1.A{self._random.randbytes(60).hex()}"
        self._refresh[text] = Refresh(client_id, account, scope, self._clock.now())
        return text

    def redeem_refresh(self, text: str, client_id: str) -> Refresh:
        """A live grant; SignInProblem with the AADSTS code of its death otherwise."""
        known = self._refresh.get(text)
        if known is None or known.client_id != client_id:
            raise SignInProblem(70000)
        now = self._clock.now()
        code, since = self._dead.get(known.account.oid, (0, now))
        if code and known.issued <= since:
            raise SignInProblem(code)
        if now - known.issued > timedelta(seconds=self._switches.refresh_idle_seconds):
            raise SignInProblem(700082)
        if known.dies is not None and now > known.dies:
            del self._refresh[text]
            raise SignInProblem(70008)
        return known

    def rotate(self, text: str) -> str:
        """A new token in place of this one, which stays usable a while; those past their while are gone."""
        old, now = self._refresh[text], self._clock.now()
        overlap = timedelta(seconds=self._switches.refresh_overlap_seconds)
        self._refresh[text] = replace(old, dies=old.dies or now + overlap)
        if len(self._refresh) > self._prune_at:
            self._refresh = {one: kept for one, kept in self._refresh.items() if (kept.dies or now) >= now}
            self._prune_at = 2 * len(self._refresh) + 1000
        return self.issue_refresh(old.client_id, old.account, old.scope)

    def holder_of_refresh(self, text: str) -> Account | None:
        """Whose token it is, dead or alive."""
        known = self._refresh.get(text)
        return known.account if known else None

    def revoke(self, account: Account, code: int | None) -> None:
        """Every grant the account has given so far dies with that AADSTS code; None brings them to life."""
        if code is None:
            self._dead.pop(account.oid, None)
        else:
            self._dead[account.oid] = (code, self._clock.now())
        if code == 65001:
            for key in [one for one in self.consents if one[0] == account.oid]:
                del self.consents[key]

    # id tokens --------------------------------------------------------------------------------
    def public_keys(self) -> dict[str, Any]:
        """The JWKS."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key(), as_dict=True)
        return {"keys": [{**key, "use": "sig", "kid": "simulated-1"}]}

    def id_token(self, account: Account, client_id: str, issuer: str, nonce: str | None) -> str:
        """An RS256 OpenID token with the claims of Entra's version 2.0."""
        real_time = self._switches.id_tokens_follow_real_time
        now = datetime.now(self._clock.now().tzinfo) if real_time else self._clock.now()
        issued = int(now.timestamp())
        subject = hashlib.sha256(f"{account.oid}|{client_id}".encode()).digest()
        claims = {
            "ver": "2.0",
            "iss": issuer,
            "aud": client_id,
            "iat": issued,
            "nbf": issued,
            "exp": issued + 3600,
            "tid": account.tenant,
            "oid": account.oid,
            "sub": base64.urlsafe_b64encode(subject).decode().rstrip("="),
            "preferred_username": account.upn,
            "name": account.name,
            "email": account.upn,
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(claims, signing_key(), algorithm="RS256", headers={"kid": "simulated-1"})


def challenge_of(verifier: str) -> str:
    """PKCE S256 (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
