"""One person's turn: observe, plan, guard, apply, record. ``reconcile`` is the unit of all work.

What fails stops no more than it must: an event, a calendar, a connection; an unforeseen exception this
person, this cycle. Only what stops the whole cycle is raised.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.apply import Applied, Done, Hand
from reconciler.diff.changes import MarkMissing, name_of
from reconciler.diff.drift import drift_of
from reconciler.diff.guards import Allowed, allow
from reconciler.diff.plan import Plan, plan, released
from reconciler.errors import (
    CalendarTrouble,
    ConnectionBroken,
    CycleError,
    LeaseLost,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    Throttled,
    VendorUnavailable,
)
from reconciler.look import missed, observe
from reconciler.model import (
    Connection,
    ConnectionState,
    Desired,
    LedgerEntry,
    Listing,
    PersonState,
)
from reconciler.ports import (
    Calendar,
    Due,
    Lease,
    PersonResult,
)
from reconciler.sitting import Sitting
from reconciler.world import Order, World, mode_of, policy_of

log = logging.getLogger(__name__)

TURN_SECONDS = 30.0
"""After so much time no further change of one person is begun: the others of the batch are waiting, and their
lease runs. What is left is due again in the next push, which goes on where this one stopped."""
BASELINE_LIMIT = timedelta(days=7)
"""A calendar not listed for longer says nothing by what it lacks."""
SUSPENDED_PROBE = timedelta(hours=6)
LEAVING_LIMIT = timedelta(hours=24)
"""Whoever wants events removed and be disconnected is disconnected after this time, come what may."""
LONGEST_BACK_OFF = timedelta(minutes=15)


@dataclass(frozen=True)
class TurnReport:
    """How one turn ended, for counting: plain data, for it may come from another process. ``outcome``: idle,
    changed, open, parked, failed, throttled, taken (by another process), skipped. ``drift``: what a look
    found different, by kind. ``behind``: something that should be in place is not, because of trouble;
    what waits for a proof, an answer or an operator is not behind."""

    person: str
    provider: str | None
    outcome: str
    looked: bool = False
    done: tuple[Done, ...] = ()
    drift: Mapping[str, int] | None = None
    held: int = 0
    error: str | None = None
    notes: tuple[str, ...] = ()
    behind: bool = False


def reconcile(world: World, order: Order, due: Sequence[Due]) -> list[TurnReport]:
    """The turn of each of these people; raises only what ends the cycle (``CycleError``)."""
    expected = {one.person: one.expected for one in due}
    with Sitting(world, order, list(expected)) as sitting:
        reports = [TurnReport(person, None, "taken") for person in expected if person not in sitting.lease]
        for person in sitting.people():
            turn = Turn(
                world,
                order,
                sitting.lease,
                sitting.states.get(person),
                sitting.desired[person],
                sitting.connections.get(person),
                expected[person],
            )
            reports.append(turn.take(sitting.entries[person]))
        return reports


@dataclass(frozen=True)
class Turn:
    """One person's turn. ``done`` is what was carried out in it, also where it ended in trouble."""

    world: World
    order: Order
    lease: Lease
    state: PersonState | None
    desired: Desired
    connection: Connection | None
    expected: str | None
    done: list[Done] = field(default_factory=list)

    @property
    def person(self) -> str:
        return self.desired.person_id

    @property
    def leaving(self) -> bool:
        """Whether the person wants nothing any more but the removal of what is there."""
        return self.connection is not None and self.connection.state is ConnectionState.LEAVING

    def take(self, entries: Sequence[LedgerEntry]) -> TurnReport:
        """The whole turn, whatever happens in it."""
        connection = self.connection
        if connection is None:
            self._finish(self.desired.digest, None)
            return TurnReport(self.person, None, "idle")
        if self.order.weather.down(connection.service):
            return TurnReport(self.person, connection.provider, "skipped")
        try:
            report = self._maintain(connection, entries)
            self.order.weather.success(connection.service)
            return report
        except Exception as problem:
            return self.contain(connection, problem)

    # The good case --------------------------------------------------------------------------------

    def _maintain(self, connection: Connection, entries: Sequence[LedgerEntry]) -> TurnReport:
        world, now = self.world, self.order.now
        calendar = world.providers[connection.provider].open(connection)
        look = self.order.audit or self.leaving
        if needs_baseline(connection, now):
            world.ledger.begin_baseline(self.lease, connection, now)
            entries, look = released(entries), True
        planned, allowed, looked = self._decide(connection, calendar, entries, look)
        latest = time.monotonic() + TURN_SECONDS
        hand = Hand(
            installation=world.policy.installation,
            connection=connection,
            calendar=calendar,
            ledger=world.ledger,
            lease=self.lease,
            clock=world.clock,
            private=world.private,
            gets_on=world.gets_on,
            enough=lambda: time.monotonic() > latest,
            done=self.done,
        )
        applied = self._carry_out(hand, connection, allowed, looked)
        if applied.look_again:
            entries = world.ledger.entries([self.person])[self.person]
            planned, allowed, looked = self._decide(connection, calendar, entries, look=True)
            applied = self._carry_out(hand, connection, allowed, looked)
        if looked and connection.state is ConnectionState.SUSPENDED:
            world.ledger.set_connection_state(
                connection, ConnectionState.CONNECTED, "the mailbox answers again", now
            )
        settled = allowed.whole and not (planned.waiting or applied.open)
        if self.leaving:
            return self._take_leave(connection, planned, settled)
        self._finish(
            self.desired.digest if settled else None,
            self._next_audit(planned, entries, looked),
            next_start=self._next_start(planned, entries),
        )
        outcome = "open" if not settled else ("changed" if self.done else "idle")
        return TurnReport(
            self.person,
            connection.provider,
            outcome,
            looked,
            tuple(self.done),
            drift_of(planned) if looked else None,
            len(allowed.held),
            behind=applied.open or any(_rests(entry, now) for entry in entries),
        )

    def _carry_out(self, hand: Hand, connection: Connection, allowed: Allowed, looked: bool) -> Applied:
        """Apply what is allowed. What a look missed is written down before it counts as one, in one commit:
        a crash must not leave a calendar that was empty looking like one in which something was seen."""
        missing = [one for one in allowed.changes if isinstance(one, MarkMissing)]
        if missing:
            self.world.ledger.save(self.lease, self.person, *missed(missing, self.world.clock()))
            self.done.extend(Done(name_of(one), one.cause, "ok") for one in missing)
        if looked:
            self.world.ledger.listed(self.lease, connection, self.order.now)
        applied = hand.apply([one for one in allowed.changes if not isinstance(one, MarkMissing)])
        return Applied(applied.look_again, applied.open or bool(missing))

    def _take_leave(self, connection: Connection, planned: Plan, settled: bool) -> TurnReport:
        """What follows once the coming events of somebody who leaves are removed, or some of them."""
        self._finish(None, self.order.now)
        over = settled and not planned.surplus
        if over or self._overdue(connection):
            self._say_farewell(connection, "as asked" if over else "as asked; some events may be left")
        return TurnReport(
            self.person, connection.provider, "changed", True, tuple(self.done), drift_of(planned)
        )

    def _overdue(self, connection: Connection) -> bool:
        since = connection.state_since
        return since is not None and self.order.now - since > LEAVING_LIMIT

    def _say_farewell(self, connection: Connection, why: str) -> None:
        world = self.world
        with suppress(ReconcilerError):  # connected again, or disconnected, meanwhile
            if world.farewell is not None:
                world.farewell.end(connection, "reconciler", "", why)
            else:
                world.ledger.disconnect(connection.person, "reconciler", "", world.clock(), only=connection)

    def _decide(
        self, connection: Connection, calendar: Calendar, entries: Sequence[LedgerEntry], look: bool
    ) -> tuple[Plan, Allowed, bool]:
        """Observe as much as is needed, plan, and let the guards see it."""
        desired = same_human(self.desired, connection)
        if self.leaving:
            desired = Desired(self.person, None, digest=self.desired.digest)
        now = self.order.now
        policy = policy_of(self.world, self.order.switches.get(connection.account))
        planned = plan(desired, entries, None, policy, now)
        if look or planned.look:
            look = True
            listing = self._observe(calendar, entries)
            planned = plan(desired, entries, listing, policy, now)
            seen = self.world.ledger.sight(self.lease, self.person, planned.surplus, now)
            before = [event_id for event_id, first in seen.items() if first < now]
            if before:
                planned = plan(desired, entries, listing, policy, now, before)
        return planned, self._guard(connection, planned), look

    def _observe(self, calendar: Calendar, entries: Sequence[LedgerEntry]) -> Listing:
        """The calendar as it is. Where the quota ends the look, the next one goes on: what was found absent
        is not asked for again."""
        absent: list[LedgerEntry] = []
        try:
            return observe(calendar, entries, self.order.now, absent)
        except Throttled:
            if absent:
                rows = [replace(entry, calendar_id=None) for entry in absent]
                self.world.ledger.save(self.lease, self.person, rows)
            raise

    def _guard(self, connection: Connection, planned: Plan) -> Allowed:
        return allow(
            planned,
            mode_of(self.world, self.order.switches.get(connection.account)),
            account_held=connection.account in self.order.held and not self.leaving,
            may_delete=self.desired.digest == self._confirmed_digest(),
        )

    def _confirmed_digest(self) -> str | None:
        """What this reading must be for a delete to be based on it: what the scan saw a moment ago, or,
        where there was none, what has been applied before."""
        if self.expected is not None:
            return self.expected
        return self.state.applied if self.state else None

    def _next_audit(self, planned: Plan, entries: Sequence[LedgerEntry], looked: bool) -> datetime | None:
        """When to look next, as long as there is a day to come of which we ever knew: what was removed may
        come back from the bin. A turn that did not look postpones nothing."""
        now = self.order.now
        start = now if planned.surplus else self._next_start(planned, entries)
        planned_look = self.state.next_audit if self.state and not looked else None
        if start is None:
            return planned_look
        next_look = self.world.audits.next_look(start, now, self.world.chance.random())
        return min(next_look, planned_look) if planned_look else next_look

    def _next_start(self, planned: Plan, entries: Sequence[LedgerEntry]) -> datetime | None:
        """When the first day begins that is not over, be it only one that we have taken away."""
        ahead = [entry.starts for entry in entries if entry.ends > self.order.now]
        return min([*ahead, planned.next_start] if planned.next_start else ahead, default=None)

    # The bad cases --------------------------------------------------------------------------------

    def contain(self, connection: Connection, problem: Exception) -> TurnReport:
        """What follows from a failure: it stops no more than it must. Raises what ends the cycle."""
        if isinstance(problem, CycleError):
            raise problem
        if isinstance(problem, LeaseLost):
            return self._report(connection, "taken", problem)
        if self.leaving and (isinstance(problem, ConnectionBroken) or self._overdue(connection)):
            self._say_farewell(connection, "as asked; the calendar could not be reached any more")
            return self._report(connection, "parked", problem)
        now, ledger = self.order.now, self.world.ledger
        retry_at: datetime | None = self._back_off()
        attempts, outcome = self._attempts(), "failed"
        match problem:
            case Throttled():
                retry_at = self.world.clock() + timedelta(seconds=problem.retry_after)
                attempts -= 1
                outcome = "throttled"
            case ReauthorizationNeeded():
                ledger.set_connection_state(connection, ConnectionState.REAUTHORIZE, problem.what, now)
                retry_at, outcome = None, "parked"
            case MailboxUnavailable():
                ledger.set_connection_state(connection, ConnectionState.SUSPENDED, problem.what, now)
                retry_at, outcome = now + SUSPENDED_PROBE, "parked"
            case VendorUnavailable():
                self.order.weather.failure(connection.service)
                # The service, not this calendar: the next cycle may try again at once.
                retry_at = None if self.order.weather.down(connection.service) else retry_at
            case CalendarTrouble() | ConnectionBroken() | ReconcilerError():
                pass
            case _:
                outcome = "exception"
                log.error("unforeseen, contained: person %s, this cycle", self.person, exc_info=problem)
        audit = self.state.next_audit if self.state else None
        try:
            start = self.state.next_start if self.state else None
            self._finish(None, audit, attempts, retry_at, str(problem)[:500], start)
        except LeaseLost as lost:
            return self._report(connection, "taken", lost)
        return self._report(connection, outcome, problem)

    def _report(self, connection: Connection, outcome: str, problem: Exception) -> TurnReport:
        done = tuple(self.done)
        return TurnReport(self.person, connection.provider, outcome, done=done, error=str(problem))

    def _attempts(self) -> int:
        return (self.state.attempts if self.state else 0) + 1

    def _back_off(self) -> datetime:
        return self.order.now + min(timedelta(minutes=2 ** min(self._attempts(), 10)), LONGEST_BACK_OFF)

    def _finish(
        self,
        applied: str | None,
        next_audit: datetime | None,
        attempts: int = 0,
        retry_at: datetime | None = None,
        last_error: str | None = None,
        next_start: datetime | None = None,
    ) -> None:
        result = PersonResult(applied, next_audit, attempts, retry_at, last_error, next_start)
        self.world.ledger.finish(self.lease, self.person, result, self.order.now)


# What a turn and a preview share ------------------------------------------------------------------


def _rests(entry: LedgerEntry, now: datetime) -> bool:
    """Whether this event was refused so lately that it is not tried again yet."""
    return entry.retry_at is not None and entry.retry_at > now


def needs_baseline(connection: Connection, now: datetime) -> bool:
    """Whether what the calendar lacks proves nothing, because nobody has looked for too long."""
    if connection.baseline_since is None:
        return True
    return connection.listed_at is not None and now - connection.listed_at > BASELINE_LIMIT


def same_human(desired: Desired, connection: Connection) -> Desired:
    """Nothing is desired here for somebody else to whom the LMS has given this person's id."""
    if desired.person is not None and desired.person.identity != connection.identity:
        return Desired(desired.person_id, None, digest=desired.digest)
    return desired
