"""Codes and instants as a support person would say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.diff.changes import Cause
from reconciler.model import Day, EventKey, LedgerEntry, Registration, zone

_ORDINALS = ("first", "second", "third", "fourth", "fifth")

CAUSES = {
    Cause.LMS: "as the LMS says",
    Cause.DRIFT: "as the calendar had been changed",
    Cause.REPAIR: "to put things right",
    Cause.RECONNECT: "as the calendar was connected anew",
    Cause.REWRITE: "as our own texts have a new form",
}
REFUSALS = {
    "begun": "the session has begun",
    "not-cancellable": "this seat may not be cancelled",
    "cancel-until": "the deadline for cancelling has passed",
    "attended": "the person has been marked as attending",
    "not-a-learner": "the person is no learner in it",
    "other-days": "the session has other days now",
    "other-seat": "it is another seat now, or none",
    "session-gone": "the session is gone",
    "session-cancelled": "the session is cancelled",
    "already": "it was cancelled already",
    "unreadable": "the session cannot be read any more",
}
"""What an LMS answers when a seat is to be cancelled; the same codes on every way."""


MAILS = {
    "invitation": "of a new or changed day, with its calendar entry",
    "cancelled": "of a cancellation",
    "changed": "of a change",
    "soon": "of a change or cancellation shortly before",
    "withdrawn": "that an invitation mailed before is taken back",
    "deleted": "of the deleted event, and until when the seat can be kept",
    "given-back": "that the seat was given back",
    "put-back": "that the event was put back, and why",
    "question": "of the deleted event, with the question whether to keep the seat",
    "reauthorize": "that the calendar has to be authorized again",
    "connected": "that a calendar was connected",
    "disconnected": "that a calendar was disconnected",
}
"""What a letter tells of; each is a text of this name."""


@dataclass(frozen=True)
class Times:
    """Shows instants at the wall time of one zone."""

    zone: str

    def day(self, instant: datetime) -> str:
        """Its date."""
        local = instant.astimezone(zone(self.zone))
        return f"{local:%a} {local.day} {local:%b %Y}"

    def at(self, instant: datetime | None) -> str:
        """Its date and time of day."""
        if instant is None:
            return "an unknown time"
        return f"{self.day(instant)}, {instant.astimezone(zone(self.zone)):%H:%M}"

    def of(self, text: object) -> str:
        """The same for an instant written in ISO 8601; any other text as it is."""
        try:
            return self.at(datetime.fromisoformat(str(text)))
        except (TypeError, ValueError):
            return str(text)


def times_of(registrations: Iterable[Registration]) -> Times:
    """The zone in which a story is told: that of its first day, UTC where no day is known."""
    days = [day for one in registrations for day in one.session.days if one.session.refused is None]
    first = min(days, key=lambda day: day.start_instant, default=None)
    return Times(first.zone if first else "UTC")


@dataclass(frozen=True)
class Names:
    """What the events of a story are called. ``session`` is the one it is about, ``None`` for all."""

    registrations: Sequence[Registration]
    entries: Sequence[LedgerEntry]
    times: Times
    session: str | None

    def heading(self, rows: Sequence[LedgerEntry]) -> str:
        """Events of one session, each with its time."""
        named = [self._with_time(row) for row in rows]
        session = [] if self.session else [f"session {rows[0].key.session}"]
        text = ", ".join([*session, *named])
        return text[0].upper() + text[1:]

    def _with_time(self, row: LedgerEntry) -> str:
        place, day = self._place(row.key.session, row.starts)
        all_day = day is not None and day.all_day
        when = f"{self.times.day(row.starts)}, all day" if all_day else self.times.at(row.starts)
        return f"{place} day ({when})" if place else f"event of {when}"

    def knows(self, key: EventKey) -> bool:
        """Whether there is, or was, an event of this day."""
        return any(one.key == key for one in self.entries)

    def short(self, key: EventKey) -> str:
        """A day for a line of history: empty where its session has but one."""
        row = next((one for one in self.entries if one.key == key), None)
        if row is None:
            return "an event"
        place = self._place(key.session, row.starts)[0]
        if place is None and sum(one.key.session == key.session for one in self.entries) > 1:
            return self.times.day(row.starts)
        return f"{place} day" if place else ""

    def _place(self, session: str, starts: datetime) -> tuple[str | None, Day | None]:
        """Which of several days it is, and what the LMS says of that day."""
        days = next((one.session.days for one in self.registrations if one.session.id == session), ())
        ordered = sorted(days, key=lambda day: day.start_instant)
        for place, day in enumerate(ordered):
            if day.start_instant == starts:
                return (ordinal(place) if len(ordered) > 1 else None), day
        return None, None


def ordinal(place: int) -> str:
    """The ordinal of a place counted from 0."""
    return _ORDINALS[place] if place < len(_ORDINALS) else f"{place + 1}th"


def hours(day: Day) -> str:
    """A day of a session at its own wall times."""
    start, end = day.start_wall, day.end_wall
    if day.all_day:
        return f"{start:%a} {start.day} {start:%b %Y}, all day"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a} {end.day} {end:%b}, {end:%H:%M}"
    return f"{start:%a} {start.day} {start:%b %Y}, {start:%H:%M} to {until} ({day.zone})"
