"""Everything that may happen in a random history. Each act draws its choices from the dice it is given."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from reconciler.errors import ReconcilerError
from reconciler.model import Answer, Mode
from reconciler.ports import Hold
from tests.harness.boundaries import How
from tests.harness.mailbox import LIES, Stored, Trouble
from tests.harness.process import start
from tests.harness.site import HOUR, MINUTE, Site, when
from tests.harness.vendor import STALE

Act = Callable[[Site, random.Random], None]
ACTS: dict[str, Act] = {}
WEIGHTS: dict[str, int] = {}
MISLEADING = LIES | {Trouble.HIDDEN}
KINDS = ("push", "audit", "confirm")


def act(weight: int) -> Callable[[Act], Act]:
    def register(function: Act) -> Act:
        ACTS[function.__name__], WEIGHTS[function.__name__] = function, weight
        return function

    return register


def _person(site: Site, dice: random.Random) -> str:
    return dice.choice(sorted(site.people))


def _event(site: Site, dice: random.Random) -> tuple[str, Stored] | None:
    """An event of ours still to come that is in somebody's calendar."""
    found = [
        (person, event)
        for person in sorted(site.people)
        for event in site.events(person)
        if event.day and event.day.end_instant > site.clock()
    ]
    return dice.choice(found) if found else None


def _session(site: Site, dice: random.Random) -> str | None:
    sessions = site.facts.sessions()
    return dice.choice(sessions) if sessions else None


# The program ------------------------------------------------------------------------------------------


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


# Owners -----------------------------------------------------------------------------------------------


@act(12)
def delete_event(site: Site, dice: random.Random) -> None:
    found = _event(site, dice)
    if found:
        person, event = found
        assert event.key
        day = None if dice.random() < 0.7 else 0
        site.delete(person, event.key.session, day)


@act(2)
def empty_calendar(site: Site, dice: random.Random) -> None:
    site.delete(_person(site, dice))


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
    found = _event(site, dice)
    if found and found[1].marker is not None:
        mailbox = site.mailbox(found[0])
        elsewhere = [
            one for one in mailbox.calendars if one != found[1].calendar_id and one not in mailbox.lost
        ]
        if elsewhere:
            mailbox.move(found[1], elsewhere[0], site.clock())


def _replaced(site: Site, person: str, *copied: Stored) -> None:
    """What bears another name now looks deleted where it has no marker, and its owner may be asked where the
    server cannot be searched by it."""
    site.oracle.lies += not site.vendors[site.people[person][0]].searchable
    for event in copied:
        if event.marker is None:
            site.oracle.deleted(person, event)


def _unfollowed(site: Site, person: str) -> list[Stored]:
    """Our events that bear another name now, as nobody has seen yet."""
    ids = {row.event_id for row in site.desk.entries([person])[person]}
    gone = ("migration", "replaced by its copy")
    return [one for one in site.mailbox(person).events if one.removed_by in gone and one.event_id in ids]


@act(3)
def copy_event(site: Site, dice: random.Random) -> None:
    found = _event(site, dice)
    if found:
        site.oracle.lies += not site.vendors[site.people[found[0]][0]].searchable
        site.mailbox(found[0]).copy(found[1], site.clock())
        if dice.random() < 0.4:
            _replaced(site, *found)
            site.mailbox(found[0]).delete(found[1], site.clock(), by="replaced by its copy")


@act(3)
def edit_event(site: Site, dice: random.Random) -> None:
    found = _event(site, dice)
    if found and found[1].day:
        later = replace(found[1].day, starts=found[1].day.starts + HOUR, ends=found[1].day.ends + HOUR)
        changes = dice.choice(
            ({"title": "Boring"}, {"block": None}, {"day": later}, {"notes": "bring shoes"})
        )
        site.mailbox(found[0]).edit(found[1], **changes)


@act(2)
def strip_marker(site: Site, dice: random.Random) -> None:
    found = _event(site, dice)
    if found and found[1].calendar_id == site.mailbox(found[0]).default:
        site.mailbox(found[0]).strip(found[1])


