"""Whose calendar is a witness that a vendor still shows something, on each kind of database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from reconciler.ledger.store import SqlLedger
from reconciler.model import Service, State
from reconciler.ports import PersonResult
from tests.support.entries import HOUR, NOW, entry, grant

GOOGLE = Service("google")
CASES = {
    "seen since": ({}, 0, True),
    "seen before": ({}, 2, False),
    "written since it was seen": ({"updated_at": NOW}, 0, False),
    "over": ({"ends": NOW - HOUR}, 2, True),
    "missed too": ({"state": State.MISSING, "missing_since": NOW}, 2, True),
    "in trouble for a day": ({}, 25, True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_calendar_is_a_witness_once_it_was_seen_with_an_event_of_ours(ledger: SqlLedger, case: str) -> None:
    """Nobody else to be seen: no witness is waited for."""
    changes, hours, expected = CASES[case]
    since = NOW - HOUR
    assert ledger.witnessed(GOOGLE, "1", since, NOW)
    _connect(ledger, "1", NOW)
    assert ledger.witnessed(GOOGLE, "1", since, NOW)
    _connect(ledger, "2", NOW - hours * HOUR, **changes)
    assert ledger.witnessed(GOOGLE, "1", since, NOW) is expected
    assert ledger.witnessed(Service("microsoft"), "1", since, NOW)


def test_the_witness_called_is_one_that_can_be_looked_at(ledger: SqlLedger) -> None:
    for number, person in enumerate(("1", "2", "3")):
        _connect(ledger, person, NOW - (5 - number) * HOUR)
    _finish(ledger, "3", NOW + HOUR)
    ledger.call_witness(GOOGLE, "1", NOW)
    assert [state.person for state in ledger.due(NOW, 9)] == ["2"]


def test_a_witness_is_at_the_same_server_where_somebody_else_is(ledger: SqlLedger) -> None:
    broken, another = (Service("caldav", f"https://{name}.example") for name in ("broken", "another"))
    _connect(ledger, "1", NOW, broken)
    _connect(ledger, "2", NOW, another)
    assert ledger.witnessed(broken, "1", NOW - HOUR, NOW)  # nobody else is at this one
    assert not ledger.witnessed(broken, "1", NOW + HOUR, NOW)
    ledger.call_witness(broken, "1", NOW)
    assert [state.person for state in ledger.due(NOW, 9)] == ["2"]
    _connect(ledger, "3", NOW - 2 * HOUR, broken)
    assert not ledger.witnessed(broken, "1", NOW - HOUR, NOW)
    ledger.call_witness(broken, "1", NOW)
    assert {state.person for state in ledger.due(NOW, 9)} == {"2", "3"}


def _connect(
    ledger: SqlLedger, person: str, listed_at: datetime, at: Service = GOOGLE, **changes: Any
) -> None:
    """Somebody with an event in a calendar that was listed then."""
    given = grant(person, provider=at.provider, subject=f"{at.origin}/{person}/")
    ledger.add_connection(given, "test", "test", NOW)
    (connection,) = ledger.connections([person])
    lease = ledger.lease([person], "test", 60)
    ledger.begin_baseline(lease, connection, NOW - 48 * HOUR)
    ledger.save(
        lease, person, [entry(person, **{"provider": at.provider, "updated_at": NOW - 48 * HOUR, **changes})]
    )
    ledger.listed(lease, connection, listed_at)
    _finish(ledger, person, None)


def _finish(ledger: SqlLedger, person: str, retry_at: datetime | None) -> None:
    result = PersonResult("digest", NOW + 3 * HOUR, 0, retry_at, None, NOW + HOUR)
    ledger.finish(ledger.lease([person], "test", 60), person, result, NOW)
