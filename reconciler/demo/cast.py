"""Who and what the story is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from reconciler.simulators.lms import SmallLms, When

VIENNA, LONDON = "Europe/Vienna", "Europe/London"


@dataclass(frozen=True)
class Player:
    """A person of the LMS; ``vendor`` is whose calendar they have connected, if any."""

    id: str
    name: str
    vendor: str | None

    @property
    def address(self) -> str:
        """Their address in the LMS and at the vendor."""
        return f"{self.id}@acme.example"


PLAYERS = (
    Player("ana", "Ana", "google"),
    Player("ben", "Ben", "microsoft"),
    Player("chloe", "Chloé", "google"),
    Player("dev", "Dev", "microsoft"),
    Player("ivy", "Ivy", "google"),
    Player("omar", "Omar", None),
)


@dataclass(frozen=True)
class Course:
    """A session of the story: its days as offsets from the story's Monday, and who is in it."""

    id: str
    title: str
    location: str
    days: tuple[tuple[int, int, int, str], ...]
    """(days after Monday, from hour, to hour, zone); the whole day where the hours are equal."""
    trainer: str
    learners: tuple[str, ...]
    waiting: tuple[str, ...] = ()
    details: str = ""

    def whens(self, monday: date) -> list[When]:
        """Its days as the LMS stores them."""
        return [when(monday, *day) for day in self.days]


FIRST_AID = Course(
    "101",
    "First aid",
    "Room 1",
    ((0, 9, 17, VIENNA), (1, 9, 17, VIENNA)),
    "ivy",
    ("ana", "ben"),
    details="<p>Two days of practice.</p><ul><li>Wear something <b>comfortable</b></li></ul>",
)
FORKLIFT = Course("102", "Forklift", "Yard", ((2, 8, 12, VIENNA),), "dev", ("ana", "omar"))
NEGOTIATION = Course(
    "103",
    "Negotiation",
    "Off-site",
    ((3, 9, 17, VIENNA), (4, 9, 15, LONDON)),
    "ivy",
    ("ben", "chloe"),
)
FIRE_DRILL = Course("104", "Fire drill", "Hall 2", ((4, 0, 0, VIENNA),), "dev", ("ana",), waiting=("ben",))
WELDING = Course("105", "Welding", "Hall 2", ((2, 13, 17, VIENNA),), "dev", ("ben", "chloe"))
SEASON = (FIRST_AID, FORKLIFT, NEGOTIATION, FIRE_DRILL)


def when(monday: date, offset: int, first_hour: int, last_hour: int, zone: str) -> When:
    """One day, so many days after the story's Monday; the whole of it where the hours are equal."""
    midnight = datetime.combine(monday + timedelta(days=offset), time())
    if first_hour == last_hour:
        return When(midnight, midnight + timedelta(days=1), zone, all_day=True)
    return When(midnight + timedelta(hours=first_hour), midnight + timedelta(hours=last_hour), zone)


def monday_after(instant: datetime) -> date:
    """The Monday the story's week begins on: 6 to 12 days ahead."""
    today = instant.date()
    return today + timedelta(days=6 + (-(today.weekday() + 6)) % 7)


def enrol(lms: SmallLms) -> None:
    """Put the organisation and its people into the LMS."""
    lms.add_account("acme", name="Acme", time_zone=VIENNA)
    for player in PLAYERS:
        lms.add_person(player.id, name=player.name, email=player.address)


def schedule(lms: SmallLms, course: Course, monday: date) -> None:
    """Put a session into the LMS, with everybody's seats."""
    lms.add_session(
        *course.whens(monday),
        id=course.id,
        title=course.title,
        location=course.location,
        details=course.details,
        url=f"https://lms.acme.example/session/{course.id}",
    )
    lms.book(course.trainer, course.id, "instructor")
    for learner in course.learners:
        lms.book(learner, course.id)
    for learner in course.waiting:
        lms.book(learner, course.id, status="waiting")
