"""What is assumed of a CalDAV server is tried and cleaned away, however odd the server is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.providers.caldav.client import Login, Server, Wire
from reconciler.providers.caldav.discovery import manners_of
from reconciler.providers.caldav.guard import Guard, origin_of
from reconciler.providers.caldav.transport import Transport
from reconciler.providers.caldav.trial import CalDavTrial
from reconciler.providers.throttle import AtOnce, Throttle
from reconciler.simulators.caldav import CalDavSimulator
from reconciler.simulators.caldav_store import CYRUS, DAVICAL, RADICALE, SOGO, WORST, XANDIKOS, Oddities
from tests.support.builders import NOW, a_connection
from tests.support.google import impatient

TOKENS, CONDITIONS = "A sync token that it never gave is refused", "Conditions of writes are heeded"
UIDS, SEARCHES = "A second event of one UID is refused", "A search by our marker finds nothing else"
ODD: dict[str, tuple[Oddities, set[str]]] = {
    "radicale": (RADICALE, set()),
    "xandikos": (XANDIKOS, set()),
    "cyrus": (CYRUS, set()),
    "davical": (DAVICAL, {TOKENS, UIDS}),
    "sogo": (SOGO, {TOKENS, CONDITIONS, SEARCHES}),
    "worst": (WORST, {TOKENS, CONDITIONS, UIDS}),
}


@contextmanager
def a_trial(oddities: Oddities, manners: str | None = None) -> Iterator[tuple[CalDavTrial, CalDavSimulator]]:
    """Of a connection made on this server; ``manners``: as if that had been found out then."""
    simulator = CalDavSimulator(oddities, lambda: NOW)
    path, _ = (simulator.store.add_calendar("ana", name) for name in ("work", "second"))
    with simulator.serve() as address:
        throttle = Throttle("caldav", [], [], sleep=impatient)
        wire = Wire(Transport(Guard([address])), throttle, AtOnce(4))
        found = str(manners_of(Server(wire, Login(origin_of(address), "ana", "pw")), path))
        known = {"server": address, "user": "ana", "password": "pw", "home": "/ana/"}
        known["manners"] = found if manners is None else manners
        connection = a_connection(provider="caldav", calendar_id=path)
        yield CalDavTrial(wire, connection, known, "test-trial", NOW, impatient), simulator


@pytest.mark.parametrize(("oddities", "expected"), ODD.values(), ids=ODD)
def test_oddities_are_told_and_provided_for_and_nothing_is_left(
    oddities: Oddities, expected: set[str]
) -> None:
    with a_trial(oddities) as (trial, simulator):
        findings = list(trial.run())
        assert trial.clean_up() == []
        assert {one.assumption for one in findings if not one.held} == expected
        assert not [one for one in findings if one.matters and not one.held]
        assert [one.there for one in simulator.store.accounts["ana"].calendars.values()] == [{}, {}]


def test_a_server_that_is_not_what_it_was_is_shouted_about() -> None:
    with a_trial(SOGO, manners="syncs conditional unique_uids filters") as (trial, _):
        wrong = {one.assumption for one in trial.run() if one.matters and one.held is False}
    assert "It is as it was on connecting" in wrong


def test_what_needs_a_second_calendar_is_not_tried_without_one() -> None:
    with a_trial(CYRUS) as (trial, simulator):
        del simulator.store.accounts["ana"].calendars["/ana/second/"]
        assert [one.seen for one in trial.run() if one.held is None] == [
            "the account has no second calendar that can be written to"
        ]
