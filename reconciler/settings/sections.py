"""What the program may be told: the whole, with the sections that hold its rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from pydantic import ValidationInfo, field_validator

from reconciler.logs import LogFormat, LogLevel
from reconciler.model import AccountSwitches, Mode, MultiDay, UnregisterMode
from reconciler.settings.databases import Lms, State
from reconciler.settings.dispatching import Dispatch, DispatchKind
from reconciler.settings.mail import Mail
from reconciler.settings.pages import Web
from reconciler.settings.values import (
    Duration,
    Identifier,
    ListenAddress,
    Secret,
    Section,
    WebAddress,
    absent,
    key,
    refused,
    section,
)
from reconciler.settings.vendors import Network, Providers, Vendor


class Visibility(StrEnum):
    """How others see the events in a shared calendar."""

    DEFAULT = "default"
    PRIVATE = "private"


class Installation(Section):
    """Which installation this is."""

    id: Identifier = key(
        "Names this installation for ever: ids of events derive from it, so keep it when the state is lost, "
        "and never give two installations the same one.",
        example="acme-training",
        reload=False,
    )
    public_url: WebAddress | None = key(
        "The address under which people reach the connect pages. Another one than before means a "
        "moved installation.",
        default=None,
        example="https://calendar.example.org",
        reload=False,
    )


class AuditIntervals(Section):
    """How often a person's calendar is listed, by how near their next session is."""

    soon: Duration = key("When the next session begins within 48 hours.", default="15m")
    fortnight: Duration = key("When it begins within 14 days.", default="4h")
    later: Duration = key("When it is later than that, or there is none.", default="24h")


class Intervals(Section):
    """How often."""

    push: Duration = key("From one comparison of the LMS with the ledger to the next.", default="1m")
    audit: AuditIntervals = section("From one listing of a person's calendar to the next.", AuditIntervals)
    confirm: Duration = key("From one look at vanished events to the next.", default="1m")
    mail: Duration = key("From one look at what is to be mailed to the next.", default="1m")
    jitter: float = key(
        "Share of an interval by which each is varied, so that not everything falls on one moment.",
        default=0.1,
        ge=0,
        le=0.5,
    )


class PersonGuard(Section):
    """When one person's deletions look like an accident."""

    seats: int = key("Held from this number of seats on ...", default=3, gt=0)
    share: float = key(
        "... if they are at least this share of the person's seats ...", default=0.5, gt=0, le=1
    )
    within: Duration = key("... and vanished within this time.", default="1h")


class FleetGuard(Section):
    """When everybody's deletions together look like an accident."""

    seats: int = key("Held when more seats than this ...", default=5, gt=0)
    share: float = key("... and more than this share of all live seats ...", default=0.01, gt=0, le=1)
    within: Duration = key("... vanish at one vendor within this time.", default="1h")


class Unregister(Section):
    """What happens when a learner deletes an event."""

    mode: UnregisterMode = key(
        "apply: the seat is given back. ask: the learner is asked each time. report: recorded and put back. "
        "never: put back.",
        default=UnregisterMode.APPLY,
    )
    grace: Duration = key("From the sight of a deletion to un-registering.", default="30m")
    grace_near: Duration = key("The same, when the session begins within a day.", default="10m")
    multi_day: MultiDay = key(
        "When only some days of a session were deleted: ask the learner; any: give the seat back; "
        "all: put those days back.",
        default=MultiDay.ASK,
    )
    person_guard: PersonGuard = section("One person's deletions.", PersonGuard)
    fleet_guard: FleetGuard = section("Everybody's deletions.", FleetGuard)

    @field_validator("grace_near")
    @classmethod
    def _not_longer(cls, near: timedelta, info: ValidationInfo) -> timedelta:
        if near > info.data.get("grace", near):
            raise refused("must not be longer than grace")
        return near


class Deletes(Section):
    """When sessions that vanish from the LMS look like an accident."""

    max_vanished_share: float = key(
        "Deletes are held when more than this share of an account's coming sessions has vanished "
        "without trace ...",
        default=0.3,
        gt=0,
        le=1,
    )
    min_sessions: int = key("... and at least this many.", default=5, gt=0)


class AccountDefaults(Section):
    """What an account begins with. Afterwards the switches in the state database rule."""

    vendors: frozenset[Vendor] = key(
        "Vendors its people may connect: google, microsoft, caldav.",
        default=frozenset(),
        example=frozenset({"google"}),
    )
    email_notifications: bool = key(
        "Whether its people get e-mail; without it they get no calendar updates either.", default=True
    )
    mode: Mode = key(
        "sync, upsert-only or observe; the stricter of this and the whole's mode rules.", default=Mode.SYNC
    )
    unregister_mode: UnregisterMode = key(
        "apply, ask, report or never; the stricter of this and unregister.mode rules.",
        default=UnregisterMode.APPLY,
    )
    people: frozenset[str] | None = key(
        "For a pilot: only these people, by their id in the LMS. Without it, everybody.",
        default=None,
        example=frozenset({"1007"}),
    )


