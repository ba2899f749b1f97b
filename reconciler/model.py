"""The values everything else speaks of. Frozen, without behaviour beyond what follows from their fields.

Instants are aware datetimes in UTC. A *wall time* is a naive datetime that means what a clock on the
wall of its zone shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Role(StrEnum):
    """What a person is in a session."""

    LEARNER = "learner"
    INSTRUCTOR = "instructor"


class SeatStatus(StrEnum):
    """A seat's status, in the words of the reference tables."""

    BOOKED = "booked"
    WAITING = "waiting"
    REQUESTED = "requested"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ATTENDED = "attended"
    PARTIALLY_ATTENDED = "partially_attended"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class Standing(StrEnum):
    """What a registration asks of the calendar."""

    WANTED = "wanted"  # an event for each day
    KEEP = "keep"  # leave what is there: attended, refused by the adapter
    NONE = "none"  # no event, and the LMS says so in a row of its own


_STANDING = {
    SeatStatus.BOOKED: Standing.WANTED,
    SeatStatus.ATTENDED: Standing.KEEP,
    SeatStatus.PARTIALLY_ATTENDED: Standing.KEEP,
    SeatStatus.COMPLETED: Standing.KEEP,
    SeatStatus.NO_SHOW: Standing.KEEP,
}


def standing_of(status: SeatStatus) -> Standing:
    """What a seat of this status asks of the calendar."""
    return _STANDING.get(status, Standing.NONE)


class Removal(StrEnum):
    """What it means when the event's owner deletes it."""

    UNREGISTERS = "unregisters"  # the seat is given back
    PUT_BACK = "put_back"  # instructors, and seats that may not be cancelled: put back once


class Mode(StrEnum):
    """How much the program may do, from most to least."""

    SYNC = "sync"
    UPSERT_ONLY = "upsert-only"  # never deletes nor un-registers
    OBSERVE = "observe"  # calls nothing that writes

    def stricter(self, other: Mode) -> Mode:
        """The one of the two that allows less."""
        order = list(Mode)
        return max(self, other, key=order.index)


class UnregisterMode(StrEnum):
    """What a learner's deletion leads to, from most to least."""

    APPLY = "apply"
    ASK = "ask"
    REPORT = "report"
    NEVER = "never"

    def stricter(self, other: UnregisterMode) -> UnregisterMode:
        """The one of the two that does less."""
        order = list(UnregisterMode)
        return max(self, other, key=order.index)


class MultiDay(StrEnum):
    """What it means that only some days of a session were deleted."""

    ASK = "ask"
    ANY = "any"
    ALL = "all"


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of this name; raises ``ZoneInfoNotFoundError`` or ``ValueError`` for an unknown one."""
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Day:
    """When one day of a session takes place.

    ``starts`` and ``ends`` are naive wall times of ``zone`` where the LMS stores those, or aware UTC
    instants where it stores instants; whichever it is, is the truth that is compared, and the other is
    derived. In a fold a wall time means its first occurrence, in a gap the offset before it (RFC 5545
    section 3.3.5), which is what ``fold=0`` means to Python. An all-day day runs from midnight to an
    exclusive midnight, as wall times. ``starts == ends`` is legal for a day with hours.
    """

    starts: datetime
    ends: datetime
    zone: str
    all_day: bool = False

    @property
    def start_instant(self) -> datetime:
        return _instant(self.starts, self.starts.fold, self.zone)

    @property
    def end_instant(self) -> datetime:
        return _instant(self.ends, self.ends.fold, self.zone)

    @property
    def start_wall(self) -> datetime:
        """Wall time in ``zone``, with ``fold`` set where that is needed to mean the right instant."""
        return _wall(self.starts, self.zone)

    @property
    def end_wall(self) -> datetime:
        """Wall time in ``zone``, with ``fold`` set where that is needed to mean the right instant."""
        return _wall(self.ends, self.zone)


@lru_cache(maxsize=8_192)  # asked for several times a day of a session, and for many that begin together
def _instant(moment: datetime, fold: int, zone_name: str) -> datetime:
    """``fold`` is the moment's own: both occurrences of a wall time are equal, and hash alike."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(zone_name))
    return moment.astimezone(UTC)


