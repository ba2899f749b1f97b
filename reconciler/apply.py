"""Carries a plan out: intent, call, confirmation; serially within one calendar.

Every call that writes is preceded by a commit that says what is about to happen and followed by one that
says what did. A crash between any two leaves a row from which the truth table finds the way on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

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
    differing,
    name_of,
    named,
)
from reconciler.diff.fields import Field, differences, made_as, ours, token_of
from reconciler.errors import EventChanged, EventGone, EventIdUsed, EventRefused
from reconciler.model import (
    ActualEvent,
    Connection,
    DesiredEvent,
    Digest,
    Draft,
    EventKey,
    LedgerEntry,
    Marker,
    Role,
    State,
    Suspicion,
    Written,
)
from reconciler.ports import Calendar, Clock, Lease, Ledger, Occurrence

MOST_GENERATIONS = 20
"""Used ids that one create walks past before the event is refused: far more than an owner ever deletes."""

UNWRITTEN = Digest("", "", "")
"""Of an event whose present text is not ours."""

LONGEST_BACK_OFF = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Done:
    """One change carried out: its name and cause for the metrics, and how it ended."""

    change: str
    cause: str
    result: str  # ok, retried, refused


@dataclass
class Applied:
    """How a plan went. ``look_again``: something was not as planned; observe and decide once more.
    ``open``: something is not settled, so the person's digest must not be recorded as applied."""

    look_again: bool = False
    open: bool = False


