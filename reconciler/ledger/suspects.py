"""Vanished events on their way to a proof: who is in question, how many over the fleet, what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from reconciler.errors import ReconcilerError
from reconciler.labels import Guard
from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.columns import EPOCH, Instant
from reconciler.ledger.database import Database, upsert
from reconciler.ledger.leases import new_epoch, prove
from reconciler.ledger.rows import columns_of_entry, entry_of
from reconciler.ledger.tables import (
    account,
    event,
    evidence,
    has_vanished,
    hold,
    not_backed_off,
    person_state,
)
from reconciler.ledger.tables import connection as connections
from reconciler.model import Answer, ConnectionState, HoldReason, LedgerEntry, Mode, Service, State
from reconciler.ports import Evidence, Fleet, FleetLimit, Lease

_IN_QUESTION = [state.value for state in (State.MISSING, State.HELD, State.UNREGISTERING)]
_UNSEEN = timedelta(days=1)
_GIVEN = [State.UNREGISTERING.value, State.UNREGISTERED.value]

# Made once: to build a statement costs more than to send it.
_SINCE = sa.func.coalesce(event.c.missing_since, sa.literal(EPOCH, event.c.missing_since.type))
_UNRESOLVED = event.c.state == State.UNREGISTERING.value
_HEARING = (
    sa.select(event.c.person)
    .where(
        has_vanished,
        event.c.state.in_(_IN_QUESTION),
        sa.or_(event.c.ends > sa.bindparam("now", type_=Instant), _UNRESOLVED),
    )
    .group_by(event.c.person)
    .order_by(sa.func.min(_SINCE), event.c.person)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_MAKING_DUE = (
    person_state.update()
    .where(person_state.c.person == sa.bindparam("whose"))
    .values(applied=None, next_audit=sa.bindparam("at", type_=Instant), retry_at=None, attempts=0)
)
_TRYING_AGAIN = (
    event.update()
    .where(event.c.person == sa.bindparam("whose"), event.c.retry_at.is_not(None))
    .values(retry_at=None)
)


class Suspects:
    """The part of the ledger that the confirm pass uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def in_question(self, now: datetime, limit: int) -> Sequence[str]:
        """The people with events that have vanished and are not past, longest missed first; and those with
        an un-registration whose end was never written down, however long ago."""
        with self._database.reading() as connection:
            return list(connection.scalars(_HEARING, {"now": now, "limit": limit}))

    def exceeding(self, limit: FleetLimit) -> Fleet | None:
        """How many seats vanished at a service, and how many are in place, if that is beyond the limit."""
        with self._database.reading() as connection:
            return _exceeding(connection, limit)

    def witnessed(self, service: Service, person: str, since: datetime, now: datetime) -> bool:
        """Whether somebody else's calendar there was seen with an event of ours since then, or where nobody
        else has one at this server, at the vendor; true also where nobody else has one at all."""
        with self._database.reading() as connection:
            for circle in service.circles:
                others = _others(circle, person, now)
                seen = others.where(
                    connections.c.listed_at >= since, event.c.updated_at < connections.c.listed_at
                )
                if connection.execute(others.limit(1)).first() is not None:
                    return connection.execute(seen.limit(1)).first() is not None
        return True

    def call_witness(self, service: Service, person: str, now: datetime) -> None:
        """Have the calendar of somebody else there looked at in the next audit."""
        with self._database.writing() as connection:
            for circle in service.circles:
                other = connection.scalars(
                    _others(circle, person, now)
                    .join(person_state, person_state.c.person == connections.c.person)
                    .where(not_backed_off(now))
                    .order_by(connections.c.listed_at.desc(), connections.c.id)
                ).first()
                if other is not None:
                    connection.execute(
                        person_state.update().where(person_state.c.person == other).values(next_audit=now)
                    )
                    return

    def begin_unregistering(
        self,
        lease: Lease,
        person: str,
        entries: Sequence[LedgerEntry],
        proof: Evidence,
        limits: Sequence[FleetLimit],
    ) -> bool:
        """Write down the intent and its evidence, if the fleet guard still lets it pass in this very commit.

        False, and nothing written, where too many seats have vanished meanwhile.
        """
        with self._database.writing() as connection:
            prove(connection, lease, person)
            if not self._database.is_sqlite:
                # One at a time for each vendor, or two processes could pass the guard side by side.
                one = crc32(f"fleet {proof.provider}".encode())
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(one)))
            if any(not _released(connection, one.service) and _exceeding(connection, one) for one in limits):
                return False
            upsert(connection, event, [columns_of_entry(entry) for entry in entries])
            connection.execute(
                evidence.insert().values(
                    at=proof.at,
                    person=person,
                    session=proof.session,
                    seat=proof.seat,
                    provider=proof.provider,
                    facts=dict(proof.facts),
                )
            )
            return True

    def evidence(self, person: str, session: str | None = None) -> Sequence[Evidence]:
        """What proved this person's un-registrations, oldest first."""
        statement = evidence.select().where(evidence.c.person == person).order_by(evidence.c.id)
        if session is not None:
            statement = statement.where(evidence.c.session == session)
        with self._database.reading() as connection:
            return [
                Evidence(row.at, row.person, row.session, row.seat, row.provider, row.facts)
                for row in connection.execute(statement)
            ]

    def answer(self, person: str, session: str, given: Answer, who: str, origin: str, now: datetime) -> int:
        """Record what is to become of a seat in question; how many of its days it concerns.

        Written with a new epoch, so that a turn under way cannot overwrite it. Raises ``ReconcilerError``
        where nothing is in question, and where it is too late because the seat is just being given back.
        """
        with self._database.writing() as connection:
            new_epoch(connection, person)
            rows = connection.execute(
                event.select().where(event.c.person == person, event.c.session == session).with_for_update()
            ).all()
            whose = f"person {person}, session {session}"
            if any(row.state == State.UNREGISTERING for row in rows):
                raise ReconcilerError("Too late: the seat is just being given back", whose=whose)
            open_rows = [row for row in rows if row.state in (State.MISSING, State.HELD)]
            if not open_rows:
                raise ReconcilerError("No seat is in question here", whose=whose)
            for row in open_rows:
                _write_answer(connection, row, given)
            line = AuditLine(
                now, who, origin, f"answered {given}", person=person, detail=f"session {session}"
            )
            write_audit(connection, line)
        return len(open_rows)

    def let_go(self, person: str, session: str, who: str, origin: str, now: datetime) -> None:
        """What the fleet guard holds of a seat is heard again like whatever else has vanished: its owner, who
        was told nothing so far, has said nothing by this."""
        held = sa.and_(event.c.state == State.HELD.value, event.c.hold_reason == HoldReason.FLEET_GUARD.value)
        with self._database.writing() as connection:
            new_epoch(connection, person)
            connection.execute(
                event.update()
                .where(event.c.person == person, event.c.session == session, held)
                .values(state=State.MISSING.value, hold_reason=None, held_since=None)
            )
            line = AuditLine(now, who, origin, "released", person=person, detail=f"session {session}")
            write_audit(connection, line)

    def held(self) -> Sequence[LedgerEntry]:
        """Every row that waits for an answer, ordered by key."""
        statement = (
            event.select()
            .where(has_vanished, event.c.state == State.HELD.value)
            .order_by(event.c.person, event.c.session, event.c.slot)
        )
        with self._database.reading() as connection:
            return [entry_of(row) for row in connection.execute(statement)]

    def make_due(self, person: str, now: datetime) -> bool:
        """Have a person looked at in the next cycle, and what was refused tried again; false for somebody we
        keep no state of."""
        with self._database.writing() as connection:
            changed = connection.execute(_MAKING_DUE, {"whose": person, "at": now})
            connection.execute(_TRYING_AGAIN, {"whose": person})
            return bool(changed.rowcount)

    def release_hold(self, guard: str, subject: str, who: str, now: datetime) -> bool:
        """An operator lets go what a guard holds; false if it holds nothing."""
        with self._database.writing() as connection:
            changed = connection.execute(
                hold.update().where(hold.c.guard == guard, hold.c.subject == subject).values(released=True)
            )
            if changed.rowcount:
                write_audit(
                    connection, AuditLine(now, who, "command line", "released", detail=f"{guard} {subject}")
                )
            return bool(changed.rowcount)


