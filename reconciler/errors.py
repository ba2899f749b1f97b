"""Every error the program raises on purpose, by what it stops.

::

    ReconcilerError
    ├── ConfigurationError          the start, or the reload        not retried
    ├── CycleError                  this cycle                      next cycle
    │   ├── LmsUnreadable           (read failed, partial, wrong schema)
    │   ├── StateUnreadable         (our state database)
    │   ├── NotDispatched           (no broker, or no worker, to hand the work to)
    │   └── Stopped                 (the process is told to stop)
    ├── Throttled                   that quota's calls              after `retry_after`
    ├── ConnectionBroken            this connection
    │   ├── ReauthorizationNeeded   until its owner connects again  not retried
    │   └── MailboxUnavailable      suspended                       probed slowly
    ├── CalendarTrouble             this calendar, this cycle       next cycle
    │   ├── VendorUnavailable       (5xx, time-out, lost answer: the effect may have happened)
    │   └── VendorNonsense          (not the vendor's protocol: HTML, too large, malformed)
    ├── EventError                  this event
    │   ├── EventRefused            4xx                             backed off
    │   ├── EventChanged            412                             read and decide again, once
    │   ├── EventGone               404, 410, cancelled             decide again as absent
    │   └── EventIdUsed             409                             read, compare
    ├── ConsentRefused              this attempt to connect         by the person
    └── LeaseLost                   this person, this cycle         next cycle

An adapter turns what its library raises into one of these in its own client, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum


class ReconcilerError(Exception):
    """Something that was foreseen: what happened, whose it is, since when, what to do next.

    ``whose`` names an id (person, account, connection, file), never a name or an address.
    """

    def __init__(
        self,
        what: str,
        *,
        whose: str | None = None,
        since: datetime | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.whose = whose
        self.since = since
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.whose:
            parts.append(f"({self.whose})")
        if self.since:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M:%SZ}")
        sentence = " ".join(parts)
        return f"{sentence}. {self.next_step}" if self.next_step else sentence


class ConfigurationError(ReconcilerError):
    """The configuration cannot be used; ``problems`` lists all of them, each with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class CycleError(ReconcilerError):
    """This cycle ends; nothing is concluded; the next one tries again."""


class LmsUnreadable(CycleError):
    """The LMS could not be read whole. An error is never an empty list."""


class StateUnreadable(CycleError):
    """Our state database could not be read or written. No vendor is called without a ledger to write to."""


class StateUnfit(StateUnreadable):
    """Our state database has not the schema that this program knows: only an operator can change that."""


class NotDispatched(CycleError):
    """Work could not be handed to workers. Whose turn it was is due again in the next cycle."""


class Stopped(CycleError):
    """The process is told to stop: this cycle ends between two steps of its work."""


class Throttled(ReconcilerError):
    """A vendor's quota is used up. ``retry_after`` is in seconds; ``scope`` names the quota it concerns."""

    def __init__(self, what: str, *, retry_after: float, scope: str, whose: str | None = None) -> None:
        super().__init__(what, whose=whose)
        self.retry_after = retry_after
        self.scope = scope


class ConnectionBroken(ReconcilerError):
    """One person's connection does not work; their events and ledger stay as they are."""


class ReauthorizationNeeded(ConnectionBroken):
    """The vendor no longer accepts the grant (invalid_grant, consent withdrawn)."""


class MailboxUnavailable(ConnectionBroken):
    """The mailbox or calendar is gone or unlicensed, or access was switched off by an administrator."""


class CalendarTrouble(ReconcilerError):
    """This calendar cannot be worked on in this cycle."""


class VendorUnavailable(CalendarTrouble):
    """No usable answer. A write that ends so may have had its effect."""


class VendorNonsense(CalendarTrouble):
    """The answer was not the vendor's protocol: a proxy's page, a body over the limit, broken JSON."""


class EventError(ReconcilerError):
    """One event cannot be written or read."""


class EventRefused(EventError):
    """The vendor refuses this event for what it contains (a 4xx that is none of the others)."""


class EventChanged(EventError):
    """The event is no longer as it was when its etag was read (412)."""


class EventGone(EventError):
    """The event is not there: never existed, deleted, or cancelled."""


class EventIdUsed(EventError):
    """The id chosen for a new event is in use, or was used once (409)."""


class ConsentProblem(StrEnum):
    """Why a consent did not lead to a connection."""

    DECLINED = "declined"
    ADMIN_APPROVAL = "admin-approval"  # the organisation's administrator must approve first
    WRONG_ACCOUNT = "wrong-account"  # a kind of account, tenant or domain that is not allowed
    SCOPES_LACKING = "scopes-lacking"  # the box for the calendar was left unticked
    EXPIRED = "expired"  # too late, replayed, or not begun here
    ALREADY_CONNECTED = "already-connected"  # this person has another calendar connected
    ACCOUNT_TAKEN = "account-taken"  # this vendor account serves somebody else
    BROKEN = "broken"  # the vendor's answer makes no sense
    NO_SERVER = "no-server"  # nothing that can be used at the address typed; why is not told
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - user name or password are not taken
    READ_ONLY = "read-only"  # nothing can be written into the calendar chosen


class ConsentRefused(ReconcilerError):
    """A person's consent did not come about; ``problem`` says how to explain it."""

    def __init__(
        self, what: str, problem: ConsentProblem, *, whose: str | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(what, whose=whose, next_step=next_step)
        self.problem = problem


class LeaseLost(ReconcilerError):
    """Another process has taken this person over; nothing more may be written for them here."""
