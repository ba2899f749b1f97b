"""One cycle: scan, choose who is due, reconcile each, report.

``push`` compares the LMS with what was last applied, in two ordered streams, and costs no vendor call for
whoever has not changed. ``audit`` looks at the calendars whose time has come.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from reconciler.confirm import Court
from reconciler.diff.confirm import ConfirmPolicy
from reconciler.diff.guards import DeleteGuard, Vanished, too_many_vanished
from reconciler.due import Chosen, Picked, batches, nearest_first
from reconciler.errors import CycleError, LmsUnreadable, Stopped
from reconciler.labels import Guard
from reconciler.logs import cycle_id, within
from reconciler.model import AccountSwitches, HoldReason, Mode, PersonState, Service
from reconciler.ports import Dispatcher, Due, FleetLimit, Hold, Notices, Registrar, Run, Scan
from reconciler.post.posting import Posting
from reconciler.post.round import Round
from reconciler.tally import DESIRED, Census, Pending, Tally, standing
from reconciler.turn import TurnReport
from reconciler.upkeep import Upkeep
from reconciler.works import Hearing, Reconciling
from reconciler.world import Order, World, in_force

log = logging.getLogger(__name__)

MOST_AUDITS = 5_000
"""Calendars looked at in one audit cycle at most; the rest are due again in the next."""
LATE = timedelta(minutes=5)
"""A look that is overdue for longer is told as waiting: the quota is short."""
MOST_HEARINGS = 2_000
"""People whose vanished events are heard in one confirm cycle at most, the longest missed first."""


@dataclass(frozen=True)
class Confirming:
    """How seats are given back: by which way, after which proof. ``fleet_seats`` and ``fleet_share`` within
    ``fleet_within`` are the fleet guard's limit for each service."""

    registrar: Registrar
    notices: Notices
    policy: ConfirmPolicy
    fleet_seats: int = 5
    fleet_share: float = 0.01
    fleet_within: timedelta = timedelta(hours=1)

    def limit(self, service: Service, now: datetime) -> FleetLimit:
        """How many may vanish there."""
        return FleetLimit(service, now - self.fleet_within, now, self.fleet_seats, self.fleet_share)

    def court(self, now: datetime, held: frozenset[str]) -> Court:
        """What a confirmation needs, with the services whose limit is exceeded."""
        return Court(self.registrar, self.notices, self.policy, partial(self.limit, now=now), held)


