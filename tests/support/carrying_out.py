"""A world of one person in memory, and what carrying a plan out does to it: no calls, no failures.

It follows the rules for each change and nothing else, so that a plan can be carried out and made again
many thousand times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.diff.changes import (
    Adopt,
    Change,
    Create,
    Delete,
    DeleteSurplus,
    FinishRemoval,
    Forget,
    MarkMissing,
    Take,
    Update,
)
from reconciler.diff.fields import made_as
from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, Desired, DesiredEvent, Digest, EventKey, LedgerEntry, Role, State
from tests.support.builders import (
    ACCOUNT,
    CALENDAR,
    INSTALLATION,
    NOW,
    PROVIDER,
    a_draft,
    a_listing,
    a_policy,
)


@dataclass
class World:
    """One person's ledger and calendar. ``used`` are the ids the vendor remembers."""

    desired: Desired
    rows: dict[EventKey, LedgerEntry]
    events: dict[str, ActualEvent]
    used: set[str] = field(default_factory=set)
    seen: tuple[str, ...] = ()
    etags: int = 100

    @classmethod
    def of(
        cls, desired: Desired, rows: Iterable[LedgerEntry] = (), events: Iterable[ActualEvent] = ()
    ) -> World:
        """A world that begins with these."""
        world = cls(desired, {row.key: row for row in rows}, {event.event_id: event for event in events})
        world.used = set(world.events) | {row.event_id for row in world.rows.values() if row.event_id}
        return world

    def push(self, now: datetime = NOW) -> Plan:
        """The plan of a push pass."""
        return plan(self.desired, list(self.rows.values()), None, a_policy(), now)

    def audit(self, now: datetime = NOW) -> Plan:
        """The plan of an audit, which also remembers what is surplus."""
        listing = a_listing(*self.events.values())
        planned = plan(self.desired, list(self.rows.values()), listing, a_policy(), now, self.seen)
        self.seen = planned.surplus
        return planned

    def carry_out(self, planned: Plan, now: datetime = NOW) -> None:
        """Do what the plan says."""
        for change in planned.changes:
            self._carry_out(change, now)

    def _carry_out(self, change: Change, now: datetime) -> None:
        match change:
            case Create():
                self._create(change, now)
            case Adopt():
                generation = change.actual.marker.generation if change.actual.marker else 0
                self._live(change.event, change.entry, change.actual, generation, now)
            case Update():
                self._update(change, now)
            case Take():
                self._row(change.event, change.entry, change.actual, change.entry.generation, now)
            case Delete():
                self._delete(change, now)
            case DeleteSurplus():
                self._delete_surplus(change, now)
            case FinishRemoval():
                self._delete_ours(change.key)
                self._gone(change.entry, now)
            case Forget():
                self._forget(change, now)
            case MarkMissing():
                row = replace(change.entry, state=State.MISSING, missing_since=change.since, updated_at=now)
                self.rows[change.key] = row

    # One change -----------------------------------------------------------------------------------

    def _create(self, change: Create, now: datetime) -> None:
        """Find it where that is asked for; otherwise make it under the first id that is free."""
        found = self.made(change.key) if change.search or change.again else []
        doomed = change.entry.doomed if change.entry else ()
        usable = [event for event in found if event.event_id not in doomed]
        if usable:
            self._live(change.event, change.entry, usable[0], change.generation, now)
            return
        generation = change.generation
        while made_as(INSTALLATION, change.key, generation) in self.used - self._pending(change):
            generation += 1
        draft = a_draft(change.event, generation)
        made = ActualEvent(draft.made_as, CALENDAR, "", None, draft.made_as, "", "", None, None)
        self.used.add(made.event_id)
        self._live(change.event, change.entry, made, generation, now)

    def _update(self, change: Update, now: datetime) -> None:
        """Write it, if it is still there; an owner's deletion is never revived."""
        known = self.events.get(change.entry.event_id or "")
        if known is not None:
            self._live(change.event, change.entry, known, change.entry.generation, now)

    def _delete(self, change: Delete, now: datetime) -> None:
        """Delete by id."""
        event = self.events.get(change.event_id)
        if event is not None:
            del self.events[change.event_id]
        self._gone(change.entry, now, change.event_id)

    def _delete_surplus(self, change: DeleteSurplus, now: datetime) -> None:
        """Delete an orphan, which leaves a row that is gone, or a twin, whose row stays as it is."""
        self.events.pop(change.actual.event_id, None)
        entry = change.entry
        if entry is None or entry.state is State.RELEASED:
            self._gone(entry or _row_of_orphan(change), now, change.actual.event_id)
        else:
            self.rows[change.key] = replace(entry, doomed=(*entry.doomed, change.actual.event_id))

    def _forget(self, change: Forget, now: datetime) -> None:
        """Gone; where a search was asked for, what it found and we made goes too."""
        if change.search:
            self._delete_ours(change.key)
        self._gone(change.entry, now)

    # What they share ------------------------------------------------------------------------------

    def made(self, key: EventKey) -> list[ActualEvent]:
        """The events of this key that we made."""
        chosen = {made_as(INSTALLATION, key, generation) for generation in range(20)}
        return [event for event in self.events.values() if event.made_as in chosen]

    def _pending(self, change: Create) -> set[str]:
        """The id of a create that is repeated is not used up by its own intent."""
        return {change.entry.event_id} if change.again and change.entry and change.entry.event_id else set()

    def _delete_ours(self, key: EventKey) -> None:
        for event in self.made(key):
            del self.events[event.event_id]

    def _live(
        self,
        event: DesiredEvent,
        entry: LedgerEntry | None,
        known: ActualEvent,
        generation: int,
        now: datetime,
    ) -> None:
        self.etags += 1
        draft = a_draft(event, generation)
        written = replace(
            known,
            etag=f"etag-{self.etags}",
            marker=draft.marker,
            title=draft.content.title,
            location=draft.content.location,
            block=draft.content.block,
            day=draft.day,
        )
        self.events[written.event_id] = written
        self._row(event, entry, written, generation, now)

    def _row(
        self,
        event: DesiredEvent,
        entry: LedgerEntry | None,
        actual: ActualEvent,
        generation: int,
        now: datetime,
    ) -> None:
        self.rows[event.key] = LedgerEntry(
            key=event.key,
            account=ACCOUNT,
            provider=PROVIDER,
            role=event.role,
            seat=event.seat,
            state=State.LIVE,
            generation=generation,
            event_id=actual.event_id,
            calendar_id=actual.calendar_id,
            etag=actual.etag,
            digest=event.digest,
            starts=event.day.start_instant,
            ends=event.day.end_instant,
            doomed=entry.doomed if entry else (),
            updated_at=now,
        )

    def _gone(self, entry: LedgerEntry, now: datetime, *doomed: str) -> None:
        row = replace(entry, state=State.GONE, doomed=(*entry.doomed, *doomed), missing_since=None)
        self.rows[entry.key] = replace(row, updated_at=now)


def _row_of_orphan(change: DeleteSurplus) -> LedgerEntry:
    actual, marker = change.actual, change.actual.marker
    assert actual.day is not None
    assert marker is not None
    return LedgerEntry(
        key=change.key,
        account=ACCOUNT,
        provider=PROVIDER,
        role=Role.LEARNER,
        seat=None,
        state=State.RELEASED,
        generation=marker.generation,
        event_id=actual.event_id,
        calendar_id=actual.calendar_id,
        etag=actual.etag,
        digest=Digest("", "", ""),
        starts=actual.day.start_instant,
        ends=actual.day.end_instant,
    )
