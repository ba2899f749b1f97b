"""Who has to be heard by the confirm pass, on each kind of database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from reconciler.ledger.rows import columns_of_entry
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import event, person_state
from reconciler.model import LedgerEntry, Service, State
from reconciler.ports import Fleet, FleetLimit
from tests.support.entries import HOUR, NOW, entry, grant


def _save(ledger: SqlLedger, *rows: LedgerEntry) -> None:
    for row in rows:
        person = row.key.person
        ledger.save(ledger.lease([person], "test", 60), person, [row])


def test_whoever_was_missed_longest_is_heard_first_and_whoever_is_half_way_before_them(
    ledger: SqlLedger,
) -> None:
    _save(
        ledger,
        entry("1", state=State.MISSING, missing_since=NOW - HOUR),
        entry("2", state=State.MISSING, missing_since=NOW - 2 * HOUR),
        entry("3", state=State.UNREGISTERING, missing_since=None),
        entry("4", state=State.LIVE),
    )
    assert list(ledger.in_question(NOW, 9)) == ["3", "2", "1"]
    assert list(ledger.in_question(NOW, 2)) == ["3", "2"]


def test_of_what_is_past_only_what_is_half_way_is_still_in_question(ledger: SqlLedger) -> None:
    _save(
        ledger,
        entry("1", state=State.MISSING, missing_since=NOW, ends=NOW - HOUR),
        entry("2", state=State.UNREGISTERING, missing_since=NOW, ends=NOW - HOUR),
    )
    assert list(ledger.in_question(NOW, 9)) == ["2"]


LIMIT = FleetLimit(Service("google"), NOW - HOUR, NOW, seats=2, share=0.25)


def _live(people: int) -> list[LedgerEntry]:
    return [entry(f"live-{number}", seat=f"r{number}") for number in range(people)]


def _gone(people: int) -> list[LedgerEntry]:
    return [entry(str(number), state=State.MISSING, missing_since=NOW) for number in range(people)]


@pytest.mark.parametrize(
    ("live", "gone", "exceeded"),
    [
        (9, 2, None),  # not more than two seats
        (10, 3, None),  # more, but less than a quarter
        (8, 3, Fleet(8, 3, 8, 3)),
        (0, 2, Fleet(0, 2, 0, 2)),  # every calendar at once
        (0, 1, None),
    ],
)
def test_the_fleets_limit_is_exceeded_by_many_seats_or_by_every_calendar(
    ledger: SqlLedger, live: int, gone: int, exceeded: Fleet | None
) -> None:
    _save(ledger, *_live(live), *_gone(gone))
    assert ledger.exceeding(LIMIT) == exceeded


def test_the_fleets_limit_is_that_of_each_server_of_a_vendor_that_is_many(ledger: SqlLedger) -> None:
    small, large = "https://small.example", "https://small.example.org"
    gone = [replace(one, provider="caldav") for one in _gone(3)]
    live = [replace(one, provider="caldav") for one in _live(10)]
    _save(ledger, *gone, *live)
    for number, one in enumerate((*gone, *live)):
        at, person = small if number < 5 else large, one.key.person
        given = grant(person, provider="caldav", subject=f"{at}/principals/{person}/")
        ledger.add_connection(given, "test", "test", NOW)

    def exceeding(origin: str) -> Fleet | None:
        return ledger.exceeding(replace(LIMIT, service=Service("caldav", origin)))

    assert exceeding(small) == Fleet(2, 3, 2, 3)
    assert exceeding(large) is None
    assert exceeding("") is None  # of all there are, it is less than a quarter


@pytest.mark.parametrize(
    "asked",
    [
        lambda ledger: ledger.in_question(NOW, 9),
        lambda ledger: ledger.held(),
        lambda ledger: ledger.exceeding(LIMIT),
    ],
    ids=["in question", "held", "the fleet"],
)
def test_few_that_vanished_are_found_without_going_through_all_that_have_not(
    ledger: SqlLedger, asked: Callable[[SqlLedger], object]
) -> None:
    engine, statements = ledger.database.engine, list[tuple[str, Any]]()
    with ledger.database.writing() as transaction:
        people = [{"person": f"p{number}", "account": "acme"} for number in range(3_000)]
        transaction.execute(person_state.insert(), people)
        rows = [columns_of_entry(entry(one["person"])) for one in people]
        transaction.execute(event.insert(), rows)
        transaction.exec_driver_sql("ANALYZE")

    def heard(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if "FROM event" in statement:
            statements.append((statement, values))

    sa.event.listen(engine, "before_cursor_execute", heard)
    asked(ledger)
    sa.event.remove(engine, "before_cursor_execute", heard)
    assert statements
    with engine.connect() as connection:
        explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        for statement, values in statements:
            plan = connection.exec_driver_sql(explain + statement, values)
            assert "ix_event_vanished" in "\n".join(str(line) for line in plan)
