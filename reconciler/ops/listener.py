"""Serves what operators look at, beside the daemon."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from flask import Flask

from reconciler.bootstrap import House
from reconciler.errors import ConfigurationError
from reconciler.ops.app import Desk, create_app
from reconciler.status import status_of
from reconciler.web.server import Serving

log = logging.getLogger(__name__)

THREADS = 4


def desk_of(house: House) -> Desk:
    """What there is to look at in this house."""
    return Desk(
        metrics=house.metrics,
        pulse=house.world.pulse,
        clock=house.world.clock,
        status=lambda: status_of(house.ledger, house.world.clock(), mails=house.loop.posting is not None),
        runs_since=house.ledger.runs_since,
        stranger=lambda: house.ledger.installation() not in (None, house.installation),
        push_interval=house.settings.intervals.push,
    )


def app_of(house: House) -> Flask:
    """The listener's answers about this house."""
    return create_app(desk_of(house))


@contextmanager
def serving(house: House) -> Iterator[Serving]:
    """The listener, at work while the context lasts. ``ConfigurationError`` where nothing can listen."""
    listen = house.settings.ops.listen
    try:
        served = Serving(app_of(house), listen.host, listen.port, name="ops", threads=THREADS)
    except OSError as error:
        problem = f"ops.listen: cannot listen on {listen.host} port {listen.port}: {error.strerror}"
        raise ConfigurationError([problem]) from error
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
