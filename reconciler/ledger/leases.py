"""Who may work on whom: a lease per person, by the database's clock alone.

A lease is proven by owner, epoch and term in the same transaction as the write it allows. The row that
proves it stays locked until that transaction ends, so nobody can take the person over in between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from reconciler.errors import LeaseLost
from reconciler.ledger.columns import DatabaseClock
from reconciler.ledger.database import Database, chunks, insert_missing
from reconciler.ledger.tables import connection as connections
from reconciler.ledger.tables import person_state, serving
from reconciler.ports import Lease

_SECOND = 1_000_000

_PROLONGING = (
    person_state.update()
    .where(
        person_state.c.person == sa.bindparam("whose"),
        person_state.c.lease_owner == sa.bindparam("owner"),
        person_state.c.lease_epoch == sa.bindparam("epoch"),
        person_state.c.lease_until > DatabaseClock(),
    )
    .values(lease_until=DatabaseClock() + sa.bindparam("term", type_=sa.BigInteger))
)
"""Made once like all that every cycle sends: to build a statement costs more than to send it."""

_WHOSE = person_state.c.person.in_(sa.bindparam("people", expanding=True))
_LOCKING = (
    sa.select(person_state.c.person, person_state.c.lease_epoch)
    .where(_WHOSE)
    # In one order always: two transactions that lock the same people must not wait for each other.
    .order_by(person_state.c.person)
    .with_for_update()
)
_LOCKING_FREE = _LOCKING.where(
    sa.or_(
        person_state.c.lease_owner.is_(None),
        person_state.c.lease_owner == sa.bindparam("owner"),
        person_state.c.lease_until <= DatabaseClock(),
    )
)
_LOCKING_OWN = _LOCKING.where(person_state.c.lease_owner == sa.bindparam("owner"))
_TAKING = (
    person_state.update()
    .where(_WHOSE)
    .values(
        lease_owner=sa.bindparam("owner"),
        lease_until=DatabaseClock() + sa.bindparam("term", type_=sa.BigInteger),
        lease_epoch=person_state.c.lease_epoch + 1,
    )
)
_GIVING_UP = person_state.update().where(_WHOSE).values(lease_owner=None, lease_until=None)
_THERE = sa.select(person_state.c.person).where(_WHOSE)


class Leases:
    """The part of the ledger that hands out leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, people: Collection[str], owner: str, seconds: float) -> Lease:
        """Take over these people where nobody else has them, in one transaction.

        Free, run out and our own leases are taken, each with a new epoch, which ends whatever was going
        on under the old one. Whoever has no state yet gets an empty one.
        """
        epochs: dict[str, int] = {}
        with self._database.writing() as connection:
            for some in chunks(people):
                _create_missing(connection, some)
                free = _lock_free(connection, some, owner)
                taken = {"people": list(free), "owner": owner, "term": _term(seconds)}
                connection.execute(_TAKING, taken)
                epochs |= {person: epoch + 1 for person, epoch in free.items()}
        return Lease(owner, epochs, seconds)

    def lease_owners(self) -> Sequence[str]:
        """Whoever holds a lease, or held one that ran out."""
        owners = sa.select(person_state.c.lease_owner).where(person_state.c.lease_owner.is_not(None))
        with self._database.reading() as connection:
            return list(connection.scalars(owners.distinct()))

    def end_leases(self, owners: Collection[str]) -> None:
        """End every lease of these owners, because they are known to be dead."""
        if not owners:
            return
        with self._database.writing() as connection:
            connection.execute(
                person_state.update()
                .where(person_state.c.lease_owner.in_(list(owners)))
                .values(lease_owner=None, lease_until=None, lease_epoch=person_state.c.lease_epoch + 1)
            )

    def give_up(self, lease: Lease) -> None:
        """End the lease of whoever is still in it."""
        with self._database.writing() as connection:
            for some in chunks(lease.epochs):
                held = connection.execute(_LOCKING_OWN, {"people": some, "owner": lease.owner}).all()
                ours = [row.person for row in held if row.lease_epoch == lease.epochs[row.person]]
                connection.execute(_GIVING_UP, {"people": ours})


def prove(connection: sa.Connection, lease: Lease, person: str) -> None:
    """Prolong the lease on this person, or raise ``LeaseLost``; to be the first write of a transaction."""
    if person in lease:
        proof = {
            "whose": person,
            "owner": lease.owner,
            "epoch": lease.epochs[person],
            "term": _term(lease.seconds),
        }
        proven = connection.execute(_PROLONGING, proof)
        if proven.rowcount == 1:
            return
    raise LeaseLost(
        "The lease ran out or was taken over",
        whose=f"person {person}",
        next_step="Nothing was written; whoever has the person now goes on.",
    )


def new_epoch(connection: sa.Connection, person: str) -> None:
    """End whatever turn of this person is under way, and have them looked at in the next cycle."""
    connection.execute(
        person_state.update()
        .where(person_state.c.person == person)
        .values(lease_epoch=person_state.c.lease_epoch + 1, lease_owner=None, lease_until=None, applied=None)
    )


def lock(connection: sa.Connection, people: Collection[str]) -> None:
    """Keep others off these people's states until the transaction ends."""
    for some in chunks(people):
        connection.execute(_LOCKING, {"people": some}).all()


def _create_missing(connection: sa.Connection, some: Sequence[str]) -> None:
    there = set(connection.scalars(_THERE, {"people": some}))
    missing = [person for person in some if person not in there]
    if not missing:
        return
    accounts = {
        row.person: row.account
        for row in connection.execute(
            sa.select(connections.c.person, connections.c.account).where(
                connections.c.person.in_(missing), serving
            )
        )
    }
    insert_missing(
        connection,
        person_state,
        [{"person": person, "account": accounts.get(person, "")} for person in missing],
    )


def _lock_free(connection: sa.Connection, some: Sequence[str], owner: str) -> dict[str, int]:
    """Those nobody else has, with their present epochs, locked until the transaction ends."""
    free = connection.execute(_LOCKING_FREE, {"people": some, "owner": owner})
    return {row.person: row.lease_epoch for row in free}


def _term(seconds: float) -> int:
    return round(seconds * _SECOND)
