"""Serves what operators look at, beside the daemon."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from flask import Flask

from reconciler.bootstrap import House
from reconciler.errors import NotDispatched
from reconciler.lead import Lead
from reconciler.ops.app import Desk, create_app
from reconciler.ops.health import Check
from reconciler.settings import Listen
from reconciler.status import status_of
from reconciler.web.server import Serving

log = logging.getLogger(__name__)

THREADS = 4


def desk_of(house: House, lead: Lead | None = None) -> Desk:
    """What there is to look at in this house, and whether its scheduler leads, where there may be several."""

    def besides() -> list[Check]:
        found = [Check("scheduler", True, lead.described())] if lead else []
        return [*found, *broker_of(house)]

    return Desk(
        metrics=house.metrics,
        pulse=house.world.pulse,
        clock=house.world.clock,
        status=lambda: status_of(
            house.ledger,
            house.world.clock(),
            house.loop.posting is not None,
            house.stranger,
            house.settings.mode,
        ),
        runs_since=house.ledger.runs_since,
        stranger=lambda: house.stranger,
        push_interval=house.settings.intervals.push,
        besides=besides,
    )


def broker_of(house: House) -> list[Check]:
    """Whether the broker can be reached, where there is one."""
    broker = house.lasting.broker
    if broker is None:
        return []
    try:
        broker.reach()
    except NotDispatched as problem:
        return [Check("broker", False, str(problem))]
    return [Check("broker", True, broker.address)]


def app_of(house: House, lead: Lead | None = None) -> Flask:
    """The listener's answers about this house."""
    return create_app(desk_of(house, lead))


@contextmanager
def serving(house: House, lead: Lead | None = None) -> Iterator[Serving]:
    """The listener, at work while the context lasts. Errors of
    :meth:`~reconciler.web.server.Serving.at`."""
    with listening(app_of(house, lead), house.settings.ops.listen) as served:
        yield served


@contextmanager
def listening(app: Flask, listen: Listen) -> Iterator[Serving]:
    """These answers, given there while the context lasts. Errors of
    :meth:`~reconciler.web.server.Serving.at`."""
    served = Serving.at("ops.listen", listen, app, name="ops", threads=THREADS)
    if not _within_this_machine(listen.host):
        log.warning(
            "ops.listen: %s can be reached from other machines, and asks for no password: who can reach it "
            "sees ids of people. Let it listen on 127.0.0.1, or keep others off it with a firewall.",
            listen,
        )
    try:
        yield served
    finally:
        served.close()


def _within_this_machine(host: str) -> bool:
    """Whether only this machine can reach it there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
