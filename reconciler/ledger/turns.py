"""One person's turn: what we last did, and what comes of it. Every write here proves the lease."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.database import Database, chunks, upsert
from reconciler.ledger.leases import prove
from reconciler.ledger.letters import post_within
from reconciler.ledger.rows import columns_of_entry, columns_of_occurrence, entry_of
from reconciler.ledger.tables import event, history, person_state, sighting
from reconciler.model import LedgerEntry
from reconciler.ports import Lease, Mail, Occurrence, PersonResult

# Made once, for every turn sends them: to build a statement costs more than to send it.
_STATE_OF = person_state.update().where(person_state.c.person == sa.bindparam("whose"))
_SIGHTINGS_OF = sa.select(sighting.c.event_id, sighting.c.first_seen).where(
    sighting.c.person == sa.bindparam("whose")
)
_LINE = history.insert()
_ENTRIES = (
    event.select()
    .where(event.c.person.in_(sa.bindparam("people", expanding=True)))
    .order_by(event.c.person, event.c.session, event.c.slot)
)


class Turns:
    """The part of the ledger that a person's turn reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, people: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        """Their ledger, ordered by key; one (possibly empty) sequence for each id asked for."""
        found: dict[str, list[LedgerEntry]] = {person: [] for person in people}
        with self._database.reading() as connection:
            for some in chunks(people):
                for row in connection.execute(_ENTRIES, {"people": some}):
                    found[row.person].append(entry_of(row))
        return found

    def save(
        self,
        lease: Lease,
        person: str,
        entries: Sequence[LedgerEntry],
        history: Sequence[Occurrence] = (),
        letters: Sequence[Mail] = (),
    ) -> None:
        """Insert or replace these rows by key, with their history and the letters that tell of them, in one
        commit that proves the lease.

        Raises ``LeaseLost``, and ``ValueError`` for a row of somebody else.
        """
        for entry in entries:
            if entry.key.person != person:
                raise ValueError(f"{entry.key} is not to be saved in the turn of person {person}")
        with self._database.writing() as connection:
            prove(connection, lease, person)
            upsert(connection, event, [columns_of_entry(entry) for entry in entries])
            _write_history(connection, history)
            post_within(connection, letters)

    def finish(self, lease: Lease, person: str, result: PersonResult, now: datetime) -> None:
        """Record how this person's turn ended, in one commit that proves the lease."""
        with self._database.writing() as connection:
            prove(connection, lease, person)
            new = {
                "applied": result.applied,
                "next_audit": result.next_audit,
                "next_start": result.next_start,
                "attempts": result.attempts,
                "retry_at": result.retry_at,
                "last_error": result.last_error,
                "finished_at": now,
            }
            connection.execute(_STATE_OF, {"whose": person, **new})

    def sight(
        self, lease: Lease, person: str, event_ids: Collection[str], now: datetime
    ) -> Mapping[str, datetime]:
        """Record which surplus events are seen now, forget this person's others, and tell when each was
        first seen."""
        with self._database.writing() as connection:
            prove(connection, lease, person)
            seen = _sightings(connection, person)
            _forget(connection, person, seen.keys() - set(event_ids))
            new = set(event_ids) - seen.keys()
            if new:
                connection.execute(
                    sighting.insert(),
                    [{"person": person, "event_id": event_id, "first_seen": now} for event_id in new],
                )
        return {event_id: seen.get(event_id, now) for event_id in event_ids}


def _sightings(connection: sa.Connection, person: str) -> dict[str, datetime]:
    rows = connection.execute(_SIGHTINGS_OF, {"whose": person})
    return {row.event_id: row.first_seen for row in rows}


def _forget(connection: sa.Connection, person: str, event_ids: Collection[str]) -> None:
    for some in chunks(event_ids):
        connection.execute(
            sighting.delete().where(sighting.c.person == person, sighting.c.event_id.in_(some))
        )


def _write_history(connection: sa.Connection, lines: Sequence[Occurrence]) -> None:
    if lines:
        connection.execute(_LINE, [columns_of_occurrence(line) for line in lines])
