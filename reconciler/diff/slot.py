"""One slot of one person: which case of the truth table it is, and which changes its verdict means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.diff.changes import (
    Adopt,
    Cause,
    Change,
    Create,
    Delete,
    FinishRemoval,
    Forget,
    MarkMissing,
    Take,
    Update,
)
from reconciler.diff.decide import News, Sight, Verdict, Wish, decide
from reconciler.diff.fields import Field, differences, ours
from reconciler.model import (
    ActualEvent,
    DesiredEvent,
    EventKey,
    LedgerEntry,
    Registration,
    Standing,
    State,
)

LMS_LAG = timedelta(hours=1)
"""How long the LMS, read through a replica or a cache, may still show a seat that we gave back."""


@dataclass(frozen=True, slots=True)
class SlotCase:
    """Everything known of one slot. ``event`` is ``None`` where nothing is desired. Either ``event``,
    ``entry`` or ``actuals`` is there. ``looked``: ``actuals`` come from a complete listing.

    ``lagging``: the LMS may not show yet that this very seat was given back through another day.
    """

    installation: str
    registration: Registration | None
    event: DesiredEvent | None
    entry: LedgerEntry | None
    actuals: tuple[ActualEvent, ...]
    looked: bool
    now: datetime
    lagging: bool = False

    @property
    def key(self) -> EventKey:
        if self.entry:
            return self.entry.key
        if self.event:
            return self.event.key
        marker = self.actuals[0].marker
        if marker is None:
            raise ValueError("a slot without row and without desired event needs a marked event")
        return marker.key


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows for one slot. ``surplus`` may be deleted once an earlier look has seen it too."""

    key: EventKey
    changes: tuple[Change, ...] = ()
    look: bool = False
    waiting: bool = False
    surplus: tuple[ActualEvent, ...] = ()


_WAITING = (
    Verdict.LEAVE_TO_CONFIRM,
    Verdict.WAIT_HELD,
    Verdict.WAIT_UNREGISTERED,
    Verdict.RESOLVE_UNREGISTERING,
)
_MAKING = (Verdict.LOOK, Verdict.CREATE, Verdict.CREATE_AGAIN, Verdict.CREATE_NEXT)


def settle(case: SlotCase) -> Outcome:
    """The changes for one slot, by the truth table."""
    wish = _wish(case)
    actual = _choose(case)
    verdict = decide(wish, _state(case), _sight(case, actual), _news(case))
    if verdict in _WAITING or (case.lagging and verdict in _MAKING):
        return Outcome(case.key, waiting=True)
    surplus = () if _left_alone(case) else _surplus(case, actual, orphan=verdict is Verdict.DELETE_ORPHAN)
    change = _change(verdict, case, actual)
    look = verdict is Verdict.LOOK
    if _backed_off(case) and (look or change or surplus):
        return Outcome(case.key, waiting=True)
    return Outcome(case.key, (change,) if change else (), look, surplus=surplus)


def unregistration_unseen(entry: LedgerEntry, seat: str | None, now: datetime) -> bool:
    """Whether the LMS may not show yet that this seat was given back through this row's event."""
    if entry.seat != seat:
        return False
    if entry.state is State.UNREGISTERED and entry.updated_at is not None:
        return now < entry.updated_at + LMS_LAG
    return entry.state is State.UNREGISTERING


def _backed_off(case: SlotCase) -> bool:
    retry_at = case.entry.retry_at if case.entry else None
    return retry_at is not None and retry_at > case.now


# The case -----------------------------------------------------------------------------------------


def _wish(case: SlotCase) -> Wish:
    event, entry = case.event, case.entry
    if _over(case) or _left_alone(case):
        return Wish.KEEP
    if event is None:
        return Wish.NO
    if entry is None:
        return Wish.SAME
    if entry.state is State.UNREGISTERED and not unregistration_unseen(entry, event.seat, case.now):
        return Wish.NEWER
    return Wish.NEWER if event.seat is not None and entry.seat != event.seat else Wish.SAME


_UNFOLLOWED = (State.RELEASED, State.GONE, State.UNREGISTERED)
"""Rows whose event is let go of, or gone: what was written last says nothing of one that is there."""


