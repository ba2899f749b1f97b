"""How calendars are looked at: what shows an event, and what a look leaves behind."""

from __future__ import annotations

import pytest

from reconciler.model import Connection, Found
from reconciler.ports import Calendar
from tests.harness.mailbox import Trouble
from tests.harness.site import MINUTE, Site
from tests.harness.test_deleting_an_event import ana_in, seats


def test_an_event_that_the_listing_shows_lives_on_though_no_search_finds_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor's index is late: somebody has put the event back, under another id."""
    session = ana_in(site, 9)
    (event,) = site.events("ana")
    site.delete("ana")
    site.audit_all()
    site.mailbox("ana").restore(site.mailbox("ana").copy(event, site.clock()))
    provider = site.process().house.world.providers["google"]
    opened = provider.open

    def late(connection: Connection) -> Calendar:
        calendar = opened(connection)
        monkeypatch.setattr(calendar, "find", lambda token: Found((), ("default",), everywhere=True))
        return calendar

    monkeypatch.setattr(provider, "open", late)
    site.clock.move(31 * MINUTE)
    site.cycle("confirm")
    assert site.states("ana") == ["live"]
    assert seats(site, "ana", session) == {"booked"}


def test_a_look_that_the_quota_ends_at_once_writes_nothing_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana_in(site, 9)
    saved: list[str] = []
    ledger = site.process().house.world.ledger
    monkeypatch.setattr(ledger, "save", lambda lease, person, *rows: saved.append(person))
    site.mailbox("ana").troubles.add(Trouble.THROTTLED)
    site.audit_all()
    assert saved == []
    assert site.desk.states(["ana"])["ana"].last_error
