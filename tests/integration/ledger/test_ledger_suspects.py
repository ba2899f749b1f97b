"""Who has to be heard by the confirm pass, on each kind of database."""

from __future__ import annotations

from reconciler.ledger.store import SqlLedger
from reconciler.model import LedgerEntry, State
from tests.support.entries import HOUR, NOW, entry


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
