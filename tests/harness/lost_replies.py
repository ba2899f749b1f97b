"""Writes that have their effect at the vendor while the answer never arrives: nothing may be there twice.

Half of all writes lose their reply. Seats are given up and taken anew, sessions move and change, so that
creations, updates and deletions are lost alike; after each change the vendor calms down and is judged.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from tests.harness.histories import SERVERS
from tests.harness.site import MINUTE, Options, Site, Templates, when

PEOPLE, SESSIONS = 6, 4
TURNS = 12
"""Changes in one site, before another one is begun."""


def lose_replies(files: Templates, vendor: str, seed: int) -> tuple[Counter[str], list[str]]:
    """One site of one vendor: what was lost, by kind of write, and what was wrong."""
    folder = Path(tempfile.mkdtemp(dir=files.state.parent))
    options = Options(oddities=SERVERS[seed % len(SERVERS)])
    site, dice = Site.made(folder, files, options), random.Random(seed)
    try:
        _populate(site, vendor)
        for turn in range(TURNS):
            _change(site, dice, turn)
            site.vendors[vendor].losing = dice
            for _ in range(3):
                site.round()
                site.clock.move(16 * MINUTE)  # past every back-off
            site.vendors[vendor].losing = None
            for _ in range(2):
                site.audit_all()
                site.clock.move(16 * MINUTE)
            site.oracle.calendars(finally_=True)
        return site.vendors[vendor].lost, site.wrongs()
    finally:
        site.close()
        shutil.rmtree(folder)


def _populate(site: Site, vendor: str) -> None:
    for number in range(SESSIONS):
        site.lms.add_session(when(9 + number), id=f"session-{number}")
    for number in range(PEOPLE):
        site.newcomer(f"person-{number}", vendor, *(f"session-{one}" for one in range(SESSIONS)))
    site.round()


def _change(site: Site, dice: random.Random, turn: int) -> None:
    """Everything changes: that is what loses most."""
    for session in site.facts.sessions():
        match dice.choice(("book again", "book again", "move", "title", "cancel")):
            case "move":
                site.lms.move(session, when(9 + dice.randrange(6)))
            case "title":
                site.lms.change(session, title=f"Title {turn}")
            case chosen:
                for person in site.people:
                    if session in site.facts.booked(person):
                        site.lms.cancel(person, session)
                        if chosen == "cancel":
                            continue
                    site.lms.book(person, session)