@act(1)
def migrate(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    _replaced(site, person, *site.mailbox(person).ours())
    site.mailbox(person).migrate(site.clock())


@act(1)
def lose_second_calendar(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    mailbox = site.mailbox(person)
    second = mailbox.calendars[1]
    followed = {row.event_id for row in site.desk.entries([person])[person] if row.calendar_id == second}
    for event in mailbox.ours():
        if event.calendar_id == second:
            void = "its calendar was deleted" if event.event_id in followed else None
            site.oracle.deleted(person, event, void)
    mailbox.lose(second, site.clock())


@act(2)
def disconnect_and_return(site: Site, dice: random.Random) -> None:
    """Disconnected for a while; what vanishes meanwhile proves nothing."""
    person = _person(site, dice)
    with suppress(ReconcilerError):
        site.desk.disconnect(person, "test", "test", site.clock())
    if dice.random() < 0.5:
        site.delete(person)
    site.oracle.void(person, "disconnected")
    if dice.random() < 0.7:
        site.round()
    with suppress(ReconcilerError):
        site.connect(person)


# The LMS ----------------------------------------------------------------------------------------------


@act(5)
def book(site: Site, dice: random.Random) -> None:
    session, person = _session(site, dice), _person(site, dice)
    if session and session not in site.facts.booked(person):
        site.lms.book(person, session)


@act(4)
def cancel_seat(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    booked = sorted(site.facts.booked(person))
    if booked:
        site.lms.cancel(person, dice.choice(booked))


@act(3)
def book_again(site: Site, dice: random.Random) -> None:
    """An administrator cancels a seat and takes it again at once: another seat."""
    person = _person(site, dice)
    booked = sorted(site.facts.booked(person))
    if booked:
        session = dice.choice(booked)
        site.lms.cancel(person, session)
        site.lms.book(person, session)


@act(4)
def move_session(site: Site, dice: random.Random) -> None:
    session = _session(site, dice)
    if session:
        first = (site.clock() - site.begun) / timedelta(days=1) + dice.choice((0.6, 1.2, 3, 8, 15))
        site.lms.move(session, *(when(first + later) for later in range(dice.choice((1, 1, 2)))))


@act(3)
def change_days(site: Site, dice: random.Random) -> None:
    """A day more, or a day fewer; the others stay, in rows made anew."""
    session = _session(site, dice)
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
    session = _session(site, dice)
    if session:
        site.lms.change(
            session, **{dice.choice(("title", "location", "details")): f"new {dice.randrange(9)}"}
        )


@act(1)
def call_off(site: Site, dice: random.Random) -> None:
    session = _session(site, dice)
    if session:
        site.lms.cancel_session(session)


@act(1)
def vanish(site: Site, dice: random.Random) -> None:
    session = _session(site, dice)
    if session:
        site.lms.drop_session(session)


@act(1)
def vanish_seat(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    booked = sorted(site.facts.booked(person))
    if booked:
        site.lms.drop(person, dice.choice(booked))


@act(2)
def attend(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    booked = sorted(site.facts.booked(person))
    if booked:
        site.lms.set_status(person, dice.choice(booked), dice.choice(("attended", "waiting", "no_show")))


@act(2)
def deadline(site: Site, dice: random.Random) -> None:
    session = _session(site, dice)
    if session:
        until = (site.clock() + dice.choice((-60, 5, 45, 5000)) * MINUTE).replace(tzinfo=None)
        site.lms.change(session, cancel_until=until)


@act(1)
def suspend(site: Site, dice: random.Random) -> None:
    person = _person(site, dice)
    site.lms.change_person(person, active=False)
    if dice.random() < 0.7:
        site.round()
        site.oracle.void(person, "suspended")
        site.lms.change_person(person, active=True)


# Vendors ----------------------------------------------------------------------------------------------


@act(6)
def trouble_of_one(site: Site, dice: random.Random) -> None:
    """Something is wrong with one mailbox for a round or two."""
    person = _person(site, dice)
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
    if kind in (Trouble.REVOKED, Trouble.NO_MAILBOX):
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
    if kind in (Trouble.REVOKED, Trouble.NO_MAILBOX):
        for person, (name, _) in site.people.items():
            if name == vendor.name:
                site.oracle.void(person, "the connection was parked")
    vendor.troubles.discard(kind)


@act(3)
def conflict(site: Site, dice: random.Random) -> None:
    """Another change comes between reading and writing."""
    site.mailbox(_person(site, dice)).conflicts = dice.choice((1, 2))


# Operators --------------------------------------------------------------------------------------------


@act(1)
def pause(site: Site, dice: random.Random) -> None:
    """Observed only, for a while."""
    site.desk.hold(Hold("pause", "*", "test", site.clock(), 0))
    site.round()
    if dice.random() < 0.5:
        site.delete(_person(site, dice))
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
    for person, session in sorted({(row.key.person, row.key.session) for row in site.desk.held()}):
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
