"""An event is deleted, and the program ends on the way: of each step a person hears once, if at all.

Counted is what the mail server took over, not what was noted.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import StateUnreadable
from reconciler.mail.letter import Template, unpacked
from reconciler.model import MailState
from tests.harness.boundaries import Crash, How
from tests.integration.post.test_crashes import HOWS, a_watched_postal
from tests.integration.post.test_notices import empty, with_a_calendar
from tests.support.postal import DAY, MINUTE, MONDAY, TUESDAY, Postal

EVERY = 1 if "ALL_BOUNDARIES" in os.environ else 56
"""In the ordinary test run each of the four is met at some of the boundaries; by hand at all."""
GRACE = timedelta(minutes=31)
Story = Callable[[Postal], None]


def restart(postal: Postal) -> None:
    """The next process takes over what the dead one left."""
    postal.ledger.end_leases(postal.ledger.lease_owners())
    postal.ledger.lost_letters(postal.ledger.senders(), postal.clock())


def round_(postal: Postal) -> None:
    """Each cycle once; one that crashes leaves nothing but the file."""
    postal.clock.now += MINUTE
    loop = postal.loop
    for step in (lambda: make_due(postal), loop.push, loop.audit, loop.confirm, loop.mail):
        try:
            step()
        except Crash:
            restart(postal)


def make_due(postal: Postal) -> None:
    """Ana's calendar is to be looked at, if that can be written down."""
    with suppress(StateUnreadable):
        postal.ledger.make_due("ana", postal.clock())


def rounds(postal: Postal, *spans: timedelta) -> None:
    """After each of these times, and a day later, past every back-off and every lease, as many rounds as a
    letter needs if one of them ends half-way."""
    for span in (*spans, DAY):
        postal.clock.now += span
        for _ in range(3):
            round_(postal)


def whole(postal: Postal) -> None:
    """Ana's only day is deleted; her seat is given back."""
    empty(postal)
    rounds(postal, MINUTE, GRACE)


def partial(postal: Postal) -> None:
    """One of two days is deleted; Ana is asked, and when she says nothing the day is put back."""
    empty(postal, slot=0)
    rounds(postal, MINUTE, GRACE, 3 * DAY)


STORIES = {
    "her only day": (whole, (MONDAY,), {Template.DELETED: 1, Template.GIVEN_BACK: 1}),
    "one day of two": (partial, (MONDAY, TUESDAY), {Template.QUESTION: 1}),
}


def vanish(postal: Postal) -> None:
    """Ana's events are gone, and that has been seen."""
    empty(postal)
    postal.clock.now += MINUTE
    make_due(postal)
    postal.loop.push()
    postal.loop.audit()


def one_day(postal: Postal) -> None:
    """Ana's only day is deleted, and has been missed."""
    with_a_calendar(postal, postal.lms.add_session(MONDAY))
    vanish(postal)


def after_the_grace(postal: Postal) -> None:
    """Her seat is about to be given back."""
    one_day(postal)
    round_(postal)
    postal.clock.now += GRACE


def three_seats(postal: Postal) -> None:
    """She is about to be asked about three seats."""
    with_a_calendar(postal, *(postal.lms.add_session(MONDAY) for _ in range(3)))
    vanish(postal)


def not_cancellable(postal: Postal) -> None:
    """Her event is about to be put back."""
    with_a_calendar(postal, postal.lms.add_session(MONDAY, cancellable=0))
    vanish(postal)


BEFORE = {
    Template.DELETED: one_day,
    Template.GIVEN_BACK: after_the_grace,
    Template.QUESTION: three_seats,
    Template.PUT_BACK: not_cancellable,
}


@dataclass(frozen=True)
class Ending:
    """``sent`` is what the server took over, ``lost`` what it may have; ``crossed`` the boundaries."""

    sent: Counter[Template]
    lost: Counter[Template]
    crossed: int


def played(folder: Path, ledger_file: Path, name: str, at: int | None, how: How) -> Ending:
    """The story, with this at that boundary."""
    folder.mkdir()
    story, days, _ = STORIES[name]
    with a_watched_postal(folder, ledger_file) as (postal, boundaries):
        with_a_calendar(postal, postal.lms.add_session(*days, id="s"))
        before = len(postal.server.taken)
        boundaries.arm(at, how)
        story(postal)
        unknown = postal.ledger.mails((MailState.UNKNOWN,), 10)
        return Ending(
            Counter(letter.template for letter in postal.server.taken[before:]),
            Counter(unpacked(mail.body or "").template for mail in unknown),
            boundaries.crossed,
        )


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", STORIES)
def test_at_most_one_mail_per_person_and_change_whatever_ends_the_program(
    tmp_path: Path, ledger_file: Path, name: str, how: How
) -> None:
    whole_story, expected = played(tmp_path / "whole", ledger_file, name, None, how), STORIES[name][2]
    assert (whole_story.sent, whole_story.lost) == (expected, {})
    assert whole_story.crossed > 50
    last = Template.GIVEN_BACK if Template.GIVEN_BACK in expected else Template.QUESTION
    for at in range(HOWS.index(how) * EVERY // len(HOWS), whole_story.crossed, EVERY):
        ending = played(tmp_path / f"{at}", ledger_file, name, at, how)
        assert max(ending.sent.values(), default=0) <= 1, f"boundary {at}: {ending.sent}"
        told = ending.sent | ending.lost
        assert told[last] == 1, f"boundary {at}: {told}"


@pytest.mark.parametrize("how", HOWS if EVERY == 1 else (How.ERROR_BEFORE,))
@pytest.mark.parametrize("template", BEFORE)
def test_nobody_is_left_untold_whatever_commit_fails_while_they_are_heard(
    tmp_path: Path, ledger_file: Path, template: Template, how: How
) -> None:
    for at in itertools.count():
        folder = tmp_path / f"{at}"
        folder.mkdir()
        with a_watched_postal(folder, ledger_file) as (postal, boundaries):
            BEFORE[template](postal)
            boundaries.arm(at, how)
            try:
                postal.loop.confirm()
            except Crash:
                restart(postal)
            boundaries.disarm()
            crossed = boundaries.crossed
            rounds(postal, MINUTE)
            told = Counter(letter.template for letter in postal.server.taken)
            assert told[template] == 1, f"boundary {at}: {told}"
        if crossed <= at:
            break
    assert at > 3
