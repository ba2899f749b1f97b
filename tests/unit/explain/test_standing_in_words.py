"""How an event stands is told in sentences that are true of it."""

from __future__ import annotations

from datetime import timedelta

from reconciler.explain.standing import Stand
from reconciler.explain.words import Times
from reconciler.model import LedgerEntry, State, Suspicion
from reconciler.patience import asked_later
from tests.support.builders import NOW, a_registration, an_entry

SEAT = a_registration()


def said(row: LedgerEntry) -> list[str]:
    return list(Stand(row, SEAT, (row,), None, Times("UTC"), NOW).sentences())


def test_a_seat_about_which_the_lms_gives_no_answer_is_asked_about_when_it_is_said_to_be() -> None:
    deadline = NOW - timedelta(minutes=5)
    row = an_entry(SEAT, state=State.UNREGISTERING, suspicion=Suspicion(deadline=deadline))
    asked_first, asked_later_on = (f"{one:%H:%M}" for one in (deadline, NOW + timedelta(minutes=2)))
    assert asked_first in said(row)[1]
    (waiting,) = asked_later([row], NOW)
    assert asked_later_on in said(waiting)[1]
    assert "vendor" not in " ".join(said(waiting))
