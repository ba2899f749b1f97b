"""Seats in question: keep them or give them back, from one's own page or with the link in a mail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.model import State
from reconciler.web.links import seat_link
from tests.support.browser import Browser
from tests.support.house import MONDAY, TUESDAY, WEDNESDAY
from tests.support.pages import Pages

DAYS = {"Safety": MONDAY, "First aid": TUESDAY, "Welding": WEDNESDAY}


@pytest.fixture
def ana(pages: Pages) -> Browser:
    """Ana has three sessions in her calendar, and deletes them all at once: they are held, she is asked."""
    for title, when in DAYS.items():
        pages.bed.lms.book("ana", pages.bed.lms.add_session(when, title=title, location="Room 4"))
    browser = pages.connected("google")
    pages.bed.once()
    pages.bed.remove("ana")
    pages.bed.audit()
    pages.bed.once()
    assert pages.bed.states("ana") == [State.HELD] * 3
    return pages.arrive("ana", browser)


def link(pages: Pages, session: str | None = None) -> str:
    return seat_link(pages.site, "ana", session, pages.bed.clock())


def later(pages: Pages) -> list[str]:
    """What is in Ana's calendar once the answer has been acted on."""
    for _ in range(3):
        pages.bed.once()
    return pages.bed.titles("ana")


def booked(pages: Pages) -> list[str]:
    """The sessions Ana has a seat in."""
    return sorted({seat.title for seat in pages.bed.lms.timetable() if seat.person == "ana"})


def test_ones_own_page_says_that_seats_are_in_question(pages: Pages, ana: Browser) -> None:
    assert "Seats are in question" in ana.open("/").text
    ana.press("Decide now")
    assert ana.heading == "Do you want to keep these seats?"
    for title in DAYS:
        assert title in ana.text
    assert "Room 4" in ana.text


def test_no_time_is_spoken_of_where_none_is_shown(pages: Pages, ana: Browser) -> None:
    ana.open("/seats")
    assert "Nothing is given back before you say so." in ana.text
    assert "Given back at " not in ana.text


def test_whoever_keeps_them_gets_the_events_back(pages: Pages, ana: Browser) -> None:
    ana.open("/seats").press("Keep my seats, put the events back")
    assert ana.heading == "You keep your seats"
    assert later(pages) == sorted(DAYS)
    assert booked(pages) == sorted(DAYS)
    assert "in question" not in ana.open("/").text


def test_whoever_gives_them_back_is_un_registered(pages: Pages, ana: Browser) -> None:
    ana.open("/seats").press("Give my seats back")
    assert ana.heading == "Your seats are given back"
    assert (later(pages), booked(pages)) == ([], [])


def test_each_seat_may_be_answered_for_alone(pages: Pages, ana: Browser) -> None:
    ana.open("/seats").press("Give my seats back", seat=["session-2"])
    assert "First aid" in ana.text
    assert "Safety" not in ana.text
    ana.open("/seats").press("Keep my seats, put the events back")
    assert later(pages) == ["Safety", "Welding"]
    assert booked(pages) == ["Safety", "Welding"]


def test_a_link_in_a_mail_takes_an_answer_without_signing_in(pages: Pages, ana: Browser) -> None:
    somebody = pages.browser().open(link(pages))
    assert somebody.heading == "Do you want to keep these seats?"
    somebody.press("Keep my seats, put the events back")
    assert somebody.heading == "You keep your seats"
    assert later(pages) == sorted(DAYS)
    assert somebody.open("/").answer.status == 403


def test_a_scanner_that_opens_the_link_decides_nothing_and_uses_nothing_up(
    pages: Pages, ana: Browser
) -> None:
    mailed = link(pages)
    for _ in range(3):
        pages.browser().open(mailed)
    assert [entry.answer for entry in pages.bed.entries("ana")] == [None] * 3
    assert pages.browser().open(mailed).press("Give my seats back").heading == "Your seats are given back"


def test_a_link_takes_one_answer(pages: Pages, ana: Browser) -> None:
    mailed = link(pages)
    first, second = pages.browser().open(mailed), pages.browser().open(mailed)
    first.press("Keep my seats, put the events back", seat=["session-1"])
    second.press("Give my seats back", seat=["session-2"])
    assert second.heading == "Your answer was noted already"
    assert booked(pages) == sorted(DAYS)


def test_a_link_for_one_session_shows_and_answers_for_that_alone(pages: Pages, ana: Browser) -> None:
    somebody = pages.browser().open(link(pages, "session-1"))
    assert "First aid" not in somebody.text
    somebody.press("Give my seat back", seat=["session-1", "session-2"])
    assert "Safety" in somebody.text
    answers = {entry.key.session: entry.answer for entry in pages.bed.entries("ana")}
    assert answers["session-1"] == "give_back"
    assert answers["session-2"] is None


def test_a_link_is_good_for_eight_days(pages: Pages, ana: Browser) -> None:
    mailed = link(pages)
    pages.bed.clock.move(timedelta(days=8))
    assert pages.browser().open(mailed).heading == "This link is too old"


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_damaged_link_is_told_so(pages: Pages, token: str) -> None:
    assert pages.browser().open(f"/seats?token={token}").heading == "This link cannot be used"


def test_nothing_in_question_is_told_so(pages: Pages, ana: Browser) -> None:
    mailed = link(pages)
    ana.open("/seats").press("Keep my seats, put the events back")
    assert pages.browser().open(mailed).heading == "There is nothing left to decide"
    assert pages.arrive("ben").open("/seats").heading == "There is nothing left to decide"


def test_nobody_answers_for_somebody_else(pages: Pages, ana: Browser) -> None:
    ben = pages.arrive("ben").open("/")
    csrf = str(ben.page.find("input", attrs={"name": "csrf"})["value"])  # type: ignore[index]
    ben.send("POST", "/seats", [("csrf", csrf), ("seat", "session-1"), ("answer", "give-back")])
    assert ben.heading == "There is nothing left to decide"
    assert [entry.answer for entry in pages.bed.entries("ana")] == [None] * 3


def test_one_deleted_event_says_until_when_the_seat_can_be_kept(pages: Pages) -> None:
    pages.bed.lms.book("ana", pages.bed.lms.add_session(MONDAY, title="Safety"))
    pages.bed.lms.book("ana", pages.bed.lms.add_session(TUESDAY, title="First aid"))
    pages.bed.lms.book("ana", pages.bed.lms.add_session(WEDNESDAY, title="Welding"))
    ana = pages.connected("google")
    pages.bed.once()
    pages.bed.remove("ana", "Safety")
    pages.bed.audit()
    assert "in question" not in pages.arrive("ana", ana).text
    pages.bed.house.loop.confirm()
    ana.open("/seats")
    assert ana.heading == "Do you want to keep this seat?"
    assert "Given back at " in ana.text
    assert "or before the time shown" in ana.text
    ana.press("Keep my seat, put the event back")
    assert later(pages) == sorted(DAYS)
