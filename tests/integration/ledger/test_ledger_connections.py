"""Connections: one a person, one person a vendor account, and what a baseline is."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from reconciler.errors import LeaseLost, ReconcilerError, StateUnreadable
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import event
from reconciler.model import Connection, ConnectionState, State
from reconciler.ports import PersonResult
from tests.support.entries import HOUR, NOW, entry, grant


def _connect(ledger: SqlLedger, person: str = "7", **changes: object) -> Connection:
    return ledger.add_connection(grant(person, **changes), "ana", "10.0.0.1", NOW)


def _applied(ledger: SqlLedger) -> dict[str, str | None]:
    with ledger.people() as people:
        return {state.person: state.applied for state in people}


def _apply(ledger: SqlLedger, *people: str) -> None:
    for person in people:
        ledger.finish(ledger.lease([person], "test", 60), person, PersonResult("digest", None), NOW)


def _maintained(ledger: SqlLedger, people: Collection[str]) -> None:
    for connection in ledger.connections(people):
        lease = ledger.lease([connection.person], "test", 60)
        ledger.begin_baseline(lease, connection, NOW)
        ledger.listed(lease, connection, NOW)
    _apply(ledger, *people)


def test_a_new_connection_is_due_at_once_and_logged(ledger: SqlLedger) -> None:
    connection = _connect(ledger)
    assert ledger.connections() == ledger.connections(["7"]) == [connection]
    assert connection.baseline_since is None
    assert [state.person for state in ledger.due(NOW, 10)] == ["7"]
    [line] = ledger.audit_log(9)
    assert (line.who, line.origin, line.what, line.person, line.at) == (
        "ana",
        "10.0.0.1",
        "connected",
        "7",
        NOW,
    )
    assert "7@example.com" not in line.detail


@pytest.mark.parametrize("state", [ConnectionState.CONNECTED, ConnectionState.REAUTHORIZE])
def test_a_second_connection_of_a_person_is_refused(ledger: SqlLedger, state: ConnectionState) -> None:
    first = _connect(ledger)
    ledger.set_connection_state(first, state, "why", NOW)
    before = ledger.connections()
    with pytest.raises(ReconcilerError, match=r"connected already \(person 7\)\. Disconnect it first"):
        _connect(ledger, subject="another")
    assert ledger.connections() == before


def test_a_vendor_account_serves_one_person(ledger: SqlLedger) -> None:
    _connect(ledger)
    with pytest.raises(ReconcilerError, match="already serves another person"):
        _connect(ledger, "8", subject="subject-7")
    _connect(ledger, "8", subject="subject-7", provider="microsoft")
    assert [each.person for each in ledger.connections()] == ["7", "8"]
    assert [line.what for line in ledger.audit_log(9)] == ["connected", "connected"]


def test_the_database_itself_refuses_what_was_not_checked(ledger: SqlLedger) -> None:
    _connect(ledger)
    columns = [column for column in connections.c if column.name not in ("id", "person")]
    copied = sa.select(sa.literal("8"), *columns)
    with pytest.raises(StateUnreadable), ledger.database.writing() as transaction:
        transaction.execute(
            connections.insert().from_select(["person", *(column.name for column in columns)], copied)
        )


def test_of_two_people_who_claim_one_vendor_account_at_once_one_is_refused(ledger: SqlLedger) -> None:
    start = threading.Barrier(4)

    def claim(person: str) -> str:
        start.wait()
        try:
            _connect(ledger, person, subject="one")
        except ReconcilerError as refused:
            return str(refused)
        return "connected"

    with ThreadPoolExecutor(4) as people:
        outcomes = list(people.map(claim, ["1", "2", "3", "4"]))
    assert outcomes.count("connected") == 1
    assert sum("already serves another person" in outcome for outcome in outcomes) == 3


def test_disconnecting_keeps_the_ledger_and_frees_person_and_vendor_account(ledger: SqlLedger) -> None:
    connection = _connect(ledger)
    _maintained(ledger, ["7"])
    ledger.save(ledger.lease(["7"], "test", 60), "7", [entry()])
    ended = ledger.disconnect("7", "ana", "10.0.0.1", NOW + HOUR)
    assert (ended.id, ended.state, ended.baseline_since) == (
        connection.id,
        ConnectionState.DISCONNECTED,
        None,
    )
    assert ledger.connections() == []
    assert ledger.disconnected() == [ended]
    assert ledger.entries(["7"]) == {"7": [entry()]}
    assert ledger.due(NOW + 24 * HOUR, 10) == []
    assert _applied(ledger) == {"7": None}
    assert ledger.audit_log(1)[0].what == "disconnected"
    _connect(ledger, "7", subject="another")
    _connect(ledger, "8", subject="subject-7")


def test_disconnecting_who_is_not_connected_says_so(ledger: SqlLedger) -> None:
    with pytest.raises(ReconcilerError, match=r"No calendar is connected \(person 7\)"):
        ledger.disconnect("7", "ana", "10.0.0.1", NOW)
    assert ledger.audit_log(9) == []


def test_connecting_the_same_account_again_is_the_same_connection_without_its_baseline(
    ledger: SqlLedger,
) -> None:
    first = _connect(ledger)
    _maintained(ledger, ["7"])
    ledger.disconnect("7", "ana", "10.0.0.1", NOW)
    again = _connect(ledger, "7", address="new@example.com")
    assert again == replace(first, address="new@example.com")
    assert _applied(ledger) == {"7": None}


def test_connecting_another_account_forgets_by_which_ids_events_were_known(ledger: SqlLedger) -> None:
    """And whoever still works on the old calendar loses the person."""
    _connect(ledger)
    old = ledger.lease(["7"], "test", 60)
    ledger.save(old, "7", [entry("7", doomed=("event-0",), attempts=3, last_error="refused")])
    ledger.disconnect("7", "ana", "10.0.0.1", NOW)
    _connect(ledger, provider="microsoft", subject="another")
    [row] = ledger.entries(["7"])["7"]
    assert (row.event_id, row.calendar_id, row.etag, row.doomed, row.attempts) == (None, None, None, (), 0)
    assert row.provider == "microsoft"
    with pytest.raises(LeaseLost):
        ledger.save(old, "7", [entry("7")])


def test_connecting_the_first_account_after_a_second_one_is_another_one_too(ledger: SqlLedger) -> None:
    for subject, seconds in (("first", 0), ("second", 1)):
        ledger.add_connection(grant("7", subject=subject), "ana", "", NOW + seconds * HOUR)
        ledger.save(ledger.lease(["7"], "test", 60), "7", [entry("7")])
        ledger.disconnect("7", "ana", "", NOW + seconds * HOUR)
    ledger.add_connection(grant("7", subject="first"), "ana", "", NOW + 2 * HOUR)
    [row] = ledger.entries(["7"])["7"]
    assert row.event_id is None


def test_a_baseline_releases_what_proves_nothing_and_applies_nothing(ledger: SqlLedger) -> None:
    connection = _connect(ledger)
    lease = ledger.lease(["7", "8"], "test", 60)
    ledger.save(lease, "8", [entry("8")])
    ledger.save(lease, "7", [entry(session=state.value, state=state, missing_since=NOW) for state in State])
    ledger.finish(lease, "7", PersonResult("digest", None), NOW)
    with ledger.database.writing() as transaction:
        asked_for = event.update().where(event.c.person == "7")
        transaction.execute(asked_for.values(answer="keep", grace_until=NOW, hold_reason="some-days"))
    ledger.begin_baseline(lease, connection, NOW + HOUR)
    after = {State(each.key.session): each for each in ledger.entries(["7"])["7"]}
    released = {State.PENDING, State.LIVE, State.MISSING, State.HELD}
    for state, row in after.items():
        assert row.state is (State.RELEASED if state in released else state)
        assert row.missing_since == (None if state in released else NOW)
    with ledger.database.reading() as transaction:
        asked = sa.select(event.c.session).where(event.c.answer.is_(None), event.c.person == "7")
        assert set(transaction.scalars(asked)) == {state.value for state in released}
    assert ledger.entries(["8"]) == {"8": [entry("8")]}
    assert _applied(ledger) == {"7": None, "8": None}
    assert ledger.connections(["7"])[0].baseline_since == NOW + HOUR


def test_leaving_connected_ends_the_baseline_and_coming_back_begins_none(ledger: SqlLedger) -> None:
    _connect(ledger)
    _maintained(ledger, ["7"])
    [healthy] = ledger.connections()
    ledger.set_connection_state(healthy, ConnectionState.SUSPENDED, "no licence", NOW + HOUR)
    [parked] = ledger.connections()
    assert parked == replace(
        healthy,
        state=ConnectionState.SUSPENDED,
        baseline_since=None,
        state_since=NOW + HOUR,
        last_error="no licence",
    )
    assert _applied(ledger) == {"7": None}
    ledger.set_connection_state(parked, ConnectionState.CONNECTED, "", NOW + 2 * HOUR)
    [back] = ledger.connections()
    assert (back.state, back.baseline_since, back.last_error) == (ConnectionState.CONNECTED, None, None)


def test_a_late_answer_parks_nothing_that_was_connected_again(ledger: SqlLedger) -> None:
    stale = _connect(ledger)
    fresh = ledger.add_connection(grant(), "ana", "10.0.0.1", NOW + HOUR)
    ledger.set_connection_state(stale, ConnectionState.REAUTHORIZE, "invalid_grant", NOW + 2 * HOUR)
    assert ledger.connections() == [fresh]


def test_a_late_answer_revives_nothing_that_was_disconnected(ledger: SqlLedger) -> None:
    stale = _connect(ledger)
    lease = ledger.lease(["7"], "test", 60)
    ended = ledger.disconnect("7", "ana", "10.0.0.1", NOW)
    ledger.set_connection_state(stale, ConnectionState.CONNECTED, "", NOW)
    ledger.begin_baseline(lease, stale, NOW)
    ledger.listed(lease, stale, NOW)
    assert ledger.connections() == []
    assert ledger.disconnected() == [ended]


@pytest.mark.parametrize(
    ("accounts", "people", "ended"),
    [
        (None, None, {"1", "2", "3"}),
        (["acme"], None, {"1", "2"}),
        (None, ["2", "3", "9"], {"2", "3"}),
        (["acme"], ["2", "3"], {"2"}),
        ([], None, set()),
    ],
)
def test_baselines_end_for_whom_nobody_maintains_and_are_due_on_return(
    ledger: SqlLedger, accounts: list[str] | None, people: list[str] | None, ended: set[str]
) -> None:
    for person, account in {"1": "acme", "2": "acme", "3": "other", "4": "acme"}.items():
        _connect(ledger, person, account=account)
    _maintained(ledger, ["1", "2", "3"])
    _apply(ledger, "4")
    assert ledger.end_baselines(accounts, people, NOW) == len(ended)
    with ledger.people() as states:
        unmaintained = {state.person for state in states if not state.maintained}
    assert unmaintained == ended | {"4"}
    assert {person for person, applied in _applied(ledger).items() if applied is None} == ended
    assert ledger.end_baselines(accounts, people, NOW) == 0
