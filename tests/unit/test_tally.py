"""A cycle says in one plain sentence what it did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.apply import Done
from reconciler.tally import COUNTED_ALWAYS, Census, Tally
from reconciler.turn import TurnReport


def turn(outcome: str, *done: str, notes: tuple[str, ...] = ()) -> TurnReport:
    made = tuple(Done(*one.split()) for one in done)
    return TurnReport("ana", "google", outcome, done=made, notes=notes)


def sentence(cycle: str, people: int, *turns: TurnReport) -> str:
    tally = Tally()
    tally.counts["people"] = people
    tally.add(turns)
    return tally.sentence(cycle)


@pytest.mark.parametrize(
    ("cycle", "said"),
    [
        ("push", "push: no calendar is connected"),
        ("audit", "audit: no calendar is due to be looked at"),
        ("confirm", "confirm: no event has vanished"),
    ],
)
def test_a_cycle_without_anybody_says_why(cycle: str, said: str) -> None:
    assert sentence(cycle, 0) == said


def test_people_without_a_change_are_only_counted() -> None:
    assert sentence("push", 20_000) == "push: 20000 people, nothing to do"
    assert sentence("audit", 1, turn("idle")) == "audit: 1 person, nothing to do"


def test_what_was_done_follows_for_how_many_it_was_done() -> None:
    ana = turn("changed", "create lms ok", "create lms ok", "update lms ok")
    ben = turn("changed", "delete lms ok")
    assert sentence("push", 2, ana, ben) == "push: 2 people changed: 2 created, 1 updated, 1 deleted"
    assert sentence("push", 7, ana) == "push: 1 of 7 people changed: 2 created, 1 updated"


def test_what_did_not_succeed_is_told_apart() -> None:
    ana = turn("open", "create lms ok", "create lms refused", "update lms retried")
    assert sentence("push", 1, ana) == (
        "push: 1 person changed: 1 created, 1 not created (refused), 1 not updated at the first attempt; "
        "1 of them to be looked at again"
    )


def test_a_vanished_event_is_no_change_of_ours() -> None:
    said = sentence("audit", 3, turn("idle"), turn("open", "missing drift ok"))
    assert said == "audit: 3 people; 1 event vanished; 1 of them to be looked at again"


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        (("grace begun", "grace begun"), "time of grace begun for 2 seats"),
        (("given back",), "1 seat given back"),
        (("found again", "given back"), "1 seat given back; 1 event found again"),
        (("held",), "1 seat held"),
        (("LMS not reached",), "1 seat not given back yet: the LMS cannot be reached"),
    ],
)
def test_what_became_of_vanished_events_is_said_in_seats_and_events(
    notes: tuple[str, ...], said: str
) -> None:
    assert sentence("confirm", 2, turn("changed", notes=notes)) == f"confirm: 2 people; {said}"


def test_a_count_that_has_no_phrase_is_not_left_out() -> None:
    assert sentence("confirm", 1, turn("changed", notes=("struck by lightning",))) == (
        "confirm: 1 person; 1 struck by lightning"
    )


TROUBLE: Mapping[str, str] = {
    "failed": "1 of them failed",
    "parked": "1 of them with a connection that does not work any more",
    "skipped": "1 of them skipped, as their vendor is down",
    "taken": "1 of them left to another process",
}


@pytest.mark.parametrize("outcome", TROUBLE)
def test_trouble_comes_last(outcome: str) -> None:
    fine = turn("changed", "create lms ok")
    assert sentence("push", 2, fine, turn(outcome)) == (
        f"push: 1 of 2 people changed: 1 created; {TROUBLE[outcome]}"
    )


def looks_at_the_ledger(events: int, after: list[float]) -> int:
    """How often it is counted, when asked at these seconds."""
    looks: list[datetime] = []

    def count(now: datetime) -> Mapping[tuple[str, str], int]:
        looks.append(now)
        return {("google", "live"): events}

    census, begun = Census(), datetime(2026, 11, 22, 9, tzinfo=UTC)
    for seconds in after:
        counts = census.of(count, begun + timedelta(seconds=seconds))
        assert counts == {("google", "live"): events}
    return len(looks)


def test_a_small_ledger_is_counted_after_every_cycle() -> None:
    assert looks_at_the_ledger(COUNTED_ALWAYS, [0, 0, 0.1, 60]) == 4


def test_a_large_ledger_is_counted_the_more_rarely_the_larger_it_is() -> None:
    assert looks_at_the_ledger(1_050_000, [0, 1, 60, 99]) == 1
    assert looks_at_the_ledger(1_050_000, [0, 60, 100, 199, 200]) == 3
    assert looks_at_the_ledger(150_000, [0, 9, 10]) == 2


def test_a_clock_that_was_set_back_makes_no_count_good_for_longer() -> None:
    assert looks_at_the_ledger(1_050_000, [0, -3600, -3590]) == 2
