"""What the core asks of the world: every Protocol, on one page.

Adapters stand behind these; the core and the loop know nothing else of them. Instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from reconciler.model import (
    Account,
    AccountSwitches,
    ActualEvent,
    Connection,
    ConnectionState,
    Desired,
    Draft,
    Found,
    LedgerEntry,
    Listing,
    MailState,
    PersonState,
    Refusal,
    Service,
    Session,
    Told,
    Written,
)
from reconciler.pace import AuditIntervals

Clock = Callable[[], datetime]
"""The present instant. Always handed in, never fetched by the core."""


# The LMS ------------------------------------------------------------------------------------------


class Glance(NamedTuple):
    """One person as the scan sees them. ``digest`` equals ``Desired.digest`` of the same reading; ``address``
    is where mail goes, and no part of it. ``events`` is how many days still to come should be in their
    calendar, if they have one."""

    person: str
    account: str
    digest: str
    next_start: datetime | None
    address: str = ""
    events: int = 0


@dataclass
class Scan:
    """One consistent snapshot of the LMS.

    ``people`` streams everybody with a registration or known to the LMS who could have one, in ascending
    order of person id by code point. ``sessions`` holds the ids present, by account, complete from the
    start; ``crowd`` counts the registrations of any status per session and ``refused`` collects what
    could not be understood, both complete only once ``people`` has been read to its end.
    """

    accounts: Mapping[str, Account]
    sessions: Mapping[str, Collection[str]]
    people: Iterator[Glance]
    crowd: Mapping[str, int] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)


class LmsSource(Protocol):
    """Where training lives. Every method raises :class:`~reconciler.errors.LmsUnreadable` for a read
    that failed or is partial; nothing is ever left out silently."""

    address: str
    """Names the LMS for the installation's record; holds no secret."""

    def scan(self, since: datetime, now: datetime | None = None) -> AbstractContextManager[Scan]:
        """A snapshot of all sessions with a day ending after ``since`` or without days, streamed.
        ``now``, or ``since`` without it, is from when on days are still to come."""

    def read(self, people: Collection[str], since: datetime) -> Mapping[str, Desired]:
        """The desired state of these people in one snapshot, one entry for each id asked for."""

    def session(self, session_id: str) -> Session | None:
        """One session, however old; ``None`` if there is none. For ``explain``."""

    def check(self) -> list[str]:
        """What is wrong with tables, columns or rights: one sentence each; empty when all is well."""


@runtime_checkable
class MailsItself(Protocol):
    """An LMS that mails invitations of its own, which ours would stand beside."""

    def own_mails(self) -> Mapping[str, str]:
        """By activity, as people of the LMS call it: which of its own mails are on; empty for none."""


class RegistrarOutcome(StrEnum):
    """How an un-registration ended."""

    DONE = "done"  # the seat is given back, by us
    REFUSED = "refused"  # the LMS says no: attended, begun, not cancellable, deadline passed
    LOST = "lost"  # not as seen any more: another seat, other days, cancelled by somebody else
    STILL_THERE = "still-there"  # only from `resolve`: nothing has happened
    UNKNOWN = "unknown"  # no usable answer: it may have happened


@dataclass(frozen=True, slots=True)
class Unregistration:
    """One seat to be given back, exactly as it was proven.

    ``seats`` are all seats that one registration stands for. ``days`` are (start, end) instants in order.
    ``now`` is the instant at which the session must not have begun nor its deadline have passed;
    ``deadline`` is by the LMS's own clock: afterwards nothing may be written any more. ``reference`` names
    our evidence; an LMS that keeps a reason may store it.
    """

    account: str
    person: str
    session: str
    seats: tuple[str, ...]
    days: tuple[tuple[datetime, datetime], ...]
    now: datetime
    deadline: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class RegistrarAnswer:
    """What the LMS said. ``why`` is a code or sentence without names, ``trace`` identifies the write."""

    outcome: RegistrarOutcome
    why: str = ""
    trace: str = ""


