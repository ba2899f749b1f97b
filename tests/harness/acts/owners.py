"""What people do in their own calendars."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

from reconciler.errors import ReconcilerError
from reconciler.model import Answer
from tests.harness.acts.register import a_person, act, an_event
from tests.harness.mailbox import Stored
from tests.harness.site import HOUR, Site


@act(12)
def delete_event(site: Site, dice: random.Random) -> None:
    found = an_event(site, dice)
    if found:
        person, event = found
        assert event.key
        day = None if dice.random() < 0.7 else 0
        site.delete(person, event.key.session, day)


@act(2)
def empty_calendar(site: Site, dice: random.Random) -> None:
    site.delete(a_person(site, dice))


@act(5)
def restore_event(site: Site, dice: random.Random) -> None:
    for person in sorted(site.people):
        for event in site.mailbox(person).events:
            if event.removed_by == "owner" and dice.random() < 0.6:
                site.mailbox(person).restore(event)


@act(4)
def answer(site: Site, dice: random.Random) -> None:
    given = dice.choice((Answer.KEEP, Answer.GIVE_BACK))
    for person in sorted(site.people):
        for session in site.facts.sessions():
            if dice.random() < 0.5:
                site.answer(person, session, given)


@act(3)
def move_event(site: Site, dice: random.Random) -> None:
    found = an_event(site, dice)
    if found and found[1].marker is not None:
        mailbox = site.mailbox(found[0])
        elsewhere = [
            one for one in mailbox.calendars if one != found[1].calendar_id and one not in mailbox.lost
        ]
        if elsewhere:
            mailbox.move(found[1], elsewhere[0], site.clock())


def _renamed(site: Site, person: str) -> None:
    """Where a server cannot be searched, what bears another name looks deleted: its owner may be asked."""
    site.oracle.lies += not site.searchable(person)


def _replaced(site: Site, person: str, *copied: Stored) -> None:
    """What bears another name now, and has no marker or cannot be searched for by it, cannot be told from
    what was deleted."""
    for event in copied:
        if event.marker is None or not site.searchable(person):
            site.oracle.deleted(person, event)


@act(3)
def copy_event(site: Site, dice: random.Random) -> None:
    found = an_event(site, dice)
    if found:
        _renamed(site, found[0])
        site.mailbox(found[0]).copy(found[1], site.clock())
        if dice.random() < 0.4:
            _replaced(site, *found)
            site.mailbox(found[0]).delete(found[1], site.clock(), by="replaced by its copy")


@act(3)
def edit_event(site: Site, dice: random.Random) -> None:
    found = an_event(site, dice)
    if found and found[1].day:
        later = replace(found[1].day, starts=found[1].day.starts + HOUR, ends=found[1].day.ends + HOUR)
        changes = dice.choice(
            ({"title": "Boring"}, {"block": None}, {"day": later}, {"notes": "bring shoes"})
        )
        site.mailbox(found[0]).edit(found[1], **changes)


@act(2)
def strip_marker(site: Site, dice: random.Random) -> None:
    found = an_event(site, dice)
    if found and found[1].calendar_id == site.mailbox(found[0]).default:
        site.mailbox(found[0]).strip(found[1])


@act(1)
def migrate(site: Site, dice: random.Random) -> None:
    person = a_person(site, dice)
    _renamed(site, person)
    _replaced(site, person, *site.mailbox(person).ours())
    site.mailbox(person).migrate(site.clock())


@act(1)
def lose_second_calendar(site: Site, dice: random.Random) -> None:
    person = a_person(site, dice)
    mailbox = site.mailbox(person)
    second = mailbox.calendars[1]
    followed = {row.event_id for row in site.rows(person) if row.calendar_id == second}
    for event in mailbox.ours():
        if event.calendar_id == second:
            void = "its calendar was deleted" if event.event_id in followed else None
            site.oracle.deleted(person, event, void)
    mailbox.lose(second, site.clock())


@act(2)
def disconnect_and_return(site: Site, dice: random.Random) -> None:
    """Disconnected for a while; what vanishes meanwhile proves nothing."""
    person = a_person(site, dice)
    with suppress(ReconcilerError):
        site.desk.disconnect(person, "test", "test", site.clock())
    if dice.random() < 0.5:
        site.delete(person)
    site.oracle.void(person, "disconnected")
    if dice.random() < 0.7:
        site.round()
    with suppress(ReconcilerError):
        site.connect(person)