def _exceeding(connection: sa.Connection, limit: FleetLimit) -> Fleet | None:
    """Seats (person and session) and people, in place and vanished. All that are in place, which may be
    millions, are counted only where it depends on them."""
    there, now = _events_at(limit.service), limit.now
    alive = sa.and_(there, event.c.state == State.LIVE.value, event.c.ends > now)
    vanished = sa.and_(there, has_vanished, sa.or_(_lately(limit.since), _unheard(now)))
    fleet = Fleet(0, _seats(connection, vanished), 0, _people(connection, vanished))
    if not limit.exceeded_by(fleet):
        return None  # not even if nothing at all were in place
    if fleet.vanished <= limit.seats and connection.scalar(sa.select(event.c.person).where(alive).limit(1)):
        return None
    fleet = replace(fleet, live=_seats(connection, alive), live_people=_people(connection, alive))
    return fleet if limit.exceeded_by(fleet) else None


def _events_at(service: Service) -> sa.ColumnElement[bool]:
    """The events in calendars there: of whoever has, or had, a connection to it."""
    of_vendor = event.c.provider == service.provider
    if not service.origin:
        return of_vendor
    people = sa.select(connections.c.person).where(_connected_to(service))
    return sa.and_(of_vendor, event.c.person.in_(people))


def _connected_to(service: Service) -> sa.ColumnElement[bool]:
    of_vendor = connections.c.provider == service.provider
    at = connections.c.subject.startswith(f"{service.origin}/", autoescape=True)
    return sa.and_(of_vendor, at) if service.origin else of_vendor


