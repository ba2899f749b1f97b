"""What each act is called, how often it happens, and whom and what it is about."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.harness.mailbox import Stored
from tests.harness.site import Site

Act = Callable[[Site, random.Random], None]
ACTS: dict[str, Act] = {}
WEIGHTS: dict[str, int] = {}
KINDS = ("push", "audit", "confirm")


def act(weight: int) -> Callable[[Act], Act]:
    def register(function: Act) -> Act:
        ACTS[function.__name__], WEIGHTS[function.__name__] = function, weight
        return function

    return register


def a_person(site: Site, dice: random.Random) -> str:
    return dice.choice(sorted(site.people))


def an_event(site: Site, dice: random.Random) -> tuple[str, Stored] | None:
    """An event of ours still to come that is in somebody's calendar."""
    found = [
        (person, event)
        for person in sorted(site.people)
        for event in site.events(person)
        if event.day and event.day.end_instant > site.clock()
    ]
    return dice.choice(found) if found else None


def a_seat(site: Site, dice: random.Random) -> tuple[str, str] | None:
    """Somebody and a session they are booked into."""
    person = a_person(site, dice)
    booked = sorted(site.facts.booked(person))
    return (person, dice.choice(booked)) if booked else None


def a_session(site: Site, dice: random.Random) -> str | None:
    sessions = site.facts.sessions()
    return dice.choice(sessions) if sessions else None