class Registrar(Protocol):
    """The LMS's own way of giving a seat back. Methods raise nothing but ``LmsUnreadable``, and that only
    when it is certain that nothing was written."""

    def now(self) -> datetime:
        """The LMS's clock."""

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """Give the seat back, once, if everything still is as the request says. Idempotent."""

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """What became of a request whose answer was never recorded; asked only after its deadline. Reads
        the LMS's primary. ``DONE``, ``STILL_THERE`` or ``LOST``."""

    def check(self) -> list[str]:
        """What stands in the way of giving seats back: one sentence each; empty when all is well."""


# Calendars ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between vendors. ``client_ids``: the id we choose is the event's id, so that a create
    repeated cannot double it; otherwise a repeated create looks for its marker first."""

    client_ids: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer of a vendor, as a proof keeps it. ``status`` is HTTP's; ``date`` the vendor's own time of it
    and ``request_id`` what it calls the request, as its headers say, empty where they do not."""

    operation: str
    status: int
    date: str = ""
    request_id: str = ""


class Calendar(Protocol):
    """One person's calendars at one vendor, opened with their grant.

    Methods raise :class:`~reconciler.errors.Throttled`, ``ConnectionBroken``, ``CalendarTrouble`` or
    ``EventError`` (see each). No method ever sends a notification to anybody.
    """

    capabilities: Capabilities

    @property
    def heard(self) -> Sequence[Heard]:
        """What the vendor has answered so far to what was asked here, in order; refusals too."""

    def listing(self, since: datetime) -> Listing:
        """All events of our installation in the default calendar ending after ``since``, or an error."""

    def get(self, event_id: str, calendar_id: str) -> ActualEvent | None:
        """One event by id; ``None`` if it never existed, was deleted or is cancelled, or is not there."""

    def find(self, token: str) -> Found:
        """Events whose marker bears this token, in every calendar the grant shows."""

    def foresee(self, known: Sequence[ActualEvent]) -> None:
        """These events are about to be updated. A provider that has to read an event before it writes it may
        read them all at once; others do nothing."""

    def create(self, draft: Draft) -> Written:
        """Create in the default calendar. ``EventIdUsed`` if the id was used before, ``EventRefused``."""

    def update(self, draft: Draft, known: ActualEvent) -> Written:
        """Lay the draft's managed fields over the event, keeping what its owner added.

        ``known`` may come from a listing, from :meth:`get`, or from the ledger (then without ``raw`` and
        with ``block`` None); a provider that needs more reads it first. ``EventChanged`` if its etag is
        no longer the one known, ``EventGone`` if it is not there: an owner's deletion is never revived.
        """

    def delete(self, event_id: str, calendar_id: str, etag: str | None) -> None:
        """Delete one event, if it still bears this etag. ``EventChanged``, ``EventGone``."""


class CalendarProvider(Protocol):
    """A vendor."""

    name: str

    def open(self, connection: Connection) -> Calendar:
        """The calendars of this connection. Talks to the vendor only when it must refresh a token."""

    def keep_alive(self, connection: Connection) -> None:
        """Use the grant of somebody for whom there is nothing to do, so that it does not die of disuse.
        Raises ``ReauthorizationNeeded`` if it is dead, ``CalendarTrouble`` if nobody can tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One assumption about a vendor, tried with a real account. ``held`` is ``None`` where it could not be
    tried; ``meaning`` says what follows where it does not hold, and ``matters`` whether that is wrong."""

    assumption: str
    held: bool | None
    seen: str
    meaning: str
    matters: bool


class Trial(Protocol):
    """Tries out everything that a provider assumes of its vendor, with events of its own."""

    def run(self) -> Iterator[Finding]:
        """Try it, one after the other. Raises nothing that was foreseen."""

    def clean_up(self) -> Sequence[str]:
        """Remove all that was made, also by earlier trials; what could not be removed, and why."""


@dataclass(frozen=True, slots=True)
class FlowStart:
    """The beginning of a consent: where the browser goes, and what must be kept here until it comes back
    (state, nonce, PKCE verifier: JSON-able, secret)."""

    auth_url: str
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Granted:
    """What a person granted: one vendor account by its immutable subject, and its default calendar.

    ``lacking`` are scopes that were asked for and not granted: what depends on them is not done.
    """

    subject: str
    address: str
    calendar_id: str
    scopes: tuple[str, ...]
    lacking: tuple[str, ...]
    credentials: Mapping[str, str]