def _over(case: SlotCase) -> bool:
    """Whether the day is over by the LMS and by what was last written; where the row follows no event any
    more, by every event of ours that is there as well: one that came back may be of another day."""
    event, entry = case.event, case.entry
    ends = [end for end in (event and event.day.end_instant, entry and entry.ends) if end]
    if entry is None or entry.state in _UNFOLLOWED:
        ends += [actual.day.end_instant for actual in case.actuals if actual.day and _ours(case, actual)]
    return bool(ends) and max(ends) <= case.now


def _left_alone(case: SlotCase) -> bool:
    registration = case.registration
    return registration is not None and not registration.session.cancelled and left_alone(registration)


def left_alone(registration: Registration) -> bool:
    """Whether nothing is done and nothing concluded: attended, or not understood."""
    return registration.standing is Standing.KEEP or registration.session.refused is not None


def _state(case: SlotCase) -> State:
    return case.entry.state if case.entry else State.NONE


def _sight(case: SlotCase, actual: ActualEvent | None) -> Sight:
    if not case.looked:
        return Sight.UNKNOWN
    return Sight.YES if actual else Sight.NO


def _news(case: SlotCase) -> News:
    if case.event is None or case.entry is None:
        return News.EQUAL
    day, row = case.event.day, case.entry
    new, old = case.event.digest, row.digest
    # Both are asked: another name for its zone moves no day, nor do new rules for its zone.
    if new.time != old.time and (day.start_instant, day.end_instant) != (row.starts, row.ends):
        return News.MOVED
    return News.EQUAL if (new.time, new.content) == (old.time, old.content) else News.CHANGED


def _choose(case: SlotCase) -> ActualEvent | None:
    """The recorded id wins; then one that we made; then any that bears the key (an owner's copy)."""
    recorded = case.entry.event_id if case.entry else None
    return min(
        case.actuals,
        key=lambda event: (event.event_id != recorded, not _ours(case, event), event.event_id),
        default=None,
    )


def _ours(case: SlotCase, event: ActualEvent) -> bool:
    return ours(case.installation, case.entry, event)


def _surplus(case: SlotCase, chosen: ActualEvent | None, orphan: bool) -> tuple[ActualEvent, ...]:
    """Events of this key that we made and that are not the chosen one; the chosen one too, of an orphan."""
    return tuple(
        event
        for event in case.actuals
        if (orphan or event is not chosen)
        and _ours(case, event)
        and event.day is not None
        and event.day.end_instant > case.now
    )


# The change ---------------------------------------------------------------------------------------


def _change(verdict: Verdict, case: SlotCase, actual: ActualEvent | None) -> Change | None:
    match verdict:
        case Verdict.CREATE | Verdict.CREATE_AGAIN | Verdict.CREATE_NEXT:
            return _create(verdict, case)
        case Verdict.ADOPT:
            return _adopt(case, actual)
        case Verdict.TAKE:
            return _take(case, actual)
        case Verdict.UPDATE | Verdict.NOTHING:
            return _push_update(case)
        case Verdict.MARK_MISSING:
            return _mark_missing(case)
        case Verdict.DELETE | Verdict.DELETE_BY_ID | Verdict.FORGET | Verdict.FINISH_REMOVAL:
            return _remove(verdict, case, actual)
        case _:
            return None


def _create(verdict: Verdict, case: SlotCase) -> Create:
    event, entry = _wanted(case), case.entry
    again = verdict is Verdict.CREATE_AGAIN
    if entry is None:
        return Create(event.key, Cause.LMS, event, None, generation=0)
    generation = entry.generation if again else entry.generation + 1
    cause = Cause.LMS
    if again:
        cause = Cause.REPAIR
    elif entry.state is State.RELEASED:
        cause = Cause.RECONNECT
    return Create(event.key, cause, event, entry, generation, search=not again, again=again)


def _adopt(case: SlotCase, actual: ActualEvent | None) -> Adopt:
    event, entry = _wanted(case), case.entry
    assert actual is not None
    cause = Cause.RECONNECT if entry and entry.state is State.RELEASED else Cause.REPAIR
    return Adopt(
        key=event.key,
        cause=cause,
        event=event,
        entry=entry,
        actual=actual,
        differs=_differs(case, actual),
        ask_first=bool(entry and entry.event_id and entry.event_id != actual.event_id),
    )


