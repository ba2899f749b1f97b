"""What a scheduler does about workers that die, or are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from reconciler.dispatch import remote
from reconciler.dispatch.local import LocalDispatcher
from reconciler.dispatch.messages import dumped_error, dumped_reports, loaded
from reconciler.dispatch.remote import RemoteDispatcher
from reconciler.errors import LmsUnreadable, NotDispatched
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import batch
from reconciler.ports import Due
from reconciler.pulse import Pulse
from reconciler.turn import TurnReport
from reconciler.works import Reconciling
from reconciler.world import Order

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)


@dataclass
class Workers:
    """Whoever hears of a batch: ``does`` is called with the ledger and the id."""

    ledger: SqlLedger
    does: Callable[[SqlLedger, str], None]
    heard: list[str] = field(default_factory=list)

    def send(self, id: str) -> None:
        self.heard.append(id)
        self.does(self.ledger, id)


def dies(ledger: SqlLedger, id: str) -> None:
    """Begins, and shows no life any more for a long time."""
    ledger.take_batch(id, "worker", remote.SILENCE)
    with ledger.database.writing() as connection:
        connection.execute(sa.update(batch).values(seen=batch.c.seen - 60_000_000))


def works(ledger: SqlLedger, id: str) -> None:
    """Everybody's calendar is as it should be."""
    taken = ledger.take_batch(id, "worker", remote.SILENCE)
    assert taken is not None
    reports = [TurnReport(one.person, "google", "idle") for one in loaded(taken.work).batch]
    ledger.end_batch(id, "worker", dumped_reports(reports))


def cannot_read_the_lms(ledger: SqlLedger, id: str) -> None:
    ledger.take_batch(id, "worker", remote.SILENCE)
    ledger.end_batch(id, "worker", dumped_error(LmsUnreadable("the LMS could not be read")))


def run(workers: Workers, people: int = 3) -> list[TurnReport]:
    """What a cycle over so many people, each in a batch, is told."""
    world: Any = SimpleNamespace(pulse=Pulse(), gets_on=lambda: None, cycle="push")
    told: list[TurnReport] = []
    dispatcher = RemoteDispatcher(workers.ledger, workers, LocalDispatcher(1))
    batches = ([Due(f"person-{number}")] for number in range(people))
    dispatcher.run(batches, Reconciling(world, Order(NOW, NOW, False, {})), told.extend)
    return told


def left_over(ledger: SqlLedger) -> int:
    with ledger.database.reading() as connection:
        return connection.scalars(sa.select(sa.func.count()).select_from(batch)).one()


def test_what_came_of_each_batch_is_told_and_nothing_is_left_over(ledger: SqlLedger) -> None:
    told = run(Workers(ledger, works), people=40)
    assert sorted(one.person for one in told) == sorted(f"person-{number}" for number in range(40))
    assert {one.outcome for one in told} == {"idle"}
    assert left_over(ledger) == 0


def test_a_batch_over_which_workers_die_is_given_up_for_this_cycle(
    ledger: SqlLedger, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(ledger, dies)
    (told,) = run(workers, people=1)
    assert (told.person, told.outcome) == ("person-0", "failed")
    assert len(workers.heard) == 3
    assert "given up in this cycle: 3 workers began a batch of 1 people (person-0, ...)" in caplog.text
    assert left_over(ledger) == 0


def test_an_lms_that_a_worker_cannot_read_ends_the_cycle(ledger: SqlLedger) -> None:
    with pytest.raises(LmsUnreadable, match="the LMS could not be read"):
        run(Workers(ledger, cannot_read_the_lms))
    assert left_over(ledger) == 0


def test_where_nobody_works_the_cycle_ends_with_a_sentence(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "NOBODY", 0.2)
    with pytest.raises(NotDispatched, match="No worker has shown life for 0 s") as nobody:
        run(Workers(ledger, lambda *_: None))
    assert "reconciler worker" in str(nobody.value)
    assert left_over(ledger) == 0