class Consent(Protocol):
    """How a person lets us into their calendars at a vendor. Nothing is stored here."""

    name: str
    manage_url: str
    """The vendor's page where people see and end what they granted; empty where there is no such page."""

    def revoke(self, credentials: Mapping[str, str]) -> bool:
        """End the grant at the vendor; false where only the person can (see ``manage_url``).
        ``VendorUnavailable`` if it may live on."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a person types: where their calendars are, a user name, a password made for this program."""

    address: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CalendarOffer:
    """A calendar that events can be put into, by the name its owner gave it."""

    id: str
    name: str


class PasswordFlow(Consent, Protocol):
    """A consent by user name and app password, at a server that the person names.

    Raises :class:`~reconciler.errors.ConsentRefused` for whatever goes wrong. Where no server can be used, it
    does not tell why: people type addresses, and must not learn from it what lies inside our network.
    """

    offered: tuple[str, ...]
    """Addresses to choose from."""
    any_address: bool
    """Whether people may type another one."""

    def try_out(self) -> Mapping[str, str]:
        """Those of the addresses offered where no server can be reached, and why; nobody signs in."""

    def calendars(self, sign_in: SignIn) -> Sequence[CalendarOffer]:
        """The person's calendars that can be written to, by name."""

    def finish(self, sign_in: SignIn, calendar_id: str) -> Granted:
        """Try out whether that calendar can be kept right, leaving nothing in it; the grant if it can."""


class ConnectFlow(Consent, Protocol):
    """A vendor's OAuth consent (RFC 9700: code flow, PKCE S256, one redirect URI a vendor).

    Raises :class:`~reconciler.errors.ConsentRefused`, ``VendorUnavailable`` or ``VendorNonsense``.
    """

    def try_out(self) -> None:
        """Read what the vendor publishes of its sign-in, and nothing more: whether it can be reached."""

    def begin(self, redirect_uri: str, state: str, login_hint: str | None) -> FlowStart:
        """Where to send the browser."""

    def finish(self, start: Mapping[str, str], redirect_uri: str, answer: Mapping[str, str]) -> Granted:
        """Turn the callback's query into a grant; ``start`` is what ``FlowStart.secrets`` held."""

    def admin_consent_url(self, redirect_uri: str, state: str) -> str | None:
        """Where an administrator approves for everyone; ``None`` where there is no such thing."""

    def admin_approval(self, state: str, answer: Mapping[str, str]) -> str:
        """The organisation's id, from the query that came back from there; ``state`` is the one sent.
        To be shown only: nothing proves who wrote it."""


# Our state ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on these people until ``seconds`` from its last use, by the database's clock."""

    owner: str
    epochs: Mapping[str, int]
    seconds: float = 60.0

    def __contains__(self, person: str) -> bool:
        return person in self.epochs


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A line in an event's history, for ``explain``: what was decided or done, with ids and codes only."""

    at: datetime
    person: str
    session: str
    slot: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class PersonResult:
    """How one person's turn ended: what :meth:`Ledger.finish` records."""

    applied: str | None
    next_audit: datetime | None
    attempts: int = 0
    retry_at: datetime | None = None
    last_error: str | None = None
    next_start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Changes that a guard holds back. ``subject`` is the account (or vendor) it concerns."""

    guard: str
    subject: str
    why: str
    since: datetime
    count: int
    urgent_at: datetime | None = None  # the earliest start among what is held
    released: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """Seats (a person in a session) at one vendor: in place, and vanished lately; and whose they are."""

    live: int
    vanished: int
    live_people: int
    vanished_people: int


@dataclass(frozen=True, slots=True)
class FleetLimit:
    """How many seats may vanish at one service since an instant before all of them are held."""

    service: Service
    since: datetime
    now: datetime
    seats: int
    share: float

    def exceeded_by(self, fleet: Fleet) -> bool:
        """More than ``seats`` and more than ``share`` of what there was; or every calendar at once."""
        there_was = fleet.live + fleet.vanished
        many = fleet.vanished > max(self.seats, self.share * there_was)
        return many or (fleet.live_people == 0 and fleet.vanished_people >= 2)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proved that a seat was to be given back: ids, times, statuses and request ids; never a body."""

    at: datetime
    person: str
    session: str
    seat: str
    provider: str
    facts: Mapping[str, object]


