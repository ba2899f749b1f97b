"""Google Calendar's SDK, called with our limits; Google's refusals become our errors here.

Sources: Calendar API guides "Handle API errors" and "Manage quotas", discovery document calendar v3.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from reconciler.errors import (
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import Connection
from reconciler.ports import Heard
from reconciler.providers.google.transport import Bearer, Transport
from reconciler.providers.repeating import Repeating
from reconciler.providers.throttle import Quota, Throttle, seconds_of

PROVIDER = "google"
PROJECT_QUOTA = Quota(10_000, 60)
PERSON_QUOTA = Quota(600, 60)
"""Since 2026-05-01; projects that used the API before keep what their console shows."""

_USAGE_LIMIT_PAUSE = 6 * 3600.0
_DAILY_LIMIT_PAUSE = 3600.0
_MOST_PAGES = 1000
_RATE = {"rateLimitExceeded", "userRateLimitExceeded"}
_NO_ACCESS = {"forbidden", "requiredAccessLevel"}


class _Unauthorized(Exception):
    """401: the access token is not, or no longer, accepted."""


class ScopeMissing(ReauthorizationNeeded):
    """The grant does not cover this method; its owner ticked fewer boxes than asked for."""


class NotFound(EventGone):
    """404: the event is not there, or its whole calendar is not; Google answers both alike."""


_OUTCOMES: dict[type[Exception], str] = {
    _Unauthorized: "auth",
    ScopeMissing: "auth",
    NotFound: "not_found",
}
"""What an observer is told of the errors that are known here alone."""


class About(Enum):
    """What a request is about, which decides what Google's 4xx mean."""

    CALENDAR = auto()  # a list, which names no event
    CREATION = auto()
    EVENT = auto()


_MEANING: dict[tuple[About, int], type[ReconcilerError]] = {
    (About.CALENDAR, 404): MailboxUnavailable,
    (About.CREATION, 404): MailboxUnavailable,
    (About.CREATION, 409): EventIdUsed,
    (About.EVENT, 404): NotFound,
    (About.EVENT, 410): EventGone,
    (About.EVENT, 412): EventChanged,
}
"""Any other 4xx: our question was wrong (a list), or what the event contains."""


class _Ask(NamedTuple):
    """One request with what is needed to judge its answer."""

    connection: Connection
    operation: str
    about: About
    request: HttpRequest

    @property
    def whose(self) -> str:
        return f"connection {self.connection.id}"


class _Refusal(NamedTuple):
    """Google's error envelope: the first error's reason and location, and the message."""

    reason: str
    location: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason} {self.location}".strip()


class Tokens(Protocol):
    """Where access tokens come from: :class:`~reconciler.providers.google.oauth.AccessTokens`."""

    def get(self, connection: Connection) -> str:
        """A token that should be good."""

    def renew(self, connection: Connection, rejected: str) -> str:
        """Another one than the one Google has just rejected."""