def _wall(moment: datetime, zone_name: str) -> datetime:
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(zone(zone_name)).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Account:
    """An organisation in the LMS."""

    id: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Person:
    """A learner or instructor. ``identity`` changes when the LMS uses an id again for somebody else."""

    id: str
    account: str
    email: str
    name: str
    locale: str
    identity: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """A training session with its days. Texts are plain and cleaned at the adapter's border.

    ``refused`` says why the adapter cannot make sense of it (unknown zone, end before start); its
    events are then left as they are. ``cancel_until`` is an instant, ``None`` for no deadline.
    """

    id: str
    account: str
    title: str
    course: str = ""
    details: str = ""
    location: str = ""
    url: str = ""
    instructors: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()
    cancelled: bool = False
    cancellable: bool = True
    cancel_until: datetime | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """One person's place in one session, all their seats in it merged.

    ``seat`` is what a new registration makes new; ``None`` where the LMS cannot say, and then nobody
    is un-registered. ``seats`` are the learner's seats it stands for: giving back covers them all.
    """

    person: str
    session: Session
    role: Role
    standing: Standing
    seat: str | None
    seats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """What one person should have. ``person`` is ``None`` for somebody the LMS does not know (any more).

    A registration with standing ``none`` is a trace: the LMS says that there is no seat. A session
    without any registration here has vanished without one.
    """

    person_id: str
    person: Person | None
    registrations: tuple[Registration, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """What an event is of: this person's n-th day of this session, for ever."""

    person: str
    session: str
    slot: int

    def __str__(self) -> str:
        return f"person {self.person}, session {self.session}, day {self.slot}"


@dataclass(frozen=True, slots=True)
class Digest:
    """What was, or would be, written, in three parts.

    ``time`` and ``content`` are news when they change; ``form`` (template, link, closing sentence) is
    not. Each is hexadecimal.
    """

    time: str
    content: str
    form: str

    def __str__(self) -> str:
        return f"{self.time}.{self.content}.{self.form}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What an event of ours carries besides its text.

    ``token`` is derived from installation and key, lower-case hexadecimal, so that any vendor can search
    for it; ``generation`` counts how often this key had to get a new vendor id.
    """

    installation: str
    key: EventKey
    token: str
    generation: int
    digest: str


@dataclass(frozen=True, slots=True)
class Content:
    """The managed texts of an event. ``block`` is our block of the description, without its delimiters."""

    title: str
    location: str
    block: str


@dataclass(frozen=True, slots=True)
class DesiredEvent:
    """One event as it should be."""

    key: EventKey
    seat: str | None
    role: Role
    day: Day
    content: Content
    removal: Removal
    digest: Digest


@dataclass(frozen=True, slots=True)
class Draft:
    """An event ready to be written: what a provider needs and nothing else.

    ``made_as`` is the id we choose for it: Google's event id, Graph's transactionId, CalDAV's resource
    name and UID (lower-case base32hex, RFC 4648 section 7).
    """

    content: Content
    day: Day
    marker: Marker
    made_as: str
    private: bool = False


@dataclass(frozen=True, slots=True)
class ActualEvent:
    """An event of ours as it is in a calendar now.

    ``made_as`` is the id its maker chose, where the vendor tells; ``day`` is ``None`` where its times
    cannot be read as a day of ours; ``block`` is ``None`` where our block is not in the description.
    ``raw`` is the vendor's own form, for the provider that read it.
    """

    event_id: str
    calendar_id: str
    etag: str
    marker: Marker | None
    made_as: str | None
    title: str
    location: str
    block: str | None
    day: Day | None
    raw: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """Every event of our installation in one calendar from ``since`` on. It exists only if it is complete."""

    calendar_id: str
    since: datetime
    events: tuple[ActualEvent, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for one key over all calendars of a grant gave.

    ``calendars`` are the ids of those that were looked through; ``everywhere`` is false where the grant does
    not show all of the person's calendars.
    """

    events: tuple[ActualEvent, ...]
    calendars: tuple[str, ...]
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Written:
    """The vendor's confirmation of a write."""

    event_id: str
    calendar_id: str
    etag: str


class State(StrEnum):
    """Where an event stands in the ledger."""

    NONE = "none"  # no row
    RELEASED = "released"  # a row whose past proves nothing
    PENDING = "pending"  # create intended, not confirmed
    LIVE = "live"
    MISSING = "missing"  # vanished; suspected, not proven
    HELD = "held"  # waits for the person or an operator
    DISMISSED = "dismissed"  # stays away until the session changes
    REMOVING = "removing"  # delete intended, not confirmed
    GONE = "gone"
    UNREGISTERING = "unregistering"
    UNREGISTERED = "unregistered"


class Answer(StrEnum):
    """What the event's owner, or an operator, said about a seat in question."""

    KEEP = "keep"
    GIVE_BACK = "give_back"


class HoldReason(StrEnum):
    """Why a seat waits for its owner (or, with the fleet guard, for an operator)."""

    HIDDEN_CALENDARS = "hidden-calendars"  # the grant does not show the person's other calendars
    SOME_DAYS = "some-days"  # only some days of the session were deleted
    PERSON_GUARD = "person-guard"  # several seats of one person at once
    FLEET_GUARD = "fleet-guard"  # many seats at one vendor at once
    ASK = "ask"  # the operator wants each learner asked


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How far the proof has come that a vanished event was deleted by its owner. Instants.

    ``confirmed_at``: when it was proven a first time; ``grace_until``: the seat may be given back from
    then on; ``deadline``: until then an un-registration under way is nobody else's business;
    ``held_since`` with ``hold_reason``. ``answer`` is for ``answer_seat`` and ``answer_generation`` alone.
    ``put_back``: the digest with which the event was put back once.
    """

    confirmed_at: datetime | None = None
    grace_until: datetime | None = None
    deadline: datetime | None = None
    hold_reason: HoldReason | None = None
    held_since: datetime | None = None
    answer: Answer | None = None
    answer_seat: str | None = None
    answer_generation: int | None = None
    put_back: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What we last did about one event. ``starts`` and ``ends`` are instants as last written.

    ``doomed`` are vendor ids whose delete we intended: their absence is evidence of nothing. ``copied``:
    the event is a copy that its owner made; we keep it right, and never delete it.
    ``missing_since`` and ``retry_at`` are instants; ``attempts`` counts failures since the last success.
    ``updated_at`` is when the state last changed.
    """

    key: EventKey
    account: str
    provider: str
    role: Role
    seat: str | None
    state: State
    generation: int
    event_id: str | None
    calendar_id: str | None
    etag: str | None
    digest: Digest
    starts: datetime
    ends: datetime
    doomed: tuple[str, ...] = ()
    copied: bool = False
    missing_since: datetime | None = None
    intent: str | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    last_error: str | None = None
    updated_at: datetime | None = None
    suspicion: Suspicion = Suspicion()

    @property
    def answer(self) -> Answer | None:
        """The answer that holds for the seat and generation the row has now."""
        given = self.suspicion
        if (given.answer_seat, given.answer_generation) != (self.seat, self.generation):
            return None
        return given.answer


class ConnectionState(StrEnum):
    """Whether a person's calendar can be worked on."""

    CONNECTED = "connected"
    REAUTHORIZE = "reauthorize"
    SUSPENDED = "suspended"
    LEAVING = "leaving"  # its owner wants the coming events removed, and then to be disconnected
    DISCONNECTED = "disconnected"


class Service(NamedTuple):
    """What answers for calendars, and fails as one: a vendor's cloud, or, where a vendor's name stands for
    servers of many, the one at ``origin`` (scheme, host, port)."""

    provider: str
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.provider} {self.origin}".rstrip()

    @property
    def circles(self) -> tuple[Service, ...]:
        """This one, and the vendor's servers all together, as for what goes wrong at our end."""
        return (self, Service(self.provider)) if self.origin else (self,)


