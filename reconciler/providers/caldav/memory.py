"""What is remembered of a calendar between two looks at it, as text for the ledger to keep.

Of our own events alone: what a listing says of them, and nothing that their owner wrote below or above our
block. With the token of the same instant it makes the next listing as complete as one from scratch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.model import ActualEvent, Day, EventKey, Marker

_FORM = 1


@dataclass(frozen=True, slots=True)
class Known:
    """An event of ours as it was last read. ``guests``: its owner has invited people to it."""

    path: str
    guests: bool
    event: ActualEvent


@dataclass(frozen=True)
class Memory:
    """A calendar's events by path. ``token`` is empty where the server's are not used; ``whole_at`` is when
    everything was last listed anew."""

    calendar: str
    token: str
    whole_at: datetime
    events: Mapping[str, Known] = field(default_factory=dict)

    def __str__(self) -> str:
        events = {path: _listed(known) for path, known in self.events.items()}
        stored = [_FORM, self.calendar, self.token, self.whole_at.isoformat(), events]
        return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of(cls, text: str | None, calendar: str) -> Memory | None:
        """From what ``str`` gave; ``None`` for another calendar's, or another version's."""
        try:
            form, of_calendar, token, whole_at, events = json.loads(text or "")
            if form != _FORM or of_calendar != calendar:
                return None
            known = {path: _known(path, calendar, one) for path, one in events.items()}
            return cls(calendar, token, datetime.fromisoformat(whole_at), known)
        except (KeyError, TypeError, ValueError):
            return None


def _listed(known: Known) -> list[Any]:
    event = known.event
    marker, day = event.marker, event.day
    return [
        event.event_id,
        event.etag,
        known.guests,
        event.title,
        event.location,
        event.block,
        marker and _of_marker(marker),
        day and [day.starts.isoformat(), day.ends.isoformat(), day.zone, day.all_day],
    ]


def _of_marker(marker: Marker) -> list[Any]:
    key = marker.key
    of_key = [key.person, key.session, key.slot]
    return [marker.installation, *of_key, marker.token, marker.generation, marker.digest]


def _known(path: str, calendar: str, stored: list[Any]) -> Known:
    uid, etag, guests, title, location, block, marker, day = stored
    event = ActualEvent(
        event_id=uid,
        calendar_id=calendar,
        etag=etag,
        marker=marker and Marker(marker[0], EventKey(*marker[1:4]), *marker[4:]),
        made_as=uid,
        title=title,
        location=location,
        block=block,
        day=day and Day(datetime.fromisoformat(day[0]), datetime.fromisoformat(day[1]), *day[2:]),
    )
    return Known(path, guests, event)
