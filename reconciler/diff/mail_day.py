"""What one person is to be told of one day by mail: the counterpart of the truth table, and as pure.

Compared are what is desired and what the person was last told; the ledger of the calendar says what lies
there. A day that is past, by the later of both, concerns nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.diff.fields import digest_of
from reconciler.model import (
    Day,
    Digest,
    Invitations,
    LedgerEntry,
    Outlet,
    Registration,
    Removal,
    Role,
    State,
    Told,
    ToldState,
)

NEAR = timedelta(hours=48)
"""Within this time of its beginning a change is told by a plain mail also to those with a calendar."""
_LIES_THERE = (State.LIVE, State.MISSING, State.HELD, State.DISMISSED)
_MAY_LIE_THERE = (*_LIES_THERE, State.RELEASED)
GIVEN_BACK = (State.UNREGISTERING, State.UNREGISTERED)


class Baseline(StrEnum):
    """What it means that the person is seen at all."""

    KNOWN = "known"  # seen before: whatever is new is news
    FIRST = "first"  # seen for the first time: they have heard of what they have by other ways
    RESTORED = (
        "restored"  # our memory is older than what we did: nothing can be told apart from what was told
    )


class Fate(StrEnum):
    """What follows for one day."""

    NOTHING = "nothing"
    NOTE = "note"  # written down, nobody is told
    INVITE = "invite"  # an entry, new or changed
    CANCEL = "cancel"  # the entry is taken back: the day is lost
    WITHDRAW = "withdraw"  # the entry is taken back: the calendar has it
    REDIRECT = "redirect"  # the entry is taken back at the old address, and sent to the new one
    TELL = "tell"  # in plain words
    WAIT = "wait"  # something has to happen first


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fate. ``before`` is what the person was told so far, where that differs; ``lost``: the day is."""

    fate: Fate
    before: Told | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class DayCase:
    """Everything known of one day. ``row``: what was told; ``day``: what is desired, ``None`` where it is
    lost; ``event``: the ledger's entry of the calendar. One of ``row`` and ``day`` is there."""

    registration: Registration | None
    outlet: Outlet
    invitations: Invitations
    baseline: Baseline
    address: str
    row: Told | None
    day: Day | None
    event: LedgerEntry | None
    now: datetime

    @property
    def digest(self) -> Digest:
        """Of what is desired."""
        assert self.registration is not None
        assert self.day is not None
        return digest_of(self.registration.session, self.day, Removal.PUT_BACK)

    @property
    def in_calendar(self) -> bool:
        """Whether an event of this day lies, or lay when last seen, in the person's calendar."""
        return self.event is not None and self.event.state in _MAY_LIE_THERE

    @property
    def near(self) -> bool:
        """Whether it begins, or would have begun, soon."""
        days = [day for day in (self.day, self.row.day if self.row else None) if day]
        return any(day.end_instant > self.now and day.start_instant - self.now <= NEAR for day in days)

    @property
    def invites(self) -> bool:
        """Whether an entry is mailed to somebody of this role."""
        role = self.registration.role if self.registration and self.day else self.row and self.row.role
        return self.invitations is Invitations.ALL or role is Role.INSTRUCTOR


def settle_day(case: DayCase) -> Verdict:
    """What follows for this day."""
    ends = [day.end_instant for day in (case.day, case.row.day if case.row else None) if day]
    if max(ends) <= case.now:
        return Verdict(Fate.NOTHING)
    if case.baseline is Baseline.RESTORED:
        return Verdict(Fate.NOTE, lost=case.day is None)
    return _lost(case) if case.day is None else _wanted(case)


# A day that is desired ----------------------------------------------------------------------------


def _wanted(case: DayCase) -> Verdict:
    if case.row is not None and case.row.state is ToldState.INVITED:
        return _invited(case, case.row)
    if case.outlet is Outlet.CALENDAR:
        return _kept_by_calendar(case)
    before = _told_before(case)
    if before is None:
        known = case.baseline is Baseline.FIRST or not case.invites
        return _unless_nowhere(case, Verdict(Fate.NOTE if known else Fate.INVITE))
    if before.state is ToldState.REFUSED:
        return Verdict(Fate.INVITE if case.address not in ("", before.address) else Fate.NOTHING)
    if not _news(case, before):
        return Verdict(Fate.NOTE)
    if case.outlet is Outlet.BROKEN and case.in_calendar:
        return _unless_nowhere(case, Verdict(Fate.TELL, before))
    if case.invites:
        return _unless_nowhere(case, Verdict(Fate.INVITE, before))
    return _unless_nowhere(case, Verdict(Fate.TELL if _plain_news(case, before) else Fate.NOTE, before))