class Accounts(Section):
    """What the accounts (organisations in the LMS) begin with, when they are first seen."""

    defaults: AccountDefaults = section("For every account.", AccountDefaults)
    each: Mapping[str, AccountDefaults] = key(
        "For one account, by its id in the LMS: any of the keys of defaults, which hold for the others.",
        default={},
        example={"acme": {"vendors": ["google", "microsoft"], "mode": "observe"}},
    )

    def first_values(self, account: str) -> AccountDefaults:
        """What this account begins with."""
        own = self.each.get(account)
        given = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
        return self.defaults.model_copy(update=given)

    def switches(self, account: str) -> AccountSwitches:
        """The same as the ledger keeps it."""
        first = self.first_values(account)
        return AccountSwitches(
            account,
            frozenset(first.vendors),
            first.email_notifications,
            first.mode,
            first.unregister_mode,
            first.people,
        )


class Tokens(Section):
    """How connections' tokens are encrypted."""

    key_files: tuple[Secret, ...] = key(
        "Files that hold a key each, newest first: the first encrypts, all decrypt. Paths, or names "
        "of systemd "
        "credentials.",
        example=("token-key",),
    )

    @field_validator("key_files")
    @classmethod
    def _at_least_one(cls, files: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if not files:
            raise refused("must name at least one file")
        return files


class Ops(Section):
    """For those who watch it."""

    listen: ListenAddress = key(
        "Where the status page, /metrics, /alive and /ready are served. It has no password: keep it on "
        "loopback, or behind something that has one.",
        default="127.0.0.1:9464",
        reload=False,
    )


class Logs(Section):
    """How it is logged, on standard error."""

    format: LogFormat = key(
        "key-value: for people and for grep. json: for what collects logs.", default=LogFormat.KEY_VALUE
    )
    level: LogLevel = key("debug, info, warning or error: this and what is graver.", default=LogLevel.INFO)


class Settings(Section):
    """Everything the program is told."""

    installation: Installation = section("Which installation this is.")
    lms: Lms = section("Where training lives.")
    state: State = section("Our own database.", State)
    tokens: Tokens = section("How the tokens of connected calendars are encrypted.")
    mode: Mode = key(
        "How much the program may do. sync: everything. upsert-only: it never deletes and never "
        "un-registers. "
        "observe: it writes nothing but its own state.",
        default=Mode.SYNC,
    )
    intervals: Intervals = section("How often.", Intervals)
    providers: Providers = section("The vendors whose calendars people may connect.", Providers)
    visibility: Visibility = key(
        "How events look to those a calendar is shared with: default (as the calendar) or private.",
        default=Visibility.DEFAULT,
    )
    unregister: Unregister = section("What happens when a learner deletes an event.", Unregister)
    deletes: Deletes = section("When vanished sessions look like an accident.", Deletes)
    mail: Mail | None = section("How people are mailed; without it nobody is.", absent)
    accounts: Accounts = section(
        "What the accounts (organisations in the LMS) begin with, when they are first seen. From then on it "
        "is changed by `reconciler account set`, or by their owners.",
        Accounts,
    )
    network: Network = section("How the vendors are reached.", Network)
    dispatch: Dispatch = section("Who does the work.", Dispatch)
    web: Web = section("The pages on which people connect their calendars.", Web)
    ops: Ops = section("For those who watch it.", Ops)
    logs: Logs = section("How it is logged, on standard error.", Logs)

    @field_validator("dispatch")
    @classmethod
    def _has_a_shared_state(cls, dispatch: Dispatch, info: ValidationInfo) -> Dispatch:
        state = info.data.get("state")
        if dispatch.kind is DispatchKind.CELERY and state and not state.url.startswith("postgresql"):
            raise refused(
                "celery needs a state database that machines can share: state.url must be postgresql://",
                at=("kind",),
            )
        return dispatch

    @field_validator("web")
    @classmethod
    def _is_reachable(cls, web: Web, info: ValidationInfo) -> Web:
        installation = info.data.get("installation")
        if web.listen is not None and installation is not None and installation.public_url is None:
            raise refused("installation.public_url is needed: vendors send people back there", at=("listen",))
        return web

    @field_validator("accounts")
    @classmethod
    def _vendors_are_configured(cls, accounts: Accounts, info: ValidationInfo) -> Accounts:
        providers = info.data.get("providers")
        if providers is None:
            return accounts
        named: dict[tuple[str, ...], AccountDefaults] = {("defaults",): accounts.defaults}
        named |= {("each", name): account for name, account in accounts.each.items()}
        for at, account in named.items():
            for vendor in sorted(account.vendors):
                if getattr(providers, vendor) is None:
                    raise refused(f"{vendor} is not configured under providers", at=(*at, "vendors"))
        return accounts
