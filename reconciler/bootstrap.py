"""The composition root: settings become wired objects here. Adapters are named only here and in vendors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from reconciler.budget import Budget
from reconciler.clocks import doubted
from reconciler.diff.confirm import ConfirmPolicy
from reconciler.diff.guards import DeleteGuard
from reconciler.diff.plan import Policy
from reconciler.dispatch.local import LocalDispatcher
from reconciler.dispatch.remote import RemoteDispatcher
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.farewell import Farewell, Silence
from reconciler.lead import SharedClock
from reconciler.ledger.installation import Witness
from reconciler.ledger.store import SqlLedger, open_ledger
from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.source import SqlLms
from reconciler.loop import Confirming, Loop, lms_window
from reconciler.mailroom import posting_of
from reconciler.metrics import Metrics
from reconciler.model import Mode, Person
from reconciler.owner import is_dead, this_process
from reconciler.pace import AuditIntervals
from reconciler.ports import (
    CalendarProvider,
    Clock,
    ConnectFlow,
    Dispatcher,
    Installation,
    Keeping,
    LmsSource,
    Notices,
    PasswordFlow,
)
from reconciler.post.notices import OutboxNotices
from reconciler.pulse import Pulse
from reconciler.registrars import gives_back, registrar_of, unregister_mode
from reconciler.settings import DispatchKind, LmsAdapter, Settings, Visibility
from reconciler.tokens.cipher import read_keys
from reconciler.tokens.fingerprint import Fingerprints
from reconciler.tokens.store import SqlTokens
from reconciler.upkeep import Upkeep
from reconciler.vendors import Means, Quotas, TrialOf, allowances, in_use, open_vendors
from reconciler.welcome import Welcome
from reconciler.world import World

if TYPE_CHECKING:
    from reconciler.dispatch.celery_app import Broker

log = logging.getLogger(__name__)

PROGRAM = version("ilt-calendar-reconciler")
"""The version of this program."""


@dataclass(frozen=True)
class Lasting:
    """What one process keeps through every reload: what it has open, and has counted."""

    ledger: SqlLedger
    dispatcher: Dispatcher
    metrics: Metrics
    quotas: Quotas
    pulse: Pulse
    clock: Clock
    broker: Broker | None = None


@dataclass(frozen=True)
class House:
    """Everything, wired. ``close`` what :func:`open_house` opened by leaving its context."""

    settings: Settings
    lasting: Lasting
    ledger: SqlLedger
    tokens: SqlTokens
    fingerprints: Fingerprints
    lms: LmsSource
    providers: Mapping[str, CalendarProvider]
    flows: Mapping[str, ConnectFlow]
    sign_ins: Mapping[str, PasswordFlow]
    trials: Mapping[str, TrialOf]
    farewell: Farewell
    metrics: Metrics
    world: World
    loop: Loop

    def take_up(self) -> House:
        """The house, ready to work: it is the installation that the state database knows, and that state
        is the one it left. A clone or a moved installation only observes; a restored state proves nothing.
        """
        ledger, instant = self.ledger, self.world.clock()
        for last in ledger.runs(1):
            if doubt := doubted(last.finished, instant):
                log.warning("%s", doubt)
        self.end_dead_leases()
        dead = [owner for owner in ledger.senders() if is_dead(owner)]
        if dead:
            ledger.lost_letters(dead, instant)
        self.keep_in_step("start")
        here, known = self.installation, ledger.installation()
        if known is None:
            ledger.adopt_installation(here, "first start", "service", instant)
        elif known != here:
            return self._stranger(known)
        return replace(self, loop=replace(self.loop, before=self.keep_in_step))

    def join(self) -> House:
        """The house, ready to do what a scheduler hands out; whether the state is the one that was left is
        for the scheduler to know."""
        self.end_dead_leases()
        known = self.ledger.installation()
        return self if known in (None, self.installation) else self._stranger(known)

    def end_dead_leases(self) -> None:
        """Free the people of processes of this machine that died."""
        self.ledger.end_leases([owner for owner in self.ledger.lease_owners() if is_dead(owner)])

    def _stranger(self, known: Installation | None) -> House:
        log.error(
            "this is another installation than the state database knows (%s): it only observes. "
            "If it was moved on purpose, run `reconciler adopt-installation`.",
            self.installation.unlike(known),
        )
        return self._observing()

    @property
    def stranger(self) -> str:
        """Why this process only observes though its settings do not say so, and what to do; empty if it does
        not."""
        if another := another_installation(self.settings, self.ledger, self.lms):
            return another
        if self.world.mode is Mode.OBSERVE and self.settings.mode is not Mode.OBSERVE:
            return "adopted since this process began: it only observes until it is restarted"
        return ""

    def keep_in_step(self, cycle: str) -> None:
        """Notice a state database that was restored or lost, at the start and at work: what vanished
        meanwhile proves nothing. Each push counts on, so that any older copy is recognised."""
        ledger, witness = self.ledger, self.settings.state.witness_file
        restored = ledger.witness_check(witness) is Witness.RESTORED
        if restored:
            ended = ledger.end_baselines(None, None, self.world.clock())
            ledger.distrust_mail()
            log.warning(
                "the state database was restored, or its witness is gone: what vanished from %d calendars "
                "meanwhile proves nothing; they are looked at anew",
                ended,
            )
        if restored or cycle in ("start", "push"):
            ledger.witness_step(witness)

    def renewed(self, settings: Settings) -> House:
        """The house as other settings want it, ready to work, with what a process keeps; this one may finish
        what it has begun. ``ConfigurationError`` for keys that cannot be used."""
        house = _furnished(settings, self.lasting).take_up()
        return replace(house, loop=replace(house.loop, pending=self.loop.pending))

    def let_go(self) -> None:
        """Close the connections to the LMS, those in use when they are free: another house has taken over."""
        if isinstance(self.lms, SqlLms):
            self.lms.close()

    @property
    def installation(self) -> Installation:
        """What this installation is by its settings."""
        return _installation(self.settings, self.lms)

    def _observing(self) -> House:
        world = replace(self.world, mode=Mode.OBSERVE)
        return replace(self, world=world, loop=replace(self.loop, world=world))

    @property
    def welcome(self) -> Welcome:
        """How a connection begins."""
        return Welcome(self.ledger, self.tokens, self.farewell.notices, self.world.clock)

    def person(self, person_id: str) -> Person:
        """Somebody the LMS knows; ``ReconcilerError`` otherwise."""
        person = self.lms.read([person_id], lms_window(self.world.clock()))[person_id].person
        if person is None:
            raise ReconcilerError("the LMS does not know this person", whose=f"person {person_id}")
        return person


@contextmanager
def open_house(settings: Settings, clock: Clock | None = None) -> Iterator[House]:
    """Wire everything the settings speak of, and close it afterwards.

    Raises ``ConfigurationError`` for keys that cannot be used and ``StateUnreadable`` for a state database
    that cannot; the LMS and the vendors are not talked to before a cycle needs them.
    """
    with ExitStack() as opened:
        ledger = open_state(settings)
        opened.callback(ledger.close)
        here = LocalDispatcher(settings.dispatch.threads)
        opened.callback(here.close)
        dispatcher: Dispatcher = here
        shared, broker = settings.dispatch.kind is DispatchKind.CELERY, None
        if shared:
            from reconciler.dispatch.celery_app import Broker  # noqa: PLC0415 (few need it, and it is large)

            broker = Broker(settings.dispatch.broker_url, settings.installation.id, PROGRAM)
            opened.callback(broker.close)
            dispatcher = RemoteDispatcher(ledger, broker, here)
        clock = clock or (SharedClock(ledger, now) if shared else now)
        quotas = Quotas(settings.dispatch.quotas_url, settings.installation.id)
        yield _furnished(
            settings, Lasting(ledger, dispatcher, Metrics(in_use(settings)), quotas, Pulse(), clock, broker)
        )


def _furnished(settings: Settings, lasting: Lasting) -> House:
    """The house, from its settings and what lasts."""
    ledger, metrics, clock = lasting.ledger, lasting.metrics, lasting.clock
    key_files = [secret.path for secret in settings.tokens.key_files]
    tokens = SqlTokens(ledger.database, read_keys(key_files))
    tokens.check()
    lms = open_lms(settings)
    vendors = open_vendors(settings, Means(tokens, ledger, metrics, lasting.quotas, lasting.pulse.sleep))
    providers = {name: vendor.provider for name, vendor in vendors.items()}
    flows = {name: vendor.flow for name, vendor in vendors.items() if vendor.flow}
    sign_ins = {name: vendor.sign_in for name, vendor in vendors.items() if vendor.sign_in}
    posting = posting_of(settings)
    notices: Notices = OutboxNotices(posting, clock) if posting else Silence()
    confirming = _confirming(settings, lms.address, notices)
    farewell = Farewell(ledger, tokens, notices, clock, {**flows, **sign_ins})
    world = World(
        lms=lms,
        ledger=ledger,
        providers=providers,
        policy=Policy(settings.installation.id, gives_back=gives_back(settings)),
        clock=clock,
        owner=this_process(),
        mode=settings.mode,
        unregister=unregister_mode(settings),
        audits=_audits(settings),
        budget=Budget(allowances(settings), metrics.quotas),
        private=settings.visibility is Visibility.PRIVATE,
        metrics=metrics,
        farewell=farewell,
        pulse=lasting.pulse,
    )
    guard = DeleteGuard(settings.deletes.max_vanished_share, settings.deletes.min_sessions)
    fingerprints = Fingerprints(key_files)
    upkeep = Upkeep(fingerprints.of, Keeping(**dict(settings.state.retention)))
    return House(
        settings=settings,
        lasting=lasting,
        ledger=ledger,
        tokens=tokens,
        fingerprints=fingerprints,
        lms=lms,
        providers=providers,
        flows=flows,
        sign_ins=sign_ins,
        trials={name: vendor.trial for name, vendor in vendors.items() if vendor.trial},
        farewell=farewell,
        metrics=metrics,
        world=world,
        loop=Loop(
            world, lasting.dispatcher, settings.accounts.switches, guard, confirming, upkeep, posting=posting
        ),
    )


def another_installation(settings: Settings, ledger: SqlLedger, lms: LmsSource) -> str:
    """That these settings make another installation than the state database knows, and what to do; empty if
    they do not."""
    here, known = _installation(settings, lms), ledger.installation()
    if known in (None, here):
        return ""
    return (
        f"another one than the state database knows ({here.unlike(known)}): it only observes. If it was "
        "moved on purpose: `reconciler adopt-installation`, and restart"
    )


def _installation(settings: Settings, lms: LmsSource) -> Installation:
    given = settings.installation
    return Installation(given.id, lms.address, given.public_url or "")


def _audits(settings: Settings) -> AuditIntervals:
    given = settings.intervals
    return AuditIntervals(given.audit.soon, given.audit.fortnight, given.audit.later, given.jitter)


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def clock_at(instant: datetime) -> Clock:
    """A clock that shows ``instant`` now and ticks on from there."""
    offset = instant - now()
    return lambda: now() + offset


def open_state(settings: Settings) -> SqlLedger:
    """Our state database. Errors of :func:`~reconciler.ledger.store.open_ledger`."""
    url = settings.state.database
    return open_ledger(settings.state.url, url.password)


def open_lms(settings: Settings) -> LmsSource:
    """The LMS; it is not connected to before it is read."""
    given = settings.lms
    engine = read_engine(given.database, statement_timeout=given.statement_timeout.total_seconds())
    match given.adapter:
        case LmsAdapter.REFERENCE:
            return ReferenceLms(
                engine, prefix=given.reference.table_prefix, schema=given.reference.schema_name
            )
        case LmsAdapter.MOODLE:
            options = given.moodle
            return MoodleLms(
                engine,
                prefix=options.prefix,
                site_url=options.site_url,
                time_zone=options.time_zone,
                location_fields=options.location_fields,
                link_field=options.link_field,
            )


def _confirming(settings: Settings, address: str, notices: Notices) -> Confirming:
    """How deleted events are judged, and seats given back where the LMS offers a way."""
    given = settings.unregister
    person, fleet = given.person_guard, given.fleet_guard
    policy = ConfirmPolicy(
        mode=given.mode,
        multi_day=given.multi_day,
        grace=given.grace,
        grace_near=given.grace_near,
        person_seats=person.seats,
        person_share=person.share,
        person_within=person.within,
    )
    return Confirming(
        registrar_of(settings, address), notices, policy, fleet.seats, fleet.share, fleet.within
    )


def open_lms_for_writing(settings: Settings) -> Engine:
    """The LMS's database with the right to write, only for creating the reference tables.
    ``ConfigurationError`` for an LMS that has tables of its own."""
    if settings.lms.adapter is not LmsAdapter.REFERENCE:
        raise ConfigurationError(
            [f"lms.adapter: {settings.lms.adapter} has its own tables; these are for reference"]
        )
    return create_engine(settings.lms.database_to_write)
