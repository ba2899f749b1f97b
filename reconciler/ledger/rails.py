"""What the guards look at, and what they hold back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from reconciler.ledger.audit import AuditLine, write_audit
from reconciler.ledger.columns import Instant
from reconciler.ledger.database import Database, chunks, upsert
from reconciler.ledger.rows import columns_of_hold, hold_of
from reconciler.ledger.tables import event, hold, person_state, told
from reconciler.model import State, ToldState
from reconciler.ports import MAIL_NOTHING, Hold

# Made once, for every cycle sends it several times: to build a statement costs more than to send it.
_HOLDS = hold.select().order_by(hold.c.since, hold.c.guard, hold.c.subject)

_MAY_BE_THERE = [state.value for state in (State.PENDING, State.LIVE, State.MISSING, State.HELD)]


@cache
def _upcoming() -> sa.Select[Any]:
    """Made once: to build a statement costs more than to send it."""
    now = sa.bindparam("now", type_=Instant)
    in_calendars = sa.select(event.c.account, event.c.session, event.c.person).where(
        event.c.ends > now, event.c.state.in_(_MAY_BE_THERE)
    )
    by_mail = (
        sa.select(told.c.account, told.c.session, told.c.person)
        .join(person_state, person_state.c.person == told.c.person)
        .where(told.c.ends > now, told.c.state != ToldState.ENDED.value)
        .where(person_state.c.mailed != MAIL_NOTHING)
    )
    both = sa.union(in_calendars, by_mail).subquery()
    return sa.select(both.c.account, both.c.session, sa.func.count()).group_by(both.c.account, both.c.session)


class Rails:
    """The part of the ledger that the guards use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upcoming(self, now: datetime) -> Mapping[str, Mapping[str, int]]:
        """Per account: sessions with events of ours still to come, and of how many people.

        Counted is what may be in a calendar, pending, live, missing and held rows that end after ``now``; and
        what those were told of who are told by mail.
        """
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            for account, session, people in connection.execute(_upcoming(), {"now": now}):
                found[account][session] = people
        return dict(found)

    def first_start(self, account: str, sessions: Collection[str], now: datetime) -> datetime | None:
        """When the first day still to come begins, among those of our events in these sessions."""
        found: list[datetime] = []
        with self._database.reading() as connection:
            for some in chunks(sessions):
                first = sa.select(sa.func.min(event.c.starts)).where(
                    event.c.account == account,
                    event.c.session.in_(some),
                    event.c.starts > now,
                    event.c.state.in_(_MAY_BE_THERE),
                )
                found += filter(None, [connection.scalar(first)])
        return min(found, default=None)

    def holds(self) -> Sequence[Hold]:
        """Everything held at present, longest first."""
        with self._database.reading() as connection:
            return [hold_of(row) for row in connection.execute(_HOLDS)]

    def hold(self, held: Hold) -> None:
        """Hold, or renew what is held with the same guard and subject, keeping its ``since``.

        What an operator has released stays so: a renewal decided before the release must not undo it.
        """
        renewed = columns_of_hold(held)
        with self._database.writing() as connection:
            old = connection.execute(_this(held.guard, held.subject).with_for_update()).one_or_none()
            if old is not None:
                renewed["released"] = old.released or held.released
            upsert(connection, hold, [renewed], keep=["since"])

    def end_hold(self, guard: str, subject: str, why: str, now: datetime) -> None:
        """End a hold that is there, with a line in the audit log; nothing otherwise."""
        with self._database.writing() as connection:
            ended = connection.execute(hold.delete().where(hold.c.guard == guard, hold.c.subject == subject))
            if ended.rowcount:
                detail = f"{guard} {subject}: {why}"
                write_audit(connection, AuditLine(now, "reconciler", "", "hold ended", detail=detail))


def _this(guard: str, subject: str) -> sa.Select[tuple[object, ...]]:
    return hold.select().where(hold.c.guard == guard, hold.c.subject == subject)
