"""Work handed from process to process: each batch done once, whoever dies over it; one scheduler leads."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import batch, lead

SILENCE = 15.0
SECOND = 1_000_000


def passes(ledger: SqlLedger, seconds: float) -> None:
    """So much time goes by, for what is in the database."""
    earlier = round(seconds * SECOND)
    with ledger.database.writing() as connection:
        moved = {"sent": batch.c.sent - earlier, "seen": batch.c.seen - earlier}
        connection.execute(sa.update(batch).values(**moved))
        connection.execute(sa.update(lead).values(until=lead.c.until - earlier))


def the_batch(ledger: SqlLedger) -> tuple[bool, int, str | None]:
    """Whether a worker is at it, how often it was taken, and what came of it."""
    (one,) = ledger.batches("run")
    return one.at_work, one.takes, one.result


@pytest.fixture
def handed(ledger: SqlLedger) -> SqlLedger:
    ledger.put_batch("one", "run", "work")
    return ledger


def test_a_batch_goes_to_one_worker(handed: SqlLedger) -> None:
    taken = handed.take_batch("one", "a", SILENCE)
    assert taken is not None
    assert (taken.work, taken.again) == ("work", False)
    assert handed.take_batch("one", "b", SILENCE) is None
    assert the_batch(handed) == (True, 1, None)


def test_what_came_of_a_batch_is_there_for_its_scheduler_alone(handed: SqlLedger) -> None:
    handed.take_batch("one", "a", SILENCE)
    handed.end_batch("one", "a", "result")
    assert the_batch(handed) == (True, 1, "result")
    assert handed.batches("another run") == []
    assert handed.take_batch("one", "b", SILENCE) is None


def test_a_batch_whose_worker_died_goes_to_another_one(handed: SqlLedger) -> None:
    handed.take_batch("one", "a", SILENCE)
    passes(handed, SILENCE + 1)
    assert handed.batches("run")[0].silent > SILENCE
    taken = handed.take_batch("one", "b", SILENCE)
    assert taken is not None
    assert taken.again
    handed.end_batch("one", "a", "too late")
    assert the_batch(handed) == (True, 2, None)


def test_a_worker_that_shows_life_keeps_its_batch(handed: SqlLedger) -> None:
    handed.take_batch("one", "a", SILENCE)
    passes(handed, SILENCE + 1)
    handed.still_at(["one"], "a")
    assert handed.batches("run")[0].silent < SILENCE
    assert handed.take_batch("one", "b", SILENCE) is None


def test_a_batch_that_a_stopping_worker_puts_back_is_no_attempt(handed: SqlLedger) -> None:
    handed.take_batch("one", "a", SILENCE)
    handed.put_back_batch("one", "a")
    assert the_batch(handed) == (False, 0, None)
    assert handed.take_batch("one", "b", SILENCE) is not None


def test_what_nobody_waits_for_any_more_is_not_done(handed: SqlLedger) -> None:
    handed.drop_batches(["one"])
    assert handed.take_batch("one", "a", SILENCE) is None
    handed.put_batch("two", "run", "work")
    handed.drop_old_batches(3600)
    assert [one.id for one in handed.batches("run")] == ["two"]
    passes(handed, 3601)
    handed.drop_old_batches(3600)
    assert handed.batches("run") == []


def test_one_scheduler_leads_until_it_ends_or_shows_no_life(ledger: SqlLedger) -> None:
    assert ledger.leader() is None
    assert ledger.take_lead("a", "1", 30).owner == "a"
    assert ledger.take_lead("b", "1", 30).owner == "a"
    passes(ledger, 20)
    assert ledger.take_lead("a", "1", 30).owner == "a"
    passes(ledger, 20)
    assert ledger.take_lead("b", "1", 30).owner == "a"
    passes(ledger, 20)
    assert ledger.take_lead("b", "2", 30).owner == "b"
    leader = ledger.leader()
    assert leader is not None
    assert leader.version == "2"
    ledger.end_lead("a")
    assert ledger.take_lead("a", "1", 30).owner == "b"
    ledger.end_lead("b")
    assert ledger.take_lead("a", "1", 30).owner == "a"
