"""Whatever ends the program, and wherever: nobody is mailed twice of one change, nothing is lost unseen."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.diff.mailing import MailPlan
from reconciler.ledger.database import open_database
from reconciler.ledger.store import SqlLedger
from reconciler.mail.letter import unpacked
from reconciler.mail.smtp import Delivery, Outcome
from reconciler.model import MailState
from reconciler.post.planning import Planner, Standing
from tests.harness.boundaries import Boundaries, Crash, How
from tests.harness.process import WatchedDatabase
from tests.support.postal import COALESCE, DAY, MINUTE, MONDAY, TUESDAY, MailServer, Postal, a_postal

ONLY_SOME = "ALL_BOUNDARIES" not in os.environ
"""In the ordinary test run each boundary meets one of the four; by hand each meets all."""
HOWS = (How.CRASH_BEFORE, How.CRASH_AFTER, How.ERROR_BEFORE, How.REPLY_LOST)


@dataclass
class WatchedServer(MailServer):
    """Every message handed over is a boundary."""

    boundaries: Boundaries | None = None

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        assert self.boundaries is not None
        try:
            return self.boundaries.cross(
                "smtp", lambda: super(WatchedServer, self).send(sender, recipient, message), ConnectionError
            )
        except ConnectionError:
            late = self.boundaries.how is How.REPLY_LOST
            return Delivery(Outcome.UNKNOWN if late else Outcome.DEFERRED, 0, "the connection was lost")


@contextmanager
def a_watched_postal(folder: Path, ledger_file: Path) -> Iterator[tuple[Postal, Boundaries]]:
    """On SQLite, with every commit and every message a boundary."""
    shutil.copy(ledger_file, folder / "state.db")
    boundaries = Boundaries()
    engine = open_database(f"sqlite:///{folder / 'state.db'}").engine
    ledger = SqlLedger(WatchedDatabase(engine, boundaries))
    postal = a_postal(folder, ledger)
    server = WatchedServer(boundaries=boundaries)
    loop = replace(postal.loop, posting=replace(postal.posting, carrier=server))
    yield replace(postal, server=server, loop=loop), boundaries
    ledger.close()


def cycle(postal: Postal) -> None:
    """A mail cycle; after a crash the next process takes over what the dead one left."""
    try:
        postal.mail()
    except Crash:
        postal.ledger.end_leases(postal.ledger.lease_owners())
        postal.ledger.lost_letters(postal.ledger.senders(), postal.clock())


def story(postal: Postal) -> Iterator[None]:
    """Ana is booked, moved, and loses her seat."""
    session = postal.lms.add_session(MONDAY, id="s")
    postal.lms.add_person("ana", email="ana@x.example")
    postal.lms.book("ana", session)
    yield
    postal.lms.move(session, TUESDAY)
    yield
    postal.lms.cancel("ana", session)
    yield


def play(postal: Postal) -> None:
    for _ in story(postal):
        for _ in range(2):
            cycle(postal)
            postal.clock.now += COALESCE
        postal.clock.now += DAY  # past every back-off
        cycle(postal)


def messages(postal: Postal) -> list[tuple[str, int]]:
    return [(one.invite.method, one.invite.sequence) for one in postal.server.taken if one.invite]


def boundaries_of_the_story(folder: Path, ledger_file: Path) -> int:
    with a_watched_postal(folder, ledger_file) as (postal, boundaries):
        postal.begun()
        boundaries.arm(None)
        play(postal)
        assert messages(postal) == [("REQUEST", 0), ("REQUEST", 1), ("CANCEL", 2)]
        return boundaries.crossed


@pytest.mark.parametrize("how", HOWS)
def test_at_every_boundary_nobody_is_mailed_twice_and_nothing_is_lost_unseen(
    tmp_path: Path, ledger_file: Path, how: How
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    crossed = boundaries_of_the_story(whole, ledger_file)
    assert crossed > 20
    for at in range(HOWS.index(how), crossed, len(HOWS) if ONLY_SOME else 1):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        with a_watched_postal(folder, ledger_file) as (postal, boundaries):
            postal.begun()
            boundaries.arm(at, how)
            play(postal)
            boundaries.disarm()
            postal.later(DAY)
            sent = messages(postal)
            assert max(Counter(sent).values(), default=0) <= 1, f"boundary {at}"
            unknown = postal.ledger.mails((MailState.UNKNOWN,), 10)
            told = Counter(sent) | Counter((one.way.upper(), _sequence(one.body)) for one in unknown)
            assert not told or any(method == "CANCEL" for method, _ in told), f"boundary {at}: {sent}"
            sequences = sorted(sequence for _, sequence in told)
            assert sequences == list(range(len(sequences))), f"boundary {at}: a change was lost unseen"
            assert postal.ledger.mail_counts().get("waiting", 0) == 0


def _sequence(body: str | None) -> int:
    invite = unpacked(body or "").invite
    assert invite is not None
    return invite.sequence


def test_a_letter_of_unknown_fate_waits_for_an_operator_and_goes_out_once_if_they_say_so(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    postal.server.answers.append(Crash())
    postal.newcomer("ana", postal.lms.add_session(MONDAY))
    postal.mail()
    postal.clock.now += COALESCE
    with pytest.raises(Crash):
        postal.mail()
    assert postal.ledger.mail_counts() == {"sending": 1}
    assert postal.ledger.lost_letters(postal.ledger.senders(), postal.clock()) == 1
    postal.ledger.end_leases(postal.ledger.lease_owners())
    postal.later(DAY)
    assert postal.news() == []
    (mail,) = postal.ledger.mails((MailState.UNKNOWN,), 10)
    postal.ledger.decide_mail(mail.id, True, "op", postal.clock())
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]


def test_nothing_is_sent_while_the_state_cannot_be_written(tmp_path: Path, ledger_file: Path) -> None:
    """A full disk, as SQLite tells of it, before the letter is written down as being sent."""
    with a_watched_postal(tmp_path, ledger_file) as (postal, _):
        postal.begun()
        postal.newcomer("ana", postal.lms.add_session(MONDAY))
        postal.mail()
        postal.clock.now += COALESCE
        full = _full_disk(postal.ledger)
        assert postal.mail().result == "error"
        assert postal.server.taken == []
        full()
        postal.mail()
        assert len(postal.news()) == 1


def _full_disk(ledger: SqlLedger) -> Callable[[], None]:
    """SQLite may not grow its file any more, nor use what is free in it; call to let it grow again."""
    engine = ledger.database.engine
    raw = engine.raw_connection()
    raw.driver_connection.execute("PRAGMA query_only = ON")  # type: ignore[union-attr]

    def refuse(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    raw.close()
    engine.dispose()
    sa.event.listen(engine, "checkout", refuse)

    def lift() -> None:
        sa.event.remove(engine, "checkout", refuse)
        engine.dispose()

    return lift


def test_a_message_whose_fate_the_server_left_unknown_is_not_sent_again(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    postal.server.answers.append(Delivery(Outcome.UNKNOWN, 0, "lost after the message"))
    postal.newcomer("ana", postal.lms.add_session(MONDAY))
    postal.later()
    postal.later(DAY)
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]
    assert postal.ledger.mail_counts() == {"unknown": 1}


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.REFUSED])
def test_what_the_server_says_is_what_follows(tmp_path: Path, ledger: SqlLedger, outcome: Outcome) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    postal.server.answers += [Delivery(outcome, 451 if outcome is Outcome.DEFERRED else 550, "not now")]
    postal.newcomer("ana", postal.lms.add_session(MONDAY))
    postal.later()
    assert postal.news() == []
    postal.later(timedelta(hours=2))
    if outcome is Outcome.DEFERRED:
        assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]
    else:
        assert postal.news() == []
        (mail,) = postal.ledger.mails((MailState.REFUSED,), 10)
        assert (mail.code, mail.person) == (550, "ana")
        postal.lms.change_person("ana", email="right@x.example")
        postal.later()
        assert postal.news() == ["right: invitation REQUEST 1 07.12. 09:00"]


def test_a_server_that_is_not_reached_is_asked_three_times_a_cycle_not_for_everybody(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    session = postal.lms.add_session(MONDAY)
    for number in range(10):
        postal.newcomer(f"p{number}", session)
    postal.mail()
    postal.clock.now += COALESCE
    postal.server.answers += [Delivery(Outcome.DEFERRED, 0, "refused") for _ in range(10)]
    run = postal.mail()
    assert (run.result, len(postal.server.answers)) == ("partial", 7)
    postal.server.answers.clear()
    postal.later(timedelta(hours=2))
    assert len(postal.news()) == 10


def test_a_thousand_changed_days_are_a_thousand_messages_none_twice_over_kills(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    session = postal.lms.add_session(MONDAY)
    many = 1000 if ledger.database.is_sqlite else 300
    people = [f"p{number:04}" for number in range(many)]
    emails = [
        {"id": one, "account_id": "acme", "name": one, "locale": "en", "email": f"{one}@x.example"}
        for one in people
    ]
    postal.lms.insert("people", [{**one, "active": 1, "identity": one["id"]} for one in emails])
    seat = {"session_id": session, "role": "learner", "status": "booked"}
    postal.lms.insert("seats", [{**seat, "seat_ref": one, "person_id": one} for one in people])
    for _ in range(100, many, 100):
        postal.server.answers += [*[Delivery(Outcome.SENT, 250, "") for _ in range(99)], Crash()]
    kills = 0
    postal.mail()
    postal.clock.now += COALESCE
    for _ in range(40):
        try:
            postal.mail()
        except Crash:
            kills += 1
            postal.ledger.end_leases(postal.ledger.lease_owners())
            postal.ledger.lost_letters(postal.ledger.senders(), postal.clock())
    assert kills == many // 100 - 1
    for mail in postal.ledger.mails((MailState.UNKNOWN,), 100):
        postal.ledger.decide_mail(mail.id, True, "op", postal.clock())
    postal.clock.now += MINUTE
    postal.mail()
    got = Counter(one.to.address for one in postal.server.taken)
    assert (len(got), max(got.values()), len(postal.server.taken)) == (many, 1, many)


def test_an_unforeseen_exception_about_one_person_stops_nobody_elses_mail(
    tmp_path: Path, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    postal = a_postal(tmp_path, ledger).begun()
    session = postal.lms.add_session(MONDAY)
    for person in ("ana", "ben"):
        postal.newcomer(person, session)
    planned = Planner.plan

    def stumble(planner: Planner, standing: Standing) -> tuple[MailPlan, str]:
        if standing.desired.person_id == "ana":
            raise ZeroDivisionError("nobody thought of this")
        return planned(planner, standing)

    with monkeypatch.context() as patched:
        patched.setattr(Planner, "plan", stumble)
        assert postal.mail().result == "partial"
        postal.later()
    assert postal.news() == ["ben: invitation REQUEST 0 07.12. 09:00"]
    assert "nobody thought of this" in caplog.text
    postal.later()
    assert postal.news() == ["ana: invitation REQUEST 0 07.12. 09:00"]
