"""One process of the program: the real one, in memory, over the files and vendors of a site."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reconciler.bootstrap import House
from reconciler.diff.confirm import ConfirmPolicy
from reconciler.diff.plan import Policy
from reconciler.errors import LmsUnreadable, StateUnreadable
from reconciler.ledger.database import Database, open_database
from reconciler.ledger.store import SqlLedger
from reconciler.lms.engine import read_engine
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_registrar import ReferenceRegistrar
from reconciler.lms.writing import write_engine
from reconciler.loop import Confirming, Loop
from reconciler.metrics import Metrics
from reconciler.model import AccountSwitches, Desired, Mode, Session, UnregisterMode
from reconciler.ports import (
    Registrar,
    RegistrarAnswer,
    RegistrarOutcome,
    Run,
    Scan,
    Unregistration,
)
from reconciler.post.notices import OutboxNotices
from reconciler.world import World
from tests.harness.boundaries import Boundaries
from tests.harness.clock import SimulatedClock
from tests.harness.outbox import POSTING
from tests.support.here import Here

if TYPE_CHECKING:
    from tests.harness.site import Site

INSTALLATION = "harness"
METRICS = Metrics()
"""Shared: nothing here reads them, and making them anew costs more than a cycle."""
_COMPILED: dict[Any, Any] = {}
"""Statements compiled once for all engines: compiling them again for each process costs most of its life."""
_PATTERN = sa.create_engine("sqlite://")
"""Its dialect is given to all engines, for what is compiled is compiled for one dialect."""
_PATTERN.connect().close()


class WatchedDatabase(Database):
    """Every commit is a boundary."""

    def __init__(self, engine: sa.Engine, boundaries: Boundaries) -> None:
        super().__init__(engine)
        self._boundaries = boundaries

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        def lost() -> Exception:
            return StateUnreadable("the state database could not be used")

        how = self._boundaries.before("commit", lost)
        with super().writing() as connection:
            yield connection
        self._boundaries.after(how, lost)


class WatchedLms:
    """Every read of the LMS is a boundary."""

    def __init__(self, inner: ReferenceLms, boundaries: Boundaries) -> None:
        self._inner, self._boundaries = inner, boundaries
        self.address = inner.address

    def scan(self, since: datetime, now: datetime | None = None) -> AbstractContextManager[Scan]:
        return self._cross("lms scan", lambda: self._inner.scan(since, now))

    def read(self, people: Collection[str], since: datetime) -> Mapping[str, Desired]:
        return self._cross("lms read", lambda: self._inner.read(people, since))

    def session(self, session_id: str) -> Session | None:
        return self._inner.session(session_id)

    def check(self) -> list[str]:
        return self._inner.check()

    def _cross(self, name: str, effect: Callable[[], Any]) -> Any:
        return self._boundaries.cross(name, effect, lambda: LmsUnreadable("the LMS could not be read"))


class WatchedRegistrar:
    """Every write to the LMS is a boundary, and the site is told of what it changed."""

    def __init__(self, inner: Registrar, site: Site) -> None:
        self._inner, self._site = inner, site

    def now(self) -> datetime:
        return self._inner.now()

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        how = self._site.boundaries.before("lms write", lambda: LmsUnreadable("the LMS could not be reached"))
        before = self._site.facts.statuses(request.person, request.session)
        answer = self._inner.unregister(request)
        after = self._site.facts.statuses(request.person, request.session)
        taken = [seat for seat, status in after.items() if before.get(seat) != status]
        if taken:
            self._site.oracle.given_back(request.person, request.session, taken)
        try:
            self._site.boundaries.after(how, TimeoutError)
        except TimeoutError:
            return RegistrarAnswer(RegistrarOutcome.UNKNOWN, "the answer was lost")
        return answer

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        return self._inner.resolve(request)

    def check(self) -> list[str]:
        return self._inner.check()


@dataclass
class Process:
    """The program from its start to its end. ``close`` is what a crash does too: memory is dropped."""

    house: House
    closing: Sequence[Callable[[], object]]

    @property
    def ledger(self) -> SqlLedger:
        return self.house.ledger

    def cycle(self, kind: str) -> Run:
        """One cycle: ``push``, ``audit`` or ``confirm``."""
        run: Run = getattr(self.house.loop, kind)()
        return run

    def close(self) -> None:
        for close in self.closing:
            close()


def start(site: Site, owner: str, observe: bool = False) -> Process:
    """The program starts, with what lies in the files."""
    engine = _quick(open_database(f"sqlite:///{site.state}", pool_size=4).engine)
    site.clock.rules(engine)
    ledger = SqlLedger(WatchedDatabase(engine, site.boundaries))
    reading = _quick(read_engine(f"sqlite:///{site.lms_file}"))
    lms = WatchedLms(ReferenceLms(reading), site.boundaries)
    writing = _quick(write_engine(f"sqlite:///{site.lms_file}"))
    site.clock.rules(writing)
    registrar = WatchedRegistrar(ReferenceRegistrar(writing), site)
    world = World(
        lms=lms,
        ledger=ledger,
        providers={name: one.provider(ledger) for name, one in site.vendors.items()},
        policy=Policy(INSTALLATION, gives_back=True),
        clock=site.clock,
        owner=owner,
        mode=Mode.OBSERVE if observe else Mode.SYNC,
        unregister=site.options.unregister,
        metrics=METRICS,
        chance=random.Random(owner),
    )
    confirming = Confirming(
        registrar, OutboxNotices(POSTING, site.clock), ConfirmPolicy(multi_day=site.options.multi_day)
    )
    loop = Loop(world, Here(), first_switches, confirming=confirming)
    parts = dict.fromkeys(one.name for one in fields(House))
    given = {"settings": _settings(site.witness, site.public_url), "ledger": ledger, "lms": lms}
    house = House(**{**parts, **given, "metrics": METRICS, "world": world, "loop": loop})  # type: ignore[arg-type]
    process = Process(house, [engine.dispose, reading.dispose])
    try:
        return replace(process, house=house.take_up())
    except BaseException:
        process.close()
        raise


def plain(state: Path, clock: SimulatedClock) -> Database:
    """The state database for whoever is no process of the program."""
    engine = _quick(open_database(f"sqlite:///{state}", pool_size=4).engine)
    clock.rules(engine)
    return Database(engine)


def _quick(engine: sa.Engine) -> sa.Engine:
    engine.dialect = _PATTERN.dialect
    return engine.execution_options(compiled_cache=_COMPILED)


def first_switches(account: str) -> AccountSwitches:
    vendors = frozenset({"google", "microsoft", "caldav"})
    return AccountSwitches(account, vendors, True, Mode.SYNC, UnregisterMode.APPLY)


def _settings(witness: Path, public_url: str) -> Any:
    """As much of the settings as the taking up of an installation reads."""
    return SimpleNamespace(
        state=SimpleNamespace(witness_file=witness),
        installation=SimpleNamespace(id=INSTALLATION, public_url=public_url),
    )
