"""Each line of an event's history is a plain clause; several that say one thing are one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.explain.history import happened
from reconciler.explain.words import MAILS, Names, Times
from reconciler.mail.letter import Template
from reconciler.ports import Occurrence
from tests.support.builders import NOW, a_day, a_registration, a_session, an_entry

DAYS = [a_day("2026-12-07 09:00"), a_day("2026-12-08 09:00")]
SEAT = a_registration(a_session(days=DAYS))
ROWS = [an_entry(SEAT, 0), an_entry(SEAT, 1)]
NAMES = Names([SEAT], ROWS, Times("UTC"), "s1")


def said(*lines: tuple[str, str] | tuple[str, str, int], names: Names = NAMES) -> list[str]:
    """The history of these (what, why[, slot]), a minute apart, without its times."""
    history = [
        Occurrence(NOW + timedelta(minutes=place), "ana", "s1", line[2] if len(line) > 2 else 0, *line[:2])
        for place, line in enumerate(lines)
    ]
    return [line[2:].partition("  ")[2] for line in happened(history, [], names)]


@pytest.mark.parametrize(
    ("what", "why", "words"),
    [
        ("created", "lms", "put into the calendar (as the LMS says)"),
        ("created", "reconnect", "put into the calendar (as the calendar was connected anew)"),
        ("updated", "text, time updated (lms)", "changed: text, time (as the LMS says)"),
        (
            "updated",
            "adopted, marker put right",
            "found in the calendar and taken up; put right: marker",
        ),
        ("deleted", "nobody needs it", "deleted by us (nobody needs it)"),
        ("refused", "403 quota", "refused by the vendor: 403 quota"),
        ("still registered", "begun", "the LMS did not cancel the seat: the session has begun"),
        ("still registered", "", "the LMS did not cancel the seat: no reason was given"),
        ("being put back", "refused: begun", "to be put back: refused: the session has begun"),
        ("not ours to give back any more", "other-seat", "the seat was not ours to give back any more: it is "
         "another seat now, or none"),
        ("something new", "for a reason", "something new (for a reason)"),
    ],
)  # fmt: skip
def test_what_was_done_is_said_in_words(what: str, why: str, words: str) -> None:
    assert said((what, why)) == [f"first day: {words}"]


def test_an_intent_that_was_carried_out_is_not_told_twice() -> None:
    assert said(("create intended", "lms"), ("created", "lms")) == [
        "first day: put into the calendar (as the LMS says)"
    ]


def test_an_intent_whose_answer_was_never_written_down_is_told() -> None:
    killed, settled = said(("create intended", "lms"), ("create intended", "repair"), ("created", "repair"))
    assert killed == (
        "first day: to be put into the calendar; we stopped before the vendor's answer was written down"
    )
    assert settled == "first day: put into the calendar (to put things right)"
    assert len(said(("delete intended", "abc"))) == 1


def test_days_of_which_the_same_was_said_in_the_same_minute_share_a_line() -> None:
    history = [Occurrence(NOW, "ana", "s1", slot, "created", "lms") for slot in (0, 1)]
    (line,) = happened(history, [], NAMES)
    assert line.endswith("  first day and second day: put into the calendar (as the LMS says)")


def test_a_session_of_one_day_needs_no_name_for_it() -> None:
    seat = a_registration(a_session(days=DAYS[:1]))
    names = Names([seat], [an_entry(seat, 0)], Times("UTC"), "s1")
    assert said(("created", "lms"), names=names) == ["put into the calendar (as the LMS says)"]


def test_times_are_those_of_the_sessions_zone() -> None:
    names = Names([SEAT], ROWS, Times("Asia/Kolkata"), "s1")
    (line,) = happened([Occurrence(NOW, "ana", "s1", 0, "created", "lms")], [], names)
    assert line.startswith(f"  {NOW + timedelta(hours=5, minutes=30):%a %d %b %Y, %H:%M}  ")


@pytest.mark.parametrize(
    ("what", "why", "words"),
    [
        ("mail sent", "invitation", "told by mail of a new or changed day, with its calendar entry"),
        ("mail refused", "changed (550 no such user)", "could not be told by mail of a change, as the mail "
         "server refused it: 550 no such user"),
        ("mail unknown", "cancelled (we stopped)", "mailed of a cancellation, and nobody knows whether it "
         "arrived: we stopped; it is not sent again unasked"),
        ("mail dropped", "deleted (too late)", "not told by mail of the deleted event, and until when the "
         "seat can be kept: too late"),
    ],
)  # fmt: skip
def test_what_became_of_a_letter_is_a_sentence(what: str, why: str, words: str) -> None:
    assert said((what, why, -1)) == [words]
    assert said((what, why, 0)) == [f"first day: {words}"]


def test_every_kind_of_letter_has_its_words() -> None:
    assert set(MAILS) == {template.value for template in Template}
