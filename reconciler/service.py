"""The daemon as a service: a house at work, its pages and its metrics, and what a reload makes of them."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from reconciler import ops, pages
from reconciler.bootstrap import PROGRAM, House
from reconciler.commands import house_of, log_as_told
from reconciler.daemon import Daemon, Schedule, Surroundings, Tick
from reconciler.errors import ConfigurationError, CycleError, ReconcilerError, StateUnreadable
from reconciler.lead import Lead
from reconciler.settings import Settings, load, needs_restart
from reconciler.web.app import create_app
from reconciler.web.server import Serving

log = logging.getLogger(__name__)

DAILY = timedelta(days=1)


def serve(config: Path) -> None:
    """Run the daemon until it is told to stop. Errors of :func:`~reconciler.bootstrap.open_house` and of
    :meth:`~reconciler.web.server.Serving.at`."""
    # Whoever asks before the start is over gets what is new anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with house_of(config) as opened, leading(opened) as lead:
        if lead is not None and not lead.held():
            opened.ledger.witness_join(opened.settings.state.witness_file)
        house = opened.take_up()
        with ops.serving(house, lead) as desk, pages.serving(house) as served:
            service = Service(config, house, desk, served, lead)
            around = Surroundings(pulse=house.lasting.pulse)
            Daemon(service.schedule(), service.reload, around).run()


@contextmanager
def leading(house: House) -> Iterator[Lead | None]:
    """The lead, where several schedulers can be at work; ``None`` where the daemon does the work itself."""
    if house.lasting.broker is None:
        yield None
        return
    ledger, me = house.ledger, house.world.owner
    with Lead(me, partial(ledger.take_lead, me, PROGRAM), ledger.end_lead) as lead:
        yield lead


@dataclass
class Service:
    """A house at work, which a reload exchanges for another one."""

    config: Path
    house: House
    desk: Serving
    pages: Serving | None
    lead: Lead | None = None

    def schedule(self) -> Schedule:
        """The cycles of the present house, told to its metrics too."""
        house, intervals = self.house, self.house.settings.intervals
        push, confirm = intervals.push, intervals.confirm
        ticks = [
            Tick("push", push, house.loop.push),
            Tick("audit", push, house.loop.audit),
            Tick("confirm", confirm, house.loop.confirm),
            Tick("upkeep", DAILY, house.loop.upkeep, first=confirm),
        ]
        if house.loop.posting is not None:
            ticks.append(Tick("mail", intervals.mail, house.loop.mail))
        ticks = [replace(tick, run=partial(self._led, tick)) for tick in ticks]
        for tick in ticks:
            house.lasting.pulse.expect(tick.name, tick.every.total_seconds())
            house.metrics.interval(tick.name, tick.every.total_seconds())
            house.metrics.idle(tick.name, partial(house.lasting.pulse.idle, tick.name))
        house.metrics.configured(house.world.clock().timestamp())
        return Schedule({tick.name: tick for tick in ticks}, intervals.jitter, lambda: headline(house))

    def _led(self, tick: Tick) -> object:
        """The cycle, or a sign of life of a scheduler that stands by."""
        if self.lead is None or self.lead.held():
            return tick.run()
        with suppress(StateUnreadable):  # whoever leads says so; here it is said on taking the lead
            self.house.ledger.witness_join(self.house.settings.state.witness_file)
        self.house.lasting.pulse.end(tick.name)
        return None

    def reload(self) -> Schedule:
        """Read the file again and work by it from the next cycle on. ``ConfigurationError``, with the house
        as it was, where the file cannot be used or asks for what only a restart can do."""
        before = self.house
        try:
            settings = load(self.config)
            self._refuse_restarts(settings)
            house = before.renewed(settings)
        except ReconcilerError as problem:
            before.metrics.configured(None)
            if isinstance(problem, ConfigurationError):
                raise
            raise ConfigurationError([str(problem)]) from problem
        self.house = house
        log_as_told(settings)
        if settings.accounts != before.settings.accounts:
            log.warning(
                "accounts: says what an account begins with; those seen before keep what they have, until "
                "`reconciler account set` changes it"
            )
        self.desk.replace(ops.app_of(house, self.lead))
        if self.pages is not None:
            self.pages.replace(create_app(pages.site_of(house)))
        before.let_go()
        return self.schedule()

    def _refuse_restarts(self, settings: Settings) -> None:
        keys = needs_restart(self.house.settings, settings)
        if keys:
            raise ConfigurationError(
                [f"{self.config}: {key}: cannot be changed while running: restart for it" for key in keys]
            )


def headline(house: House) -> str:
    """How it stands, in a few words for `systemctl status`."""
    counts = Counter[str]()
    try:
        for (_provider, state), count in house.loop.census.of(
            house.ledger.counts, house.world.clock()
        ).items():
            counts[state] += count
    except CycleError:
        return "the state database cannot be read"
    words = [f"{counts['live']:,} in place", f"{counts['failing']:,} failing"]
    if counts["held"]:
        words.append(f"{counts['held']:,} held")
    return ", ".join(words)