class NoticeKind(StrEnum):
    """What a person is told, once each."""

    DELETED = "deleted"  # the seat is given back at `until`, unless it is kept
    GIVEN_BACK = "given-back"
    PUT_BACK = "put-back"  # it may not be given back by deleting the event
    QUESTION = "question"  # give back, or put back?
    CONNECTED = "connected"  # a calendar was connected; `session` is empty here and below
    DISCONNECTED = "disconnected"
    REAUTHORIZE = "reauthorize"  # the vendor does not let us in any more


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell a person. ``until`` is an instant. ``mark`` tells this change from others of its
    kind, so that it is told once however often it is said; without one each time is a change of its own.
    ``vendor`` and ``address`` name a connection."""

    kind: NoticeKind
    person: str
    account: str
    session: str
    why: str
    until: datetime | None = None
    mark: str = ""
    vendor: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One letter in the outbox: intended, under way, or gone. Instants.

    ``id`` is 0 before it is stored. ``slot`` is the day it is about, -1 for a session or person as a whole.
    ``kind`` names its text and ``way`` what it does: request, cancel, notice. ``once`` names the change that
    it tells: of one name there is one letter, ever, and nobody replaces it; without one it is replaced by
    what is intended later, as long as it waits. ``body`` is JSON. ``effects`` count as told once it is sent.
    """

    person: str
    account: str
    session: str
    slot: int
    kind: str
    way: str
    address: str
    body: str | None
    created_at: datetime
    due_at: datetime
    message_id: str
    id: int = 0
    once: str | None = None
    state: MailState = MailState.WAITING
    effects: tuple[Told, ...] = ()
    expires_at: datetime | None = None
    retry_at: datetime | None = None
    attempts: int = 0
    code: int = 0
    last_error: str | None = None
    ended_at: datetime | None = None
    version: int = 0


MAIL_NOTHING, MAIL_OPEN = "none", "open"
"""``PersonState.mailed`` of somebody who is told nothing, and while something is still to be told."""


@dataclass(frozen=True, slots=True)
class MailEnd:
    """What became of a letter that was being sent. ``code`` and ``text`` are the server's."""

    state: MailState
    code: int
    text: str
    at: datetime
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailBaseline:
    """Since when an account's people are told of what is new, and who they were then (a pilot's list, or
    everybody). ``restored``: our memory has become older than what we did since."""

    account: str
    since: datetime
    people: frozenset[str] | None = None
    restored: bool = False


