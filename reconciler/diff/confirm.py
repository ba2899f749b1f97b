"""Absence is a suspicion, not evidence: what becomes of the events that have vanished.

Pure. ``judge`` looks at one person's vanished rows, session by session, with what the calendars said when
asked; it never concludes from an absence alone. A learner's seat is given back only when every
condition holds, twice, with the grace time in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.diff.fields import content_of, digest_of, removal_of, said_nothing
from reconciler.diff.why import UNSAID, MayNot
from reconciler.model import (
    ActualEvent,
    Answer,
    Day,
    DesiredEvent,
    EventKey,
    HoldReason,
    LedgerEntry,
    MultiDay,
    Registration,
    Removal,
    Role,
    Standing,
    State,
    UnregisterMode,
)


@dataclass(frozen=True, slots=True)
class ConfirmPolicy:
    """The thresholds of the proof; see the settings for each."""

    mode: UnregisterMode = UnregisterMode.APPLY
    multi_day: MultiDay = MultiDay.ASK
    grace: timedelta = timedelta(minutes=30)
    grace_near: timedelta = timedelta(minutes=10)
    near: timedelta = timedelta(days=1)
    hold_limit: timedelta = timedelta(hours=72)
    person_seats: int = 3
    person_share: float = 0.5
    person_within: timedelta = timedelta(hours=1)

    def grace_for(self, starts: datetime, now: datetime) -> timedelta:
        return self.grace_near if starts - now <= self.near else self.grace

    def answer_until(self, held: Sequence[LedgerEntry], now: datetime) -> datetime:
        """Without an answer until then, the events of these rows, held since or from now on, are put back."""
        since = min(entry.suspicion.held_since or now for entry in held)
        starts = min(entry.starts for entry in held)
        return max(now, min(since + self.hold_limit, starts - self.near))


@dataclass(frozen=True, slots=True)
class Sought:
    """What the calendars said about one row: by its recorded id, and by its key in all of them. ``denied``:
    the event is there, and the lists that should show it do not."""

    by_id: ActualEvent | None
    found: tuple[ActualEvent, ...]
    everywhere: bool
    denied: bool = False

    @property
    def present(self) -> ActualEvent | None:
        """The event, if it is there after all: the recorded one, or the key under another id."""
        return self.by_id or min(self.found, key=lambda event: event.event_id, default=None)


# Judgements ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LivesOn:
    """It is there after all: the row follows it. ``event``: as it should be, ``None`` where it was moved."""

    entry: LedgerEntry
    actual: ActualEvent
    event: DesiredEvent | None


@dataclass(frozen=True, slots=True)
class BeginGrace:
    """Proven a first time: from now on its owner may still keep the seat until ``until``."""

    session: str
    entries: tuple[LedgerEntry, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class HoldSeat:
    """The seat waits for its owner, or for an operator."""

    session: str
    entries: tuple[LedgerEntry, ...]
    reason: HoldReason


@dataclass(frozen=True, slots=True)
class PutBack:
    """The event is made again; ``final``: the next time it vanishes it stays away."""

    entry: LedgerEntry
    event: DesiredEvent
    why: str
    final: bool


@dataclass(frozen=True, slots=True)
class Dismiss:
    """It stays away until the session changes."""

    entry: LedgerEntry
    why: str


@dataclass(frozen=True, slots=True)
class Unregister:
    """Proven: the LMS is to be told."""

    session: str
    entries: tuple[LedgerEntry, ...]
    registration: Registration


Judgement = LivesOn | BeginGrace | HoldSeat | PutBack | Dismiss | Unregister


_VANISHED = (State.MISSING, State.HELD, State.UNREGISTERING, State.UNREGISTERED)

# The judge ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """Everything one person's judgement needs. ``fleet_held``: too many seats have vanished at this vendor.
    ``witnessed``: another calendar there was seen not to be empty meanwhile, and this one's lists deny
    nothing that is in it.

    ``sought`` holds what was asked of the calendars, for the rows for which it was asked; a row without
    it is judged only by what needs no asking.
    """

    entries: Sequence[LedgerEntry]
    registrations: Mapping[str, Registration]
    sought: Mapping[EventKey, Sought]
    policy: ConfirmPolicy
    fleet_held: bool
    now: datetime
    gives_back: bool = True
    witnessed: bool = True

    def judge(self) -> list[Judgement]:
        """What becomes of this person's vanished events; the order is that of sessions."""
        judged: list[Judgement] = []
        guarded = self._several_at_once()
        for session, rows in self.in_question().items():
            judged += self._session(session, rows, guarded)
        return judged

    def in_question(self) -> dict[str, list[LedgerEntry]]:
        """The vanished rows that the regular passes leave to this one, by session."""
        rows: dict[str, list[LedgerEntry]] = {}
        for entry in sorted(self.entries, key=lambda row: row.key):
            if entry.state in (State.MISSING, State.HELD) and self._still_wanted(entry):
                rows.setdefault(entry.key.session, []).append(entry)
        return rows

    def to_ask(self) -> Iterator[LedgerEntry]:
        """The rows about which the calendars must be asked before this pass can judge them."""
        for rows in self.in_question().values():
            for entry in rows:
                if self._needs_proof(entry):
                    yield entry

    def _still_wanted(self, entry: LedgerEntry) -> bool:
        registration = self.registrations.get(entry.key.session)
        if registration is None or registration.standing is not Standing.WANTED or entry.ends <= self.now:
            return False
        session = registration.session
        if session.cancelled or session.refused is not None or self._day_of(entry) is None:
            return False  # moved meanwhile, or without its days: the regular passes see to it
        if entry.retry_at is not None and entry.retry_at > self.now:
            return False  # put back and refused by the vendor: tried again later
        return registration.seat is None or registration.seat == entry.seat

    def _day_of(self, entry: LedgerEntry) -> Day | None:
        """The day that the event was of, if the session still has it as its owner last saw it."""
        registration = self.registrations[entry.key.session]
        removal, session = removal_of(registration, self.gives_back), registration.session
        for day in session.days:
            hours = (day.start_instant, day.end_instant)
            if (
                hours == (entry.starts, entry.ends)
                or digest_of(session, day, removal).time == entry.digest.time
            ):
                return day
        return None

    def _needs_proof(self, entry: LedgerEntry) -> bool:
        suspicion = entry.suspicion
        if entry.answer is not None:
            return True  # whoever was heard need not wait
        if entry.state is State.HELD:
            return self._held_too_long(entry)
        return suspicion.grace_until is None or suspicion.grace_until <= self.now

    def _held_too_long(self, entry: LedgerEntry) -> bool:
        suspicion = entry.suspicion
        if suspicion.hold_reason is HoldReason.FLEET_GUARD or suspicion.held_since is None:
            return False
        return (
            self.now - suspicion.held_since >= self.policy.hold_limit
            or entry.starts - self.now <= self.policy.near
        )

    def _session(
        self, session: str, rows: Sequence[LedgerEntry], guarded: Collection[str]
    ) -> Iterator[Judgement]:
        registration = self.registrations[session]
        absent: list[LedgerEntry] = []
        for entry in rows:
            sought = self.sought.get(entry.key)
            if sought is None:
                if self._needs_proof(entry):
                    return  # not asked this time: nothing of this session is concluded
                absent.append(entry)
            elif sought.present is not None:
                yield LivesOn(entry, sought.present, self.event_of(entry))
            else:
                absent.append(entry)
        by_us = [entry for entry in absent if entry.event_id in entry.doomed]
        if by_us:
            yield from self.put_back(by_us, "we had meant to delete this very id", final=False)
        elif any(entry.key in self.sought for entry in absent):
            yield from self._absent(session, registration, absent, session in guarded)

    def _absent(
        self, session: str, registration: Registration, absent: list[LedgerEntry], guarded: bool
    ) -> Iterator[Judgement]:
        """All of ``absent`` was asked for and is not there, or waits for the end of its grace."""
        answers = {entry.answer for entry in absent}
        given = Answer.GIVE_BACK in answers
        if Answer.KEEP in answers:
            yield from self.put_back(absent, "its owner keeps the seat", final=False)
        elif self.fleet_held:
            # What a vendor's calendars lack means nothing now: what is put back might be there twice.
            if any(entry.suspicion.hold_reason is not HoldReason.FLEET_GUARD for entry in absent):
                yield HoldSeat(session, tuple(absent), HoldReason.FLEET_GUARD)
        elif not (self.witnessed or given):
            return  # perhaps every calendar of the vendor looks empty at once, or this one does
        elif any(self._held_too_long(entry) for entry in absent) and not given:
            yield from self.put_back(absent, "asked, and not answered in time", final=False)
        elif (why := self._may_not(registration)) is not None:
            yield from self._back_or_dismissed(absent, why)
        elif self._begun(registration, self.now):
            yield from (Dismiss(entry, "the session had begun when it was deleted") for entry in absent)
        elif self.policy.mode is UnregisterMode.REPORT:
            yield from self.put_back(absent, "recorded only (unregister.mode: report)", final=False)
        elif not given and any(said_nothing(registration.session, entry.digest) for entry in absent):
            # Giving back was switched on since: it acts only on what is deleted after it was told.
            yield from self.put_back(absent, UNSAID, final=False)
        else:
            yield from self._give_back(session, registration, absent, guarded, given)

    def _may_not(self, registration: Registration) -> MayNot | None:
        """Why deleting the event does not give the seat back; ``None`` if it does."""
        if registration.role is Role.INSTRUCTOR:
            return MayNot.INSTRUCTOR
        if self.policy.mode is UnregisterMode.NEVER:
            return MayNot.NEVER
        if removal_of(registration, gives_back=True) is Removal.PUT_BACK:
            return MayNot.NOT_CANCELLABLE
        return MayNot.TOO_LATE if self._too_late(registration, self.now) else None

    def _too_late(self, registration: Registration, at: datetime) -> bool:
        until = registration.session.cancel_until
        return until is not None and until <= at

    def _begun(self, registration: Registration, at: datetime) -> bool:
        return min(day.start_instant for day in registration.session.days) <= at

    def _give_back(
        self,
        session: str,
        registration: Registration,
        absent: list[LedgerEntry],
        guarded: bool,
        answered: bool,
    ) -> Iterator[Judgement]:
        rows = tuple(absent)
        if not answered:
            reason = self._person_reason(registration, absent, guarded)
            if reason is not None:
                yield from self._hold_in_time(session, absent, reason)
                return
        starts = min(entry.starts for entry in absent)
        until = self.now + self.policy.grace_for(starts, self.now)
        if any(entry.suspicion.confirmed_at is None for entry in absent) and not answered:
            if self._begun(registration, until):  # its owner would be promised what cannot be done then
                yield from (Dismiss(entry, "the session begins within its time of grace") for entry in absent)
            elif self._too_late(registration, until):
                yield from self._back_or_dismissed(absent, MayNot.TOO_NEAR)
            else:
                yield BeginGrace(session, rows, until)
        elif all(entry.key in self.sought for entry in absent):
            yield Unregister(session, rows, registration)

    def _person_reason(
        self, registration: Registration, absent: Sequence[LedgerEntry], guarded: bool
    ) -> HoldReason | None:
        """Why its owner is asked before the seat is given back."""
        if self.policy.mode is UnregisterMode.ASK:
            return HoldReason.ASK
        sought = [self.sought[entry.key] for entry in absent if entry.key in self.sought]
        if not all(one.everywhere for one in sought):
            return HoldReason.HIDDEN_CALENDARS
        if guarded:
            return HoldReason.PERSON_GUARD
        if self.policy.multi_day is not MultiDay.ANY and len(absent) < len(registration.session.days):
            return HoldReason.SOME_DAYS
        return None

    def _hold_in_time(
        self, session: str, absent: list[LedgerEntry], reason: HoldReason
    ) -> Iterator[Judgement]:
        """Held, or put back; days still being deleted one by one are given the grace time to end first."""
        if all(entry.state is State.HELD for entry in absent):
            return
        since = max(entry.missing_since or self.now for entry in absent)
        starts = min(entry.starts for entry in absent)
        if reason is HoldReason.SOME_DAYS and self.now - since < self.policy.grace_for(starts, self.now):
            return
        if reason is HoldReason.SOME_DAYS and self.policy.multi_day is MultiDay.ALL:
            yield from self.put_back(absent, "only some days were deleted", final=False)
            return
        yield HoldSeat(session, tuple(absent), reason)

    def _back_or_dismissed(self, absent: Sequence[LedgerEntry], why: str) -> Iterator[Judgement]:
        for entry in absent:
            if entry.suspicion.put_back == str(entry.digest):
                yield Dismiss(entry, f"put back once and deleted again: {why}")
            else:
                yield from self.put_back([entry], why, final=True)

    def put_back(self, absent: Sequence[LedgerEntry], why: str, final: bool) -> Iterator[PutBack]:
        """The events of these rows, made again as they should be now."""
        for entry in absent:
            event = self.event_of(entry)
            if event is not None:
                yield PutBack(entry, event, why, final)

    def event_of(self, entry: LedgerEntry) -> DesiredEvent | None:
        """The row's event as it should be now; ``None`` where it was moved, which is the regular pass's."""
        registration = self.registrations.get(entry.key.session)
        day = self._day_of(entry) if registration is not None else None
        if registration is None or day is None:
            return None
        session, removal = registration.session, removal_of(registration, self.gives_back)
        return DesiredEvent(
            key=entry.key,
            seat=registration.seat,
            role=registration.role,
            day=day,
            content=content_of(session, removal),
            removal=removal,
            digest=digest_of(session, day, removal),
        )

    def _several_at_once(self) -> frozenset[str]:
        """The sessions that vanished together, if that looks like an accident of this person's. Seats given
        back within the same hour count, though nothing can be held of them any more."""
        policy = self.policy
        first: dict[str, datetime] = {}
        for entry in self.entries:
            if entry.state in _VANISHED and entry.missing_since is not None and entry.ends > self.now:
                session = entry.key.session
                first[session] = min(first.get(session, entry.missing_since), entry.missing_since)
        live = {
            entry.key.session for entry in self.entries if entry.state is State.LIVE and entry.ends > self.now
        }
        guarded: set[str] = set()
        for since in first.values():
            together = [other for other, at in first.items() if abs(at - since) <= policy.person_within]
            share = policy.person_share * len(live | first.keys())
            if len(together) >= max(policy.person_seats, share):
                guarded.update(together)
        return frozenset(guarded)
