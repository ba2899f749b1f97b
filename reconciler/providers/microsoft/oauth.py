"""Access tokens from Microsoft Entra, with the library msal.

Entra *rotates* refresh tokens: each answer brings a new one, which is stored before the access token is
used, since the old one dies some time later. Access tokens live in memory only.

What Entra says is judged by its OAuth error and the numbers in ``error_codes``, never by its text
(https://learn.microsoft.com/entra/identity-platform/reference-error-codes): a grant that is dead, or wants
its owner's presence, needs them to connect again; trouble with our own registration (an expired secret)
or with Entra itself concerns nobody's grant.

msal answers a token request that was refused with 400 from its memory when exactly the same one is made
again within 60 seconds. A grant that heals by itself is therefore seen a minute late; a new connection,
having a new refresh token, at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msal
from cryptography import x509

from reconciler.errors import (
    ConfigurationError,
    ReauthorizationNeeded,
    ReconcilerError,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import Connection
from reconciler.ports import TokenStore
from reconciler.providers.microsoft.transport import Answer, Transport
from reconciler.providers.throttle import Observer, Unobserved, seconds_of

SCOPES = ("Calendars.ReadWrite",)
"""What the program asks for beside signing in: https://learn.microsoft.com/graph/permissions-reference."""

REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a field
"""The field of the stored credentials that holds the newest refresh token."""

_USED_SHARE = 0.9  # of a token's life: it must not expire on its way
_TOKENS_REMEMBERED = 10_000
_LOCKS = 64

_DEAD_GRANT_ERRORS = frozenset(
    {"invalid_grant", "interaction_required", "consent_required", "login_required"}
)
_DEAD_GRANT_CODES = frozenset(
    {
        50020,  # the account is not one of this tenant
        50034,  # the account does not exist
        50057,  # the account is disabled
        50076,  # multi-factor authentication wanted
        50079,  # enrolment in it wanted
        50105,  # not assigned to the application
        50173,  # revoked, or the password changed
        53003,  # blocked by Conditional Access
        65001,  # no consent (any more)
        65004,  # consent declined
        70008,  # expired or revoked
        70043,  # expired by sign-in frequency
        90094,  # an administrator's consent wanted
        700082,  # expired by inactivity
    }
)


class _Forgetful(msal.TokenCache):  # type: ignore[misc]
    """Keeps nothing: tokens of thousands of people would stay in memory otherwise."""

    def add(self, event: Any, now: Any = None) -> None:
        """Ignore."""


class _Reply:
    """An answer in the shape msal expects."""

    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.headers = answer.headers
        self.text = answer.text

    def raise_for_status(self) -> None:
        """Never reached for a server's error: those do not leave :class:`_Http`."""
        if self.status_code >= 400:
            raise VendorUnavailable(f"Entra answered {self.status_code}")


class _Http:
    """The HTTP client msal uses: ours, with Entra's own troubles told apart from its refusals."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> _Reply:
        return self._checked(self._transport.send("POST", url, params=params, data=data, headers=headers))

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Reply:
        return self._checked(self._transport.send("GET", url, params=params, headers=headers))

    def close(self) -> None:
        """The transport outlives msal's applications."""

    def _checked(self, answer: Answer) -> _Reply:
        if answer.status == 429 or answer.status >= 500:
            wait = seconds_of(answer.headers.get("Retry-After"))
            later = f", to be asked again in {wait:.0f} s" if wait else ""
            raise VendorUnavailable(f"Entra answered {answer.status}{later}")
        if not isinstance(answer.json, dict):
            raise VendorNonsense(f"Entra answered {answer.status} without JSON")
        return _Reply(answer)


def certificate(private_key: str, public_certificate: str) -> dict[str, str]:
    """The credential for an application that signs with a certificate; both as PEM."""
    return {"private_key": private_key, "public_certificate": public_certificate}


def certificate_expires(pem: str) -> datetime:
    """Until when the first certificate in this text is good; ``ConfigurationError`` if there is none."""
    try:
        found = x509.load_pem_x509_certificate(pem[pem.find("-----BEGIN CERTIFICATE") :].encode())
    except ValueError:
        raise ConfigurationError(
            ["providers.microsoft.certificate_file: holds no certificate that can be read"]
        ) from None
    return found.not_valid_after_utc