def _take(case: SlotCase, actual: ActualEvent | None) -> Change | None:
    event, entry = _wanted(case), case.entry
    assert actual is not None
    assert entry is not None
    if entry.event_id != actual.event_id:
        return replace(_adopt(case, actual), cause=Cause.DRIFT)
    differs = _differs(case, actual)
    if differs:
        return Update(event.key, _update_cause(case, differs), event, entry, actual, differs)
    as_recorded = replace(
        entry,
        state=State.LIVE,
        seat=event.seat,
        role=event.role,
        etag=actual.etag,
        calendar_id=actual.calendar_id,
        digest=event.digest,
        starts=event.day.start_instant,
        ends=event.day.end_instant,
        missing_since=None,
        intent=None,
        attempts=0,
        retry_at=None,
        last_error=None,
    )
    return None if as_recorded == entry else Take(event.key, Cause.DRIFT, event, entry, actual)


def _differs(case: SlotCase, actual: ActualEvent) -> frozenset[Field]:
    """What of an event is not as it should be; its marker is one of our fields."""
    event, marker = _wanted(case), actual.marker
    differs = differences(event.content, event.day, actual)
    if marker and (marker.installation, marker.key) == (case.installation, event.key):
        return differs
    return differs | {Field.MARKER}


def _update_cause(case: SlotCase, differs: frozenset[Field]) -> Cause:
    """A rewrite concerns our block alone; anything else that differs without news is drift."""
    event, entry = _wanted(case), case.entry
    if _news(case) is not News.EQUAL or entry is None:
        return Cause.LMS
    rewritten = event.digest.form != entry.digest.form and differs == {Field.BLOCK}
    return Cause.REWRITE if rewritten else Cause.DRIFT


def _push_update(case: SlotCase) -> Update | None:
    """What the digests alone say, for a row that was live when last looked at."""
    event, entry = case.event, case.entry
    if case.looked or event is None or entry is None or entry.state is not State.LIVE:
        return None
    if _wish(case) is not Wish.SAME or event.digest == entry.digest:
        return None
    new, old = event.digest, entry.digest
    differs: frozenset[Field] = frozenset()
    if new.time != old.time:
        differs |= {Field.TIME}
    if new.content != old.content:
        differs |= {Field.TITLE, Field.LOCATION, Field.BLOCK}
    if new.form != old.form:
        differs |= {Field.BLOCK}
    return Update(event.key, _update_cause(case, differs), event, entry, None, differs)


def _mark_missing(case: SlotCase) -> Change:
    entry = case.entry
    assert entry is not None
    if entry.event_id in entry.doomed:
        # We meant to delete this very id: that it is absent says nothing about its owner.
        event = _wanted(case)
        return Create(event.key, Cause.REPAIR, event, entry, entry.generation + 1, search=True)
    return MarkMissing(entry.key, Cause.DRIFT, entry, case.now)


def _remove(verdict: Verdict, case: SlotCase, actual: ActualEvent | None) -> Change | None:
    entry = case.entry
    assert entry is not None
    if verdict is Verdict.FINISH_REMOVAL:
        return FinishRemoval(entry.key, Cause.REPAIR, entry)
    if verdict is Verdict.FORGET:
        return Forget(entry.key, Cause.LMS, entry, search=True)
    if verdict is Verdict.DELETE_BY_ID:
        return _delete_unseen(entry)
    assert actual is not None
    open_ = entry.state not in (State.GONE, State.UNREGISTERED)
    if open_ and entry.event_id not in (None, actual.event_id):
        # The recorded one may lie in another calendar, where it would stay for ever.
        return Forget(entry.key, Cause.LMS, entry, search=True)
    if _ours(case, actual):
        return Delete(entry.key, Cause.LMS, entry, actual.event_id, actual.calendar_id, actual.etag)
    return Forget(entry.key, Cause.LMS, entry, search=False) if open_ else None


def _delete_unseen(entry: LedgerEntry) -> Change:
    if entry.event_id is None or entry.calendar_id is None or entry.copied:
        return Forget(entry.key, Cause.LMS, entry, search=True)
    return Delete(entry.key, Cause.LMS, entry, entry.event_id, entry.calendar_id, entry.etag)


def _wanted(case: SlotCase) -> DesiredEvent:
    if case.event is None:
        raise ValueError(f"nothing is desired for {case.key}")
    return case.event
