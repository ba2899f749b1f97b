"""From what is desired, recorded and seen to what shall be done: ``plan``, for one person.

Pure. With ``listing=None`` it is a push pass, which looks at no calendar; a plan that then says ``look``
must be made again with a listing before anything of it is applied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from reconciler.diff.changes import DELETING, Cause, Change, DeleteSurplus, starts_of
from reconciler.diff.fields import content_of, digest_of, made_by_us, removal_of
from reconciler.diff.match import Slot, match
from reconciler.diff.slot import Outcome, SlotCase, settle, unregistration_unseen
from reconciler.model import (
    ActualEvent,
    Desired,
    DesiredEvent,
    EventKey,
    LedgerEntry,
    Listing,
    Registration,
    Standing,
    State,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the plan must know of the settings. ``gives_back``: deleting an event may give a seat back."""

    installation: str
    gives_back: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What one person's calendar needs.

    ``look``: nothing may be concluded before the calendar has been listed. ``waiting``: something stays
    open that no change here settles. ``surplus``: ids of events that may be deleted at their second
    sight. ``foreign``: events seen whose key names another person. ``vanished``: sessions with something
    in the ledger or the calendar of which the LMS says nothing at all any more, or no longer when.
    """

    person: str
    changes: tuple[Change, ...] = ()
    look: bool = False
    waiting: bool = False
    surplus: tuple[str, ...] = ()
    foreign: int = 0
    wanted: int = 0
    next_start: datetime | None = None
    vanished: frozenset[str] = frozenset()


@dataclass
class _Gathered:
    """What one session contributes, or all of them together."""

    changes: list[Change] = field(default_factory=list)
    look: bool = False
    waiting: bool = False
    surplus: list[str] = field(default_factory=list)
    wanted: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Room:
    """One session's part of the three states."""

    session: str
    registration: Registration | None
    entries: tuple[LedgerEntry, ...]
    events: tuple[ActualEvent, ...]


def plan(
    desired: Desired,
    entries: Sequence[LedgerEntry],
    listing: Listing | None,
    policy: Policy,
    now: datetime,
    seen_before: Collection[str] = (),
) -> Plan:
    """The plan for one person.

    ``seen_before`` are vendor ids of surplus events that an earlier look had seen already.
    """
    gathered = _Gathered()
    ours, foreign = _sort_out(desired.person_id, entries, listing, policy.installation)
    for room in _rooms(desired, entries, ours):
        _plan_session(room, listing is not None, policy, now, frozenset(seen_before), gathered)
    return Plan(
        person=desired.person_id,
        changes=tuple(sorted(gathered.changes, key=_rank)),
        look=gathered.look,
        waiting=gathered.waiting,
        surplus=tuple(gathered.surplus),
        foreign=foreign,
        wanted=len(gathered.wanted),
        next_start=min(gathered.wanted, default=None),
        vanished=_vanished(
            desired, {entry.key.session for entry in entries} | {key.session for key, _ in ours}
        ),
    )


def _vanished(desired: Desired, known: set[str]) -> frozenset[str]:
    """Sessions that are gone without a row that says so. One that is on, and has no day any more, looks
    like an LMS that lost its days."""
    return frozenset(known - spoken_of(desired))


def spoken_of(desired: Desired) -> frozenset[str]:
    """The sessions of which the LMS says something: that they are on, and when; or that there is no seat."""
    return frozenset(
        one.session.id
        for one in desired.registrations
        if one.session.days or one.session.cancelled or one.standing is not Standing.WANTED
    )


