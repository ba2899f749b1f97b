"""`explain` tells what became of a deleted event so that a support person can read it out."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest

from reconciler.model import Answer
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MINUTE, MONDAY, TUESDAY, WEDNESDAY, HouseBed

GRACE = timedelta(minutes=31)
WELDING, SAFETY = "105", "101"
CODES = re.compile(
    r"\bday \d|some-days|fleet-guard|person-guard|grace_until|put_back|unregister(ed|ing)\b|\blms\)|dismissed"
)
"""What a support person could not read out."""


@pytest.fixture
def ana(house: HouseBed) -> HouseBed:
    """Ana has a seat in two sessions, one of them over two days; Ivy teaches the other."""
    house.lms.add_session(MONDAY, TUESDAY, id=SAFETY, title="Safety")
    house.lms.add_session(WEDNESDAY, id=WELDING, title="Welding")
    house.newcomer("ana", "google", SAFETY, WELDING)
    house.lms.add_person("ivy")
    house.lms.book("ivy", WELDING, "instructor")
    house.connect("ivy", "google")
    house.once()
    return house


def later(house: HouseBed, span: timedelta) -> None:
    house.clock.move(span)
    house.once()


def told(house: HouseBed, person: str = "ana", session: str | None = WELDING) -> str:
    text = house.explained(person, session)
    assert CODES.findall(text) == []
    return text


def holds_lines(text: str, *lines: str) -> None:
    """Each of these stands in it, in this order."""
    rest = text
    for line in lines:
        assert line in rest, text
        rest = rest.partition(line)[2]


def test_of_an_event_in_place_it_says_what_deleting_it_would_do(ana: HouseBed) -> None:
    holds_lines(
        told(ana),
        "Person ana on Sun 22 Nov 2026, 10:01 (times are those of Europe/Vienna)",
        "Session 105 “Welding”: learner with a seat, so an event for each day.",
        "Event of Wed 9 Dec 2026, 09:00:\n    In the calendar.\n    Deleting it gives the seat back.",
        "Nothing: all is as it should be.",
        "Sun 22 Nov 2026, 10:01  put into the calendar (as the LMS says)",
    )
    assert "Deleting all days gives the seat back." in told(ana, session=SAFETY)
    assert "put back: instructors have no seat to give back." in told(ana, "ivy")


def test_all_sessions_at_once_are_told_apart_by_their_ids(ana: HouseBed) -> None:
    holds_lines(
        told(ana, session=None),
        "  Session 101, first day (Mon 7 Dec 2026, 09:00), second day (Tue 8 Dec 2026, 09:00):\n",
        "  Session 105, event of Wed 9 Dec 2026, 09:00:\n",
        "Sun 22 Nov 2026, 10:01  session 101, first day and second day: put into the calendar",
        "Sun 22 Nov 2026, 10:01  session 105: put into the calendar",
    )


def test_a_suspicion_is_told_as_one_with_what_comes_next(ana: HouseBed) -> None:
    ana.remove("ana", "Welding")
    ana.audit()
    holds_lines(
        told(ana),
        "Vanished from the calendar: missed since Mon 23 Nov 2026, 10:01.",
        "That is a suspicion, not yet a proof that its owner deleted it.",
        "a time of grace begins. To keep the seat: `reconciler answer ana 105 keep`.",
        "what has vanished goes the way told above",
    )


def test_within_the_grace_time_it_says_until_when_the_seat_can_be_kept(ana: HouseBed) -> None:
    ana.remove("ana", "Welding")
    later(ana, DAY)
    holds_lines(
        told(ana),
        "On Mon 23 Nov 2026, 10:02 it was in no calendar when asked for.",
        "If it still is in none on Mon 23 Nov 2026, 10:32, the seat is given back.",
        "`reconciler answer ana 105 keep`",
        "in none. The seat can be kept until Mon 23 Nov 2026, 10:32",
    )
    ana.clock.move(GRACE)
    assert "Its time of grace ended on Mon 23 Nov 2026, 10:32" in told(ana)


def test_given_back_it_tells_the_proof(ana: HouseBed) -> None:
    ana.remove("ana", "Welding")
    later(ana, DAY)
    later(ana, GRACE)
    (seat,) = ana.lms.statuses("ana", WELDING)
    holds_lines(
        told(ana),
        "no seat (cancelled, declined, requested or waiting), so no event",
        "Deleted by its owner, and the seat was given back.",
        "Mon 23 Nov 2026, 10:34  proven again; the LMS has cancelled the seat",
        f"Mon 23 Nov 2026, 10:34: the LMS was about to be asked to cancel seat {seat}, because:",
        "The event: missed since Mon 23 Nov 2026, 10:02, in no calendar on Mon 23 Nov 2026, 10:02; "
        "and again now: asked for by its id (",
        ") it was gone, and it was in no calendar.",
        "By its own clock, the calendar's server answered at ",
        " GMT: list 200, get 200, find 200 (2 times).",
        "watched without a gap since Sun 22 Nov 2026, 10:01.",
    )


def test_the_proof_names_the_requests_as_the_vendor_calls_them(house: HouseBed) -> None:
    house.lms.add_session(WEDNESDAY, id=WELDING, title="Welding")
    house.newcomer("ben", "microsoft", WELDING)
    house.once()
    house.remove("ben", "Welding")
    later(house, DAY)
    house.clock.move(GRACE)
    house.once()
    (line,) = (line for line in told(house, "ben").splitlines() if "It calls these requests" in line)
    named = line.strip().removeprefix("It calls these requests ").removesuffix(".").split(", ")
    assert len({uuid.UUID(one) for one in named}) >= 3


def test_an_instructors_event_is_put_back_once_and_then_left_away(ana: HouseBed) -> None:
    ana.remove("ivy", "Welding")
    later(ana, DAY)
    holds_lines(
        told(ana, "ivy"),
        "deleted again it stays away, as instructors have no seat to give back.",
        "to be put back: an instructor is not un-registered by deleting the event",
    )
    ana.remove("ivy", "Welding")
    later(ana, DAY)
    holds_lines(
        told(ana, "ivy"),
        "Deleted by its owner; stays away until the session changes.",
        "left away until the session changes: put back once and deleted again",
    )


def test_when_only_some_days_vanish_it_tells_who_is_asked_and_what_was_answered(ana: HouseBed) -> None:
    ana.google.remove("ana@google.example", ana.seen("ana")[0].id)
    later(ana, DAY)
    assert "Other days of the session are still there: if they stay, the learner is asked." in told(
        ana, session=SAFETY
    )
    later(ana, GRACE)
    holds_lines(
        told(ana, session=SAFETY),
        "  First day (Mon 7 Dec 2026, 09:00):\n",
        "Held since Mon 23 Nov 2026, 10:34: only some of the session's days were deleted, so the learner is",
        "Without an answer it is put back on Thu 26 Nov 2026, 10:34.",
        "`reconciler release ana 101 --restore`",
    )
    ana.house.ledger.answer("ana", SAFETY, Answer.KEEP, "ana", "mail", ana.clock())
    assert "The answer was to keep the seat: the event is put back in the next cycle." in told(
        ana, session=SAFETY
    )
    later(ana, MINUTE)
    holds_lines(
        told(ana, session=SAFETY),
        "first day: held, waiting for an answer: only some",
        "answered: keep the seat (ana, mail)",
        "first day: to be put back: its owner keeps the seat",
    )


def test_what_a_guard_holds_names_the_guard_and_how_to_let_go(ana: HouseBed) -> None:
    for number in range(5):
        ana.newcomer(f"p{number}", "google", WELDING)
    ana.once()
    ana.google.faults.add(Fault("empty_list", "list", times=-1), Fault("status", "get", times=-1, status=404))
    later(ana, DAY)
    holds_lines(
        told(ana),
        "many people's events vanished at this vendor at about the same time, which looks like an accident",
        "Nobody loses the seat until an operator decides.",
        "`reconciler release --guard fleet`",
    )
    ana.google.faults.clear()


def test_an_event_the_owner_took_back_is_told_as_found_again(ana: HouseBed) -> None:
    (event,) = [one for one in ana.seen("ana") if one.title == "Welding"]
    ana.remove("ana", "Welding")
    later(ana, DAY)
    ana.google.owner.restore("ana@google.example", event.id)
    later(ana, GRACE)
    holds_lines(
        told(ana),
        "In the calendar.\n    Deleting it gives the seat back.",
        "found again, in its calendar or another; nothing follows from its absence",
    )


def test_where_seats_are_never_given_back_it_says_so(ana: HouseBed) -> None:
    ana.configure(unregister={"mode": "never"})
    ana.once()
    assert "Once deleted it is put back: seats are not given back (unregister.mode is never)." in told(ana)


def test_where_giving_back_was_just_switched_on_an_event_deleted_before_is_put_back(ana: HouseBed) -> None:
    ana.configure(unregister={"mode": "never"})
    later(ana, DAY)
    ana.remove("ana", "Welding")
    ana.configure(unregister={"mode": "apply"})
    ana.clock.move(DAY)
    ana.house.loop.audit()
    assert "the event, as it was last written, does not say yet that it does" in told(ana)
    later(ana, MINUTE)
    assert "to be put back: the event did not say yet that deleting it gives the seat back" in told(ana)
    assert set(ana.lms.statuses("ana", WELDING).values()) == {"booked"}