def _others(service: Service, person: str, now: datetime) -> sa.Select[tuple[str]]:
    """Others with a calendar that is being maintained, and an event of ours in it as far as we know. Whoever
    could not be looked at for a day is in trouble of their own."""
    return (
        sa.select(connections.c.person)
        .join(event, event.c.person == connections.c.person)
        .where(
            _connected_to(service),
            connections.c.person != person,
            connections.c.state == ConnectionState.CONNECTED.value,
            connections.c.baseline_since.is_not(None),
            connections.c.listed_at > now - _UNSEEN,
            event.c.provider == service.provider,
            event.c.state == State.LIVE.value,
            event.c.ends > now,
        )
    )


def _lately(since: datetime) -> sa.ColumnElement[bool]:
    """Vanished, proven a first time, or given back since; of those that have vanished."""
    given = sa.and_(event.c.state.in_(_GIVEN), event.c.updated_at > since)
    seen = sa.or_(event.c.missing_since > since, event.c.missing_confirmed_at > since)
    return sa.or_(seen, given)


def _unheard(now: datetime) -> sa.ColumnElement[bool]:
    """Vanished however long ago, and not heard yet though it will be: the program stood still meanwhile."""
    maintained = sa.select(connections.c.person).where(
        connections.c.state == ConnectionState.CONNECTED.value, connections.c.baseline_since.is_not(None)
    )
    heard = sa.select(account.c.account).where(account.c.mode == Mode.SYNC.value)
    return sa.and_(
        event.c.state == State.MISSING.value,
        event.c.missing_confirmed_at.is_(None),
        event.c.ends > now,
        event.c.person.in_(maintained),
        event.c.account.in_(heard),
    )


def _seats(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    seats = sa.select(event.c.person, event.c.session).where(which).distinct().subquery()
    return connection.scalars(sa.select(sa.func.count()).select_from(seats)).one()


def _people(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    people = sa.select(sa.func.count(event.c.person.distinct())).where(which)
    return connection.scalars(people).one()


def _released(connection: sa.Connection, service: Service) -> bool:
    found = connection.scalars(
        sa.select(hold.c.released).where(hold.c.guard == Guard.FLEET, hold.c.subject == str(service))
    ).one_or_none()
    return bool(found)


def _write_answer(connection: sa.Connection, row: sa.Row[Any], given: Answer) -> None:
    values: Mapping[str, Any] = {
        "answer": given.value,
        "answer_seat": row.seat,
        "answer_generation": row.generation,
    }
    here = sa.and_(event.c.person == row.person, event.c.session == row.session, event.c.slot == row.slot)
    connection.execute(event.update().where(here).values(**values))
