"""The LMS's own way to give a seat back is missing or hangs: nobody loses a seat, and nothing is forgotten.

What fails is the Moodle script behind its real channel; the seats are those of the small LMS, by whose own
registrar the program goes on once the script is there again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_channels import CommandChannel
from reconciler.lms.moodle_registrar import MoodleRegistrar
from reconciler.model import Answer, Connection
from reconciler.ports import Calendar, Registrar, RegistrarAnswer, RegistrarOutcome, Unregistration
from tests.harness.process import WatchedRegistrar
from tests.harness.site import MINUTE, Site
from tests.harness.test_deleting_an_event import ana_in, seats, told
from tests.integration.registrar.test_moodle_answers import UNTOLD
from tests.integration.registrar.test_moodle_answers import told as a_script_that

NO_SCRIPT = MoodleRegistrar(CommandChannel(UNTOLD["missing script"]))


class Vanishing:
    """Says what time it is, and is gone when a seat is to be given back."""

    def __init__(self, now: Callable[[], datetime], script: Registrar) -> None:
        self.now, self._script = now, script

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        return self._script.unregister(request)

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        return self._script.resolve(request)

    def check(self) -> list[str]:
        return self._script.check()


def fails(site: Site, script: Registrar, *, from_the_start: bool = False) -> None:
    """From now on, until this process ends, seats are given back through this script."""
    confirming = site.process().house.loop.confirming
    assert confirming is not None
    watched = confirming.registrar
    assert isinstance(watched, WatchedRegistrar)
    watched._inner = script if from_the_start else Vanishing(site.clock, script)


def deleted(site: Site) -> str:
    """Ana has deleted the event of her only session, and the grace time has begun."""
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    assert told(site) == ["deleted"]
    return session


def goes_on(site: Site, session: str) -> None:
    """With the script there again, the seat is given back, and Ana is told so once."""
    site.kill()
    for _ in range(2):
        site.clock.move(31 * MINUTE)
        site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    assert site.states("ana") == ["unregistered"]
    site.settle()
    assert told(site) == ["deleted", "given-back"]
    assert site.wrongs() == []


@pytest.mark.parametrize("from_the_start", [True, False], ids=["missing", "gone at the last moment"])
def test_while_the_script_is_missing_nobody_is_unregistered_and_then_it_goes_on(
    site: Site, from_the_start: bool
) -> None:
    session = deleted(site)
    fails(site, NO_SCRIPT, from_the_start=from_the_start)
    for _ in range(3):
        site.clock.move(31 * MINUTE)
        assert site.cycle("confirm") == ("error" if from_the_start else "partial")
        assert site.states("ana") == ["missing"]
    assert seats(site, "ana", session) == {"booked"}
    assert site.answer("ana", session, Answer.GIVE_BACK)  # it is not too late for an answer
    goes_on(site, session)


def test_a_script_that_times_out_and_is_then_missing_concludes_nothing(site: Site) -> None:
    """It was told and never answered: whether it wrote is asked until there is an answer."""
    session = deleted(site)
    site.clock.move(31 * MINUTE)
    fails(site, a_script_that("time.sleep(600)", seconds=1))
    site.cycle("confirm")
    assert site.states("ana") == ["unregistering"]
    fails(site, NO_SCRIPT)
    for _ in range(3):
        site.clock.move(20 * MINUTE)
        assert site.cycle("confirm") == "partial"
        assert site.states("ana") == ["unregistering"]
    assert not site.answer("ana", session, Answer.KEEP)
    goes_on(site, session)


def two_of_three_delete(site: Site) -> str:
    """Ana and ben delete their event of a session, and eva keeps hers; their time of grace has begun."""
    session = ana_in(site, 9)
    site.newcomer("ben", "google", session)
    site.newcomer("eva", "google", session)
    site.round()
    for person in ("ana", "ben"):
        site.delete(person)
    site.audit_all()
    return session


def test_one_seat_about_which_the_script_never_answers_keeps_nobody_else_waiting(site: Site) -> None:
    session = two_of_three_delete(site)
    site.clock.move(31 * MINUTE)
    fails(site, a_script_that("say('PHP Fatal error: of this seat')"))
    site.cycle("confirm")
    assert site.states("ana") == site.states("ben") == ["unregistering"]
    site.kill()
    site.clock.move(2 * MINUTE)
    silent_about(site, "ana")
    for _ in range(2):
        site.clock.move(31 * MINUTE)
        site.cycle("confirm")
    assert site.states("ana") == ["unregistering"]
    assert site.states("ben") == ["unregistered"]
    assert seats(site, "ben", session) == {"cancelled"}


def test_a_slow_answer_about_one_seat_costs_nobody_else_their_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slower than a lease lasts: that of the others is taken anew, and what is known of them read anew."""
    session = two_of_three_delete(site)
    begun, since = time.monotonic, site.clock()
    monkeypatch.setattr(time, "monotonic", lambda: begun() + (site.clock() - since).total_seconds())
    provider = site.process().house.world.providers["google"]
    opened = provider.open

    def slow(connection: Connection) -> Calendar:
        if connection.person == "ana":
            site.clock.move(2 * MINUTE)
            site.answer("ben", session, Answer.KEEP)
        return opened(connection)

    monkeypatch.setattr(provider, "open", slow)
    site.clock.move(31 * MINUTE)
    site.cycle("confirm")
    assert seats(site, "ben", session) == {"booked"}
    assert site.states("ben") == ["live"]


