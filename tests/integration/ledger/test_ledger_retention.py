"""What the ledger lets go, on both databases, and all it answers for one person."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reconciler.labels import Purged
from reconciler.ledger import retention
from reconciler.ledger.audit import AuditLine
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import evidence, history, metadata
from reconciler.ports import Keeping
from tests.support.entries import NOW, entry, grant

DAY = timedelta(days=1)


def _journal(ledger: SqlLedger, person: str, count: int, at: timedelta) -> None:
    line = {"person": person, "session": "s", "at": NOW + at}
    with ledger.database.writing() as transaction:
        for number in range(count):
            transaction.execute(history.insert().values(**line, slot=number, what="w", why="y"))
            transaction.execute(evidence.insert().values(**line, seat="1", provider="google", facts={}))
    for _ in range(count):
        ledger.note(AuditLine(NOW + at, person, "page", "something", person=person))


def test_what_is_purged_is_counted_under_names_the_metrics_know(ledger: SqlLedger) -> None:
    assert set(ledger.purge(Keeping(), NOW)) == set(Purged) - {Purged.PEOPLE}


def test_journals_are_purged_in_steps_until_nothing_old_is_left(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 3)
    _journal(ledger, "7", 7, -401 * DAY)
    _journal(ledger, "7", 2, -399 * DAY)
    counts = ledger.purge(Keeping(), NOW)
    assert (counts["history"], counts["evidence"], counts["audit-log"]) == (7, 7, 7)
    assert len(ledger.history("7", None)) == len(ledger.evidence("7")) == len(ledger.audit_log(99)) == 2


def test_many_ended_connections_go_with_all_that_belonged_to_them(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    for number in range(5):
        ledger.add_connection(grant(str(number)), "test", "test", NOW)
        ledger.save(ledger.lease([str(number)], "test", 60), str(number), [entry(str(number))])
        ledger.disconnect(str(number), "test", "test", NOW)
    assert ledger.purge(Keeping(), NOW + 31 * DAY)["disconnected"] == 5
    for number in range(5):
        assert set(ledger.everything_about(str(number))) == {"audit_log"}


def test_used_up_links_are_forgotten_a_day_after_they_would_be_refused_anyway(ledger: SqlLedger) -> None:
    assert ledger.use("launch", "one", NOW, NOW)
    assert ledger.purge(Keeping(), NOW + timedelta(hours=23))["used"] == 0
    assert ledger.purge(Keeping(), NOW + timedelta(hours=25))["used"] == 1


# One person ---------------------------------------------------------------------------------------


def test_everything_about_a_person_is_json_and_holds_every_table_that_knows_people(
    ledger: SqlLedger,
) -> None:
    ledger.add_connection(grant("7"), "ana", "10.0.0.1", NOW)
    lease = ledger.lease(["7"], "test", 60)
    ledger.save(lease, "7", [entry("7")])
    ledger.sight(lease, "7", ["surplus"], NOW)
    _journal(ledger, "7", 1, timedelta())
    found = ledger.everything_about("7")
    assert json.loads(json.dumps(found)) == found
    knowing = {table.name for table in metadata.sorted_tables if "person" in table.c}
    filled = {"connection", "event", "person_state", "sighting", "history", "evidence", "audit_log"}
    assert filled <= set(found) <= knowing
    assert {"connection", "event", "person_state", "sighting", "history", "evidence", "audit_log"} <= set(
        found
    )
    assert found["connection"][0]["address"] == "7@example.com"


def test_forgetting_leaves_no_trace_of_a_persons_id_but_its_keyed_hash(ledger: SqlLedger) -> None:
    person = "person-to-be-forgotten"
    ledger.add_connection(grant(person), person, "10.0.0.1", NOW)
    ledger.save(ledger.lease([person], "test", 60), person, [entry(person)])
    _journal(ledger, person, 2, timedelta())
    assert ledger.forget(person, "hash", "test", "test", NOW) == {}
    ledger.disconnect(person, "test", "test", NOW)
    assert ledger.forget(person, "hash", "test", "test", NOW)["event"] == 1
    with ledger.database.reading() as transaction:
        everything = [
            str(row) for table in metadata.sorted_tables for row in transaction.execute(sa.select(table))
        ]
    assert not [row for row in everything if person in row]
    assert [line.what for line in ledger.audit_log(1)] == ["forgotten"]
    assert {line.person for line in ledger.audit_log(99)} == {"hash"}
    assert ledger.everything_about(person, ["hash"]) == {"forgotten_before": [f"{NOW:%Y-%m-%dT%H:%M:%SZ}"]}
