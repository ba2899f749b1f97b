"""Leases: one worker a person, by the database's clock, proven by every write."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from reconciler.errors import LeaseLost
from reconciler.ledger.columns import DatabaseClock
from reconciler.ledger.database import Database
from reconciler.ledger.store import SqlLedger, open_ledger
from reconciler.ledger.tables import person_state
from reconciler.ports import Lease, Occurrence, PersonResult
from tests.support.boundaries import killed_at
from tests.support.entries import NOW, entry, grant

WRITES: list[Callable[[SqlLedger, Lease], object]] = [
    lambda ledger, lease: ledger.save(lease, "7", [entry()]),
    lambda ledger, lease: ledger.finish(lease, "7", PersonResult("digest", None), NOW),
    lambda ledger, lease: ledger.sight(lease, "7", ["twin"], NOW),
    lambda ledger, lease: ledger.begin_baseline(lease, ledger.connections(["7"])[0], NOW),
    lambda ledger, lease: ledger.listed(lease, ledger.connections(["7"])[0], NOW),
]
each_write = pytest.mark.parametrize(
    "write", WRITES, ids=["save", "finish", "sight", "begin_baseline", "listed"]
)


def _until(ledger: SqlLedger) -> tuple[int, int]:
    """When the lease of person 7 ends, and the database's clock, in microseconds."""
    until = sa.type_coerce(person_state.c.lease_until, sa.BigInteger)
    with ledger.database.reading() as connection:
        row = connection.execute(sa.select(until, DatabaseClock()).where(person_state.c.person == "7")).one()
    return row[0], row[1]


def _everything(ledger: SqlLedger) -> list[object]:
    with ledger.people() as people:
        states = list(people)
    return [ledger.entries(["7"]), ledger.connections(), states, ledger.history("7", None)]


def test_a_lease_is_refused_to_others_until_it_is_given_up(ledger: SqlLedger) -> None:
    first = ledger.lease(["7", "8"], "first", 60)
    assert "7" in first
    assert "8" in first
    assert ledger.lease(["7", "8", "9"], "second", 60).epochs == {"9": 1}
    ledger.give_up(first)
    assert set(ledger.lease(["7", "8"], "second", 60).epochs) == {"7", "8"}


@each_write
def test_a_lease_that_ran_out_and_was_taken_over_writes_nothing(
    ledger: SqlLedger, write: Callable[[SqlLedger, Lease], object]
) -> None:
    ledger.add_connection(grant(), "test", "test", NOW)
    stopped = ledger.lease(["7"], "stopped", 0)
    resumed_by = ledger.lease(["7"], "other", 60)
    before = _everything(ledger)
    with pytest.raises(LeaseLost, match="person 7"):
        write(ledger, stopped)
    assert _everything(ledger) == before
    write(ledger, resumed_by)


@each_write
def test_a_lease_that_ran_out_writes_nothing_even_if_nobody_took_it(
    ledger: SqlLedger, write: Callable[[SqlLedger, Lease], object]
) -> None:
    ledger.add_connection(grant(), "test", "test", NOW)
    with pytest.raises(LeaseLost):
        write(ledger, ledger.lease(["7"], "slow", 0))


def test_taking_ones_own_lease_again_ends_the_older_turn(ledger: SqlLedger) -> None:
    older = ledger.lease(["7"], "same", 60)
    newer = ledger.lease(["7"], "same", 60)
    with pytest.raises(LeaseLost):
        ledger.save(older, "7", [entry()])
    ledger.give_up(older)
    ledger.save(newer, "7", [entry()])


def test_a_lease_on_one_person_allows_no_write_for_another(ledger: SqlLedger) -> None:
    lease = ledger.lease(["7"], "me", 60)
    with pytest.raises(LeaseLost):
        ledger.save(lease, "8", [entry("8")])
    with pytest.raises(ValueError, match="person 8"):
        ledger.save(lease, "7", [entry("8")])


def test_every_write_prolongs_the_lease_from_the_databases_clock(ledger: SqlLedger) -> None:
    short = ledger.lease(["7"], "me", 60)
    ledger.save(Lease("me", short.epochs, 3600), "7", [])
    until, clock = _until(ledger)
    assert until - clock > 3000 * 1_000_000


def test_whoever_is_leased_has_a_state_with_the_account_of_their_connection(ledger: SqlLedger) -> None:
    ledger.add_connection(grant("7"), "test", "test", NOW)
    ledger.lease(["7", "nobody"], "me", 60)
    with ledger.people() as people:
        assert [(each.person, each.account) for each in people] == [("7", "acme"), ("nobody", "")]


def test_threads_that_lease_the_same_people_share_them_without_overlap(ledger: SqlLedger) -> None:
    people = [str(number) for number in range(200)]
    start = threading.Barrier(8)

    def lease(worker: int) -> list[str]:
        start.wait()
        return list(ledger.lease(people[::-1] if worker % 2 else people, f"worker {worker}", 60).epochs)

    with ThreadPoolExecutor(8) as workers:
        taken = list(itertools.chain(*workers.map(lease, range(8))))
    assert sorted(taken) == sorted(people)


def test_processes_that_take_turns_lose_no_write(ledger_url: str) -> None:
    work = [(ledger_url, f"process {number}", 15) for number in range(3)]
    with multiprocessing.get_context("fork").Pool(3) as processes:
        saved = processes.starmap(_raise_generation, work, chunksize=1)
    ledger = open_ledger(ledger_url)
    [last] = ledger.entries(["7"])["7"]
    assert saved == [15, 15, 15]
    assert last.generation == sum(saved)
    ledger.close()


def _raise_generation(url: str, owner: str, times: int) -> int:
    ledger, saved = open_ledger(url), 0
    while saved < times:
        lease = ledger.lease(["7"], owner, 60)
        if "7" not in lease:
            continue
        known = ledger.entries(["7"])["7"]
        ledger.save(lease, "7", [entry(generation=known[0].generation + 1 if known else 1)])
        ledger.give_up(lease)
        saved += 1
    ledger.close()
    return saved


def test_a_save_killed_at_any_statement_is_there_wholly_or_not_at_all(ledger_url: str) -> None:
    ledger = open_ledger(ledger_url)
    lease = ledger.lease(["7"], "me", 600)
    rows = [entry(slot=slot) for slot in range(3)]
    line = Occurrence(NOW, "7", "42", 0, "create", "new")

    def save(database: Database) -> None:
        SqlLedger(database).save(lease, "7", rows, [line])

    for boundary in itertools.count():
        if not killed_at(boundary, ledger_url, save):
            break
        assert ledger.entries(["7"]) == {"7": []}
        assert ledger.history("7", None) == []
    assert boundary >= 4  # the proof, the rows, the history, the commit
    assert ledger.entries(["7"]) == {"7": rows}
    assert ledger.history("7", None) == [line]
    ledger.close()
