"""The installed program, really killed (SIGKILL) at random instants, against both vendors over HTTPS or
against a real Radicale.

Each time something has changed, the program is started as its users start it, and killed at or a few
milliseconds after one of its requests. Then it is started again, and within two rounds everybody's calendar
has to be as the LMS wants it.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reconciler.ledger.tables import event
from reconciler.simulators.lms import Booked, When
from tests.support.caldav_relay import a_radicale
from tests.support.house import HouseBed, a_house

SIMULATED = {"ana": "google", "gil": "google", "ben": "microsoft", "mia": "microsoft"}
REAL = dict.fromkeys(SIMULATED, "caldav")
SESSIONS = ("session-1", "session-2", "session-3")
MOST_REQUESTS = 24
MINUTE = timedelta(minutes=1)
DOWN = 3 * MINUTE
"""From each kill until the program is started again."""


@dataclass
class Kills:
    """A house whose program is killed again and again. ``deleted`` are the days that owners deleted:
    person and title."""

    house: HouseBed
    dice: random.Random
    people: Mapping[str, str]
    counts: Counter[str] = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)
    deleted: set[tuple[str, str]] = field(default_factory=set)
    titles: int = 0

    def begin(self) -> None:
        """Four people, booked into most of three sessions."""
        lms = self.house.lms
        for number, session in enumerate(SESSIONS):
            lms.add_session(self._day(number), id=session, title=session)
        for person, vendor in self.people.items():
            self.house.newcomer(person, vendor, *[one for one in SESSIONS if self.dice.random() < 0.7])
        self.house.once()

    def once(self) -> None:
        """Something changes; the program is killed; it recovers."""
        for _ in range(self.dice.choice((1, 2))):
            self._change()
        self.house.clock.move(self.dice.choice((1, 31, 300)) * MINUTE)
        self._killed()
        self.house.clock.move(DOWN)
        for _ in range(2):
            self.house.once()
        self._judge()

    def end(self) -> None:
        """Every deletion has come to something, and nothing was asked or shown that must never be."""
        for days in (0, 0, 4, 0):
            self.house.clock.move(timedelta(days=days, minutes=40))
            self.house.once()
            self.house.audit(timedelta(days=1))
        self.deleted.clear()
        for _ in range(2):
            self.house.once()
        self._judge()
        self.house.hold_to_what_never_happens()

    # What happens ---------------------------------------------------------------------------------

    def _change(self) -> None:
        lms, dice = self.house.lms, self.dice
        person, session = dice.choice(list(self.people)), dice.choice(SESSIONS)
        booked = "booked" in lms.statuses(person, session).values()
        match dice.choice(("book", "cancel", "title", "move", "delete", "delete")):
            case "book" if not booked:
                lms.book(person, session)
            case "cancel" if booked:
                lms.cancel(person, session)
                self.deleted.discard((person, session))
            case "title":
                self.titles += 1
                lms.change(session, location=f"Room {self.titles}")
            case "move":
                lms.move(
                    session, *(self._day(dice.randrange(3), later) for later in range(dice.choice((1, 1, 2))))
                )
            case "delete" if booked and any(one.title == session for one in self.house.seen(person)):
                self.house.remove(person, session)
                self.deleted.add((person, session))

    def _day(self, number: int, later: int = 0) -> When:
        now = self.house.clock().replace(minute=0, second=0, microsecond=0, tzinfo=None)
        starts = now + timedelta(days=20 + 3 * number + later)
        return When(starts, starts + timedelta(hours=2))

    def _killed(self) -> None:
        """One ``reconciler once`` that does not live to its end, unless it has fewer requests than that."""
        self.house.close()
        asked, lock = 0, threading.Lock()
        at, delay = self._instant(), self.dice.choice((0.0, 0.002, 0.01, 0.05))
        process = self.house.start("once", *self.house.at())

        def strike(operation: str) -> None:
            nonlocal asked
            with lock:
                asked += 1
                if asked != at + 1:
                    return
            self.counts[f"at {operation}"] += 1
            if delay:
                threading.Timer(delay, process.kill).start()
            else:
                process.kill()
                process.wait()

        for vendor in self.house.vendors:
            vendor.on_effect = strike
        try:
            process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.kill()
            self.wrongs.append("the program hung")
        for vendor in self.house.vendors:
            vendor.on_effect = None
        self.counts["killed" if process.returncode == -9 else "ended before"] += 1
        self._deadlines_pass()

    def _instant(self) -> int:
        """After which request: most runs have few, and some have many."""
        return int(MOST_REQUESTS ** self.dice.random()) - 1

    def _deadlines_pass(self) -> None:
        """The LMS's clock goes on as well until the program is started again.

        An un-registration whose answer was not written down is left alone until its deadline, by the clock of
        the LMS's database, which is this machine's and does not move with the clock of the story: instead,
        what was intended was intended that much earlier.
        """
        engine = sa.create_engine(f"sqlite:///{self.house.folder}/state.db")
        with engine.begin() as connection:
            for row in connection.execute(event.select().where(event.c.deadline.is_not(None))).all():
                here = [event.c[name] == getattr(row, name) for name in ("person", "session", "slot")]
                connection.execute(event.update().where(*here).values(deadline=row.deadline - DOWN))
        engine.dispose()

    # What must be so ------------------------------------------------------------------------------

    def _judge(self) -> None:
        """Each calendar shows what the LMS says, once; but for what its owner has just deleted."""
        wanted = [_wanted(one) for one in self.house.lms.timetable()]
        there = [(one.person, one.title, one.starts, one.ends, one.location) for one in self.house.seen()]
        here = [one for one in there if one[:2] not in self.deleted]
        expected = [one for one in wanted if one[:2] not in self.deleted]
        if sorted(here) != sorted(expected):
            lacking, too_many = Counter(expected) - Counter(here), Counter(here) - Counter(expected)
            self.wrongs.append(f"lacks {sorted(lacking)}, has {sorted(too_many)} too many")
        doubled = [one for one, count in Counter(there).items() if count > 1]
        if doubled:
            self.wrongs.append(f"twice there: {doubled}")
        self._unregistered()

    def _unregistered(self) -> None:
        """A deletion that has come to something is a deletion no more."""
        seen = {(one.person, one.title) for one in self.house.seen()}
        for person, session in list(self.deleted):
            if (person, session) in seen or "booked" not in self.house.lms.statuses(person, session).values():
                self.counts["deletions that came to something"] += 1
                self.deleted.discard((person, session))


def _wanted(one: Booked) -> tuple[str, str, datetime, datetime, str]:
    zone = ZoneInfo(one.when.time_zone)
    starts, ends = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in one.when[:2])
    return one.person, one.title, starts, ends, one.location


def kill(folder: Path, count: int, seed: int, vendor: str = "") -> Kills:
    """Kill it so many times, in one house. ``folder`` holds ``state.db`` with our schema. With ``vendor``
    "caldav" everybody's calendar lies on a real Radicale."""
    people = REAL if vendor == "caldav" else SIMULATED
    with ExitStack() as stack:
        radicale = stack.enter_context(a_radicale(list(people))) if vendor == "caldav" else None
        state, network = f"sqlite:///{folder}/state.db", {"timeout": "60s"}
        house = stack.enter_context(a_house(folder, state, caldav=radicale, network=network))
        made = Kills(house, random.Random(seed), people)
        made.begin()
        while made.counts["killed"] < count and not made.wrongs:
            made.once()
        made.end()
        return made
