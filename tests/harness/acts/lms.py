"""What happens in the LMS."""

from __future__ import annotations

import random
from datetime import timedelta

from tests.harness.acts.register import a_person, a_seat, a_session, act
from tests.harness.site import MINUTE, Site, when


@act(5)
def book(site: Site, dice: random.Random) -> None:
    session, person = a_session(site, dice), a_person(site, dice)
    if session and session not in site.facts.booked(person):
        site.lms.book(person, session)


@act(4)
def cancel_seat(site: Site, dice: random.Random) -> None:
    found = a_seat(site, dice)
    if found:
        site.lms.cancel(*found)


@act(3)
def book_again(site: Site, dice: random.Random) -> None:
    """An administrator cancels a seat and takes it again at once: another seat."""
    found = a_seat(site, dice)
    if found:
        site.lms.cancel(*found)
        site.lms.book(*found)


@act(4)
def move_session(site: Site, dice: random.Random) -> None:
    session = a_session(site, dice)
    if session:
        first = (site.clock() - site.begun) / timedelta(days=1) + dice.choice((0.6, 1.2, 3, 8, 15))
        site.lms.move(session, *(when(first + later) for later in range(dice.choice((1, 1, 2)))))


@act(3)
def change_days(site: Site, dice: random.Random) -> None:
    """A day more, or a day fewer; the others stay, in rows made anew."""
    session = a_session(site, dice)
    if not session:
        return
    days = site.days(session)
    if len(days) > 1 and dice.random() < 0.5:
        days.pop(dice.randrange(len(days)))
    elif days:
        days.append(replace_hours(days[-1]))
    site.lms.move(session, *days)


def replace_hours(day):  # type: ignore[no-untyped-def]
    return day._replace(starts=day.starts + timedelta(days=1), ends=day.ends + timedelta(days=1))


@act(3)
def change_session(site: Site, dice: random.Random) -> None:
    session = a_session(site, dice)
    if session:
        site.lms.change(
            session, **{dice.choice(("title", "location", "details")): f"new {dice.randrange(9)}"}
        )


@act(1)
def call_off(site: Site, dice: random.Random) -> None:
    session = a_session(site, dice)
    if session:
        site.lms.cancel_session(session)


@act(1)
def vanish(site: Site, dice: random.Random) -> None:
    session = a_session(site, dice)
    if session:
        site.lms.drop_session(session)


@act(1)
def vanish_seat(site: Site, dice: random.Random) -> None:
    found = a_seat(site, dice)
    if found:
        site.lms.drop(*found)


@act(2)
def attend(site: Site, dice: random.Random) -> None:
    found = a_seat(site, dice)
    if found:
        site.lms.set_status(*found, dice.choice(("attended", "waiting", "no_show")))


@act(2)
def deadline(site: Site, dice: random.Random) -> None:
    session = a_session(site, dice)
    if session:
        until = (site.clock() + dice.choice((-60, 5, 45, 5000)) * MINUTE).replace(tzinfo=None)
        site.lms.change(session, cancel_until=until)


@act(1)
def suspend(site: Site, dice: random.Random) -> None:
    person = a_person(site, dice)
    site.lms.change_person(person, active=False)
    if dice.random() < 0.7:
        site.round()
        site.oracle.void(person, "suspended")
        site.lms.change_person(person, active=True)
