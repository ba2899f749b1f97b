"""What operators and account owners do."""

from __future__ import annotations

import random
from dataclasses import replace

from reconciler.model import Answer, HoldReason, Mode
from reconciler.ports import Hold
from tests.harness.acts.register import ACTS, KINDS, a_person, act
from tests.harness.process import start
from tests.harness.site import Site


@act(1)
def pause(site: Site, dice: random.Random) -> None:
    """Observed only, for a while."""
    site.desk.hold(Hold("pause", "*", "test", site.clock(), 0))
    site.round()
    if dice.random() < 0.5:
        site.delete(a_person(site, dice))
    site.oracle.void(None, "paused")
    site.desk.end_hold("pause", "*", "test", site.clock())


@act(1)
def vendor_off_and_on(site: Site, dice: random.Random) -> None:
    old = site.desk.switches().get("acme")
    if old is None:
        return
    off = dice.choice(site.options.vendors)
    site.desk.set_switches(replace(old, vendors=old.vendors - {off}), "test", site.clock())
    site.round()
    for person, (name, _) in site.people.items():
        if name == off:
            if dice.random() < 0.5:
                site.delete(person)
            site.oracle.void(person, "switched off")
    site.desk.set_switches(old, "test", site.clock())


@act(1)
def upsert_only(site: Site, dice: random.Random) -> None:
    old = site.desk.switches().get("acme")
    if old is None:
        return
    site.desk.set_switches(replace(old, mode=Mode.UPSERT_ONLY), "test", site.clock())
    given = len(site.oracle.given)
    site.audit_all()
    if len(site.oracle.given) > given:
        site.oracle.wrongs.append("I4: somebody was un-registered in mode upsert-only")
    site.desk.set_switches(old, "test", site.clock())


@act(1)
def release(site: Site, dice: random.Random) -> None:
    """An operator gives back, or puts back, whatever is held."""
    given = dice.choice((Answer.KEEP, Answer.GIVE_BACK))
    held = {(row.key.person, row.key.session): row.suspicion.hold_reason for row in site.desk.held()}
    for (person, session), reason in sorted(held.items()):
        if reason is HoldReason.FLEET_GUARD and given is Answer.GIVE_BACK:
            site.desk.let_go(person, session, "test", "test", site.clock())
        else:
            site.answer(person, session, given)
    for hold in site.desk.holds():
        site.desk.release_hold(hold.guard, hold.subject, "test", site.clock())


@act(1)
def state_is_lost(site: Site, dice: random.Random) -> None:
    site.lose_state()


@act(2)
def state_is_restored(site: Site, dice: random.Random) -> None:
    """A backup is made; life goes on; the backup is put in place."""
    backup = site.back_up()
    site.round()
    for name in (
        "delete_event",
        "book_again",
        "rounds",
        "move_session",
        "delete_event",
        "audit",
        "grace_passes",
    ):
        if dice.random() < 0.6:
            ACTS[name](site, dice)
    site.restore_state(backup)


@act(1)
def a_clone_is_started(site: Site, dice: random.Random) -> None:
    """The same files at another address: it only observes."""
    site.round()
    own, site.public_url = site.public_url, "https://clone.example"
    calls = sum(one.wrote for one in site.vendors.values())
    clone = start(site, "clone")
    for kind in KINDS:
        clone.cycle(kind)
    clone.close()
    site.public_url = own
    if sum(one.wrote for one in site.vendors.values()) != calls:
        site.oracle.wrongs.append("a clone wrote to a vendor")
