"""How Microsoft Graph and Entra say no: codes, statuses and texts as the vendor writes them.

Graph: https://learn.microsoft.com/graph/errors. Entra:
https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_FOUND_TEXT = "The specified object was not found in the store."


class GraphProblem(Exception):
    """A Graph request is refused; carries status, code, message and further headers."""

    def __init__(
        self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or MESSAGES.get(code, code)
        self.headers = headers or {}


MESSAGES = {
    "InvalidAuthenticationToken": "Access token has expired or is not yet valid.",
    "ErrorItemNotFound": NOT_FOUND_TEXT,
    "ErrorIrresolvableConflict": "The send or update operation could not be performed because the change key"
    " passed in the request does not match the current change key for the item.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorInvalidUser": "The requested user is invalid.",
    "ResourceNotFound": "Resource could not be discovered.",
    "MailboxNotEnabledForRESTAPI": "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    "MailboxInfoStale": "Mailbox info is stale.",
    "ErrorMailboxMoveInProgress": "Mailbox move in progress. Try again later.",
    "ErrorMailboxStoreUnavailable": "The mailbox database is temporarily unavailable.",
    "ErrorPropertyValidationFailure": "At least one property failed validation.",
    "ErrorConcurrentItemSave": "Item save is not completed.",
    "ApplicationThrottled": "Application is over its MailboxConcurrency limit.",
    "serviceNotAvailable": "The service is temporarily unavailable.",
    "BadGateway": "Bad gateway.",
    "generalException": "An unexpected error occurred while processing the request.",
}

# What a dead or odd mailbox answers, by the reason a test gives.
DEAD_MAILBOXES = {
    "MailboxNotEnabledForRESTAPI": 404,
    "ErrorInvalidUser": 404,
    "ResourceNotFound": 404,
    "ErrorAccessDenied": 403,
    "MailboxInfoStale": 503,
    "ErrorMailboxMoveInProgress": 503,
    "ErrorMailboxStoreUnavailable": 503,
}

# The code a status has when a planned fault names none.
CODE_OF_STATUS = {
    400: "BadRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    405: "Request_BadRequest",
    409: "ErrorIrresolvableConflict",
    412: "ErrorIrresolvableConflict",
    429: "ApplicationThrottled",
    500: "generalException",
    502: "BadGateway",
    503: "serviceNotAvailable",
    504: "GatewayTimeout",
}


@dataclass(frozen=True)
class SignInCode:
    """One AADSTS code: the OAuth error it comes with, its text, its suberror and HTTP status."""

    error: str
    text: str
    suberror: str | None = None
    status: int = 400


SIGN_IN_CODES = {
    50011: SignInCode("invalid_request", "The redirect URI specified in the request does not match."),
    50020: SignInCode("access_denied", "User account does not exist in the tenant."),
    50034: SignInCode("invalid_grant", "The user account does not exist in the directory."),
    50058: SignInCode("login_required", "A silent sign-in request was sent but no user is signed in."),
    50076: SignInCode("interaction_required", "You must use multi-factor authentication.", "basic_action"),
    50079: SignInCode("interaction_required", "You must enroll in multi-factor authentication."),
    50105: SignInCode("interaction_required", "The signed in user is not assigned to a role."),
    50173: SignInCode("invalid_grant", "The provided grant has expired: it was revoked.", "bad_token"),
    53003: SignInCode("interaction_required", "Blocked by Conditional Access policies.", "message_only"),
    54005: SignInCode("invalid_grant", "OAuth2 Authorization code was already redeemed."),
    65001: SignInCode(
        "invalid_grant", "The user has not consented to use the application.", "consent_required"
    ),
    65004: SignInCode("access_denied", "User declined to consent to access the app."),
    70000: SignInCode("invalid_grant", "The provided grant is invalid or malformed."),
    70003: SignInCode("unsupported_grant_type", "The app requested an unsupported grant type."),
    70008: SignInCode("invalid_grant", "The provided grant is expired due to it being revoked.", "bad_token"),
    70011: SignInCode("invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    70043: SignInCode(
        "invalid_grant", "The refresh token has expired due to sign-in frequency checks.", "bad_token"
    ),
    90002: SignInCode("invalid_tenant", "Tenant not found."),
    90094: SignInCode("access_denied", "The grant requires admin permission."),
    501481: SignInCode("invalid_grant", "The Code_Verifier does not match the code_challenge."),
    700016: SignInCode("unauthorized_client", "Application was not found in the directory."),
    700027: SignInCode("invalid_client", "The certificate or signature used is not registered.", status=401),
    700082: SignInCode("invalid_grant", "The refresh token has expired due to inactivity.", "bad_token"),
    900144: SignInCode("invalid_request", "The request body must contain all required parameters."),
    1002012: SignInCode("invalid_scope", "The scope of a client credential request must end in /.default."),
    7000215: SignInCode("invalid_client", "Invalid client secret provided.", status=401),
    7000218: SignInCode("invalid_client", "The request body must contain client_assertion or client_secret."),
    7000222: SignInCode("invalid_client", "The provided client secret keys are expired.", status=401),
}


class SignInProblem(Exception):
    """Entra refuses; ``code`` is the number after AADSTS."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
        self.entry = SIGN_IN_CODES[code]

    @property
    def text(self) -> str:
        """As it stands in pages, redirects and error descriptions."""
        return f"AADSTS{self.code}: {self.entry.text}"