class Notices(Protocol):
    """How people are told."""

    def letters(self, notice: Notice) -> Sequence[Mail]:
        """The letters in which it is told, to be written down in the very commit of what they tell; none
        where there is no way to tell anybody."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished cycle, as ``status`` shows it."""

    cycle: str
    started: datetime
    finished: datetime
    result: str
    sentence: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is past is kept. Of a past day, its ids longer: a vendor remembers them too."""

    past_days: timedelta = timedelta(days=90)
    ids: timedelta = timedelta(days=400)
    evidence: timedelta = timedelta(days=400)
    audit_log: timedelta = timedelta(days=400)
    history: timedelta = timedelta(days=400)
    mail_bodies: timedelta = timedelta(days=7)
    disconnected: timedelta = timedelta(days=30)
    used: timedelta = timedelta(days=1)


class Ledger(Protocol):
    """Our state database. Raises :class:`~reconciler.errors.StateUnreadable` when it cannot be used and
    :class:`~reconciler.errors.LeaseLost` from every write for a person whose lease is no longer ours."""

    # who
    def switches(self) -> Mapping[str, AccountSwitches]:
        """The switches of every account that has any."""

    def set_switches(self, switches: AccountSwitches, who: str, now: datetime) -> None:
        """Store an account's switches, and a line in the audit log saying who changed what."""

    def connections(self, people: Collection[str] | None = None) -> Sequence[Connection]:
        """Connections that are not disconnected, of these people or of everybody, ordered by person."""

    def each_connection(self) -> AbstractContextManager[Iterator[Connection]]:
        """The same of everybody, streamed in ascending order of person id by code point."""

    def people(self) -> AbstractContextManager[Iterator[PersonState]]:
        """Everybody we keep a state of, streamed in ascending order of person id by code point."""

    def due(
        self, now: datetime, limit: int, provider: str | None = None, audits: AuditIntervals | None = None
    ) -> Sequence[PersonState]:
        """Those with a connection in use (connected, or suspended and to be probed) at this provider
        (at any, without it) whose audit is due: near sessions first, then by how many of their intervals
        they have waited. Whose baseline would soon lapse counts as near."""

    def audits_waiting(self, before: datetime, now: datetime) -> Mapping[tuple[str, str], int]:
        """Those of whom an audit was due before an instant, by (provider, how far ahead their session is)."""

    def states(self, people: Collection[str]) -> Mapping[str, PersonState]:
        """Where these people stand; those we keep no state of are left out."""

    # one person's turn
    def lease(self, people: Collection[str], owner: str, seconds: float) -> Lease:
        """Take over these people where nobody else has them; those taken by others are left out."""

    def give_up(self, lease: Lease) -> None:
        """End the lease of whoever is still in it."""

    def entries(self, people: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        """Their ledger, ordered by key; one (possibly empty) sequence for each id asked for."""

    def save(
        self,
        lease: Lease,
        person: str,
        entries: Sequence[LedgerEntry],
        history: Sequence[Occurrence] = (),
        letters: Sequence[Mail] = (),
    ) -> None:
        """Insert or replace these rows by key, and write down letters of their own about them, once for the
        name of each, in one commit that also proves, and prolongs, the lease."""

    def finish(self, lease: Lease, person: str, result: PersonResult, now: datetime) -> None:
        """Record how this person's turn ended, in one commit that proves the lease."""

    def sight(
        self, lease: Lease, person: str, event_ids: Collection[str], now: datetime
    ) -> Mapping[str, datetime]:
        """Record which surplus events (orphans, twins) are seen now, forget others of this person, and
        tell when each was first seen."""

    # the connection's own story
    def begin_baseline(self, lease: Lease, connection: Connection, now: datetime) -> None:
        """Start a new baseline: pending, live, missing and held rows of the person become released."""

    def listed(self, lease: Lease, connection: Connection, now: datetime) -> None:
        """The calendar was listed whole at ``now``."""

    def set_connection_state(
        self, connection: Connection, state: ConnectionState, why: str, now: datetime
    ) -> None:
        """Park or restore a connection; leaving ``connected`` ends its baseline."""

    def disconnect(
        self,
        person: str,
        who: str,
        origin: str,
        now: datetime,
        only: Connection | None = None,
        letters: Sequence[Mail] = (),
    ) -> Connection:
        """End a person's connection (``only`` if it still stands as it was read), destroy its token and write
        down the letters that tell it, in one commit.
        Raises :class:`~reconciler.errors.ReconcilerError` if there is none."""

    def asked_to_leave(self, person: str) -> tuple[str, str] | None:
        """Who last asked for a person to be disconnected after their events are removed, and from where."""

    def end_baselines(
        self, accounts: Collection[str] | None, people: Collection[str] | None, now: datetime
    ) -> int:
        """Nobody maintains these now: what vanishes meanwhile proves nothing. How many were ended."""

    # rails
    def upcoming(self, now: datetime) -> Mapping[str, Mapping[str, int]]:
        """Per account: sessions with events of ours still to come, and of how many people."""

    def first_start(self, account: str, sessions: Collection[str], now: datetime) -> datetime | None:
        """When the first day still to come begins, among those of our events in these sessions."""

    def holds(self) -> Sequence[Hold]:
        """Everything held at present."""

    def hold(self, hold: Hold) -> None:
        """Hold, or renew what is held with the same guard and subject, keeping its ``since``."""

    def end_hold(self, guard: str, subject: str, why: str, now: datetime) -> None:
        """End a hold that is there; nothing otherwise."""

    # vanished events
    def in_question(self, now: datetime, limit: int) -> Sequence[str]:
        """The people with events that have vanished and are not past, longest missed first."""

    def exceeding(self, limit: FleetLimit) -> Fleet | None:
        """How many seats vanished at a service, and how many are in place, if that is beyond the limit."""

    def witnessed(self, service: Service, person: str, since: datetime, now: datetime) -> bool:
        """Whether somebody else's calendar there was seen with an event of ours since then, or where nobody
        else has one at this server, at the vendor; true also where nobody else has one at all."""

    def call_witness(self, service: Service, person: str, now: datetime) -> None:
        """Have the calendar of somebody else there looked at in the next audit."""

    def begin_unregistering(
        self,
        lease: Lease,
        person: str,
        entries: Sequence[LedgerEntry],
        proof: Evidence,
        limits: Sequence[FleetLimit],
    ) -> bool:
        """Write down the intent and its evidence, if the fleet guard still lets it pass in that commit."""

    def held(self) -> Sequence[LedgerEntry]:
        """Every row that waits for an answer, ordered by key."""

    def evidence(self, person: str, session: str | None = None) -> Sequence[Evidence]:
        """What proved this person's un-registrations, oldest first."""

    # mail
    def told(self, people: Collection[str]) -> Mapping[str, Sequence[Told]]:
        """What these people were last told of each day; one (possibly empty) sequence for each id."""

    def letters(self, people: Collection[str]) -> Mapping[str, Sequence[Mail]]:
        """Their letters about days that wait or are under way and may still be replaced."""

    def save_letters(
        self,
        lease: Lease,
        person: str,
        rows: Sequence[Told],
        letters: Sequence[Mail],
        drop: Collection[int],
        mailed: str | None,
    ) -> bool:
        """Write down what a person is to be told, in one commit that proves the lease: ``letters`` are new,
        or replace the waiting one of their id; those in ``drop`` have never been. False, and nothing is
        written, if one of these letters, or another about the same session, is under way by now."""

    def post(self, mail: Mail) -> bool:
        """Write down a letter of its own, once for its name; false if there is one already."""

    def due_letters(self, now: datetime, own: bool, limit: int, after: int = 0) -> Sequence[Mail]:
        """What waits and is due, by id from ``after`` on: letters of their ``own``, or about days."""

    def claim(self, mail: Mail, body: str, owner: str, seconds: float, folded: Collection[int] = ()) -> bool:
        """Write down that this letter is being sent now, and its text; false if it is not as it was read.
        Those in ``folded`` are told in it, and not by themselves."""

    def posted(self, names: Collection[str]) -> frozenset[str]:
        """Those of these names of which there is a letter."""

    def end_letter(self, mail: Mail, end: MailEnd) -> None:
        """What became of a letter: with what counts as told now, and a line of history."""

    def lost_letters(self, owners: Collection[str], now: datetime) -> int:
        """Letters that these owners, or anybody whose time is up, were sending: their fate is unknown. How
        many."""

    def mails_since(self, since: datetime) -> int:
        """How many letters went out, or may have, since then."""

    def mail_counts(self) -> Mapping[str, int]:
        """Letters by state."""

    def mails(self, states: Collection[MailState], limit: int, person: str | None = None) -> Sequence[Mail]:
        """Letters in these states, of one person or everybody, oldest first."""

    def mail_baselines(self) -> Mapping[str, MailBaseline]:
        """Of every account that has one."""

    def set_mail_baseline(self, baseline: MailBaseline) -> None:
        """From now on what is new in this account is told."""

    def end_mail_baselines(self, accounts: Collection[str]) -> None:
        """Nobody is told anything in these accounts: what comes meanwhile is no news afterwards."""

    # upkeep
    def idle(self, before: datetime, limit: int) -> Sequence[Connection]:
        """Connections in use whose vendor was last asked for anything before then, longest idle first."""

    def refreshed(self, connection: Connection, now: datetime) -> None:
        """The connection's grant was used at ``now``."""

    def unoccupied(self, now: datetime) -> Sequence[Connection]:
        """Connections of people who have no event of ours still to come, ordered by person."""

    def gone(self, people: Collection[str], now: datetime) -> Mapping[str, datetime]:
        """Record that these people, and no others, are gone from the LMS now; since when each is."""

    def forget(
        self, person: str, fingerprint: str, who: str, origin: str, now: datetime
    ) -> Mapping[str, int]:
        """Delete all that is stored about a person whose connection has ended, but for a keyed hash in the
        audit log; how many rows, by table."""

    def purge(self, keeping: Keeping, now: datetime) -> Mapping[str, int]:
        """Delete what was kept long enough; how many rows, by kind."""

    # for people
    def history(self, person: str, session: str | None) -> Sequence[Occurrence]:
        """What was done for one person, oldest first."""

    def add_run(self, run: Run) -> None:
        """Record a finished cycle."""

    def runs(self, limit: int) -> Sequence[Run]:
        """The last cycles, newest first."""

    def runs_since(self, since: datetime) -> Sequence[Run]:
        """The cycles that ended after ``since``, oldest first."""

    def last_whole(self, cycle: str) -> datetime | None:
        """When the last cycle of this kind began that did not end in an error."""

    def counts(self, now: datetime) -> Mapping[tuple[str, str], int]:
        """Events of days that are not over, by (provider, state); a row that is backed off counts as state
        ``failing`` instead."""

    def connection_counts(self) -> Mapping[tuple[str, str], int]:
        """People's connections by (provider, state)."""

    def failing(self, limit: int, now: datetime) -> Sequence[LedgerEntry]:
        """Rows of days that are not over that failed, longest first."""

    def refusals(self) -> Sequence[Refusal]:
        """What the last scan could not make sense of."""

    def set_refusals(self, refused: Sequence[Refusal], now: datetime) -> None:
        """Replace what the last scan could not make sense of."""


@dataclass(frozen=True, slots=True)
class Installation:
    """This installation, as the state database knows it. ``id`` is a setting: events' ids derive from it."""

    id: str
    lms_address: str
    public_address: str

    def unlike(self, known: Installation | None) -> str:
        """What differs from the one that is known, as one says it."""
        pairs = (
            ("id", self.id, known and known.id),
            ("LMS", self.lms_address, known and known.lms_address),
            ("public address", self.public_address, known and known.public_address),
        )
        return ", ".join(
            f"{what} {here or 'none'}, not {there or 'none'}" for what, here, there in pairs if here != there
        )


class CalendarMemory(Protocol):
    """What a provider remembers of a connection's calendar between two listings, as text that means nothing
    to anybody else: a vendor's sync token, say, with what it was given for. It goes with the connection, and
    is only ever a saving: a listing without it, or with an older one, is as complete."""

    def recall(self, connection: Connection) -> str | None:
        """What was remembered last."""

    def remember(self, connection: Connection, text: str) -> None:
        """Remember this instead; nothing if the connection has ended meanwhile."""


class TokenStore(Protocol):
    """Encrypted credentials of connections: JSON-able mappings, by connection id."""

    def get(self, connection: Connection) -> Mapping[str, str]:
        """The credentials; raises ``ReauthorizationNeeded`` if there are none, ``StateUnreadable`` if they
        cannot be decrypted."""

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        """Store or replace."""

    def remove(self, connection: Connection) -> None:
        """Destroy."""


@dataclass(frozen=True, slots=True)
class Due:
    """A person whose turn it is. ``expected`` is the digest the scan saw; ``None`` where no scan was made,
    and then only what was applied before may be acted on by deleting. ``next_start`` is when their next
    session begins, where the scan saw one."""

    person: str
    expected: str | None = None
    next_start: datetime | None = None


Made = TypeVar("Made")


class Dispatcher(Protocol):
    """Who does the work: threads here, or workers elsewhere."""

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        """Do ``work`` on each batch, several at once, tell ``done`` what came of each, and return when all
        are done. Where ``work`` is of a kind that other processes know too, they may do it.

        ``work`` contains its own failures; an exception that escapes it ends the whole run.
        """
