"""What goes wrong at vendors."""

from __future__ import annotations

import random
from contextlib import suppress

from reconciler.errors import ReconcilerError
from tests.harness.acts.register import a_person, act
from tests.harness.mailbox import LIES, Stored, Trouble
from tests.harness.site import MINUTE, Site
from tests.harness.vendor import STALE

MISLEADING = LIES | {Trouble.HIDDEN}
PARKING = (Trouble.REVOKED, Trouble.NO_MAILBOX)


def _unfollowed(site: Site, person: str) -> list[Stored]:
    """Our events that bear another name now, as nobody has seen yet."""
    ids = {row.event_id for row in site.rows(person)}
    gone = ("migration", "replaced by its copy")
    return [one for one in site.mailbox(person).events if one.removed_by in gone and one.event_id in ids]


@act(6)
def trouble_of_one(site: Site, dice: random.Random) -> None:
    """Something is wrong with one mailbox for a round or two."""
    person = a_person(site, dice)
    kinds = [kind for kind in Trouble if kind is not Trouble.LYING]
    kind = dice.choice(kinds)
    mailbox = site.mailbox(person)
    mailbox.troubles.add(kind)
    site.oracle.lies += kind in MISLEADING
    if kind is Trouble.STALE_LISTING:
        site.oracle.shown_late([person], STALE)
    if kind is Trouble.EMPTY_LISTING:  # beside new names this looks like its owner's doing
        for event in _unfollowed(site, person):
            site.oracle.deleted(person, event)
    site.audit_all()
    if dice.random() < 0.5:
        site.clock.move(31 * MINUTE)
        site.audit_all()
    if kind in PARKING and not site.healthy(person):  # a server that asked for patience was not looked at
        site.oracle.void(person, "the connection was parked")
    mailbox.troubles.discard(kind)
    if kind is Trouble.REVOKED:
        with suppress(ReconcilerError):
            site.connect(person)


@act(3)
def trouble_of_all(site: Site, dice: random.Random) -> None:
    """Something is wrong with a whole vendor, for an hour."""
    vendor = site.vendors[dice.choice(site.options.vendors)]
    kind = dice.choice(list(Trouble))
    served = [
        person
        for person, (name, _) in site.people.items()
        if name == vendor.name and site.events(person) and site.oracle.wants(person)
    ]
    if kind is Trouble.LYING and len(served) < 2:
        return  # one mailbox that lies about everything cannot be told from its owner's doing
    vendor.troubles.add(kind)
    site.oracle.lies += kind in MISLEADING
    if kind is Trouble.STALE_LISTING:
        site.oracle.shown_late(
            [person for person, (name, _) in site.people.items() if name == vendor.name], STALE
        )
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.audit_all()
    if kind in PARKING:
        for person, (name, _) in site.people.items():
            if name == vendor.name and not site.healthy(person):
                site.oracle.void(person, "the connection was parked")
    vendor.troubles.discard(kind)


@act(3)
def conflict(site: Site, dice: random.Random) -> None:
    """Another change comes between reading and writing."""
    site.mailbox(a_person(site, dice)).conflicts = dice.choice((1, 2))