@dataclass(frozen=True, slots=True)
class Connection:
    """A person's connected calendar.

    ``subject`` is the vendor's immutable account id; ``identity`` the LMS person's identity when they
    connected. ``baseline_since`` is when the present baseline began, ``None`` while there is none;
    ``listed_at`` when the calendar was last listed whole.
    """

    id: int
    person: str
    account: str
    provider: str
    subject: str
    address: str
    calendar_id: str
    identity: str
    state: ConnectionState
    scopes: tuple[str, ...] = ()
    baseline_since: datetime | None = None
    listed_at: datetime | None = None
    state_since: datetime | None = None
    last_error: str | None = None

    @property
    def service(self) -> Service:
        """What answers for this calendar: a subject that is an address lies on a server of its own."""
        scheme, address, rest = self.subject.partition("://")
        return Service(self.provider, f"{scheme}://{rest.partition('/')[0]}" if address else "")


@dataclass(frozen=True, slots=True)
class AccountSwitches:
    """What an account's owner has switched on, and the operator's mode for it."""

    account: str
    vendors: frozenset[str]
    email_notifications: bool
    mode: Mode
    unregister: UnregisterMode = UnregisterMode.APPLY
    people: frozenset[str] | None = None  # a pilot's list; None is everybody


class PersonState(NamedTuple):
    """Where one person stands. ``applied`` is the digest last applied whole, ``None`` while anything is
    open; ``mailed`` stands for what they were told by mail. ``provider`` and ``connection`` tell of the
    connected calendar, ``None`` without one; ``maintained`` whether its baseline is present; ``next_start``
    when their next day began or begins, as of their last turn."""

    person: str
    account: str
    applied: str | None
    next_audit: datetime | None
    provider: str | None = None
    connection: ConnectionState | None = None
    maintained: bool = False
    retry_at: datetime | None = None
    attempts: int = 0
    last_error: str | None = None
    mailed: str | None = None
    next_start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something of the LMS that an adapter could not make sense of."""

    what: str  # "session", "day", "seat"
    id: str
    why: str


# Mail ---------------------------------------------------------------------------------------------


class Invitations(StrEnum):
    """Who gets entries for a calendar by mail."""

    ALL = "all"
    GAPS = "gaps"  # only what the LMS does not mail: instructors' entries; learners' moves, as plain notices
    OFF = "off"  # nobody is told of days; only of seats in question and of connections


class Outlet(StrEnum):
    """By which way a person learns of their days at present. One person, one outlet."""

    CALENDAR = "calendar"
    BROKEN = "broken"  # connected, and not to be reached: what lies there already gets plain notices
    MAIL = "mail"
    NONE = "none"  # nothing is sent, and nothing concluded


class ToldState(StrEnum):
    """What a person has of a day outside of a calendar of ours."""

    KNOWN = "known"  # they know of it; no entry of ours was mailed
    INVITED = "invited"  # an entry was mailed
    CALENDAR = "in-calendar"  # the connected calendar tells of it
    REFUSED = "refused"  # the invitation was refused at this address
    ENDED = "ended"  # it is lost, and whoever had to be told was


@dataclass(frozen=True, slots=True)
class Told:
    """What a person was last told of one day, and by what; the counterpart of a ledger entry.

    ``sequence`` is that of the last entry sent under ``uid`` (RFC 5545 section 3.8.7.4), -1 before the first;
    ``address`` where it went. ``noticed`` is the digest last told by a plain mail.
    """

    key: EventKey
    account: str
    role: Role
    seat: str | None
    state: ToldState
    generation: int
    uid: str
    sequence: int
    address: str
    digest: Digest
    day: Day
    title: str
    location: str
    noticed: str | None = None


class MailState(StrEnum):
    """How far a letter has come."""

    WAITING = "waiting"
    SENDING = "sending"  # written down before the server is talked to; found so after a crash: unknown
    SENT = "sent"
    UNKNOWN = "unknown"  # it may have been sent: not again, unless an operator says so
    REFUSED = "refused"  # the server will not take it
    DROPPED = "dropped"  # it has become pointless, or an operator said so
