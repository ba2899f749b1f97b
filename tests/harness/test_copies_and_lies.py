"""An owner's copies, and lists that do not show what is in a calendar."""

from __future__ import annotations

import pytest

from tests.harness.histories import history, play
from tests.harness.mailbox import Trouble
from tests.harness.site import MINUTE, Site, Templates, when


def booked(site: Site, vendor: str, *sessions: str) -> None:
    """Ana is booked into these, and Ben into others, so that the vendor serves more than one calendar."""
    site.newcomer("ana", vendor, *sessions)
    site.newcomer("ben", vendor, site.lms.add_session(when(12)))
    site.round()


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_a_copy_that_a_missed_row_has_followed_stays_when_the_seat_goes(site: Site, vendor: str) -> None:
    session = site.lms.add_session(when(9))
    booked(site, vendor, session)
    mailbox, [event] = site.mailbox("ana"), site.events("ana")
    mailbox.move(event, mailbox.calendars[1], site.clock())
    copy = mailbox.copy(event, site.clock())
    mailbox.delete(event, site.clock(), by="replaced by its copy")
    site.audit_all()
    assert site.states("ana") == ["live"]
    site.lms.cancel("ana", session)
    site.settle()
    assert copy.there
    assert site.wrongs() == []


@pytest.mark.parametrize("vendor", ["google", "microsoft"])
def test_nothing_is_concluded_from_lists_that_deny_what_is_there_by_its_id(site: Site, vendor: str) -> None:
    replaced, kept = site.lms.add_session(when(9)), site.lms.add_session(when(10))
    booked(site, vendor, replaced, kept)
    mailbox, [event] = site.mailbox("ana"), site.events("ana", replaced)
    mailbox.copy(event, site.clock())
    mailbox.delete(event, site.clock(), by="replaced by its copy")
    mailbox.troubles.add(Trouble.EMPTY_LISTING)
    for _ in range(3):
        site.audit_all()
        site.clock.move(31 * MINUTE)
    assert site.facts.booked("ana").keys() == {replaced, kept}
    mailbox.troubles.clear()
    site.settle()
    assert site.facts.booked("ana").keys() == {replaced, kept}
    assert site.wrongs() == []


@pytest.mark.parametrize("seed", [4752, 5013])
def test_the_histories_that_showed_it(templates: Templates, seed: int) -> None:
    assert play(templates, history(seed)).wrongs == []
