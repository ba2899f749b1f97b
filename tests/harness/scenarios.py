"""Small stories, each with an end that no crash, no lost reply and no bad moment may change.

``begin`` is the world before; ``story`` is what happens, cycle by cycle, while boundaries are counted;
``end`` says what must be so when all has come to rest, whatever happened on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reconciler.model import Answer
from reconciler.simulators.caldav_store import CYRUS, DAVICAL, RADICALE, WORST, XANDIKOS
from tests.harness.mailbox import Stored, Trouble
from tests.harness.site import MINUTE, Options, Site, when

Step = Callable[[Site], object]
ONE, OTHER = "session-1", "session-2"
VENDORS = ("google", "microsoft", "caldav")
SERVERS = (RADICALE, XANDIKOS, DAVICAL, CYRUS, WORST)
"""One after the other; that SOGo cannot be searched changes how stories end."""


@dataclass(frozen=True)
class Scenario:
    """See the module."""

    name: str
    begin: Step
    story: tuple[Step, ...]
    end: Callable[[Site], bool]
    options: Options = field(default_factory=Options)


def both(site: Site, vendor: str) -> None:
    """Ana is booked into two sessions, the second of two days; Ben teaches them."""
    site.lms.add_session(when(9), id=ONE)
    site.lms.add_session(when(6), when(7), id=OTHER)
    site.newcomer("ana", vendor, ONE, OTHER)
    site.newcomer("ben", vendor, ONE, OTHER, role="instructor")


def settled(site: Site, vendor: str) -> None:
    both(site, vendor)
    site.round()
    site.round()


def three_sessions(site: Site, vendor: str) -> None:
    both(site, vendor)
    site.lms.book("ana", site.lms.add_session(when(12), id="session-3"))
    site.round()
    site.round()


def seats(site: Site, person: str, session: str) -> set[str]:
    return set(site.facts.statuses(person, session).values())


def shows(site: Site, person: str, session: str, count: int = 1) -> bool:
    return len(site.events(person, session)) == count


def after(minutes: float) -> Step:
    return lambda site: site.clock.move(minutes * MINUTE)


def round_(site: Site) -> None:
    site.round()


def audit(site: Site) -> None:
    site.audit_all()


def trouble(kind: Trouble, vendor: str) -> Step:
    def begin(site: Site) -> None:
        site.vendors[vendor].troubles.add(kind)
        site.oracle.lies += 1

    return begin


def calm(site: Site) -> None:
    for vendor in site.vendors.values():
        vendor.troubles.clear()


GIVEN = (audit, after(31), round_, round_)


def keep(site: Site) -> None:
    site.answer("ana", ONE, Answer.KEEP)


def move_away(site: Site) -> None:
    mailbox = site.mailbox("ana")
    for event in site.events("ana", ONE):
        mailbox.move(event, mailbox.calendars[1], site.clock())


def copy_and_delete(site: Site) -> None:
    for event in site.events("ana", ONE):
        site.mailbox("ana").copy(event, site.clock())
    site.delete("ana", ONE)


def strip(site: Site) -> None:
    for event in site.events("ana"):
        site.mailbox("ana").strip(event)


def restore(site: Site) -> None:
    for event in site.mailbox("ana").events:
        if event.removed_by == "owner":
            site.mailbox("ana").restore(event)


def disconnect(site: Site) -> None:
    site.desk.disconnect("ana", "test", "test", site.clock())
    site.oracle.void(None, "disconnected")


def reconnect(site: Site) -> None:
    site.oracle.void("ana", "while it was disconnected")
    site.connect("ana")


def book_again(site: Site) -> None:
    site.lms.cancel("ana", ONE)
    site.lms.book("ana", ONE)


def copies(site: Site) -> list[Stored]:
    return [one for one in site.mailbox("ana").there() if not one.ours]


def of(
    name: str,
    *story: Step,
    end: Callable[[Site], bool],
    begin: Callable[[Site, str], None] = settled,
    options: Options | None = None,
) -> list[Scenario]:
    """The scenario at each vendor."""
    return [
        Scenario(
            f"{name}, {vendor}", lambda site, at=vendor: begin(site, at), story, end, options or Options()
        )  # type: ignore[misc]
        for vendor in VENDORS
    ]


_EVERY: list[Scenario] = [
    *of(
        "first events",
        round_,
        round_,
        begin=both,
        end=lambda site: shows(site, "ana", ONE) and shows(site, "ben", OTHER, 2),
    ),
    *of(
        "the title changes, then the time",
        lambda site: site.lms.change(ONE, title="First aid"),
        round_,
        lambda site: site.lms.move(ONE, when(10)),
        round_,
        end=lambda site: shows(site, "ana", ONE) and site.events("ana", ONE)[0].title == "First aid",
    ),
    *of(
        "a day is added and one is dropped",
        lambda site: site.lms.move(OTHER, when(7), when(8), when(9)),
        round_,
        lambda site: site.lms.move(OTHER, when(8)),
        round_,
        round_,
        end=lambda site: shows(site, "ana", OTHER, 1) and shows(site, "ben", OTHER, 1),
    ),
    *of(
        "a session is called off",
        lambda site: site.lms.cancel_session(OTHER),
        round_,
        round_,
        end=lambda site: shows(site, "ana", OTHER, 0) and shows(site, "ana", ONE),
    ),
    *of(
        "un-booked, booked again, and again",
        lambda site: site.lms.cancel("ana", ONE),
        round_,
        lambda site: site.lms.book("ana", ONE),
        round_,
        book_again,
        round_,
        end=lambda site: shows(site, "ana", ONE),
    ),
    *of(
        "a learner deletes the event",
        lambda site: site.delete("ana", ONE),
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"cancelled"} and shows(site, "ana", ONE, 0),
    ),
    *of(
        "a learner deletes both days",
        lambda site: site.delete("ana", OTHER),
        *GIVEN,
        end=lambda site: seats(site, "ana", OTHER) == {"cancelled"} and shows(site, "ana", ONE),
    ),
    *of(
        "a learner deletes one day of two, and says nothing",
        lambda site: site.delete("ana", OTHER, 0),
        *GIVEN,
        end=lambda site: seats(site, "ana", OTHER) == {"booked"} and shows(site, "ana", OTHER, 2),
    ),
    *of(
        "a learner deletes one day of two, and gives the seat back when asked",
        lambda site: site.delete("ana", OTHER, 0),
        *GIVEN,
        lambda site: site.answer("ana", OTHER, Answer.GIVE_BACK),
        round_,
        round_,
        end=lambda site: seats(site, "ana", OTHER) == {"cancelled"} and shows(site, "ana", OTHER, 0),
    ),
    *of(
        "a learner deletes the event and keeps the seat",
        lambda site: site.delete("ana", ONE),
        *(audit, keep, round_),
        *(audit, keep, round_),  # who could not be asked the first time answers when asked
        # Who could not be asked the second time either has not said to keep it.
        end=lambda site: (
            not any(one.answer for one in site.oracle.deletions)
            or (seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE))
        ),
    ),
    *of(
        "a learner takes the event back from the bin",
        lambda site: site.delete("ana", ONE),
        audit,
        restore,
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
    ),
    *of(
        "an instructor deletes the event twice",
        lambda site: site.delete("ben", ONE),
        audit,
        audit,
        lambda site: site.delete("ben", ONE),
        audit,
        audit,
        # Where the first one was not put back in time there was no second one to delete.
        end=lambda site: (
            len(site.oracle.deletions) < 2
            or (site.states("ben", ONE) == ["dismissed"] and shows(site, "ben", ONE, 0))
        ),
    ),
    *of(
        "an instructor deletes the event twice, and the session changes",
        lambda site: site.delete("ben", ONE),
        audit,
        audit,
        lambda site: site.delete("ben", ONE),
        audit,
        audit,
        lambda site: site.lms.change(ONE, title="First aid"),
        round_,
        end=lambda site: shows(site, "ben", ONE),
    ),
    *of(
        "a session is called off, and on again",
        lambda site: site.lms.cancel_session(ONE),
        round_,
        lambda site: site.lms.change(ONE, status="scheduled"),
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
    ),
    *of(
        "the event is moved to another calendar, and the seat cancelled",
        move_away,
        round_,
        lambda site: site.lms.cancel("ana", ONE),
        round_,
        audit,
        end=lambda site: shows(site, "ana", ONE, 0),
    ),
    *of(
        "the event is moved to another calendar, and the seat booked anew",
        move_away,
        book_again,
        round_,
        audit,
        end=lambda site: shows(site, "ana", ONE),
    ),
    *of(
        "a copy is made, and the seat cancelled",
        lambda site: site.mailbox("ana").copy(site.events("ana", ONE)[0], site.clock()),
        round_,
        lambda site: site.lms.cancel("ana", ONE),
        round_,
        audit,
        end=lambda site: shows(site, "ana", ONE, 0) and len(copies(site)) == 1,
    ),
    *of(
        "an event is edited by its owner",
        lambda site: [site.mailbox("ana").edit(one, title="Mine") for one in site.events("ana", ONE)],
        audit,
        end=lambda site: site.events("ana", ONE)[0].title == f"Title of {ONE}",
    ),
    *of(
        "rows of days are made anew at every save",
        lambda site: site.lms.move(OTHER, *site.days(OTHER)),
        round_,
        audit,
        end=lambda site: (
            {one.made_at for one in site.mailbox("ana").events if one.key} == {site.begun + MINUTE}
        ),
    ),
    *of(
        "a learner empties the calendar",
        lambda site: site.delete("ana"),
        *GIVEN,
        begin=three_sessions,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
    ),
    *of(
        "the event is moved to another calendar",
        move_away,
        *GIVEN,
        lambda site: site.lms.change(ONE, title="First aid"),
        round_,
        end=lambda site: (
            seats(site, "ana", ONE) == {"booked"} and site.events("ana", ONE)[0].title == "First aid"
        ),
    ),
    *of(
        "the event is copied and the first one deleted",
        copy_and_delete,
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"booked"},
    ),
    *of(
        "the marker is removed",
        strip,
        *GIVEN,
        lambda site: site.lms.change(ONE, title="First aid"),
        round_,
        end=lambda site: (
            seats(site, "ana", ONE) == {"booked"} and site.events("ana", ONE)[0].title == "First aid"
        ),
    ),
    *of(
        "a migration tool gives all events other ids",
        lambda site: site.mailbox("ana").migrate(site.clock()),
        *GIVEN,
        lambda site: site.lms.change(ONE, title="First aid"),
        round_,
        end=lambda site: seats(site, "ana", ONE) == {"booked"},
    ),
    *of(
        "deleted while it was disconnected",
        disconnect,
        lambda site: site.delete("ana", ONE),
        round_,
        reconnect,
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
    ),
    *of(
        "the state is lost",
        lambda site: site.lose_state(),
        *GIVEN,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", OTHER, 2),
    ),
    *of(
        "an administrator books the seat anew after the deletion",
        lambda site: site.delete("ana", ONE),
        audit,
        after(31),
        book_again,
        round_,
        round_,
        end=lambda site: "booked" in seats(site, "ana", ONE) and shows(site, "ana", ONE),
    ),
    *of(
        "the session is moved after the deletion",
        lambda site: site.delete("ana", ONE),
        audit,
        lambda site: site.lms.move(ONE, when(11)),
        after(31),
        lambda site: site.cycle("confirm"),
        round_,
        end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
    ),
    *[
        one
        for vendor in VENDORS
        for one in of(
            "the vendor finds nothing for an hour",
            trouble(Trouble.LYING, vendor),
            *GIVEN,
            audit,
            after(31),
            audit,
            calm,
            audit,
            end=lambda site: seats(site, "ana", ONE) == {"booked"} and shows(site, "ana", ONE),
        )
        if one.name.endswith(vendor)
    ],
]

ALL = [one for one in _EVERY if not one.name.endswith("caldav")]
CALDAV = [
    replace(one, options=replace(one.options, oddities=SERVERS[number % len(SERVERS)]))
    for number, one in enumerate(one for one in _EVERY if one.name.endswith("caldav"))
]
