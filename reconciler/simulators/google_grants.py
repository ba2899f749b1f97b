"""What people and administrators have granted: clients, consents, refresh and access tokens.

Source: Google's OAuth guide for web server applications and for service accounts. Refresh tokens do
not rotate, at most 100 live for an account and client (the oldest is dropped without a word), they
die when unused for six months, after seven days for an app in testing, and with the consent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.simulators.wire import SimClock

_MOST_REFRESH_TOKENS = 100
_UNUSED = timedelta(days=182)
_TESTING = timedelta(days=7)
_CODE_LIFE = timedelta(minutes=10)

IDENTITY = {
    "openid": "openid",
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
_PROFILE_ONLY = frozenset(IDENTITY.values())


@dataclass(frozen=True)
class Client:
    """A registered OAuth client; without redirect addresses every one is accepted."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceAccount:
    """A service account; ``delegated`` are the scopes a domain's administrator lets it use for people."""

    email: str
    public_key: bytes | None = None
    delegated: frozenset[str] = frozenset()


@dataclass
class RefreshToken:
    """A live refresh token, when it was issued and last used (UTC)."""

    consent: Consent
    scopes: frozenset[str]
    issued: datetime
    used: datetime


@dataclass
class Consent:
    """All that one account has granted to one client; revoking it ends every token of both."""

    mailbox: str
    client_id: str
    scopes: frozenset[str] = frozenset()
    live: bool = True
    refresh_tokens: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class AccessToken:
    """Whom a bearer token stands for, for what, until when, and who pays its quota."""

    mailbox: str
    scopes: frozenset[str]
    expires: datetime
    charged_to: str
    consent: Consent | None = None


@dataclass(frozen=True)
class Code:
    """An authorization code, good once and for ten minutes."""

    client_id: str
    mailbox: str
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    refreshable: bool
    expires: datetime


class Grants:
    """The tokens; not thread-safe by itself."""

    def __init__(self, clock: SimClock, access_seconds: int, *, testing_app: bool = False) -> None:
        self._clock = clock
        self._access_seconds = access_seconds
        self._testing_app = testing_app
        self.clients: dict[str, Client] = {}
        self.service_accounts: dict[str, ServiceAccount] = {}
        self._consents: dict[tuple[str, str], Consent] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._access: dict[str, AccessToken] = {}
        self._codes: dict[str, Code] = {}

    @property
    def access_seconds(self) -> int:
        """How long an access token lives."""
        return self._access_seconds

    def consent(self, mailbox: str, client_id: str) -> Consent:
        """What the account has granted the client so far, perhaps nothing."""
        key = (mailbox, client_id)
        known = self._consents.get(key)
        if known is None or not known.live:
            known = self._consents[key] = Consent(mailbox, client_id)
        return known

    def refresh_token(self, mailbox: str, client_id: str, scopes: Iterable[str]) -> str:
        """A new refresh token; the oldest of more than a hundred is dropped."""
        consent, now = self.consent(mailbox, client_id), self._clock.now()
        granted = canonical(scopes)
        consent.scopes |= granted
        text = "1//0" + secrets.token_urlsafe(48)
        self._refresh[text] = RefreshToken(consent, granted, now, now)
        consent.refresh_tokens[text] = None
        while len(consent.refresh_tokens) > _MOST_REFRESH_TOKENS:
            oldest = next(iter(consent.refresh_tokens))
            del consent.refresh_tokens[oldest], self._refresh[oldest]
        return text

    def live_refresh(self, text: str) -> RefreshToken | None:
        """The refresh token as long as it is good."""
        token, now = self._refresh.get(text), self._clock.now()
        if token is None or not token.consent.live or now - token.used > _UNUSED:
            return None
        if self._testing_app and now - token.issued > _TESTING and not token.scopes <= _PROFILE_ONLY:
            return None
        return token

    def access_token(
        self, mailbox: str, scopes: Iterable[str], *, consent: Consent | None = None,
        charged_to: str | None = None,
    ) -> str:  # fmt: skip
        """A new access token; ``charged_to`` pays its quota where that is not the account itself."""
        text = "ya29." + secrets.token_urlsafe(48)
        expires = self._clock.now() + timedelta(seconds=self._access_seconds)
        self._access[text] = AccessToken(mailbox, canonical(scopes), expires, charged_to or mailbox, consent)
        return text

    def known_access(self, text: str) -> AccessToken | None:
        """The access token, dead or alive."""
        return self._access.get(text)

    def live_access(self, text: str) -> AccessToken | None:
        """The access token as long as its hour and its consent last."""
        token = self._access.get(text)
        if token is None:
            return None
        if self._clock.now() >= token.expires or (token.consent is not None and not token.consent.live):
            return None
        return token

    def expire_access_tokens(self) -> None:
        """As if their hour were over."""
        self._access.clear()

    def revoke(self, text: str) -> bool:
        """By an access or a refresh token: the whole consent ends. False for an unknown one."""
        refresh, access = self._refresh.get(text), self._access.get(text)
        consent = refresh.consent if refresh else access.consent if access else None
        if consent is None or not consent.live:
            return False
        self._end(consent)
        return True

    def revoke_all(self, mailbox: str) -> None:
        """The account's owner withdraws what they granted, to every client."""
        for (who, _), consent in self._consents.items():
            if who == mailbox:
                self._end(consent)

    def _end(self, consent: Consent) -> None:
        consent.live = False
        for text in consent.refresh_tokens:
            self._refresh.pop(text, None)

    def add_code(
        self, client_id: str, mailbox: str, scopes: Iterable[str], redirect_uri: str, *,
        challenge: str | None = None, nonce: str | None = None, refreshable: bool = False,
    ) -> str:  # fmt: skip
        """A code for a decision at the consent page."""
        text = "4/0A" + secrets.token_urlsafe(40)
        self._codes[text] = Code(
            client_id, mailbox, canonical(scopes), redirect_uri, challenge, nonce, refreshable,
            self._clock.now() + _CODE_LIFE,
        )  # fmt: skip
        return text

    def code(self, text: str) -> Code | None:
        """The code, good or not."""
        return self._codes.get(text)

    def use_code(self, text: str) -> Code | None:
        """The code, which is then used up; None for an unknown, used or old one."""
        code = self._codes.pop(text, None)
        return code if code is not None and self._clock.now() < code.expires else None


def canonical(scopes: Iterable[str]) -> frozenset[str]:
    """Scopes under the names by which Google answers: ``email`` comes back as an address."""
    return frozenset(IDENTITY.get(scope, scope) for scope in scopes)
