"""Giving a seat back through a webhook of the operator's: for an LMS that is read through views.

The contract is ``docs/unregister-webhook.md``: signed JSON (HMAC-SHA256, RFC 2104) over HTTPS, one
idempotency key for all attempts of one request. A connection that fails, 408, 425, 429 and 5xx are tried
again until the request's deadline; no redirect is followed; whatever is not the contract's answer, is none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from tenacity import (
    RetryError,
    Retrying,
    retry_if_result,
    stop_after_delay,
    wait_exponential_jitter,
)
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from reconciler.errors import LmsUnreadable
from reconciler.lms.text import line
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration

_LONGEST_BODY = 65_536
_CHUNK = 8_192
_LONGEST = 300
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_OUTCOMES = {
    "unregister": {
        "done": RegistrarOutcome.DONE,
        "refused": RegistrarOutcome.REFUSED,
        "lost": RegistrarOutcome.LOST,
    },
    "state": {
        "done": RegistrarOutcome.DONE,
        "still-there": RegistrarOutcome.STILL_THERE,
        "lost": RegistrarOutcome.LOST,
    },
}


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt: the members of the answer, if it was one; whether the request may have arrived."""

    fields: Mapping[str, Any] | None = None
    sent: bool = True
    again: bool = False
    problem: str = ""


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """What the header ``X-Reconciler-Signature`` holds."""
    return "v1=" + hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookRegistrar:
    """See :class:`~reconciler.ports.Registrar`.

    ``key`` is called for each request, so that a key that was changed is used at once. ``timeout`` is in
    seconds, for connecting and for the whole answer of one attempt. ``clock`` is ours; it says how long is
    left for trying again, while the deadline itself is kept by the hook, by its own clock.
    """

    def __init__(
        self,
        url: str,
        key: Callable[[], bytes],
        *,
        proxy: str | None = None,
        ca_file: Path | None = None,
        timeout: float = 15.0,
        first_wait: float = 0.5,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._key = key
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._verify: str | bool = str(ca_file) if ca_file else True
        self._timeout = timeout
        self._first_wait = first_wait
        self._clock = clock

    def now(self) -> datetime:
        """The LMS's clock, as the hook tells it. Raises ``LmsUnreadable``."""
        attempt = self._asked("clock", {}, self._timeout)
        moment = (attempt.fields or {}).get("now")
        try:
            found = datetime.fromisoformat(moment if isinstance(moment, str) else "")
        except ValueError:
            raise self._unreadable(attempt) from None
        if found.tzinfo is None:
            raise self._unreadable(attempt)
        return found.astimezone(UTC)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """Raises ``LmsUnreadable`` only if no attempt ever reached the hook."""
        left = (request.deadline - self._clock()).total_seconds()
        if left <= 0:
            raise LmsUnreadable(
                "The deadline passed before the webhook could be asked; nothing was sent", whose=self._url
            )
        attempt = self._asked("unregister", _fields(request), left)
        if not attempt.sent:
            raise self._unreadable(attempt)
        return self._answer("unregister", attempt) or RegistrarAnswer(
            RegistrarOutcome.UNKNOWN, attempt.problem or "no usable answer"
        )

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """What the hook says became of the request. Raises ``LmsUnreadable``."""
        attempt = self._asked("state", _fields(request), self._timeout)
        found = self._answer("state", attempt)
        if found is None:
            raise self._unreadable(attempt)
        return found

    def check(self) -> list[str]:
        """What stands in the way of giving seats back: one sentence each; empty when all is well."""
        try:
            self.now()
        except LmsUnreadable as error:
            return [error.what]
        return []

    # How

    def _asked(self, operation: str, fields: Mapping[str, Any], seconds: float) -> _Attempt:
        """Again and again while that may help, for so many seconds; what was sent once stays sent."""
        body = json.dumps({"version": 1, "operation": operation, **fields}).encode()
        reference = str(fields.get("reference", ""))
        attempts: list[_Attempt] = []
        try:
            key = self._key()
        except OSError as error:
            return _Attempt(sent=False, problem=f"the key cannot be read ({type(error).__name__})")

        def ask() -> _Attempt:
            attempts.append(self._ask(body, reference, key))
            return attempts[-1]

        retrying = Retrying(
            retry=retry_if_result(lambda attempt: attempt.again),
            stop=stop_after_delay(max(0.0, seconds)),
            wait=wait_exponential_jitter(multiplier=self._first_wait, max=5, jitter=self._first_wait),
        )
        try:
            last = retrying(ask)
        except RetryError:
            last = attempts[-1]
        return _Attempt(last.fields, any(one.sent for one in attempts), False, last.problem)

    def _ask(self, body: bytes, reference: str, key: bytes) -> _Attempt:
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Idempotency-Key": reference,
            "X-Reconciler-Timestamp": timestamp,
            "X-Reconciler-Signature": signature(key, timestamp, body),
        }
        try:
            with requests.Session() as session:
                session.trust_env = False
                response = session.post(
                    self._url,
                    data=body,
                    headers=headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                    proxies=self._proxies,
                    verify=self._verify,
                )
                with response:
                    return self._read(response, reference)
        except (requests.RequestException, HTTPError, OSError) as error:
            return _Attempt(sent=not _never_sent(error), again=True, problem=type(error).__name__)

    def _read(self, response: requests.Response, reference: str) -> _Attempt:
        """The answer, of bounded length and within the time-out as a whole."""
        status = response.status_code
        if status != 200:
            return _Attempt(again=status in _AGAIN, problem=f"status {status}")
        until, found = time.monotonic() + self._timeout, bytearray()
        for chunk in response.iter_content(_CHUNK):
            found += chunk
            if len(found) > _LONGEST_BODY or time.monotonic() > until:
                return _Attempt(problem="an answer too long, or too slow")
        try:
            fields = json.loads(found)
        except ValueError:
            return _Attempt(problem="no JSON")
        if not isinstance(fields, dict) or fields.get("version") != 1 or fields.get("reference") != reference:
            return _Attempt(problem="an answer that is not of the contract, or to another request")
        return _Attempt(fields)

    @staticmethod
    def _answer(operation: str, attempt: _Attempt) -> RegistrarAnswer | None:
        fields = attempt.fields or {}
        outcome = _OUTCOMES[operation].get(str(fields.get("outcome")))
        if outcome is None:
            return None
        return RegistrarAnswer(
            outcome, line(fields.get("why"), _LONGEST), line(fields.get("trace"), _LONGEST)
        )

    def _unreadable(self, attempt: _Attempt) -> LmsUnreadable:
        what = "gave no usable answer" if attempt.sent else "was never reached, so it was told nothing"
        return LmsUnreadable(
            f"The webhook {what}: {attempt.problem or 'not of the contract'}",
            whose=self._url,
            next_step="See docs/unregister-webhook.md, and the hook's own log.",
        )


def _fields(request: Unregistration) -> dict[str, Any]:
    return {
        "reference": request.reference,
        "account": request.account,
        "person": request.person,
        "session": request.session,
        "seats": list(request.seats),
        "days": [[_text(start), _text(end)] for start, end in request.days],
        "now": _text(request.now),
        "deadline": _text(request.deadline),
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _never_sent(error: BaseException) -> bool:
    """Whether the connection was never made, so that nothing of the request can have arrived."""
    certain = (requests.ConnectTimeout, NewConnectionError, NameResolutionError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, certain) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception with everything wrapped in it: requests puts urllib3's into its arguments."""
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
