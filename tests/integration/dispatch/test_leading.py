"""Which scheduler leads, and whose clock counts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from reconciler.errors import LeaseLost, StateUnreadable
from reconciler.lead import TERM, Lead, SharedClock
from reconciler.ledger.handing import Leader
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import lead, person_state
from reconciler.sitting import LEASE_SECONDS
from tests.support.entries import entry


def a_lead(ledger: SqlLedger, owner: str) -> Lead:
    def take(seconds: float) -> Leader:
        return ledger.take_lead(owner, "1", seconds)

    return Lead(owner, take, ledger.end_lead)


def test_the_second_scheduler_stands_by_and_takes_over_when_the_first_ends(ledger: SqlLedger) -> None:
    with a_lead(ledger, "elsewhere:1:a") as first:
        assert first.held()
        with a_lead(ledger, "elsewhere:2:b") as second:
            assert not second.held()
            assert second.described() == "stands by; elsewhere:1:a leads"
    third = a_lead(ledger, "elsewhere:3:c")
    third.renew()
    assert third.held()
    assert third.described() == "leads"


def later(ledger: SqlLedger, seconds: float) -> None:
    """So much time passes by the database's clock: what runs out ends so much sooner."""
    micros = round(seconds * 1_000_000)
    with ledger.database.writing() as transaction:
        transaction.execute(sa.update(lead).values(until=lead.c.until - micros))
        until = sa.type_coerce(person_state.c.lease_until, sa.BigInteger)
        transaction.execute(sa.update(person_state).values(lease_until=until - micros))


def test_a_standby_takes_over_thirty_seconds_after_the_leaders_last_sign_of_life(ledger: SqlLedger) -> None:
    first, second = a_lead(ledger, "elsewhere:1:a"), a_lead(ledger, "elsewhere:2:b")
    first.renew()
    later(ledger, TERM / 2)
    second.renew()
    assert not second.held()
    first.renew()
    later(ledger, TERM / 2)
    second.renew()
    assert not second.held()  # it has shown life meanwhile
    later(ledger, TERM / 2)
    second.renew()
    assert (TERM, second.held()) == (30, True)
    first.renew()  # it only stood still
    assert first.described() == "stands by; elsewhere:2:b leads"


def test_whom_a_dead_worker_of_another_machine_had_begun_is_free_after_ninety_seconds(
    ledger: SqlLedger,
) -> None:
    dead = ledger.lease(["7"], "elsewhere:1:worker", LEASE_SECONDS)
    later(ledger, LEASE_SECONDS / 2)
    assert "7" not in ledger.lease(["7"], "here:2:worker", LEASE_SECONDS)
    later(ledger, LEASE_SECONDS / 2)
    assert (LEASE_SECONDS, "7" in ledger.lease(["7"], "here:2:worker", LEASE_SECONDS)) == (90, True)
    with pytest.raises(LeaseLost):
        ledger.save(dead, "7", [entry()])


def test_whoever_cannot_ask_the_state_database_leads_no_longer_than_its_term() -> None:
    answers = iter([Leader("a", "1")])

    def take(_: float) -> Leader:
        try:
            return next(answers)
        except StopIteration:
            raise StateUnreadable("it is away") from None

    alone = Lead("a", take, lambda _: None, term=0.0)
    alone.renew()
    assert not alone.held()
    alone.renew()
    assert not alone.held()


@pytest.mark.parametrize("minutes", [-7, 7])
def test_a_machine_whose_clock_is_minutes_off_takes_the_databases_time_and_says_so(
    ledger: SqlLedger, minutes: int, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SharedClock(ledger, lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    with caplog.at_level(logging.WARNING):
        assert abs(clock() - datetime.now(UTC)) < timedelta(minutes=1)
    (line,) = caplog.messages
    assert line.startswith("this machine's clock and the state database's are 4")
    assert "NTP" in line


def test_while_the_database_is_away_the_last_known_difference_counts() -> None:
    class Away:
        def time(self) -> datetime:
            raise StateUnreadable("it is away")

    instant = datetime(2026, 11, 28, tzinfo=UTC)
    assert SharedClock(Away(), lambda: instant)() == instant
