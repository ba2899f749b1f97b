"""Access tokens from stored refresh tokens.

Google's refresh tokens do not rotate; one dies when its owner withdraws consent, an administrator
restricts the service, it was not used for six months, or the account issued more than a hundred of them
to one client (Google's OAuth 2.0 guide, "Refresh token expiration"). Only that is a reason to ask the
person to connect again: trouble at the token endpoint, or with our own client, is not.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.auth.exceptions import RefreshError
from google.auth.transport import Response
from google.oauth2.credentials import Credentials

from reconciler.errors import ReauthorizationNeeded, VendorNonsense, VendorUnavailable
from reconciler.model import Connection
from reconciler.ports import TokenStore
from reconciler.providers.google.transport import Transport
from reconciler.providers.throttle import Observer, Unobserved

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret

_DEAD_GRANT = {"invalid_grant", "admin_policy_enforced"}
_MARGIN = timedelta(minutes=2)
_REMEMBERED = 20_000


class _Grant:
    """The access token of one connection, and the right to renew it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token = ""
        self.expires = datetime.min.replace(tzinfo=UTC)


class AccessTokens:
    """Access tokens, cached in memory; one refresh at a time for each connection."""

    def __init__(
        self,
        store: TokenStore,
        transport: Transport,
        *,
        client_id: str,
        client_secret: str,
        token_uri: str = TOKEN_URI,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._observer: Observer = observer or Unobserved()
        self._request = TokenRequest(transport)
        self._client_id = client_id
        self._client_secret = client_secret
        self._token_uri = token_uri
        self._grants: OrderedDict[tuple[int, str], _Grant] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection) -> str:
        """A token that should be good. ``ReauthorizationNeeded`` if the grant is dead, ``StateUnreadable``
        if it cannot be read, ``CalendarTrouble`` if the token endpoint does not answer as it should."""
        return self._fresh(connection, rejected=None)

    def renew(self, connection: Connection, rejected: str) -> str:
        """Another token than the one Google has just rejected; errors as of :meth:`get`."""
        return self._fresh(connection, rejected)

    def _fresh(self, connection: Connection, rejected: str | None) -> str:
        grant = self._grant(connection)
        with grant.lock:
            good = grant.token and grant.token != rejected and datetime.now(UTC) < grant.expires
            if not good:
                grant.token, grant.expires = self._observed(connection)
            return grant.token

    def _grant(self, connection: Connection) -> _Grant:
        key = (connection.id, connection.subject)
        with self._lock:
            grant = self._grants.setdefault(key, _Grant())
            self._grants.move_to_end(key)
            while len(self._grants) > _REMEMBERED:
                self._grants.popitem(last=False)
        return grant

    def _observed(self, connection: Connection) -> tuple[str, datetime]:
        started, outcome = time.monotonic(), "ok"
        try:
            return self._refreshed(connection)
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            self._observer.request("google", "token", outcome, time.monotonic() - started)

    def _refreshed(self, connection: Connection) -> tuple[str, datetime]:
        whose = f"connection {connection.id}"
        refresh_token = self._store.get(connection).get("refresh_token")
        if not refresh_token:
            raise ReauthorizationNeeded("There is no refresh token", whose=whose)
        credentials = Credentials(  # type: ignore[no-untyped-call]
            None,
            refresh_token=refresh_token,
            token_uri=self._token_uri,
            client_id=self._client_id,
            client_secret=self._client_secret,
        )
        try:
            credentials.refresh(self._request)  # type: ignore[no-untyped-call]
        except RefreshError:
            raise VendorNonsense("Google's token endpoint answered without a token", whose=whose) from None
        except Refused as refused:
            raise _judged(refused.code, whose) from None
        expires = credentials.expiry or datetime.now(UTC)  # google-auth keeps UTC without saying so
        return str(credentials.token), expires.replace(tzinfo=UTC) - _MARGIN


def _judged(code: str, whose: str) -> Exception:
    if code in _DEAD_GRANT:
        return ReauthorizationNeeded(f"Google no longer accepts the grant: {code}", whose=whose)
    return VendorUnavailable(
        f"Google refuses to refresh access tokens: {code}",
        whose=whose,
        next_step="Check the client id and secret of this installation",
    )


class Refused(Exception):
    """The token endpoint's refusal, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Answer(Response):
    """What google-auth wants to know of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._status, self._headers, self._data = status, headers, data

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        """The HTTP headers."""
        return self._headers

    @property
    def data(self) -> bytes:
        """The body."""
        return self._data


class TokenRequest:
    """Carries google-auth's requests. Failures are raised here, so that google-auth does not retry them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Answer:
        response, content = self._transport.request(url, method, body, headers or {})
        if response.status >= 500 or response.status == 429:
            raise VendorUnavailable(f"Google's token endpoint answered {response.status}")
        answer = _json_object(content)
        if response.status != 200:
            raise Refused(str(answer.get("error", response.status)))
        return Answer(response.status, dict(response), content)


def _json_object(content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise VendorNonsense("Google's token endpoint did not answer with JSON")
    return answer
