"""The confirm pass: from a suspicion to a proof, and from a proof to the seat given back in the LMS.

Each step is written down before the next: grace begun, intent with its evidence and deadline, the LMS's
answer. A crash between any two changes nothing about the outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.apply import Hand
from reconciler.diff.changes import Cause, Create, Update
from reconciler.diff.confirm import (
    BeginGrace,
    Bench,
    ConfirmPolicy,
    Dismiss,
    HoldSeat,
    Judgement,
    LivesOn,
    PutBack,
    Sought,
    Unregister,
)
from reconciler.diff.fields import Field, differences, ours
from reconciler.diff.why import LMS_REFUSED
from reconciler.errors import LmsUnreadable
from reconciler.evidence import evidence_for, has_witness, mark_of, request_for, request_of, seek
from reconciler.look import MARGIN
from reconciler.model import (
    Connection,
    ConnectionState,
    Desired,
    EventKey,
    HoldReason,
    LedgerEntry,
    Mode,
    PersonState,
    Role,
    Service,
    State,
    Suspicion,
)
from reconciler.patience import Patience, answered, asked_later, unresolved
from reconciler.ports import (
    Calendar,
    FleetLimit,
    Lease,
    Mail,
    Notice,
    NoticeKind,
    Notices,
    Occurrence,
    Registrar,
    RegistrarAnswer,
    RegistrarOutcome,
)
from reconciler.sitting import Sitting
from reconciler.turn import Turn, TurnReport, needs_baseline, same_human
from reconciler.world import Order, World, mode_of, policy_of, unregister_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Court:
    """What a confirmation needs beyond a turn's world. ``limit`` is how many may vanish at a service, and
    ``fleet_held`` names those where it is exceeded and not released by an operator."""

    registrar: Registrar
    notices: Notices
    policy: ConfirmPolicy
    limit: Callable[[Service], FleetLimit]
    fleet_held: frozenset[str]


def confirm(world: World, order: Order, court: Court, people: Sequence[str]) -> list[TurnReport]:
    """Hear the vanished events of these people; raises only what ends the cycle (``CycleError``)."""
    with Sitting(world, order, people) as sitting:
        reports = [TurnReport(person, None, "taken") for person in people if person not in sitting.lease]
        for person in sitting.people():
            state, connection = sitting.states.get(person), sitting.connections.get(person)
            if connection is None or _rests(order, connection, state):
                reports.append(TurnReport(person, None, "skipped"))
                continue
            lease, desired = sitting.lease, sitting.desired[person]
            turn = Turn(world, order, lease, state, desired, connection, None)
            hearing = Confirmation(world, order, court, lease, desired, connection)
            reports.append(_heard(turn, hearing, connection, sitting.entries[person]))
        return reports


def _rests(order: Order, connection: Connection, state: PersonState | None) -> bool:
    """Whether the vendor does not answer, or has asked not to be asked yet."""
    backed_off = state is not None and state.retry_at is not None and state.retry_at > order.now
    return backed_off or order.weather.down(connection.service)


def _heard(
    turn: Turn, hearing: Confirmation, connection: Connection, entries: Sequence[LedgerEntry]
) -> TurnReport:
    try:
        notes = hearing.hear(entries)
    except Exception as problem:
        return turn.contain(connection, problem)
    turn.order.weather.success(connection.service)
    outcome = "changed" if notes else "idle"
    return TurnReport(turn.person, connection.provider, outcome, looked=bool(notes), notes=tuple(notes))


@dataclass(frozen=True)
class Confirmation:
    """One person's vanished events."""

    world: World
    order: Order
    court: Court
    lease: Lease
    desired: Desired
    connection: Connection

    @property
    def person(self) -> str:
        return self.desired.person_id

    @property
    def lms(self) -> Patience:
        return Patience(self.court.registrar, self.order.weather)

    def hear(self, entries: Sequence[LedgerEntry]) -> list[str]:
        """Judge and act; what was done, in words for counting. Raises like a turn."""
        done = [self._resolve(session, rows) for session, rows in unresolved(entries, self.order.now).items()]
        if not self._may_judge():
            return done
        bench = self._bench(entries, {})
        to_ask = list(bench.to_ask())
        if not to_ask:
            return done
        # The clock of the proof starts before anything is looked at.
        deadline = self.lms.deadline()
        calendar = self.world.providers[self.connection.provider].open(self.connection)
        listing = calendar.listing(self.order.now - MARGIN)
        installation = self.world.policy.installation
        sought = {entry.key: seek(calendar, listing, installation, entry) for entry in to_ask}
        witnessed = has_witness(self.world.ledger, self.connection, to_ask, self.order.now)
        witnessed &= not any(one.denied for one in sought.values())
        bench = self._bench(entries, sought, witnessed)
        return done + [self._carry_out(one, bench, calendar, deadline) for one in bench.judge()]

    def _may_judge(self) -> bool:
        """Whether an absence can mean anything here: a healthy, maintained calendar that may be written."""
        connection = self.connection
        switches = self.order.switches.get(connection.account)
        return (
            connection.state is ConnectionState.CONNECTED
            and not needs_baseline(connection, self.order.now)
            and switches is not None
            and switches.email_notifications
            and connection.provider in switches.vendors
            and mode_of(self.world, switches) is Mode.SYNC
            and same_human(self.desired, connection).person is not None
        )

    def _bench(
        self, entries: Sequence[LedgerEntry], sought: Mapping[EventKey, Sought], witnessed: bool = True
    ) -> Bench:
        desired = same_human(self.desired, self.connection)
        active = desired.person is not None and desired.person.active
        switches = self.order.switches.get(self.connection.account)
        return Bench(
            entries=entries,
            registrations={one.session.id: one for one in desired.registrations} if active else {},
            sought=sought,
            policy=replace(self.court.policy, mode=unregister_of(self.world, switches)),
            fleet_held=any(str(one) in self.court.fleet_held for one in self.connection.service.circles),
            now=self.world.clock(),
            gives_back=policy_of(self.world, switches).gives_back,
            witnessed=witnessed,
        )

    # Acting ---------------------------------------------------------------------------------------

    def _carry_out(
        self, judgement: Judgement, bench: Bench, calendar: Calendar, deadline: datetime | None
    ) -> str:
        match judgement:
            case LivesOn():
                return self._follow(judgement, calendar)
            case BeginGrace():
                return self._begin_grace(judgement)
            case HoldSeat():
                return self._hold(judgement)
            case Dismiss():
                dismissed = replace(judgement.entry, state=State.DISMISSED, missing_since=None)
                self._save([dismissed], "dismissed", judgement.why)
                return "dismissed"
            case PutBack():
                return self._put_back(judgement, calendar)
            case Unregister() if deadline is None or self.lms.over:
                return "LMS not reached"
            case Unregister():
                return self._unregister(judgement, bench, calendar, deadline)

    def _follow(self, judgement: LivesOn, calendar: Calendar) -> str:
        """The row follows its event, which gets its marker back if it has lost it: lists find it by that."""
        actual, event = judgement.actual, judgement.event
        back = replace(
            judgement.entry,
            state=State.LIVE,
            event_id=actual.event_id,
            calendar_id=actual.calendar_id,
            etag=actual.etag,
            missing_since=None,
            suspicion=Suspicion(put_back=judgement.entry.suspicion.put_back),
            copied=not ours(self.world.policy.installation, judgement.entry, actual),
        )
        self._save([back], "found again", f"in calendar {actual.calendar_id}")
        if actual.marker is None and event is not None:
            differs = frozenset({Field.MARKER}) | differences(event.content, event.day, actual)
            self._hand(calendar).apply([Update(back.key, Cause.DRIFT, event, back, actual, differs)])
        return "found again"

    def _begin_grace(self, judgement: BeginGrace) -> str:
        proven = Suspicion(confirmed_at=self.world.clock(), grace_until=judgement.until)
        rows = [
            replace(entry, state=State.MISSING, suspicion=replace(proven, put_back=entry.suspicion.put_back))
            for entry in judgement.entries
        ]
        letters: Sequence[Mail] = ()
        if all(entry.suspicion.confirmed_at is None for entry in judgement.entries):
            why = "its owner deleted the event"
            letters = self._letters(NoticeKind.DELETED, judgement.entries, why, judgement.until)
        self._save(rows, "proven a first time", judgement.until.isoformat(), letters)
        return "grace begun"

    def _hold(self, judgement: HoldSeat) -> str:
        rows = [
            replace(
                entry,
                state=State.HELD,
                suspicion=replace(
                    entry.suspicion,
                    hold_reason=judgement.reason,
                    held_since=entry.suspicion.held_since or self.order.now,
                ),
            )
            for entry in judgement.entries
        ]
        letters: Sequence[Mail] = ()
        if judgement.reason is not HoldReason.FLEET_GUARD:
            until = self.court.policy.answer_until(rows, self.order.now)
            letters = self._letters(NoticeKind.QUESTION, judgement.entries, judgement.reason, until)
        self._save(rows, "held", judgement.reason, letters)
        return "held"

    def _put_back(self, judgement: PutBack, calendar: Calendar) -> str:
        entry, event = judgement.entry, judgement.event
        put_back = str(event.digest) if judgement.final else None
        cleared = replace(entry, missing_since=None, suspicion=Suspicion(put_back=put_back))
        change = Create(entry.key, Cause.REPAIR, event, cleared, entry.generation + 1, search=True)
        told = judgement.final and entry.role is Role.LEARNER
        letters = self._letters(NoticeKind.PUT_BACK, [entry], judgement.why) if told else ()
        self._save([entry], "being put back", judgement.why, letters)
        applied = self._hand(calendar).apply([change])
        if applied.open:
            return "failed to put back"
        log.info("put back: person %s, session %s: %s", self.person, entry.key.session, judgement.why)
        return "put back"

    def _unregister(self, judgement: Unregister, bench: Bench, calendar: Calendar, deadline: datetime) -> str:
        request = request_for(judgement, self.connection, self.world.policy.installation, bench.now, deadline)
        rows = [
            replace(
                entry,
                state=State.UNREGISTERING,
                intent=f"unregister {request.reference}",
                suspicion=replace(entry.suspicion, deadline=deadline),
            )
            for entry in judgement.entries
        ]
        proof = evidence_for(judgement, request, self.connection, bench.sought, calendar.heard)
        limits = [self.court.limit(one) for one in self.connection.service.circles]
        if not self.world.ledger.begin_unregistering(self.lease, self.person, rows, proof, limits):
            return self._hold(HoldSeat(judgement.session, judgement.entries, HoldReason.FLEET_GUARD))
        try:
            answer = self.lms.unregister(request)
        except LmsUnreadable as problem:
            # Certainly not written: the suspicion stands where it stood.
            self._save(judgement.entries, "not given back yet", str(problem)[:200])
            return "LMS not reached"
        return self._conclude(judgement.session, rows, answer, calendar, judgement)

    def _conclude(
        self,
        session: str,
        rows: Sequence[LedgerEntry],
        answer: RegistrarAnswer,
        calendar: Calendar | None,
        judgement: Unregister | None,
    ) -> str:
        """Write down what the LMS answered, and act on it."""
        match answer.outcome:
            case RegistrarOutcome.DONE:
                return self._given_back(session, rows, answer)
            case RegistrarOutcome.LOST:
                gone = [replace(row, state=State.GONE, intent=None, suspicion=Suspicion()) for row in rows]
                self._save(gone, "not ours to give back any more", answer.why)
                return "lost"
            case RegistrarOutcome.REFUSED | RegistrarOutcome.STILL_THERE:
                back = [
                    replace(
                        row, state=State.MISSING, intent=None, suspicion=replace(row.suspicion, deadline=None)
                    )
                    for row in rows
                ]
                self._save(back, "still registered", answer.why)
                if answer.outcome is RegistrarOutcome.REFUSED and judgement and calendar:
                    return self._refused(judgement, back, answer, calendar)
                return "still there"
            case RegistrarOutcome.UNKNOWN:
                whose = f"person {self.person}, session {session}"
                log.warning("no usable answer from the LMS for %s: asked again later (%s)", whose, answer.why)
                return "unknown"

    def _given_back(self, session: str, rows: Sequence[LedgerEntry], answer: RegistrarAnswer) -> str:
        given = [replace(row, state=State.UNREGISTERED, intent=None, suspicion=Suspicion()) for row in rows]
        letters = self._letters(NoticeKind.GIVEN_BACK, rows, "its owner deleted the event")
        self._save(given, "seat given back", answer.trace or answer.why or "done", letters)
        self.world.metrics.given_back(self.connection.provider, rows, self.world.clock())
        return "given back"

    def _refused(
        self,
        judgement: Unregister,
        rows: Sequence[LedgerEntry],
        answer: RegistrarAnswer,
        calendar: Calendar,
    ) -> str:
        """The LMS says no: the events are put back."""
        for one in self._bench(rows, {}).put_back(rows, f"{LMS_REFUSED}{answer.why}", final=True):
            if isinstance(one, PutBack):
                self._put_back(one, calendar)
        return "refused"

    # After a crash --------------------------------------------------------------------------------

    def _resolve(self, session: str, rows: list[LedgerEntry]) -> str:
        """An un-registration whose answer was never written down: after its deadline the LMS is asked."""
        if self.lms.over:
            return "unresolved"
        deadlines = [row.suspicion.deadline for row in rows if row.suspicion.deadline]
        if deadlines and max(deadlines) > self.court.registrar.now():
            return "unresolved"
        proofs = self.world.ledger.evidence(self.person, session)
        if not proofs:
            return "unresolved"
        # Before it is asked: who waits for an answer may be gone, or their lease, when there is none.
        rows = asked_later(rows, self.world.clock())
        self.world.ledger.save(self.lease, self.person, rows)
        try:
            answer = self.lms.resolve(request_of(proofs[-1]))
        except LmsUnreadable as problem:  # of this seat perhaps: the others are heard all the same
            answer = RegistrarAnswer(RegistrarOutcome.UNKNOWN, problem.what)
        return self._conclude(session, answered(rows), answer, None, None)

    # Parts ----------------------------------------------------------------------------------------

    def _hand(self, calendar: Calendar) -> Hand:
        world = self.world
        return Hand(
            installation=world.policy.installation,
            connection=self.connection,
            calendar=calendar,
            ledger=world.ledger,
            lease=self.lease,
            clock=world.clock,
            private=world.private,
        )

    def _save(self, rows: Sequence[LedgerEntry], what: str, why: str, letters: Sequence[Mail] = ()) -> None:
        now = self.world.clock()
        story = [Occurrence(now, self.person, row.key.session, row.key.slot, what, why) for row in rows]
        stamped = [replace(row, updated_at=now) for row in rows]
        self.world.ledger.save(self.lease, self.person, stamped, story, letters)

    def _letters(
        self, kind: NoticeKind, rows: Sequence[LedgerEntry], why: str, until: datetime | None = None
    ) -> Sequence[Mail]:
        """What tells of one session, once for its deletion, by which it is named."""
        session, account = rows[0].key.session, self.connection.account
        notice = Notice(kind, self.person, account, session, why, until, mark=mark_of(rows))
        return self.court.notices.letters(notice)