class Hanging:
    """Says what time it is; all else is waited for in vain, for a minute and a half."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self._site = site
        self.asked: list[str] = []
        begun, since = time.monotonic, site.clock()
        monkeypatch.setattr(time, "monotonic", lambda: begun() + (site.clock() - since).total_seconds())

    def now(self) -> datetime:
        return self._site.clock()

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        self._waited_for(request)
        return RegistrarAnswer(RegistrarOutcome.UNKNOWN, "no usable answer")

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        self._waited_for(request)
        raise LmsUnreadable("The script gave no usable answer")

    def check(self) -> list[str]:
        return []

    def _waited_for(self, request: Unregistration) -> None:
        self.asked.append(request.person)
        self._site.clock.move(timedelta(seconds=90))


def test_a_script_that_hangs_is_waited_for_once_a_cycle_and_asked_about_each_in_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = two_of_three_delete(site)
    site.clock.move(31 * MINUTE)
    fails(site, hanging := Hanging(site, monkeypatch), from_the_start=True)
    assert site.cycle("confirm") == "partial"
    assert (hanging.asked, site.states("ana"), site.states("ben")) == (
        ["ana"],
        ["unregistering"],
        ["missing"],
    )
    assert site.answer("ben", session, Answer.GIVE_BACK)  # nothing of his was begun
    assert site.cycle("confirm") == "partial"
    assert (hanging.asked, site.states("ben")) == (["ana", "ana"], ["missing"])
    assert site.cycle("confirm") == "partial"
    assert (hanging.asked, site.states("ben")) == (["ana", "ana", "ben"], ["unregistering"])
    site.clock.move(20 * MINUTE)
    assert site.cycle("confirm") == "partial"
    assert hanging.asked == ["ana", "ana", "ben", "ana"]
    assert site.cycle("confirm") == "partial"
    assert hanging.asked == ["ana", "ana", "ben", "ana", "ben"]
    site.kill()
    for _ in range(2):
        site.clock.move(31 * MINUTE)
        site.round()
    assert site.states("ana") == site.states("ben") == ["unregistered"]
    assert seats(site, "ana", session) == seats(site, "ben", session) == {"cancelled"}


def silent_about(site: Site, person: str) -> None:
    """What became of this person's seat cannot be asked; anybody else's can."""
    confirming = site.process().house.loop.confirming
    assert confirming is not None
    watched = confirming.registrar
    assert isinstance(watched, WatchedRegistrar)
    resolve, dumb = watched._inner.resolve, a_script_that("say('PHP Fatal error: of this seat')")

    def ask(request: Unregistration) -> RegistrarAnswer:
        return (dumb.resolve if request.person == person else resolve)(request)

    watched._inner.resolve = ask  # type: ignore[method-assign]


def test_a_php_warning_before_the_answer_is_no_part_of_it(site: Site) -> None:
    session = deleted(site)
    site.clock.move(31 * MINUTE)
    fails(site, a_script_that("say('PHP Warning:  Undefined variable\\n'); answer('refused', why='begun')"))
    site.cycle("confirm")
    assert seats(site, "ana", session) == {"booked"}
    assert len(site.events("ana")) == 1
    assert told(site) == ["deleted", "put-back"]
