"""The values that labels of metrics may have: enums, so that nothing of a person can ever be one."""

from __future__ import annotations

from enum import StrEnum


class Provider(StrEnum):
    """Where calendars live. ``memory`` is the reference provider."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    CALDAV = "caldav"
    MEMORY = "memory"


class Cycle(StrEnum):
    """What the daemon does at intervals."""

    PUSH = "push"
    AUDIT = "audit"
    CONFIRM = "confirm"
    MAIL = "mail"
    UPKEEP = "upkeep"


class Result(StrEnum):
    """How a cycle ended."""

    SUCCESS = "success"
    PARTIAL = "partial"  # somebody failed, the others went on
    HELD = "held"
    ERROR = "error"


class Drift(StrEnum):
    """How a calendar differs from what is desired."""

    ABSENT = "absent"
    STALE = "stale"
    EDITED = "edited"
    ORPHANED = "orphaned"
    MISSING = "missing"


class EventState(StrEnum):
    """Where an event stands. ``failing`` counts instead of its state whatever is backed off."""

    LIVE = "live"
    PENDING = "pending"
    MISSING = "missing"
    HELD = "held"
    DISMISSED = "dismissed"
    FAILING = "failing"


class Change(StrEnum):
    """What is done to an event."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    TAKE = "take"
    DELETE = "delete"
    FORGET = "forget"
    MISSING = "missing"


class ChangeResult(StrEnum):
    """How one change ended."""

    OK = "ok"
    RETRIED = "retried"
    REFUSED = "refused"
    FAILED = "failed"


class Operation(StrEnum):
    """What a vendor is asked for."""

    LIST = "list"
    GET = "get"
    FIND = "find"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    TOKEN = "token"  # noqa: S105


class Outcome(StrEnum):
    """What a vendor answered."""

    OK = "ok"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    THROTTLED = "throttled"
    AUTH = "auth"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"

    @classmethod
    def of(cls, name: str) -> Outcome:
        """From a value of its own or the name of one of our errors; any other error is the client's."""
        if name in set(cls):
            return cls(name)
        return _OUTCOMES.get(name, cls.CLIENT_ERROR)


_OUTCOMES = {
    "EventGone": Outcome.GONE,
    "EventChanged": Outcome.CONFLICT,
    "EventIdUsed": Outcome.CONFLICT,
    "Throttled": Outcome.THROTTLED,
    "ConnectionBroken": Outcome.AUTH,
    "ReauthorizationNeeded": Outcome.AUTH,
    "MailboxUnavailable": Outcome.AUTH,
    "VendorUnavailable": Outcome.SERVER_ERROR,
    "VendorNonsense": Outcome.SERVER_ERROR,
}


class Refresh(StrEnum):
    """How the renewal of an access token ended."""

    OK = "ok"
    DEAD = "dead"  # the grant is no longer accepted: its owner has to connect again
    FAILED = "failed"

    @classmethod
    def of(cls, outcome: Outcome) -> Refresh:
        """From the outcome of the call."""
        return {Outcome.OK: cls.OK, Outcome.AUTH: cls.DEAD}.get(outcome, cls.FAILED)


class Credential(StrEnum):
    """What proves to a vendor who we are, and runs out one day."""

    MICROSOFT_SECRET = "microsoft-secret"  # noqa: S105
    MICROSOFT_CERTIFICATE = "microsoft-certificate"


class Scope(StrEnum):
    """Whom a quota concerns."""

    PROJECT = "project"
    PERSON = "person"


class Window(StrEnum):
    """The time a quota is counted over."""

    MINUTE = "minute"
    DAY = "day"


class Guard(StrEnum):
    """The rails that hold changes back."""

    VANISHED_SESSIONS = "vanished-sessions"
    VANISHED_PEOPLE = "vanished-people"
    FLEET = "fleet"
    PAUSE = "pause"  # an operator's


class Unregistered(StrEnum):
    """What came of an event that its owner deleted."""

    DONE = "done"
    HELD = "held"
    RESTORED = "restored"
    REFUSED = "refused"
    ERROR = "error"


class Consent(StrEnum):
    """How far people's consents came, and why no further."""

    BEGUN = "begun"
    CONNECTED = "connected"
    DECLINED = "declined"
    ADMIN_APPROVAL = "admin-approval"
    WRONG_ACCOUNT = "wrong-account"
    SCOPES_LACKING = "scopes-lacking"
    EXPIRED = "expired"
    ALREADY_CONNECTED = "already-connected"
    ACCOUNT_TAKEN = "account-taken"
    BROKEN = "broken"
    NO_SERVER = "no-server"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    READ_ONLY = "read-only"
    UNAVAILABLE = "unavailable"  # the vendor, the LMS or our own state


class Purged(StrEnum):
    """What is deleted once it has been kept long enough."""

    PAST_DAYS = "past-days"  # all but their ids
    IDS = "ids"
    EVIDENCE = "evidence"
    AUDIT_LOG = "audit-log"
    HISTORY = "history"
    MAIL_BODIES = "mail-bodies"
    MAILS = "mails"
    TOLD = "told"  # what was mailed of a past day
    DISCONNECTED = "disconnected"
    USED = "used"
    PEOPLE = "people"  # gone from the LMS, and forgotten


class MailWay(StrEnum):
    """What a mail does to the calendar of whoever gets it."""

    REQUEST = "request"
    CANCEL = "cancel"
    NOTICE = "notice"  # nothing: plain words


class MailResult(StrEnum):
    """What became of a mail."""

    SENT = "sent"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DROPPED = "dropped"  # pointless by now
