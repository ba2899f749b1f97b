"""What may be used once, is used once; and leaving, which is asked for and then done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from reconciler.errors import LeaseLost, ReconcilerError
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import used
from reconciler.model import ConnectionState
from reconciler.ports import PersonResult
from tests.support.entries import HOUR, NOW, grant


def _kept(ledger: SqlLedger) -> int:
    with ledger.database.reading() as connection:
        return connection.scalars(sa.select(sa.func.count()).select_from(used)).one()


def test_each_thing_is_used_once(ledger: SqlLedger) -> None:
    assert ledger.use("launch", "a", NOW + HOUR, NOW)
    assert not ledger.use("launch", "a", NOW + HOUR, NOW)
    assert ledger.use("launch", "b", NOW + HOUR, NOW)
    assert ledger.use("state", "a", NOW + HOUR, NOW)


def test_many_at_once_use_it_once(ledger: SqlLedger) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: ledger.use("launch", "a", NOW + HOUR, NOW), range(8)))
    assert sorted(outcomes) == [False] * 7 + [True]


def test_what_is_past_is_forgotten_and_what_is_not_is_kept(ledger: SqlLedger) -> None:
    ledger.use("launch", "past", NOW + HOUR, NOW)
    ledger.use("launch", "coming", NOW + 3 * HOUR, NOW)
    assert not ledger.use("launch", "coming", NOW + 3 * HOUR, NOW + 2 * HOUR)
    assert _kept(ledger) == 1


def test_what_was_used_cannot_be_read_from_the_database(ledger: SqlLedger) -> None:
    ledger.use("launch", "secret", NOW + HOUR, NOW)
    with ledger.database.reading() as connection:
        (row,) = connection.execute(used.select())
    assert "secret" not in str(row)


def test_whoever_leaves_is_due_and_a_turn_under_way_is_over(ledger: SqlLedger) -> None:
    ledger.add_connection(grant("7"), "ana", "page", NOW)
    lease = ledger.lease(["7"], "a turn", 60)
    leaving = ledger.leave("7", "person 7", "192.0.2.1", NOW + HOUR)
    assert (leaving.state, leaving.state_since) == (ConnectionState.LEAVING, NOW + HOUR)
    assert ledger.connections(["7"]) == [leaving]
    with pytest.raises(LeaseLost):
        ledger.finish(lease, "7", PersonResult("digest", None), NOW)
    assert ledger.states(["7"])["7"].applied is None


@pytest.mark.parametrize("state", [ConnectionState.REAUTHORIZE, ConnectionState.SUSPENDED])
def test_only_a_calendar_that_is_well_can_be_left_clean(ledger: SqlLedger, state: ConnectionState) -> None:
    connection = ledger.add_connection(grant("7"), "ana", "page", NOW)
    ledger.set_connection_state(connection, state, "why", NOW)
    for person in ("7", "nobody"):
        with pytest.raises(ReconcilerError, match="No calendar is connected and well"):
            ledger.leave(person, "person 7", "page", NOW)


def test_whoever_connects_again_while_leaving_stays(ledger: SqlLedger) -> None:
    ledger.add_connection(grant("7"), "ana", "page", NOW)
    leaving = ledger.leave("7", "person 7", "page", NOW)
    again = ledger.add_connection(grant("7"), "ana", "page", NOW + HOUR)
    with pytest.raises(ReconcilerError, match="No calendar is connected"):
        ledger.disconnect("7", "reconciler", "", NOW + HOUR, only=leaving)
    assert ledger.connections(["7"]) == [again]


def test_a_connection_that_changed_since_it_was_read_is_not_ended(ledger: SqlLedger) -> None:
    read = ledger.add_connection(grant("7"), "ana", "page", NOW)
    with pytest.raises(ReconcilerError):
        ledger.disconnect("7", "x", "", NOW, only=replace(read, state_since=NOW + HOUR))
    ledger.disconnect("7", "x", "", NOW, only=read)
    assert ledger.connections(["7"]) == []


def test_a_connection_and_what_belongs_to_it_are_made_together_or_not_at_all(ledger: SqlLedger) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger.add_connection(grant("7"), "ana", "page", NOW, also=fail)
    assert ledger.connections() == []
    assert ledger.audit_log(9) == []
