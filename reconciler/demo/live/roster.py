"""The small LMS as its pages show it: sessions, when they are, and who has a seat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reconciler.demo.cast import PLAYERS, VIENNA, Player
from reconciler.demo.live.week import WEEKDAYS, WORKING_DAYS
from reconciler.simulators.lms import SmallLms, When

BOOKED, WAITING = "booked", "waiting"
Row = Mapping[str, Any]
_PEOPLE = {player.id: player for player in PLAYERS}


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody's seat, and its status."""

    person: Player
    status: str


@dataclass(frozen=True)
class Training:
    """One session. ``others`` could be booked;"""

    id: str
    title: str
    location: str
    called_off: bool
    days: Sequence[When]
    trainers: Sequence[Player]
    learners: Sequence[Seat]
    others: Sequence[Player]
    monday: date

    @property
    def first(self) -> When:
        """Its first day."""
        return self.days[0]

    @property
    def weekdays(self) -> Sequence[tuple[int, str]]:
        """The days of the week on which it could begin and still end within it, Monday being 0."""
        span = (self.days[-1].starts.date() - self.first.starts.date()).days
        return WEEKDAYS[: WORKING_DAYS - span]

    @property
    def offset(self) -> int:
        """On which day of the week it begins."""
        return (self.first.starts.date() - self.monday).days


def roster(lms: SmallLms, monday: date) -> list[Training]:
    """Every session, in order of time."""
    days, seats = lms.rows("days"), lms.rows("seats")
    found = [_training(row, days, seats, monday) for row in lms.rows("sessions")]
    return sorted(found, key=lambda one: (one.first.starts, one.id))


def _training(row: Row, days: Sequence[Row], seats: Sequence[Row], monday: date) -> Training:
    own = [seat for seat in seats if seat["session_id"] == row["id"] and seat["person_id"] in _PEOPLE]
    learners = [
        Seat(_PEOPLE[seat["person_id"]], seat["status"])
        for seat in own
        if seat["role"] == "learner" and seat["status"] in (BOOKED, WAITING)
    ]
    trainers = [_PEOPLE[seat["person_id"]] for seat in own if seat["role"] == "instructor"]
    inside = {seat.person.id for seat in learners} | {trainer.id for trainer in trainers}
    whens = [
        When(day["starts"], day["ends"], day["time_zone"], bool(day["all_day"]))
        for day in days
        if day["session_id"] == row["id"]
    ]
    return Training(
        id=row["id"],
        title=row["title"],
        location=row["location"],
        called_off=row["status"] == "cancelled",
        days=sorted(whens, key=lambda one: one.starts),
        trainers=trainers,
        learners=sorted(learners, key=lambda seat: (seat.status, seat.person.name)),
        others=[player for player in PLAYERS if player.id not in inside],
        monday=monday,
    )


def when(day: When) -> str:
    """A day as the roster shows it; the zone where it is another one than everybody's."""
    if day.all_day:
        return f"{day.starts:%a} all day"
    place = "" if day.time_zone == VIENNA else f" {day.time_zone.partition('/')[2]} time"
    return f"{day.starts:%a %H:%M}\N{EN DASH}{day.ends:%H:%M}{place}"