@dataclass(frozen=True)
class Loop:
    """The cycles of one process. ``first_switches`` gives an account's switches when it is first seen;
    ``before`` is called with each cycle's name at its beginning, and may end it with a ``CycleError``."""

    world: World
    dispatcher: Dispatcher
    first_switches: Callable[[str], AccountSwitches]
    guard: DeleteGuard = field(default_factory=DeleteGuard)
    confirming: Confirming | None = None
    upkeeping: Upkeep | None = None
    posting: Posting | None = None
    before: Callable[[str], None] | None = None
    progress: Callable[[int], None] | None = None
    pending: Pending = field(default_factory=Pending)
    census: Census = field(default_factory=Census)

    def push(self) -> Run:
        """Carry to the calendars what changed in the LMS. Raises nothing but the unforeseen."""
        return self._cycle("push", self._push)

    def audit(self) -> Run:
        """Look at the calendars whose time has come. Raises nothing but the unforeseen."""
        return self._cycle("audit", self._audit)

    def confirm(self) -> Run:
        """Hear the events that have vanished, and give back the seats whose proof is complete."""
        return self._cycle("confirm", self._confirm)

    def mail(self) -> Run:
        """Tell by mail who is to be told: plan letters, and send what is due."""
        return self._cycle("mail", self._mail)

    def upkeep(self) -> Run:
        """Once a day: what idles, who is gone, what is past its time. Raises nothing but the unforeseen."""
        return self._cycle("upkeep", self._upkeep)

    def _cycle(self, name: str, work: Callable[[datetime, Tally], None]) -> Run:
        started = self.world.clock()
        self.world.pulse.begin(name)
        try:
            with within(cycle_id(name, started)):
                return self._whole_cycle(name, started, work)
        finally:
            self.world.pulse.end(name)

    def _whole_cycle(self, name: str, started: datetime, work: Callable[[datetime, Tally], None]) -> Run:
        tally = Tally()
        try:
            if self.before:
                self.before(name)
            work(started, tally)
            result, sentence = tally.result(), tally.sentence(name)
        except Stopped:
            result, sentence = "partial", f"{tally.sentence(name)}; then told to stop"
        except CycleError as problem:
            result, sentence = "error", f"{name}: ended, nothing concluded: {problem}"
        counts = {**tally.counts, **standing(self.world.metrics.quotas())}
        run = Run(name, started, self.world.clock(), result, sentence, counts)
        log.log(logging.ERROR if result == "error" else logging.INFO, "%s", sentence)
        self.world.metrics.cycle(run)
        try:
            self.world.ledger.add_run(run)
            self._gauges(run.finished)
        except CycleError as problem:
            log.error("the cycle could not be recorded: %s", problem)
        return run

    def _gauges(self, now: datetime) -> None:
        """What is the case at the end of a cycle."""
        ledger, metrics = self.world.ledger, self.world.metrics
        metrics.events(self.census.of(ledger.counts, now))
        metrics.connections(ledger.connection_counts())
        holds = [hold for hold in ledger.holds() if not hold.released]
        for guard in (Guard.VANISHED_SESSIONS, Guard.VANISHED_PEOPLE, Guard.FLEET):
            metrics.guard_holds(guard, sum(hold.count for hold in holds if hold.guard == guard))
        metrics.guard_holds(Guard.PAUSE, sum(hold.guard == Guard.PAUSE for hold in holds))
        self._next_starts(holds, now)
        for provider in self.world.providers:
            metrics.oldest_pending(provider, self.pending.oldest(provider, now))

    def _next_starts(self, holds: Sequence[Hold], now: datetime) -> None:
        """When the first of what each guard holds begins: the nearer, the more urgent a decision."""
        vanished = [
            hold.urgent_at for hold in holds if hold.guard == Guard.VANISHED_SESSIONS and hold.urgent_at
        ]
        self.world.metrics.guard_next_start(Guard.VANISHED_SESSIONS, min(vanished, default=None))
        fleet = any(hold.guard == Guard.FLEET for hold in holds)
        seats = [
            entry.starts
            for entry in (self.world.ledger.held() if fleet else ())
            if entry.suspicion.hold_reason is HoldReason.FLEET_GUARD and entry.starts > now
        ]
        self.world.metrics.guard_next_start(Guard.FLEET, min(seats, default=None))

    def _push(self, now: datetime, tally: Tally) -> None:
        ledger = self.world.ledger
        due, chosen, scan = self._scan(now, tally)
        # Only now is the scan known to be whole: nothing before this line has written to a calendar. Where
        # nobody is due nothing is deleted either, and a look at the whole ledger is saved.
        ledger.set_refusals(scan.refused, now)
        if chosen.unmaintained:
            ledger.end_baselines(None, chosen.unmaintained, now)
        guarded = due or any(one.guard == Guard.VANISHED_SESSIONS for one in ledger.holds())
        held = self._hold_what_vanished(scan, now, tally) if guarded else frozenset()
        tally.counts["people"] = chosen.seen
        self.pending.due(chosen.waiting, now, lambda: ledger.last_whole("push"))
        for provider in self.world.providers:
            self.world.metrics.desired_events(provider, chosen.desired[provider])
            tally.counts[DESIRED.format(provider)] = chosen.desired[provider]
        self._reconcile(Order(now, lms_window(now), False, chosen.switches, held), due, tally)

    def _scan(self, now: datetime, tally: Tally) -> tuple[list[Due], Chosen, Scan]:
        """Read the LMS whole, beside what we know of everybody."""
        metrics, ledger, begun = self.world.metrics, self.world.ledger, time.monotonic()
        picked = Picked(self.world.budget)
        try:
            with self.world.lms.scan(lms_window(now), now) as scan:
                chosen = Chosen(self.world.at_work("push"), self._switches(scan, now), now)
                with ledger.people() as states:
                    due = picked.take(chosen.who_is_due(scan.people, states))
        except LmsUnreadable:
            metrics.lms_unreadable()
            raise
        metrics.lms_read(time.monotonic() - begun)
        tally.counts["put off"] = picked.put_off
        return due, chosen, scan

    def _audit(self, now: datetime, tally: Tally) -> None:
        switches = self.switches_known()
        chosen = Chosen(self.world, switches, now)
        due = [Due(state.person) for state in self.audits_due(now) if chosen.workable(state)]
        held = self._held_accounts()
        tally.counts["people"] = len(due)
        self._reconcile(Order(now, lms_window(now), True, switches, held), due, tally)
        self.world.metrics.audits_waiting(self.world.ledger.audits_waiting(now - LATE, now))

    def audits_due(self, now: datetime) -> list[PersonState]:
        """Whose calendars are to be looked at now: as many as each vendor's quota leaves room for."""
        ledger, budget = self.world.ledger, self.world.budget
        found: list[PersonState] = []
        for provider in self.world.providers:
            room = budget.looks(provider, now, MOST_AUDITS)
            due = ledger.due(now, room, provider, self.world.audits) if room else []
            budget.looked(provider, len(due))
            found += due
        return found

    def _confirm(self, now: datetime, tally: Tally) -> None:
        confirming = self.confirming
        people = self.world.ledger.in_question(now, MOST_HEARINGS) if confirming else []
        tally.counts["people"] = len(people)
        # A hold that was let go ends here, also once nobody is in question any more.
        fleet = any(hold.guard == Guard.FLEET for hold in self.world.ledger.holds())
        if confirming is None or not (people or fleet):
            return
        held = frozenset(
            str(service)
            for service in self._services(people)
            if self._fleet_held(confirming.limit(service, now), now)
        )
        order = Order(now, lms_window(now), True, self.switches_known())
        hearing = Hearing(self.world.at_work("confirm"), order, confirming.court(now, held))
        self.dispatcher.run(batches([Due(person) for person in people]), hearing, tally.add)
        tally.record(self.world.metrics, looked=False)

    def _upkeep(self, now: datetime, tally: Tally) -> None:
        if self.upkeeping is not None and self.world.mode is not Mode.OBSERVE:
            world = self.world.at_work("upkeep")
            self.upkeeping.run(world, self.dispatcher, lms_window(now), now, tally)
            tally.record(self.world.metrics, looked=False)

    def _mail(self, now: datetime, tally: Tally) -> None:
        if self.posting is None or self.world.mode is Mode.OBSERVE:
            return
        world = self.world.at_work("mail")
        with self.world.lms.scan(lms_window(now)) as scan:
            begun = Round.at(world, self.posting, self._switches(scan, now), now, lms_window(now))
            due, addressees = begun.choose(scan)
        # Only now is the scan known to be whole: nothing before this line has told anybody anything.
        begun = begun.holding(self._hold_what_vanished(scan, now, tally))
        tally.counts["people"] = addressees.seen

        def plan(batch: Sequence[Due]) -> Mapping[str, int]:
            return begun.planner().run(batch)

        self.dispatcher.run(batches(sorted(due, key=nearest_first)), plan, tally.count_all)
        begun.settle(tally.counts)
        begun.ask_for_authorization(addressees.broken)
        tally.count_all(begun.send())
        tally.record(self.world.metrics, looked=False)

    def _services(self, people: Sequence[str]) -> set[Service]:
        """The vendors, and the servers of those in question and those that are held."""
        ledger = self.world.ledger
        asked = {circle for one in ledger.connections(people) for circle in one.service.circles}
        held = {Service(*one.subject.split(" ")) for one in ledger.holds() if one.guard == Guard.FLEET}
        return {Service(name) for name in self.world.providers} | asked | held

    def _fleet_held(self, limit: FleetLimit, now: datetime) -> bool:
        """Whether too many seats have vanished at this service; recorded as a hold that an operator ends."""
        ledger = self.world.ledger
        known = {hold.subject: hold for hold in ledger.holds() if hold.guard == Guard.FLEET}
        subject = str(limit.service)
        hold = known.get(subject)
        fleet = ledger.exceeding(limit)
        if fleet is None:
            if hold is None or not hold.released:
                return hold is not None
            ledger.end_hold(Guard.FLEET, subject, "released, and no more vanish", now)
            return False
        if hold is None:
            self.world.metrics.guard_triggered(Guard.FLEET)
            why = f"{fleet.vanished} of {fleet.vanished + fleet.live} seats vanished within the hour"
            ledger.hold(Hold(Guard.FLEET, subject, why, now, fleet.vanished))
            return True
        return not hold.released

    def _switches(self, scan: Scan, now: datetime) -> Mapping[str, AccountSwitches]:
        """The switches of every account; one seen for the first time gets its first values."""
        known = dict(self.world.ledger.switches())
        for account in scan.accounts:
            if account not in known:
                known[account] = self.first_switches(account)
                self.world.ledger.set_switches(known[account], "configuration", now)
        return in_force(known, self.world.ledger.holds())

    def switches_known(self) -> Mapping[str, AccountSwitches]:
        """The switches in force of every account seen so far."""
        return in_force(self.world.ledger.switches(), self.world.ledger.holds())

    def _reconcile(self, order: Order, due: Sequence[Due], tally: Tally) -> None:
        world = self.world.at_work("audit" if order.audit else "push")

        def done(reports: Sequence[TurnReport]) -> None:
            tally.add(reports)
            self.pending.settle(reports, self.world.clock(), self.world.metrics)
            if self.progress:
                self.progress(len(reports))

        self.dispatcher.run(batches(due), Reconciling(world, order), done)
        tally.record(self.world.metrics, looked=order.audit)

    def _hold_what_vanished(self, scan: Scan, now: datetime, tally: Tally) -> frozenset[str]:
        """The accounts whose untraced deletes are held, as recorded in the state database."""
        ledger = self.world.ledger
        found = {
            vanished.account: vanished
            for vanished in too_many_vanished(ledger.upcoming(now), scan.sessions, scan.crowd, self.guard)
        }
        for hold in ledger.holds():
            if hold.guard == Guard.VANISHED_SESSIONS and hold.subject not in found:
                ledger.end_hold(hold.guard, hold.subject, "the reading has recovered", now)
        held_before = {hold.subject for hold in ledger.holds() if hold.guard == Guard.VANISHED_SESSIONS}
        for vanished in found.values():
            first = ledger.first_start(vanished.account, vanished.sessions, now)
            ledger.hold(_hold(vanished, now, first))
            tally.held += 1
            if vanished.account not in held_before:
                self.world.metrics.guard_triggered(Guard.VANISHED_SESSIONS)
        return self._held_accounts()

    def _held_accounts(self) -> frozenset[str]:
        holds = self.world.ledger.holds()
        return frozenset(
            one.subject for one in holds if one.guard == Guard.VANISHED_SESSIONS and not one.released
        )


def lms_window(now: datetime) -> datetime:
    """From when on sessions are read: 30 days back, so that one moved into the past is still seen, and
    the same instant all day, so that readings of one day can be compared."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)


def _hold(vanished: Vanished, now: datetime, first: datetime | None) -> Hold:
    count = len(vanished.sessions)
    why = f"{count} of {vanished.of} sessions still to come vanished from the LMS without trace"
    return Hold(Guard.VANISHED_SESSIONS, vanished.account, why, now, count, first)