def released(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """The ledger at the beginning of a new baseline: what vanished while nobody maintained it proves
    nothing, so whatever might still be there has to be seen again."""
    unproven = (State.PENDING, State.LIVE, State.MISSING, State.HELD)
    return [
        replace(entry, state=State.RELEASED, missing_since=None) if entry.state in unproven else entry
        for entry in entries
    ]


def _sort_out(
    person: str, entries: Sequence[LedgerEntry], listing: Listing | None, installation: str
) -> tuple[list[tuple[EventKey, ActualEvent]], int]:
    """The events seen that are this person's, each with its key, and how many are not."""
    recorded = {entry.event_id: entry.key for entry in entries if entry.event_id}
    ours, foreign = [], 0
    for event in listing.events if listing else ():
        marker = event.marker
        # A recorded id is ours whatever became of its marker.
        if event.event_id in recorded:
            ours.append((recorded[event.event_id], event))
        elif marker and marker.installation == installation and marker.key.person == person:
            ours.append((marker.key, event))
        else:
            foreign += 1
    return ours, foreign


def _rooms(
    desired: Desired, entries: Sequence[LedgerEntry], events: Sequence[tuple[EventKey, ActualEvent]]
) -> Iterator[_Room]:
    active = desired.person is not None and desired.person.active
    registrations = {one.session.id: one for one in desired.registrations} if active else {}
    rows: dict[str, list[LedgerEntry]] = defaultdict(list)
    seen: dict[str, list[ActualEvent]] = defaultdict(list)
    for entry in entries:
        rows[entry.key.session].append(entry)
    for key, event in events:
        seen[key.session].append(event)
    for session in sorted(registrations.keys() | rows.keys() | seen.keys()):
        yield _Room(session, registrations.get(session), tuple(rows[session]), tuple(seen[session]))


def _plan_session(
    room: _Room,
    looked: bool,
    policy: Policy,
    now: datetime,
    seen_before: frozenset[str],
    gathered: _Gathered,
) -> None:
    by_slot = {entry.key.slot: entry for entry in room.entries}
    recorded = {entry.event_id: entry.key.slot for entry in room.entries if entry.event_id}
    sights: dict[int, list[ActualEvent]] = defaultdict(list)
    for event in sorted(room.events, key=lambda event: (event.event_id, event.calendar_id)):
        slot = recorded.get(event.event_id)
        sights[slot if slot is not None else _marked(event)].append(event)
    events = _desired_events(room, by_slot, sights, policy, now)
    gathered.wanted.extend(
        event.day.start_instant for event in events.values() if event.day.end_instant > now
    )
    lagging = room.registration is not None and any(
        unregistration_unseen(entry, room.registration.seat, now) for entry in room.entries
    )
    for slot in sorted(events.keys() | by_slot.keys() | sights.keys()):
        case = SlotCase(
            installation=policy.installation,
            registration=room.registration,
            event=events.get(slot),
            entry=by_slot.get(slot),
            actuals=tuple(sights.get(slot, ())),
            looked=looked,
            now=now,
            lagging=lagging,
        )
        outcome = settle(case)
        gathered.look |= outcome.look
        gathered.waiting |= outcome.waiting
        gathered.surplus.extend(event.event_id for event in outcome.surplus)
        gathered.changes.extend(outcome.changes or _second_sight(case, outcome, seen_before))


def _second_sight(case: SlotCase, outcome: Outcome, seen_before: frozenset[str]) -> list[Change]:
    """The delete of one surplus event that was seen before. One change for a key at a time: the next one
    must know the row, and the doomed ids, that this one leaves behind."""
    due = (event for event in outcome.surplus if event.event_id in seen_before)
    return [DeleteSurplus(outcome.key, Cause.REPAIR, case.entry, event) for event in islice(due, 1)]


def _marked(event: ActualEvent) -> int:
    if event.marker is None:
        raise ValueError("an event without marker and without recorded id cannot be in a plan")
    return event.marker.key.slot


def _desired_events(
    room: _Room,
    entries: dict[int, LedgerEntry],
    sights: dict[int, list[ActualEvent]],
    policy: Policy,
    now: datetime,
) -> dict[int, DesiredEvent]:
    """What should be there, by slot. Events seen without a row count as slots, so that a lost state is
    rebuilt from the markers."""
    registration = room.registration
    if registration is None or not wants(registration):
        return {}
    slots = [
        Slot(slot, entry.starts, entry.ends, open=entry.state not in (State.GONE, State.REMOVING))
        for slot, entry in entries.items()
    ]
    for slot, events in sights.items():
        day = next((event.day for event in _ours_first(events, policy) if event.day), None)
        if slot not in entries:
            starts, ends = (day.start_instant, day.end_instant) if day else (now, now)
            slots.append(Slot(slot, starts, ends, open=True, recorded=False))
    session = registration.session
    removal = removal_of(registration, policy.gives_back)
    content = content_of(session, removal)
    return {
        slot: DesiredEvent(
            key=EventKey(registration.person, session.id, slot),
            seat=registration.seat,
            role=registration.role,
            day=day,
            content=content,
            removal=removal,
            digest=digest_of(session, day, removal),
        )
        for slot, day in match(session.days, slots, now).items()
    }


def wants(registration: Registration) -> bool:
    """Whether every day of the session is desired."""
    session = registration.session
    return registration.standing is Standing.WANTED and not session.cancelled and session.refused is None


def _ours_first(events: Sequence[ActualEvent], policy: Policy) -> list[ActualEvent]:
    return sorted(events, key=lambda event: not made_by_us(policy.installation, event))


def _rank(change: Change) -> tuple[bool, bool, datetime, EventKey]:
    """Near sessions before far ones; rewrites that are no news after news; deletes last."""
    return isinstance(change, DELETING), change.cause is Cause.REWRITE, starts_of(change), change.key
