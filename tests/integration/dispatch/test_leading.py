"""Which scheduler leads, and whose clock counts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.errors import StateUnreadable
from reconciler.lead import Lead, SharedClock
from reconciler.ledger.handing import Leader
from reconciler.ledger.store import SqlLedger


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
