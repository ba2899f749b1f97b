"""From what is desired and what was told to what shall be mailed: ``plan_mail``, for one person.

Pure. What is intended is computed anew each time from what was told so far: a letter that waits is replaced
by what is intended now, and one that is intended no more has never been.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.diff.letters import Intended, MailCase, Writer
from reconciler.diff.mail_day import GIVEN_BACK, DayCase, Fate, Verdict, settle_day
from reconciler.diff.match import Slot, match
from reconciler.diff.plan import spoken_of, wants
from reconciler.diff.slot import left_alone
from reconciler.model import Day, Desired, LedgerEntry, Mode, Outlet, Registration, State, Told, ToldState


@dataclass(frozen=True, slots=True)
class MailPlan:
    """What one person is to be told. ``rows``: written down though nobody is told. ``waiting``: it must be
    planned again though nothing changes; ``held``: how much a guard holds back."""

    letters: tuple[Intended, ...] = ()
    rows: tuple[Told, ...] = ()
    waiting: bool = False
    held: int = 0


def plan_mail(
    desired: Desired,
    told: Sequence[Told],
    entries: Sequence[LedgerEntry],
    case: MailCase,
    now: datetime,
) -> MailPlan:
    """What one person is to be told by mail. ``told`` and ``entries`` are theirs alone."""
    person = desired.person
    if case.outlet is Outlet.NONE or person is None or not person.active:
        return MailPlan()
    rows: dict[str, list[Told]] = defaultdict(list)
    events: dict[str, list[LedgerEntry]] = defaultdict(list)
    for row in told:
        rows[row.key.session].append(row)
    for entry in entries:
        events[entry.key.session].append(entry)
    registrations = {one.session.id: one for one in desired.registrations}
    traced = spoken_of(desired)
    found = _Found()
    for session in sorted(registrations.keys() | rows.keys()):
        registration = registrations.get(session)
        if registration is not None and not registration.session.cancelled and left_alone(registration):
            continue
        room = _Room(
            desired, session, registration, rows[session], events[session], session in traced, case, now
        )
        room.plan(found)
    return MailPlan(tuple(found.letters), tuple(found.rows), found.waiting, found.held)


@dataclass
class _Found:
    """What all sessions together come to."""

    letters: list[Intended] = field(default_factory=list)
    rows: list[Told] = field(default_factory=list)
    waiting: bool = False
    held: int = 0


@dataclass(frozen=True)
class _Room:
    """One session of one person."""

    desired: Desired
    session: str
    registration: Registration | None
    told: Sequence[Told]
    entries: Sequence[LedgerEntry]
    traced: bool
    case: MailCase
    now: datetime

    def plan(self, found: _Found) -> None:
        """Judge each day, and have written what follows."""
        days, rows = self._matched(), {row.key.slot: row for row in self.told}
        verdicts = {}
        for slot in sorted(days.keys() | rows.keys()):
            case = self._day_case(rows.get(slot), days.get(slot))
            verdicts[slot] = (case, settle_day(case))
        writer = Writer(self.desired, self.session, self.registration, self.case, verdicts, self.now)
        plain: list[int] = []
        for slot, (case, verdict) in verdicts.items():
            if verdict.lost and not self._may_end(found):
                continue
            if verdict.fate is Fate.TELL:
                plain.append(slot)
            else:
                _follow(writer, slot, case.row, verdict, found)
        if plain:
            found.letters.append(writer.plain(plain))

    def _matched(self) -> dict[int, Day]:
        registration = self.registration
        if registration is None or not wants(registration):
            return {}
        slots = [
            Slot(
                row.key.slot,
                row.day.start_instant,
                row.day.end_instant,
                open=row.state is not ToldState.ENDED,
            )
            for row in self.told
        ]
        return match(registration.session.days, slots, self.now)

    def _day_case(self, row: Told | None, day: Day | None) -> DayCase:
        return DayCase(
            registration=self.registration,
            outlet=self.case.outlet,
            invitations=self.case.invitations,
            baseline=self.case.baseline,
            address=self.case.address,
            row=row,
            day=day,
            event=self._event_of(row, day),
            now=self.now,
        )

    def _event_of(self, row: Told | None, day: Day | None) -> LedgerEntry | None:
        """The calendar's entry of this day: of a desired one as events are matched, of a lost one by time."""
        if day is not None and self.registration is not None:
            slots = [
                Slot(one.key.slot, one.starts, one.ends, open=one.state not in (State.GONE, State.REMOVING))
                for one in self.entries
            ]
            matched = match(self.registration.session.days, slots, self.now)
            slot = next((number for number, one in matched.items() if one is day), None)
            return next((one for one in self.entries if one.key.slot == slot), None)
        if row is None:
            return None
        given = (one for one in self.entries if one.state in GIVEN_BACK and one.seat == row.seat)
        if (back := next(given, None)) is not None:
            return back  # its other days went with it
        hours = (row.day.start_instant, row.day.end_instant)
        at_its_time = (one for one in self.entries if (one.starts, one.ends) == hours)
        return next(at_its_time, next(iter(self.entries), None))

    def _may_end(self, found: _Found) -> bool:
        """Whether what is lost may be told: a strange reading of the LMS is not an order."""
        if self.case.mode is not Mode.SYNC:
            return False
        if self.case.may_end and not (self.case.held and not self.traced):
            return True
        found.waiting = True
        found.held += 1
        return False


def _follow(writer: Writer, slot: int, row: Told | None, verdict: Verdict, found: _Found) -> None:
    """What follows for a day that is not told of in plain words."""
    match verdict.fate:
        case Fate.WAIT:
            found.waiting = True
        case Fate.NOTE:
            noted = writer.noted(slot)
            found.rows += [noted] if noted is not None else []
        case Fate.REDIRECT:
            row, withdrawal = writer.redirected(slot)
            found.rows.append(row)
            found.letters += [withdrawal, writer.with_entry(slot, row)]
        case Fate.INVITE | Fate.CANCEL | Fate.WITHDRAW:
            found.letters.append(writer.with_entry(slot, row))
        case _:
            pass
