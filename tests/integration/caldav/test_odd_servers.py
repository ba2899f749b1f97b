"""Servers that can be trusted with little, simulated: what they do wrong does no harm."""

from __future__ import annotations

import pytest

from reconciler.errors import EventChanged, EventGone
from reconciler.simulators.caldav_store import CYRUS, SOGO, WORST, Oddities
from tests.contract.test_calendars import SINCE, a_draft_of
from tests.support.caldav_bed import a_caldav
from tests.support.caldav_servers import USER
from tests.support.caldav_simulated import simulated


@pytest.mark.parametrize("oddities", [SOGO, WORST], ids=["sogo", "worst"])
def test_what_was_changed_is_not_deleted_and_what_was_deleted_not_brought_back(oddities: Oddities) -> None:
    with simulated(oddities) as server, a_caldav(server) as bed:
        bed.calendar.create(a_draft_of())
        (event,) = bed.calendar.listing(SINCE).events
        bed.retitle(event.event_id, "Boring")
        with pytest.raises(EventChanged):
            bed.calendar.delete(event.event_id, event.calendar_id, event.etag)
        with pytest.raises(EventChanged):
            bed.calendar.update(a_draft_of(title="New"), event)
        bed.remove(event.event_id)
        with pytest.raises(EventGone):
            bed.calendar.update(a_draft_of(title="New"), event)
        assert bed.calendar.listing(SINCE).events == ()


@pytest.mark.parametrize(("oddities", "everywhere"), [(CYRUS, True), (SOGO, False)], ids=["cyrus", "sogo"])
def test_that_an_event_is_nowhere_is_said_only_where_it_can_be_searched_for(
    oddities: Oddities, everywhere: bool
) -> None:
    with simulated(oddities) as server, a_caldav(server) as bed:
        draft = a_draft_of()
        made = bed.calendar.create(draft)
        bed.rename(made.event_id, "renamed-by-another-program.ics")
        found = bed.calendar.find(draft.marker.token)
        assert (bool(found.events), found.everywhere) == (everywhere, everywhere)


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "just made"])
def test_what_a_server_shows_again_after_it_showed_nothing_is_seen_at_once(seen: bool) -> None:
    with simulated(CYRUS) as server, a_caldav(server) as bed:
        assert bed.calendar.listing(SINCE).events == ()
        bed.calendar.create(a_draft_of())
        if seen:
            assert len(bed.calendar.listing(SINCE).events) == 1
        account = server.simulator.store.accounts[USER]
        account.blind = True  # it refuses the token as well, so everything is asked for: nothing, as it seems
        assert bed.calendar.listing(SINCE).events == ()
        assert bed.calendar.listing(SINCE).events == ()
        account.blind = False
        assert len(bed.calendar.listing(SINCE).events) == 1


def test_an_empty_calendar_is_written_down_once() -> None:
    with simulated(CYRUS) as server, a_caldav(server) as bed:
        assert bed.calendar.listing(SINCE).events == ()
        before = bed.memory.recall(bed.connection)
        assert before
        assert bed.calendar.listing(SINCE).events == ()
        assert bed.memory.recall(bed.connection) == before