class _Held:
    """One token that was given with a consent, and cannot be renewed yet."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self, connection: Connection) -> str:
        return self._token

    def renew(self, connection: Connection, rejected: str) -> str:
        raise ReauthorizationNeeded("Google rejects the token it has just given")


class Client:
    """Requests to Google Calendar; one for all threads and people.

    ``endpoint`` replaces the API's base address (``https://host/calendar/v3/``). ``attempts`` is how
    often a read is sent before it counts as failed.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: Tokens,
        throttle: Throttle,
        *,
        endpoint: str | None = None,
        attempts: int = 3,
    ) -> None:
        service = build(
            "calendar",
            "v3",
            http=httplib2.Http(),  # never used: each request is executed with its person's own
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": endpoint} if endpoint else None,
        )
        self.events: Any = service.events()
        self.calendar_list: Any = service.calendarList()
        self._transport = transport
        self._tokens = tokens
        self._throttle = throttle
        self._repeating = Repeating(attempts=attempts, sleep=throttle.sleep, reads_pass=(NotFound,))
        self._heard: list[Heard] | None = None

    def noting(self, heard: list[Heard]) -> Client:
        """The same, which adds Google's answers to this list."""
        other = copy.copy(self)
        other._heard = heard
        return other

    def holding(self, token: str) -> Client:
        """The same with this access token, for whoever is not connected yet."""
        other = copy.copy(self)
        other._tokens = _Held(token)
        return other

    def authorize(self, connection: Connection) -> None:
        """Have an access token at hand, whatever for; errors of the tokens."""
        self._tokens.get(connection)

    def read(
        self, connection: Connection, operation: str, about: About, request: HttpRequest
    ) -> dict[str, Any]:
        """Send what changes nothing, again where no usable answer came, or an event is not found: a fresh
        one may not have reached all of Google yet (guide "Handle API errors", 404)."""
        return self._repeating.read(self._authorized, _Ask(connection, operation, about, request))

    def write(
        self, connection: Connection, operation: str, about: About, request: HttpRequest
    ) -> dict[str, Any]:
        """Send what changes something: never again in this cycle once its fate is unknown."""
        return self._repeating.write(self._authorized, _Ask(connection, operation, about, request))

    def pages(
        self, connection: Connection, operation: str, method: Any, kind: str, **arguments: Any
    ) -> Iterator[dict[str, Any]]:
        """Every page of a list, empty and short ones followed; ``VendorNonsense`` for what is no page."""
        seen: set[str | None] = set()
        token: str | None = None
        while True:
            request = method(pageToken=token, **arguments) if token else method(**arguments)
            page = self.read(connection, operation, About.CALENDAR, request)
            if page.get("kind") != kind or not isinstance(page.get("items", []), list):
                raise VendorNonsense(f"Google's answer to {operation} is not a page")
            yield page
            seen.add(token)
            token = page.get("nextPageToken")
            if not token:
                return
            if token in seen or len(seen) > _MOST_PAGES:
                raise VendorNonsense(f"Google's pages of {operation} do not end")

    def _authorized(self, ask: _Ask) -> dict[str, Any]:
        token = self._tokens.get(ask.connection)
        try:
            return self._observed(ask, token)
        except _Unauthorized:
            token = self._tokens.renew(ask.connection, rejected=token)
        try:
            return self._observed(ask, token)
        except _Unauthorized:
            raise ReauthorizationNeeded("Google rejects even a fresh access token", whose=ask.whose) from None

    def _observed(self, ask: _Ask, token: str) -> dict[str, Any]:
        self._throttle.admit(ask.connection.person)
        started, outcome = time.monotonic(), "ok"
        try:
            return self._executed(ask, token)
        except Exception as error:
            outcome = _OUTCOMES.get(type(error), type(error).__name__)
            raise
        finally:
            seconds = time.monotonic() - started
            self._throttle.observer.request(PROVIDER, ask.operation, outcome, seconds)

    def _executed(self, ask: _Ask, token: str) -> dict[str, Any]:
        def answered(response: httplib2.Response) -> None:
            if self._heard is not None:
                self._heard.append(Heard(ask.operation, response.status, response.get("date", "")))

        try:
            answer = ask.request.execute(http=Bearer(self._transport, token, answered), num_retries=0)
        except HttpError as error:
            raise self._judged(ask, error) from None
        except ValueError:
            raise VendorNonsense(f"Google's answer to {ask.operation} is not JSON") from None
        if isinstance(answer, dict):
            return answer
        if answer == "":  # 204, to a deletion
            return {}
        raise VendorNonsense(f"Google's answer to {ask.operation} is not an object")

    def _judged(self, ask: _Ask, error: HttpError) -> Exception:
        """Our error for an answer of 300 and above. Google's message is not passed on: it may quote texts."""
        status, refusal = int(error.resp.status), _refusal(error.content)
        retry_after = seconds_of(error.resp.get("retry-after"))
        if status >= 500:
            if retry_after is not None:
                self._throttle.refused(str(status), person=ask.connection.person, retry_after=retry_after)
            return VendorUnavailable(f"Google answered {ask.operation} with {status}", whose=ask.whose)
        if refusal is None:
            return VendorNonsense(f"{status} to {ask.operation}, not explained by Google", whose=ask.whose)
        if status == 401:
            return _Unauthorized()
        if status == 429 or refusal.reason in _RATE:
            person = None if _of_project(refusal) else ask.connection.person
            return self._throttle.refused(str(refusal), person=person, retry_after=retry_after)
        if status == 403:
            return self._forbidden(ask, refusal)
        usual = VendorNonsense if ask.about is About.CALENDAR else EventRefused
        kind = _MEANING.get((ask.about, status), usual)
        return kind(f"Google answered {ask.operation} with {status} {refusal}", whose=ask.whose)

    def _forbidden(self, ask: _Ask, refusal: _Refusal) -> ReconcilerError:
        """What a 403 stops. A quota: its calls. A scope that was not granted: the connection, until its
        owner ticks the box. Access taken away: the connection, until it comes back. Our project's API being
        off is for its operator, so nobody's connection is parked for it."""
        what, person = f"Google refuses {ask.operation}: {refusal}", ask.connection.person
        if refusal.reason == "quotaExceeded":
            return self._throttle.refused(what, person=person, retry_after=_USAGE_LIMIT_PAUSE)
        if refusal.reason == "dailyLimitExceeded":
            return self._throttle.refused(what, person=None, retry_after=_DAILY_LIMIT_PAUSE)
        if refusal.reason == "insufficientPermissions":
            return ScopeMissing(what, whose=ask.whose)
        if refusal.reason == "accessNotConfigured":
            return VendorUnavailable(what, next_step="Enable the Calendar API in the Google Cloud project")
        if refusal.reason in _NO_ACCESS or ask.about is About.CALENDAR:
            return MailboxUnavailable(what, whose=ask.whose)
        return EventRefused(what, whose=ask.whose)


def _of_project(refusal: _Refusal) -> bool:
    """Whether the whole project is too fast, not one person or calendar of it."""
    return refusal.reason == "rateLimitExceeded" and "per user" not in refusal.message.lower()


def _refusal(content: bytes) -> _Refusal | None:
    """Google's explanation; ``None`` for what is not Google's (a proxy's page)."""
    try:
        error = json.loads(content)["error"]
        first = (error.get("errors") or [{}])[0]
        reason = first.get("reason") or error.get("status") or "unknown"
        return _Refusal(str(reason), str(first.get("location", "")), str(error.get("message", "")))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