class Entra:
    """The application's own standing with Entra. ``credential`` is a secret, or :func:`certificate`.

    ``login_url`` is the cloud's sign-in host (https://learn.microsoft.com/graph/deployments).
    """

    def __init__(
        self,
        client_id: str,
        credential: str | Mapping[str, str],
        transport: Transport,
        *,
        login_url: str = "https://login.microsoftonline.com",
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Unobserved()
        self.client_id = client_id
        self._credential = credential if isinstance(credential, str) else dict(credential)
        self._http = _Http(transport)
        self.login_url = login_url.rstrip("/")
        self._applications: dict[str, Any] = {}
        self._lock = threading.Lock()

    def application(self, authority: str) -> Any:
        """msal's application at this authority: a tenant's id, or ``organizations`` or the like.

        It keeps what it discovered for a day, so there is one for each authority.
        """
        with self._lock:
            known = self._applications.get(authority)
        if known is not None:
            return known
        try:
            made = msal.ConfidentialClientApplication(
                self.client_id,
                client_credential=self._credential,
                authority=f"{self.login_url}/{authority}",
                instance_discovery=False,  # the host is the operator's choice, not to be looked up elsewhere
                http_client=self._http,
                token_cache=_Forgetful(),
            )
        except (ValueError, KeyError) as problem:
            raise VendorUnavailable(
                f"Entra does not describe the authority {authority}",
                next_step="Check the client id, the credential and the tenant.",
            ) from problem
        with self._lock:
            return self._applications.setdefault(authority, made)

    def document(self, url: str) -> Mapping[str, Any]:
        """What Entra publishes for everybody: a discovery document, a set of keys."""
        answer = self._http.get(url)
        if answer.status_code != 200:
            raise VendorUnavailable(f"Entra answered {answer.status_code} for a public document")
        found: Mapping[str, Any] = json.loads(answer.text)
        return found

    def refreshed(self, connection: Connection, refresh_token: str) -> Mapping[str, Any]:
        """Entra's answer to this refresh token, which has an access token in it."""
        tenant, _ = parts_of(connection.subject)
        application = self.application(tenant)
        begun, outcome = time.monotonic(), "ok"
        try:
            answer = application.acquire_token_by_refresh_token(refresh_token, scopes=list(SCOPES))
            return granted(answer, f"connection {connection.id}")
        except ReconcilerError as problem:
            outcome = type(problem).__name__
            raise
        finally:
            self._observer.request("microsoft", "token", outcome, time.monotonic() - begun)


def granted(answer: Mapping[str, Any], whose: str) -> Mapping[str, Any]:
    """The answer, if it grants something; otherwise what Entra's refusal means is raised."""
    if "access_token" in answer:
        return answer
    error = str(answer.get("error"))
    codes = [code for code in answer.get("error_codes") or () if isinstance(code, int)]
    named = f"Entra says {error}" + "".join(f" AADSTS{code}" for code in codes)
    if error in _DEAD_GRANT_ERRORS or _DEAD_GRANT_CODES.intersection(codes):
        raise ReauthorizationNeeded(named, whose=whose, next_step="Its owner has to connect again.")
    raise VendorUnavailable(
        named, whose=whose, next_step="If it lasts, check the application's registration and credential."
    )


def parts_of(subject: str) -> tuple[str, str]:
    """Tenant and object id of a connection's subject, which is ``tenant:oid``."""
    tenant, _, oid = subject.partition(":")
    return tenant, oid


class AccessTokens:
    """An access token for each connection, refreshed before it expires. For all threads."""

    def __init__(
        self, entra: Entra, store: TokenStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._entra = entra
        self._store = store
        self._monotonic = monotonic
        self._held: OrderedDict[int, tuple[str, str, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._refreshing = [threading.Lock() for _ in range(_LOCKS)]

    def get(self, connection: Connection, rejected: str | None = None) -> str:
        """A token for Graph; never the ``rejected`` one.

        Raises ``ReauthorizationNeeded`` for a dead grant, ``CalendarTrouble`` for no usable answer.
        """
        with self._refreshing[connection.id % _LOCKS]:
            held = self._look_up(connection)
            if held is not None and held != rejected:
                return held
            return self._refresh(connection)

    def forget(self, connection: Connection) -> None:
        """The connection has ended, or was made anew."""
        with self._lock:
            self._held.pop(connection.id, None)

    def _look_up(self, connection: Connection) -> str | None:
        with self._lock:
            subject, token, until = self._held.get(connection.id, ("", "", 0.0))
            if subject != connection.subject or self._monotonic() >= until:
                return None
            self._held.move_to_end(connection.id)
            return token

    def _refresh(self, connection: Connection) -> str:
        stored = self._store.get(connection)
        try:
            answer = self._entra.refreshed(connection, stored[REFRESH_TOKEN])
        except ReauthorizationNeeded:
            # Another process may have rotated the token, or its owner connected anew, since it was read.
            newer = self._store.get(connection)
            if newer[REFRESH_TOKEN] == stored[REFRESH_TOKEN]:
                raise
            stored, answer = newer, self._entra.refreshed(connection, newer[REFRESH_TOKEN])
        rotated = answer.get("refresh_token")
        if rotated and rotated != stored[REFRESH_TOKEN]:
            self._store.put(connection, {**stored, REFRESH_TOKEN: rotated})
        token = str(answer["access_token"])
        self._keep(connection, token, float(answer.get("expires_in") or 0))
        return token

    def _keep(self, connection: Connection, token: str, seconds: float) -> None:
        with self._lock:
            until = self._monotonic() + _USED_SHARE * seconds
            self._held[connection.id] = (connection.subject, token, until)
            self._held.move_to_end(connection.id)
            while len(self._held) > _TOKENS_REMEMBERED:
                self._held.popitem(last=False)