@dataclass(frozen=True)
class Hand:
    """What is needed to work on one person's calendar. ``gets_on`` is called before each change; once there
    was ``enough``, no further one is begun. ``done`` is what was carried out, in spite of any error.
    """

    installation: str
    connection: Connection
    calendar: Calendar
    ledger: Ledger
    lease: Lease
    clock: Clock
    private: bool = False
    gets_on: Callable[[], None] = lambda: None
    enough: Callable[[], bool] = lambda: False
    done: list[Done] = field(default_factory=list)

    def apply(self, changes: Sequence[Change]) -> Applied:
        """Carry the changes out in their order. One refused event does not stop the others; what stops
        the calendar or the connection is raised."""
        applied = Applied()
        self.calendar.foresee([one.known for one in changes if isinstance(one, Update)])
        for place, change in enumerate(changes):
            self.gets_on()
            if place and self.enough():
                applied.open = True
                break
            try:
                self._apply(change, applied)
            except (EventChanged, EventGone):
                applied.look_again = applied.open = True
                self.done.append(Done(name_of(change), change.cause, "retried"))
            except EventRefused as refused:
                applied.open = True
                self.done.append(Done(name_of(change), change.cause, "refused"))
                self._back_off(change, refused)
            else:
                self.done.append(Done(name_of(change), change.cause, "ok"))
        return applied

    def _apply(self, change: Change, applied: Applied) -> None:
        match change:
            case Create():
                self._create(change)
            case Adopt():
                self._adopt(change)
            case Update():
                self._update(change)
            case Take():
                self._take(change)
            case Delete():
                self._delete(change)
            case DeleteSurplus():
                self._delete_surplus(change)
            case FinishRemoval():
                self._finish_removal(change)
                applied.look_again = applied.open = True
            case Forget():
                self._forget(change)
            case MarkMissing():
                raise TypeError("what is missing is written down before anything is applied")

    # Making and keeping ---------------------------------------------------------------------------

    def _create(self, change: Create) -> None:
        found = self._found_before(change)
        if found is not None:
            self._settle_on(change.event, change.entry, found, change.generation, change.cause)
            return
        for generation in range(change.generation, change.generation + MOST_GENERATIONS):
            row = self._intended(change, generation)
            self._save(row, "create intended", change.cause)
            try:
                written = self.calendar.create(self._draft(change.event, generation))
            except EventIdUsed:
                # Our own earlier attempt, or an id used in an earlier life. The latter proves nothing.
                chosen = made_as(self.installation, change.key, generation)
                if (actual := self.calendar.get(chosen, self._default)) is not None:
                    self._settle_on(change.event, row, actual, generation, change.cause)
                    return
                continue
            self._confirm(row, change.event, written, "created", change.cause)
            return
        raise EventRefused(f"{MOST_GENERATIONS} ids in a row were used before", whose=str(change.key))

    def _found_before(self, change: Create) -> ActualEvent | None:
        """The event, if it is there after all: by its recorded id, or its key in any calendar."""
        entry = change.entry
        searched = change.search and entry and entry.event_id not in entry.doomed
        if entry and searched and (actual := self._recorded(entry)) is not None:
            return actual
        if not change.search and (not change.again or self.calendar.capabilities.client_ids):
            return None
        doomed = entry.doomed if entry else ()
        found = self.calendar.find(token_of(self.installation, change.key)).events
        usable = [event for event in found if event.event_id not in doomed]
        return min(usable, key=lambda event: (not self._made(event, entry), event.event_id), default=None)

    def _settle_on(
        self,
        event: DesiredEvent,
        entry: LedgerEntry | None,
        actual: ActualEvent,
        generation: int,
        cause: str,
    ) -> None:
        """The row takes an event that is there; its managed fields are put right where they differ."""
        marker = actual.marker
        row = self._row(event, entry, State.LIVE, marker.generation if marker else generation)
        row = replace(row, event_id=actual.event_id, calendar_id=actual.calendar_id, etag=actual.etag)
        row = replace(row, copied=not ours(self.installation, row, actual))
        differs = differences(event.content, event.day, actual) | self._unmarked(event, actual)
        if not differs:
            self._save(replace(row, attempts=0), "adopted", cause)
            return
        # Not yet what we write, nor where: a crash, or a refusal, must leave something to do.
        at = actual.day or event.day
        row = replace(row, digest=UNWRITTEN, starts=at.start_instant, ends=at.end_instant, intent="update")
        self._write(row, event, actual, f"adopted, {named(differs)} put right")

    def _unmarked(self, event: DesiredEvent, actual: ActualEvent) -> frozenset[Field]:
        marker = actual.marker
        there = marker is not None and (marker.installation, marker.key) == (self.installation, event.key)
        return frozenset() if there else frozenset({Field.MARKER})

    def _adopt(self, change: Adopt) -> None:
        actual, entry = change.actual, change.entry
        if change.ask_first and entry and entry.event_id not in entry.doomed:
            actual = self._recorded(entry) or actual
        self._settle_on(change.event, entry, actual, entry.generation if entry else 0, change.cause)

    def _update(self, change: Update) -> None:
        row = self._row(change.event, change.entry, State.LIVE, change.entry.generation)
        # Until it is confirmed the row keeps what it last wrote: the digests say that news is due.
        entry = change.entry
        row = replace(row, digest=entry.digest, starts=entry.starts, ends=entry.ends, intent="update")
        known = change.known
        if not known.event_id:
            raise EventGone("the row has no event id", whose=str(change.key))
        row = replace(row, event_id=known.event_id, calendar_id=known.calendar_id, etag=known.etag)
        self._write(row, change.event, known, f"{differing(change)} updated ({change.cause})")

    def _write(self, row: LedgerEntry, event: DesiredEvent, known: ActualEvent, what: str) -> None:
        self._save(row, "update intended", what)
        written = self.calendar.update(self._draft(event, row.generation), known)
        self._confirm(row, event, written, "updated", what)

    def _take(self, change: Take) -> None:
        actual = change.actual
        row = self._row(change.event, change.entry, State.LIVE, change.entry.generation)
        row = replace(row, event_id=actual.event_id, calendar_id=actual.calendar_id, etag=actual.etag)
        self._save(replace(row, attempts=0), "seen", f"present; the row was {change.entry.state}")

    # Removing -------------------------------------------------------------------------------------

    def _delete(self, change: Delete) -> None:
        row = self._doom(change.entry, change.event_id, State.REMOVING)
        try:
            self.calendar.delete(change.event_id, change.calendar_id, change.etag)
        except EventGone:
            # It may have been moved to another calendar, where it would stay for ever.
            row = self._delete_found(row)
        self._gone(row, "deleted", change.cause)

    def _finish_removal(self, change: FinishRemoval) -> None:
        row = self._delete_found(change.entry)
        self._gone(row, "deleted", "an earlier removal finished")

    def _forget(self, change: Forget) -> None:
        row = self._delete_found(change.entry) if change.search else change.entry
        self._gone(row, "forgotten", change.cause)

    def _gone(self, row: LedgerEntry, what: str, why: str) -> None:
        """Nothing of it is left to be tried again."""
        over = replace(row, intent=None, attempts=0, retry_at=None, last_error=None)
        self._save(replace(over, state=State.GONE), what, why)

    def _delete_surplus(self, change: DeleteSurplus) -> None:
        actual, entry = change.actual, change.entry
        orphan = entry is None or entry.state in (State.NONE, State.RELEASED)
        row = entry or self._orphan_row(change.key, actual)
        row = self._doom(row, actual.event_id, State.REMOVING if orphan else row.state)
        with suppress(EventGone):
            self.calendar.delete(actual.event_id, actual.calendar_id, actual.etag)
        self._save(
            replace(row, state=State.GONE if orphan else row.state, intent=None),
            "deleted",
            "nobody needs it" if orphan else "a second event of the same day",
        )

    def _delete_found(self, row: LedgerEntry) -> LedgerEntry:
        """Delete what we made of this key wherever it lies; by its id too, as it may have lost its marker."""
        found = self.calendar.find(token_of(self.installation, row.key)).events
        there = {event.event_id: event for event in (self._recorded(row), *found) if event is not None}
        for event in there.values():
            if not self._made(event, row):
                continue
            row = self._doom(row, event.event_id, State.REMOVING)
            self.calendar.delete(event.event_id, event.calendar_id, event.etag)
        return row

    def _doom(self, entry: LedgerEntry, event_id: str, state: State) -> LedgerEntry:
        """Record that this very id will be deleted by us, before it is."""
        doomed = entry.doomed if event_id in entry.doomed else (*entry.doomed, event_id)
        row = replace(entry, state=state, doomed=doomed, intent="delete")
        self._save(row, "delete intended", event_id)
        return row

    def _recorded(self, entry: LedgerEntry) -> ActualEvent | None:
        """The event with the recorded id; ``None`` also where it lay in a calendar that is lost meanwhile."""
        with suppress(EventRefused):
            if entry.event_id is not None:
                return self.calendar.get(entry.event_id, entry.calendar_id or self._default)
        return None

    # Rows -----------------------------------------------------------------------------------------

    @property
    def _default(self) -> str:
        return self.connection.calendar_id

    def _made(self, event: ActualEvent, entry: LedgerEntry | None) -> bool:
        return ours(self.installation, entry, event)

    def _row(
        self, event: DesiredEvent, entry: LedgerEntry | None, state: State, generation: int
    ) -> LedgerEntry:
        return LedgerEntry(
            key=event.key,
            account=self.connection.account,
            provider=self.connection.provider,
            role=event.role,
            seat=event.seat,
            state=state,
            generation=generation,
            event_id=None,
            calendar_id=self._default,
            etag=None,
            digest=event.digest,
            starts=event.day.start_instant,
            ends=event.day.end_instant,
            doomed=entry.doomed if entry else (),
            copied=state is State.LIVE and entry is not None and entry.copied,
            attempts=entry.attempts if entry else 0,  # until it succeeds: each refusal waits longer
            suspicion=_what_stays(event, entry),
        )

    def _intended(self, change: Create, generation: int) -> LedgerEntry:
        row = self._row(change.event, change.entry, State.PENDING, generation)
        client_ids = self.calendar.capabilities.client_ids
        event_id = made_as(self.installation, change.key, generation) if client_ids else None
        return replace(row, event_id=event_id, intent="create")

    def _orphan_row(self, key: EventKey, actual: ActualEvent) -> LedgerEntry:
        day = actual.day
        return LedgerEntry(
            key=key,
            account=self.connection.account,
            provider=self.connection.provider,
            role=Role.LEARNER,
            seat=None,
            state=State.RELEASED,
            generation=actual.marker.generation if actual.marker else 0,
            event_id=actual.event_id,
            calendar_id=actual.calendar_id,
            etag=actual.etag,
            digest=UNWRITTEN,
            starts=day.start_instant if day else self.clock(),
            ends=day.end_instant if day else self.clock(),
        )

    def _confirm(self, row: LedgerEntry, event: DesiredEvent, written: Written, what: str, why: str) -> None:
        confirmed = replace(
            row,
            state=State.LIVE,
            event_id=written.event_id,
            calendar_id=written.calendar_id,
            etag=written.etag,
            digest=event.digest,
            starts=event.day.start_instant,
            ends=event.day.end_instant,
            intent=None,
            attempts=0,
            retry_at=None,
            last_error=None,
        )
        self._save(confirmed, what, why)

    def _draft(self, event: DesiredEvent, generation: int) -> Draft:
        marker = Marker(
            installation=self.installation,
            key=event.key,
            token=token_of(self.installation, event.key),
            generation=generation,
            digest=str(event.digest),
        )
        chosen = made_as(self.installation, event.key, generation)
        return Draft(event.content, event.day, marker, chosen, self.private)

    def _back_off(self, change: Change, refused: EventRefused) -> None:
        """One event is refused: tried again later and later; the others go on."""
        rows = {row.key: row for row in self.ledger.entries([change.key.person])[change.key.person]}
        if (row := rows.get(change.key)) is None:
            return
        attempts = row.attempts + 1
        wait = min(timedelta(minutes=2 ** min(attempts, 10)), LONGEST_BACK_OFF)
        failed = replace(row, attempts=attempts, retry_at=self.clock() + wait, last_error=refused.what[:500])
        self._save(failed, "refused", refused.what[:200])

    def _save(self, row: LedgerEntry, what: str, why: str) -> None:
        now, key = self.clock(), row.key
        story = Occurrence(now, key.person, key.session, key.slot, what, why)
        self.ledger.save(self.lease, key.person, [replace(row, updated_at=now)], [story])


def _what_stays(event: DesiredEvent, entry: LedgerEntry | None) -> Suspicion:
    """Of a suspicion, once its event is there again: only that it was put back once, for this seat."""
    if entry is None or entry.seat != event.seat:
        return Suspicion()
    return Suspicion(put_back=entry.suspicion.put_back)
