"""Letters about days, as values: what each says, to whom, and what counts as told once it is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from reconciler.diff.fields import content_of, mail_uid
from reconciler.diff.mail_day import Baseline, DayCase, Fate, Verdict, noticed_as
from reconciler.model import (
    Day,
    Desired,
    EventKey,
    Invitations,
    Mode,
    Outlet,
    Registration,
    Removal,
    Role,
    Session,
    Told,
    ToldState,
)

SEVERAL = -1
"""The slot of a letter that tells of a session as a whole."""
_COUNTED_FROM = datetime(2026, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a letter about days says; each is a text of this name."""

    INVITATION = "invitation"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    SOON = "soon"


@dataclass(frozen=True, slots=True)
class DayNote:
    """A day of a timetable. ``change``: new, moved (``was`` when), changed, cancelled, or nothing."""

    day: Day
    change: str = ""
    was: Day | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry that a letter brings or takes back."""

    cancels: bool
    uid: str
    sequence: int
    day: Day
    title: str
    location: str
    url: str
    description: str


@dataclass(frozen=True, slots=True)
class Intended:
    """A letter to one person about one session. ``slot``: the day of its entry, or ``SEVERAL``.

    ``timetable`` are the session's days, ``day`` the one that is lost or withdrawn; ``about`` the place in
    the timetable of the one that is new or changed. ``was``: title and location before, where they differ.
    ``whole``: nothing is left. ``effects``: what counts as told once it is sent. ``firm``: sent whatever
    follows, for it undoes what was sent.
    """

    kind: Kind
    session: str
    slot: int
    role: Role
    address: str
    title: str
    of: Session | None
    timetable: tuple[DayNote, ...]
    entry: Entry | None = None
    day: Day | None = None
    about: int | None = None
    new: bool = False
    was: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    effects: tuple[Told, ...] = ()
    firm: bool = False


@dataclass(frozen=True, slots=True)
class MailCase:
    """How a person stands. ``may_end``: this reading of the LMS is the one that the scan saw; ``held``: too
    many sessions of the account have vanished."""

    installation: str
    outlet: Outlet
    invitations: Invitations
    address: str
    baseline: Baseline = Baseline.KNOWN
    mode: Mode = Mode.SYNC
    may_end: bool = True
    held: bool = False


@dataclass(frozen=True)
class Writer:
    """Writes letters and rows of one session of one person. ``verdicts`` are those of all its days."""

    desired: Desired
    session: str
    registration: Registration | None
    case: MailCase
    verdicts: Mapping[int, tuple[DayCase, Verdict]]
    now: datetime

    # Rows -----------------------------------------------------------------------------------------

    def noted(self, slot: int) -> Told | None:
        """The row of a day of which nobody is told now; ``None`` if it is as it was."""
        case, verdict = self.verdicts[slot]
        row = self._ended(case) if verdict.lost else self._known(slot, case)
        return row if row != case.row else None

    def _ended(self, case: DayCase) -> Told | None:
        if case.row is None or case.row.state is ToldState.ENDED:
            return None
        return replace(case.row, state=ToldState.ENDED)

    def _known(self, slot: int, case: DayCase) -> Told:
        """The row of a day of which nobody is told now."""
        row, known = case.row, self._as_desired(slot, case)
        if case.outlet is Outlet.CALENDAR or (case.outlet is Outlet.BROKEN and case.in_calendar):
            state = ToldState.CALENDAR
        else:
            state = ToldState.KNOWN
        if row is not None and row.state is ToldState.INVITED:
            state = ToldState.INVITED
        if case.baseline is not Baseline.KNOWN:
            # An earlier life of the program may have sent more than we know of.
            known = replace(known, sequence=max(known.sequence, _floor(self.now)))
        return replace(known, state=state, address=row.address if row else "")

    def _as_desired(self, slot: int, case: DayCase) -> Told:
        """The row as the session is now. A new seat gets a new entry once the old one's has ended."""
        registration, day, row = self.registration, case.day, case.row
        assert registration is not None
        assert day is not None
        assert self.desired.person is not None
        session = registration.session
        key = EventKey(self.desired.person_id, self.session, slot)
        generation, sequence, noticed = (row.generation, row.sequence, row.noticed) if row else (0, -1, None)
        if row and row.state is ToldState.ENDED and row.seat != registration.seat and row.sequence >= 0:
            generation, sequence = generation + 1, -1
        return Told(
            key=key,
            account=self.desired.person.account,
            role=registration.role,
            seat=registration.seat,
            state=row.state if row else ToldState.KNOWN,
            generation=generation,
            uid=mail_uid(self.case.installation, key, generation),
            sequence=sequence,
            address=self.case.address,
            digest=case.digest,
            day=day,
            title=session.title,
            location=session.location,
            noticed=noticed,
        )

    # Letters --------------------------------------------------------------------------------------

    def redirected(self, slot: int) -> tuple[Told, Intended]:
        """The entry taken back at the old address: the row that says so, and the letter, which goes out
        whatever follows. The invitation to the new address starts from that row."""
        row = self.verdicts[slot][0].row
        assert row is not None
        ended = replace(row, state=ToldState.ENDED, sequence=row.sequence + 1)
        return ended, replace(self._cancelling(Kind.WITHDRAWN, row, ended), firm=True, effects=())

    def with_entry(self, slot: int, row: Told | None) -> Intended:
        """The letter that brings, changes or takes back a day's entry. ``row`` is what it starts from."""
        case, verdict = self.verdicts[slot]
        if verdict.fate in (Fate.INVITE, Fate.REDIRECT):
            return self._inviting(slot, replace(case, row=row), verdict)
        assert row is not None
        kind, told = Kind.CANCELLED, replace(row, state=ToldState.ENDED)
        if verdict.fate is Fate.WITHDRAW:
            kind, told = Kind.WITHDRAWN, replace(self._as_desired(slot, case), state=ToldState.CALENDAR)
        return self._cancelling(kind, row, replace(told, sequence=row.sequence + 1, address=row.address))

    def _cancelling(self, kind: Kind, row: Told, effect: Told) -> Intended:
        session = self.registration.session if self.registration else None
        remaining = self._timetable()
        return Intended(
            kind=kind,
            session=self.session,
            slot=row.key.slot,
            role=row.role,
            address=row.address,
            title=row.title,
            of=session,
            timetable=remaining,
            entry=Entry(True, row.uid, effect.sequence, row.day, row.title, row.location, "", ""),
            day=row.day,
            whole=kind is Kind.CANCELLED and not remaining,
            effects=(effect,),
        )

    def _inviting(
        self,
        slot: int,
        case: DayCase,
        verdict: Verdict,
    ) -> Intended:
        desired = self._as_desired(slot, case)
        told = replace(desired, state=ToldState.INVITED, sequence=desired.sequence + 1)
        assert self.registration is not None
        session, timetable = self.registration.session, self._timetable()
        entry = Entry(
            cancels=False,
            uid=told.uid,
            sequence=told.sequence,
            day=told.day,
            title=session.title,
            location=session.location,
            url=session.url,
            description=content_of(session, Removal.PUT_BACK).block,
        )
        return Intended(
            kind=Kind.INVITATION,
            session=self.session,
            slot=slot,
            role=told.role,
            address=self.case.address,
            title=session.title,
            of=session,
            timetable=timetable,
            entry=entry,
            about=next((place for place, note in enumerate(timetable) if note.day is told.day), None),
            new=verdict.before is None or verdict.fate is Fate.REDIRECT,
            was=self._texts_before(verdict.before),
            effects=(told,),
        )

    def plain(self, slots: Sequence[int]) -> Intended:
        """One letter for all that is told of the session in plain words."""
        told = {slot: self.verdicts[slot] for slot in slots}
        effects = [self._told_plainly(slot, case, verdict) for slot, (case, verdict) in told.items()]
        before = next((verdict.before for _, verdict in told.values() if verdict.before), None)
        lost = [verdict.before.day for _, verdict in told.values() if verdict.lost and verdict.before]
        days = self._timetable()
        whole = all(note.day.end_instant <= self.now for note in days)
        kind = Kind.CANCELLED if whole else Kind.CHANGED
        if any(case.near for case, _ in told.values()):
            kind = Kind.SOON
        timetable = [*days, *(DayNote(day, "cancelled") for day in lost)]
        return Intended(
            kind=kind,
            session=self.session,
            slot=SEVERAL,
            role=effects[0].role,
            address=self.case.address,
            title=effects[0].title,
            of=self.registration.session if self.registration else None,
            timetable=tuple(sorted(timetable, key=lambda note: note.day.start_instant)),
            day=min(lost, key=lambda day: day.start_instant, default=None),
            was={} if whole else self._texts_before(before),
            whole=whole,
            effects=tuple(effects),
        )

    def _told_plainly(self, slot: int, case: DayCase, verdict: Verdict) -> Told:
        if verdict.lost:
            assert case.row is not None
            return replace(case.row, state=ToldState.ENDED)
        return replace(self._known(slot, case), noticed=noticed_as(case.digest))

    def _texts_before(self, before: Told | None) -> dict[str, str]:
        if before is None or self.registration is None:
            return {}
        session = self.registration.session
        pairs = {
            "title": (before.title, session.title),
            "location": (before.location, session.location),
        }
        return {name: old for name, (old, new) in pairs.items() if old != new}

    def _timetable(self) -> tuple[DayNote, ...]:
        """The session's days as they are, each with what is told of it."""
        notes = [_note_of(case, verdict) for case, verdict in self.verdicts.values() if case.day is not None]
        return tuple(sorted(notes, key=lambda note: note.day.start_instant))


def _note_of(case: DayCase, verdict: Verdict) -> DayNote:
    assert case.day is not None
    if verdict.fate not in (Fate.INVITE, Fate.TELL):
        return DayNote(case.day)
    if verdict.before is None:
        return DayNote(case.day, "new")
    old, new = verdict.before.day, case.day
    if (old.start_instant, old.end_instant) == (new.start_instant, new.end_instant):
        return DayNote(case.day, "changed")
    return DayNote(case.day, "moved", old)


def _floor(now: datetime) -> int:
    """The hours since 2026 began: more than any entry can have reached that an earlier baseline began."""
    return int((now - _COUNTED_FROM).total_seconds() // 3600)
