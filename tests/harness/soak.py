"""Years of simulated days: what is kept does not grow for ever.

Each day a session is announced and another one takes place; seats are taken, given up, deleted and moved;
once a day what was kept long enough is let go, as a daemon does.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from reconciler.ports import Keeping
from tests.harness.site import DAY, HOUR, MINUTE, Site, Templates, when

PEOPLE = {"ana": "google", "ben": "microsoft", "eva": "google"}
AHEAD = 14
YEAR = 365


@dataclass
class Soak:
    """What was measured at the end of each year: bytes of the state file, and of this process."""

    files: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    unregistered: int = 0

    @property
    def file_ratio(self) -> float:
        """The last year's beside the one before."""
        return round(self.files[-1] / self.files[-2], 3)

    @property
    def memory_ratio(self) -> float:
        return round(self.memory[-1] / self.memory[-2], 3)


def soak(files: Templates, days: int, year: int = YEAR, seed: int = 0) -> Soak:
    """So many days, in one site."""
    folder = Path(tempfile.mkdtemp(dir=files.state.parent))
    site, dice, made = Site.made(folder, files), random.Random(seed), Soak()
    try:
        for person, vendor in PEOPLE.items():
            site.newcomer(person, vendor)
        for number in range(1, days + 1):
            made.unregistered += _day(site, dice, number)
            if number % year == 0:
                made.files.append(_size(site))
                made.memory.append(_resident())
        site.settle()
        made.wrongs = site.wrongs()
        made.unregistered += len(site.oracle.given)
        return made
    finally:
        site.close()
        shutil.rmtree(folder)


def _day(site: Site, dice: random.Random, number: int) -> int:
    """One day; how many un-registrations are so long ago that they were forgotten."""
    session = site.lms.add_session(when(number + AHEAD), id=f"session-{number}")
    for person in PEOPLE:
        if dice.random() < 0.6:
            site.lms.book(person, session)
    if dice.random() < 0.2:
        site.lms.change(session, title=f"Title {number}")
    site.audit_all()
    _somebody_acts(site, dice)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    site.process().ledger.purge(Keeping(), site.clock())
    site.clock.now = site.begun + number * DAY + HOUR * dice.random()
    return _forget_the_past(site)


def _somebody_acts(site: Site, dice: random.Random) -> None:
    person = dice.choice(sorted(PEOPLE))
    booked = sorted(session for session in site.facts.booked(person) if site.events(person, session))
    coming = [
        one for one in booked if (facts := site.facts.session(one)) and facts.days[0][0] > site.clock() + DAY
    ]
    if not coming:
        return
    session = dice.choice(coming)
    match dice.choice(("delete", "cancel", "move", "nothing")):
        case "delete":
            site.delete(person, session)
        case "cancel":
            site.lms.cancel(person, session)
        case "move":
            later = (site.clock() - site.begun) / timedelta(days=1)
            site.lms.move(session, when(later + dice.randrange(3, AHEAD)))


def _forget_the_past(site: Site) -> int:
    """What is over a month ago is of no interest to the world outside any more, nor to the judge: how many
    un-registrations were forgotten."""
    since = site.clock() - timedelta(days=40)
    for _, mailbox in site.people.values():
        mailbox.events = [
            one for one in mailbox.events if one.day is None or one.day.end_instant > since or one.key is None
        ]
        kept = {id(one) for one in mailbox.events}
        mailbox.transactions = {name: one for name, one in mailbox.transactions.items() if id(one) in kept}
    for session in site.facts.sessions():
        facts = site.facts.session(session)
        if facts and facts.days and facts.days[-1][1] < since:
            site.lms.drop_session(session)
    site.boundaries.trace.clear()
    return site.oracle.forget(since)


def _size(site: Site) -> int:
    """With what is in the log beside it; a checkpoint first, as its size is not what is kept."""
    with site.desk.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(file.stat().st_size for file in site.folder.glob("state.db*"))


def _resident() -> int:
    """Bytes of this process in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096
