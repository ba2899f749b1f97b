"""How one person's calendar is looked at."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.diff.changes import MarkMissing
from reconciler.errors import EventError
from reconciler.model import ActualEvent, LedgerEntry, Listing, State
from reconciler.ports import Calendar, Occurrence

MARGIN = timedelta(days=1)
"""How far back a listing reaches. What was dragged further back is asked for by id."""

_PERHAPS_PRESENT = (State.PENDING, State.LIVE, State.MISSING, State.HELD, State.DISMISSED)


def observe(
    calendar: Calendar,
    entries: Collection[LedgerEntry],
    now: datetime,
    absent: list[LedgerEntry] | None = None,
) -> Listing:
    """The default calendar, whole, and by id the events of ours that lie in another one, or that a new
    baseline lacks: they may have lost the marker by which they are listed.

    ``absent`` is given those of the baseline's that are not there, also where the look ends in an error.
    """
    listing = calendar.listing(now - MARGIN)
    seen = {event.event_id for event in listing.events}
    elsewhere: list[ActualEvent] = []
    for entry in entries:
        if entry.event_id is None or entry.event_id in seen or entry.ends <= now:
            continue
        in_another = entry.state in _PERHAPS_PRESENT and entry.calendar_id != listing.calendar_id
        if entry.calendar_id is None or not (in_another or entry.state is State.RELEASED):
            continue
        found: ActualEvent | None = None
        with suppress(EventError):  # that calendar is gone, or no longer ours to see: absent, like its event
            found = calendar.get(entry.event_id, entry.calendar_id)
        if found is not None:
            elsewhere.append(found)
        elif absent is not None and entry.state is State.RELEASED:
            absent.append(entry)
    return replace(listing, events=(*listing.events, *elsewhere)) if elsewhere else listing


def missed(missing: Collection[MarkMissing], now: datetime) -> tuple[list[LedgerEntry], list[Occurrence]]:
    """What is written down of events that a look has missed."""
    rows = [
        replace(one.entry, state=State.MISSING, missing_since=one.since, updated_at=now) for one in missing
    ]
    why = "a complete listing lacks it"
    keys = [one.key for one in missing]
    return rows, [Occurrence(now, key.person, key.session, key.slot, "missing", why) for key in keys]