def _unless_nowhere(case: DayCase, verdict: Verdict) -> Verdict:
    """Nothing is written down as told to somebody without an address: they are told once they have one."""
    return verdict if case.address or case.baseline is Baseline.FIRST else Verdict(Fate.NOTHING)


def _invited(case: DayCase, row: Told) -> Verdict:
    """Whoever has an entry of ours gets its updates, until the calendar has the day."""
    if case.outlet is Outlet.CALENDAR and case.event is not None and case.event.state in _LIES_THERE:
        return Verdict(Fate.WITHDRAW, row)
    if not case.address:
        return Verdict(Fate.NOTHING)
    if case.address.casefold() != row.address.casefold():  # the same mailbox, wherever mail is read today
        return Verdict(Fate.REDIRECT, row)
    if _news(case, row):
        return Verdict(Fate.INVITE, row)
    return Verdict(Fate.WAIT if case.outlet is Outlet.CALENDAR else Fate.NOTE, row)


def _kept_by_calendar(case: DayCase) -> Verdict:
    row = case.row
    if row is not None and row.state is ToldState.CALENDAR and case.near and _plain_news(case, row):
        return _unless_nowhere(case, Verdict(Fate.TELL, row))
    return Verdict(Fate.NOTE)


def _told_before(case: DayCase) -> Told | None:
    """What the person knows of the day, by mail or because it lies in their calendar; ``None``: nothing."""
    row, event = case.row, case.event
    if row is not None and row.state is not ToldState.CALENDAR:
        return None if row.state is ToldState.ENDED else row
    if row is not None and row.noticed == noticed_as(case.digest):
        return replace(row, digest=case.digest, day=case.day or row.day)
    if row is not None and row.noticed is not None and row.noticed == noticed_as(row.digest):
        return row  # what they were told came after what they saw in their calendar
    if event is None or event.state is State.PENDING:
        return None  # it has never come to lie there
    return _seen_in_calendar(case, event) if case.in_calendar else row


def _seen_in_calendar(case: DayCase, event: LedgerEntry) -> Told:
    """As the event says it, which is what its owner saw last."""
    assert case.registration is not None
    assert case.day is not None
    session, day = case.registration.session, case.day
    same = (day.start_instant, day.end_instant) == (event.starts, event.ends)
    return Told(
        key=event.key,
        account=event.account,
        role=event.role,
        seat=event.seat,
        state=ToldState.CALENDAR,
        generation=0,
        uid="",
        sequence=-1,
        address="",
        digest=event.digest,
        day=day if same else Day(event.starts, event.ends, day.zone),
        title=session.title,
        location=session.location,
    )


def _moved(case: DayCase, before: Told) -> bool:
    """Both are asked, as for events: another name for its zone moves no day, nor do its new rules."""
    assert case.day is not None
    new, old = case.day, before.day
    same = (new.start_instant, new.end_instant) == (old.start_instant, old.end_instant)
    return case.digest.time != before.digest.time and (not same or new.all_day != old.all_day)


def _news(case: DayCase, before: Told) -> bool:
    """Whether an entry would say something new."""
    return _moved(case, before) or case.digest.content != before.digest.content


def _plain_news(case: DayCase, before: Told) -> bool:
    """Whether it concerns the way there: time, place, title."""
    assert case.registration is not None
    session = case.registration.session
    texts = (session.title, session.location)
    return _moved(case, before) or texts != (before.title, before.location)


def noticed_as(digest: Digest) -> str:
    """A digest without its form, which is no news."""
    return f"{digest.time}.{digest.content}"


# A day that is lost -------------------------------------------------------------------------------


def _lost(case: DayCase) -> Verdict:
    row = case.row
    assert row is not None
    if row.state is ToldState.ENDED:
        return Verdict(Fate.NOTHING)
    if row.state is ToldState.INVITED:
        return Verdict(Fate.CANCEL, row, lost=True)
    if row.state is ToldState.REFUSED and row.sequence > 0:
        # What was refused was an update: an earlier entry may lie there, and would for ever.
        return Verdict(Fate.CANCEL, row, lost=True)
    told = case.address and not _told_otherwise(case, row)
    return Verdict(Fate.TELL if told else Fate.NOTE, row, lost=True)


def _told_otherwise(case: DayCase, row: Told) -> bool:
    """Whether nobody has to be told of this loss, or somebody else does it."""
    if row.state is ToldState.REFUSED or not case.invites:
        return True  # where the LMS mails learners itself, it mails them this
    if case.event is not None and case.event.state in GIVEN_BACK:
        return True  # by deleting the event: there is a notice of its own
    if case.outlet is Outlet.CALENDAR:
        return not case.near
    return row.state is ToldState.CALENDAR and not case.in_calendar
