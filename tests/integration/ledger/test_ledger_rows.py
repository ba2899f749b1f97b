"""What is stored comes back as it was, in the order that was promised."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection

import pytest
import sqlalchemy as sa

from reconciler.errors import StateUnreadable
from reconciler.ledger.database import open_database
from reconciler.ledger.store import SqlLedger
from reconciler.model import (
    AccountSwitches,
    Answer,
    ConnectionState,
    HoldReason,
    LedgerEntry,
    Mode,
    Refusal,
    Role,
    State,
    Suspicion,
)
from reconciler.ports import Hold, Occurrence, PersonResult, Run
from tests.support.entries import HOUR, NOW, entry, grant

ODD_IDS = ["a", "B", "é", "10", "9", "A", "Z", "_", "e\u0301", "\U0001f600", "\uffef", "Ä", "z", "1", " "]


def _save(ledger: SqlLedger, *entries: LedgerEntry) -> None:
    for each in entries:
        ledger.save(ledger.lease([each.key.person], "test", 60), each.key.person, [each])


def test_an_entry_comes_back_as_it_was_saved(ledger: SqlLedger) -> None:
    full = entry(
        role=Role.INSTRUCTOR,
        state=State.HELD,
        generation=3,
        doomed=("x", "y'\"é\U0001f600"),
        missing_since=NOW,
        intent="update",
        attempts=2,
        retry_at=NOW + HOUR,
        last_error="line\nline \U0001f600",
    )
    bare = entry(session="43", seat=None, event_id=None, calendar_id=None, etag=None, updated_at=None)
    _save(ledger, bare, full)
    assert ledger.entries(["7", "nobody"]) == {"7": [full, bare], "nobody": []}
    changed = replace(full, state=State.LIVE, attempts=0, missing_since=None, doomed=())
    _save(ledger, changed)
    assert ledger.entries(["7"])["7"] == [changed, bare]


def test_instants_of_any_offset_come_back_in_utc_to_the_microsecond(ledger: SqlLedger) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    _save(ledger, entry(starts=tokyo, ends=datetime(1969, 12, 31, 23, 59, 59, 999999, tokyo.tzinfo)))
    [back] = ledger.entries(["7"])["7"]
    assert back.starts.isoformat() == NOW.isoformat()
    assert back.ends.isoformat() == "1969-12-31T14:59:59.999999+00:00"


def test_a_wall_time_is_never_stored_as_an_instant(ledger: SqlLedger) -> None:
    lease = ledger.lease(["7"], "test", 60)
    with pytest.raises((StateUnreadable, ValueError), match="aware"):
        ledger.save(lease, "7", [entry(starts=NOW.replace(tzinfo=None))])
    assert ledger.entries(["7"]) == {"7": []}


def test_an_errors_text_with_nul_and_surrogates_does_not_keep_the_row_from_being_written(
    ledger: SqlLedger,
) -> None:
    _save(ledger, entry(attempts=1, last_error="a\0b\ud800" + "c" * 5000))
    [back] = ledger.entries(["7"])["7"]
    assert (back.last_error or "").startswith("a\N{REPLACEMENT CHARACTER}b?ccc")
    assert len(back.last_error or "") == 2000


def test_a_row_keeps_its_whole_suspicion(ledger: SqlLedger) -> None:
    suspicion = Suspicion(
        confirmed_at=NOW,
        grace_until=NOW + timedelta(minutes=30),
        deadline=NOW + timedelta(minutes=31),
        hold_reason=HoldReason.SOME_DAYS,
        held_since=NOW,
        answer=Answer.KEEP,
        answer_seat="seat-1",
        answer_generation=2,
        put_back="a.b.c",
    )
    row = entry(state=State.HELD, missing_since=NOW, suspicion=suspicion)
    _save(ledger, row)
    assert ledger.entries(["7"])["7"] == [row]


def test_people_and_connections_come_in_the_order_of_code_points(ledger: SqlLedger) -> None:
    for person in ODD_IDS:
        ledger.add_connection(grant(person), "test", "test", NOW)
    with ledger.people() as people, ledger.each_connection() as each_connection:
        assert [state.person for state in people] == sorted(ODD_IDS)
        assert [connection.person for connection in each_connection] == sorted(ODD_IDS)
    assert [connection.person for connection in ledger.connections(ODD_IDS)] == sorted(ODD_IDS)


def test_entries_come_in_the_order_of_their_keys(ledger: SqlLedger) -> None:
    rows = [entry("7", session, slot) for session in ODD_IDS for slot in (10, 9)]
    ledger.save(ledger.lease(["7"], "test", 60), "7", rows)
    assert ledger.entries(["7"])["7"] == sorted(rows, key=lambda row: row.key)


def test_more_people_than_a_statement_can_name_are_leased_and_read(ledger: SqlLedger) -> None:
    people = [f"p{number:05}" for number in range(2_500)]
    assert set(ledger.lease(people, "test", 60).epochs) == set(people)
    assert list(ledger.entries(people)) == people


def test_a_person_tells_of_their_connection_and_its_baseline(ledger: SqlLedger) -> None:
    connection = ledger.add_connection(grant("1"), "test", "test", NOW)
    ledger.add_connection(grant("2", provider="microsoft"), "test", "test", NOW)
    ledger.add_connection(grant("3"), "test", "test", NOW)
    ledger.disconnect("3", "test", "test", NOW)
    ledger.begin_baseline(ledger.lease(["1"], "test", 60), connection, NOW)
    with ledger.people() as people:
        told = [(state.provider, state.connection, state.maintained) for state in people]
    assert told == [
        ("google", ConnectionState.CONNECTED, True),
        ("microsoft", ConnectionState.CONNECTED, False),
        (None, None, False),
    ]


def test_due_is_who_has_a_connection_in_use_and_is_not_backed_off_nearest_first(ledger: SqlLedger) -> None:
    audits = {
        "late": -2 * HOUR,
        "later": -HOUR,
        "suspended": timedelta(),
        "future": HOUR,
        "backed off": -HOUR,
        "parked": -HOUR,
        "ended": -HOUR,
        "none": None,
    }
    for person, audit in audits.items():
        connection = ledger.add_connection(grant(person), "test", "test", NOW)
        if person == "parked":
            ledger.set_connection_state(connection, ConnectionState.REAUTHORIZE, "why", NOW)
        if person == "suspended":
            ledger.set_connection_state(connection, ConnectionState.SUSPENDED, "why", NOW)
        if person == "ended":
            ledger.disconnect(person, "test", "test", NOW)
        retry = NOW + HOUR if person == "backed off" else None
        result = PersonResult("d", None if audit is None else NOW + audit, 1, retry, "why")
        ledger.finish(ledger.lease([person], "test", 60), person, result, NOW)
    assert [state.person for state in ledger.due(NOW, 10)] == ["late", "later", "suspended"]
    assert [state.person for state in ledger.due(NOW, 1)] == ["late"]


def test_the_states_of_given_people_are_told_as_the_stream_tells_them(ledger: SqlLedger) -> None:
    ledger.add_connection(grant("1"), "test", "test", NOW)
    ledger.lease(["1", "2", "3"], "test", 60)
    with ledger.people() as people:
        streamed = {state.person: state for state in people}
    assert ledger.states(["1", "3", "nobody"]) == {person: streamed[person] for person in ("1", "3")}


def test_a_surplus_event_keeps_when_it_was_first_seen_until_it_is_no_longer_seen(ledger: SqlLedger) -> None:
    lease = ledger.lease(["7", "8"], "test", 60)
    ledger.sight(lease, "8", ["a"], NOW - HOUR)
    assert ledger.sight(lease, "7", ["a", "b"], NOW) == {"a": NOW, "b": NOW}
    assert ledger.sight(lease, "7", ["b", "c"], NOW + HOUR) == {"b": NOW, "c": NOW + HOUR}
    assert ledger.sight(lease, "7", ["a"], NOW + 2 * HOUR) == {"a": NOW + 2 * HOUR}
    assert ledger.sight(lease, "8", ["a"], NOW) == {"a": NOW - HOUR}


def test_upcoming_counts_people_per_session_of_what_may_still_be_there(ledger: SqlLedger) -> None:
    _save(
        ledger,
        entry("1", "42"),
        entry("1", "42", 1, state=State.MISSING),
        entry("2", "42", state=State.PENDING),
        entry("3", "42", state=State.HELD),
        entry("4", "42", state=State.GONE),
        entry("4", "43", state=State.DISMISSED),
        entry("4", "44", starts=NOW - 2 * HOUR, ends=NOW - HOUR),
        entry("4", "45", account="other"),
        entry("5", "46", starts=NOW - HOUR),
    )
    assert ledger.upcoming(NOW) == {"acme": {"42": 3, "46": 1}, "other": {"45": 1}}


def test_counts_and_failing_speak_of_the_same_rows(ledger: SqlLedger) -> None:
    failed = [entry("1", attempts=2, retry_at=NOW, last_error="x"), entry("2", attempts=5, retry_at=NOW)]
    over = entry("6", starts=NOW - 2 * HOUR, ends=NOW - HOUR, attempts=9)
    _save(ledger, *failed, over, entry("3"), entry("4", state=State.HELD), entry("5", provider="microsoft"))
    assert ledger.counts(NOW) == {
        ("google", "failing"): 2,
        ("google", "live"): 1,
        ("google", "held"): 1,
        ("microsoft", "live"): 1,
    }
    assert ledger.failing(10, NOW) == failed[::-1]
    assert ledger.failing(1, NOW) == failed[1:]


def test_history_is_told_oldest_first_and_by_session(ledger: SqlLedger) -> None:
    lines = [Occurrence(NOW, "7", session, 0, "create", "new") for session in ("2", "1", "2")]
    lease = ledger.lease(["7"], "test", 60)
    ledger.save(lease, "7", [], lines[:1])
    ledger.save(lease, "7", [], lines[1:])
    assert ledger.history("7", None) == lines
    assert ledger.history("7", "2") == [lines[0], lines[2]]
    assert ledger.history("8", None) == []


def test_a_hold_keeps_its_beginning_and_an_operators_release(ledger: SqlLedger) -> None:
    first = Hold("vanished", "acme", "5 of 9", NOW, 5, NOW + HOUR)
    ledger.hold(first)
    ledger.hold(replace(first, why="6 of 9", count=6, since=NOW + HOUR))
    assert ledger.holds() == [replace(first, why="6 of 9", count=6)]
    ledger.hold(replace(first, released=True))
    ledger.hold(first)
    assert ledger.holds() == [replace(first, released=True)]
    ledger.end_hold("vanished", "acme", "recovered", NOW)
    ledger.end_hold("vanished", "acme", "recovered", NOW)
    assert ledger.holds() == []
    assert [line.detail for line in ledger.audit_log(9)] == ["vanished acme: recovered"]


def test_switches_come_back_and_the_audit_log_says_what_changed(ledger: SqlLedger) -> None:
    first = AccountSwitches(
        "acme", frozenset({"google", "caldav"}), True, Mode.OBSERVE, people=frozenset({"7"})
    )
    ledger.set_switches(first, "ana", NOW)
    second = replace(first, mode=Mode.SYNC, people=None)
    ledger.set_switches(second, "ben", NOW, "10.0.0.1")
    assert ledger.switches() == {"acme": second}
    [newest, _] = ledger.audit_log(9)
    assert (newest.who, newest.origin, newest.detail) == ("ben", "10.0.0.1", "mode: sync; people: none")


def test_the_last_runs_are_kept_and_told_newest_first(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.ledger.journal.RUNS_KEPT", 3)
    runs = [Run(f"c{n}", NOW, NOW + HOUR, "ok", "all well", {"created": n}) for n in range(5)]
    for run in runs:
        ledger.add_run(run)
    assert ledger.runs(2) == [runs[4], runs[3]]
    assert ledger.runs(99) == [runs[4], runs[3], runs[2]]


def test_refusals_are_those_of_the_last_scan(ledger: SqlLedger) -> None:
    ledger.set_refusals(
        [Refusal("day", "9", "ends before it starts"), Refusal("day", "9", "unknown zone")], NOW
    )
    last = [Refusal("session", "1", "unknown zone"), Refusal("day", "1", "unknown zone")]
    ledger.set_refusals(last, NOW)
    assert ledger.refusals() == last
    ledger.set_refusals([], NOW)
    assert ledger.refusals() == []


def test_a_hundred_thousand_people_are_streamed_in_flat_memory(ledger: SqlLedger, ledger_url: str) -> None:
    with ledger.database.writing() as connection:
        connection.execute(sa.text(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
            "INSERT INTO person_state (person, account, applied) "
            "SELECT 'person-' || i, 'acme', 'ddddddddddddddddddddddddddddddddddddddddddd' FROM n"
        ))  # fmt: skip
    streamed = _growth(ledger_url, _stream)
    held = _growth(ledger_url, _hold)
    assert streamed * 5 < held


def _stream(ledger: SqlLedger) -> int:
    with ledger.people() as people:
        return sum(1 for _ in people)


def _hold(ledger: SqlLedger) -> int:
    with ledger.people() as people:
        return len(list(people))


def _growth(url: str, work: Callable[[SqlLedger], int]) -> int:
    """By how many kilobytes a process of its own grows while it does ``work`` for 100,000 people.

    It is started anew: a fork would find room for the rows in what the tests before it have freed.
    """
    fresh = multiprocessing.get_context("spawn")
    reading, writing = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_tell_growth, args=(url, work, writing))
    process.start()
    process.join()
    assert process.exitcode == 0
    return int(reading.recv())


def _tell_growth(url: str, work: Callable[[SqlLedger], int], told: Connection) -> None:
    ledger = SqlLedger(open_database(url))
    ledger.due(NOW, 1)
    before = _peak_memory()
    assert work(ledger) == 100_000
    told.send(_peak_memory() - before)


def _peak_memory() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
