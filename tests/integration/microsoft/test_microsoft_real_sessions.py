"""Every real session, written to the simulated Graph over HTTPS and read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.diff.fields import differences, made_as, token_of
from reconciler.model import Content, Draft, EventKey
from tests.support.builders import INSTALLATION, a_draft
from tests.support.microsoft_bed import a_microsoft
from tests.support.real_times import days_of, real_sessions

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def draft_of(session: dict[str, Any]) -> Draft:
    """Its first day, with its texts as they are (an LMS adapter would have cleaned them)."""
    location = session["location"]
    place = ", ".join(str(location[name]) for name in ("name", "address", "city") if location.get(name))
    key = EventKey("ana", session["id"], 0)
    draft = a_draft()
    marker = replace(draft.marker, key=key, token=token_of(INSTALLATION, key))
    content = Content(session["title"], place, session["description"])
    chosen = made_as(INSTALLATION, key, 0)
    return replace(draft, content=content, day=days_of(session)[0], marker=marker, made_as=chosen)


@pytest.mark.parametrize("switches", [{}, {"original_zone_as": "windows", "all_day_floats": False}], ids=str)
def test_every_real_session_is_read_back_without_difference_and_updated_to_another(
    switches: dict[str, Any],
) -> None:
    drafts = {one.marker.token: one for one in map(draft_of, filter(days_of, real_sessions()))}
    assert len(drafts) == 484
    with a_microsoft(**switches) as bed:
        for draft in drafts.values():
            bed.calendar.create(draft)
        assert differing(bed.calendar.listing(LONG_AGO).events, drafts) == {}
        events = bed.calendar.listing(LONG_AGO).events
        exchanged = dict(zip(drafts, [*list(drafts.values())[1:], *drafts.values()], strict=False))
        for event in events[::8]:
            assert event.marker is not None
            other = exchanged[event.marker.token]
            drafts[event.marker.token] = replace(other, marker=event.marker)
            bed.calendar.update(drafts[event.marker.token], event)
        assert differing(bed.calendar.listing(LONG_AGO).events, drafts) == {}


def differing(events: Any, drafts: dict[str, Draft]) -> dict[str, Any]:
    assert len(events) == len(drafts)
    found = {}
    for event in events:
        wanted = drafts[event.marker.token]
        found[event.event_id] = differences(wanted.content, wanted.day, event)
    return {event_id: fields for event_id, fields in found.items() if fields}
