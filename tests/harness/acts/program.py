"""What the program does, and what befalls its processes."""

from __future__ import annotations

import random

from tests.harness.acts.register import ACTS, KINDS, act
from tests.harness.boundaries import How
from tests.harness.site import HOUR, MINUTE, Site


@act(14)
def rounds(site: Site, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 2))):
        site.round()


@act(10)
def audit(site: Site, dice: random.Random) -> None:
    site.audit_all()


@act(8)
def grace_passes(site: Site, dice: random.Random) -> None:
    site.clock.move(dice.choice((11, 31, 31, 45)) * MINUTE)
    site.round()


@act(2)
def hours_pass(site: Site, dice: random.Random) -> None:
    site.clock.move(dice.choice((2, 7, 26)) * HOUR)
    site.round()


@act(6)
def crash(site: Site, dice: random.Random) -> None:
    """A process ends at any boundary of any cycle."""
    site.boundaries.arm(dice.randrange(30), dice.choice((How.CRASH_BEFORE, How.CRASH_AFTER)))
    site.clock.move(MINUTE)
    for kind in KINDS:
        site.cycle(kind)
    site.boundaries.disarm()


@act(6)
def stumble(site: Site, dice: random.Random) -> None:
    """One call, commit or read fails, or has its effect and no answer."""
    site.boundaries.arm(dice.randrange(30), dice.choice((How.ERROR_BEFORE, How.REPLY_LOST)))
    site.round()
    site.boundaries.disarm()


@act(5)
def stopped_for_ten_minutes(site: Site, dice: random.Random) -> None:
    """At some boundary a process stands still for ten minutes; another takes over; the first goes on."""

    def meanwhile() -> None:
        site.clock.move(10 * MINUTE)
        for kind in KINDS:
            site.cycle(kind, "b")

    site.boundaries.arm(dice.randrange(30), How.INTRUSION, meanwhile)
    site.audit_all()
    site.boundaries.disarm()


@act(3)
def meanwhile(site: Site, dice: random.Random) -> None:
    """Something happens outside in the middle of a cycle."""
    inner = dice.choice(
        ("delete_event", "restore_event", "cancel_seat", "book_again", "move_session", "answer")
    )
    seed = dice.randrange(1_000_000)
    site.boundaries.arm(dice.randrange(30), How.INTRUSION, lambda: ACTS[inner](site, random.Random(seed)))
    site.audit_all()
    site.boundaries.disarm()


@act(2)
def restart(site: Site, dice: random.Random) -> None:
    site.kill()
    site.round()
