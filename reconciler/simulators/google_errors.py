"""Google's refusals, word for word where they are published.

Two layouts exist: Calendar's own (``errors`` first, 1-space indent) and that of the front end, which
checks tokens and scopes before Calendar is asked and adds ``status``. Source: Calendar API guide
"Handle API errors" and error bodies quoted by its users.
"""

from __future__ import annotations

import json

from werkzeug.wrappers import Response


class GoogleError(Exception):
    """A request that Calendar refuses."""

    def __init__(
        self, status: int, reason: str, message: str, *, domain: str = "global", location: str | None = None,
        location_type: str = "parameter",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location = location
        self.location_type = location_type

    def response(self) -> Response:
        """The answer, in the layout of the layer that refuses."""
        if self.reason in ("authError", "insufficientPermissions"):
            return _front_end(self)
        error = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location is not None:
            error |= {"locationType": self.location_type, "location": self.location}
        return _json(
            {"error": {"errors": [error], "code": self.status, "message": self.message}}, self.status
        )


_MESSAGES: dict[int, tuple[str, str]] = {
    400: ("badRequest", "Bad Request"),
    401: ("authError", "Invalid Credentials"),
    403: ("forbidden", "Forbidden"),
    404: ("notFound", "Not Found"),
    405: ("httpMethodNotAllowed", "Method Not Allowed"),
    409: ("duplicate", "The requested identifier already exists."),
    410: ("deleted", "Resource has been deleted"),
    412: ("conditionNotMet", "Precondition Failed"),
    429: ("rateLimitExceeded", "Rate Limit Exceeded"),
    500: ("backendError", "Backend Error"),
    503: ("backendError", "Backend Error"),
}

_BY_REASON: dict[str, str] = {
    "rateLimitExceeded": "Rate Limit Exceeded",
    "userRateLimitExceeded": "User Rate Limit Exceeded",
    "quotaExceeded": "Calendar usage limits exceeded.",
    "dailyLimitExceeded": "Daily Limit Exceeded",
    "insufficientPermissions": "Insufficient Permission",
    "requiredAccessLevel": "You need to have writer access to this calendar.",
    "accessNotConfigured": "Access Not Configured. Calendar API has not been used in project before.",
    "fullSyncRequired": "Sync token is no longer valid, a full sync is required.",
    "updatedMinTooLongAgo": "The requested minimum modification time lies too far in the past.",
    "forbiddenForServiceAccounts": "Service accounts cannot invite attendees without delegation.",
}

_USAGE = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}


def standard(status: int, reason: str | None = None, message: str = "") -> GoogleError:
    """The error Google gives for this status, or for this reason where one is named."""
    usual, words = _MESSAGES.get(status, _MESSAGES[500 if status >= 500 else 400])
    reason = reason or usual
    domain = "usageLimits" if reason in {*_USAGE, "accessNotConfigured"} else "global"
    location = None
    if reason == "fullSyncRequired":
        domain, location = "calendar", "syncToken"
    elif reason == "updatedMinTooLongAgo":
        domain, location = "calendar", "updatedMin"
    elif reason == "conditionNotMet":
        return GoogleError(status, reason, words, location="If-Match", location_type="header")
    return GoogleError(
        status, reason, message or _BY_REASON.get(reason, words), domain=domain, location=location
    )


def invalid(message: str, location: str | None = None) -> GoogleError:
    """400 ``invalid``: a value in the body or in a parameter makes no sense."""
    return GoogleError(400, "invalid", message, location=location)


def required(message: str) -> GoogleError:
    """400 ``required``: something that the body must have is missing."""
    return GoogleError(400, "required", message)


def empty_range(location: str) -> GoogleError:
    """400 ``timeRangeEmpty``: an end that lies before its start."""
    return GoogleError(
        400, "timeRangeEmpty", "The specified time range is empty.", domain="calendar", location=location
    )


_NO_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def _front_end(error: GoogleError) -> Response:
    body: dict[str, object]
    if error.status == 401:
        one = {
            "message": "Invalid Credentials", "domain": "global", "reason": "authError",
            "location": "Authorization", "locationType": "header",
        }  # fmt: skip
        body = {"code": 401, "message": _NO_CREDENTIALS, "errors": [one], "status": "UNAUTHENTICATED"}
    else:
        one = {"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com",
            "metadata": {"service": "calendar-json.googleapis.com", "method": error.message},
        }  # fmt: skip
        body = {
            "code": 403, "message": "Request had insufficient authentication scopes.", "errors": [one],
            "status": "PERMISSION_DENIED", "details": [detail],
        }  # fmt: skip
    response = _json({"error": body}, error.status)
    problem = "invalid_token" if error.status == 401 else "insufficient_scope"
    response.headers["WWW-Authenticate"] = f'Bearer realm="https://accounts.google.com/", error="{problem}"'
    return response


def _json(body: object, status: int) -> Response:
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    return Response(text, status=status, content_type="application/json; charset=UTF-8")
