"""What people were told and are to be told: the planning side of mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from reconciler.ledger.database import Database, chunks, insert_once, upsert
from reconciler.ledger.leases import lock, prove
from reconciler.ledger.mail_rows import columns_of_mail, columns_of_told, mail_of, told_of
from reconciler.ledger.tables import mail_baseline, outbox, person_state, told
from reconciler.model import MailState, Told
from reconciler.ports import MAIL_OPEN, Lease, Mail, MailBaseline

_OPEN = [MailState.WAITING.value, MailState.SENDING.value]
_TOLD = told.select().order_by(told.c.person, told.c.session, told.c.slot)
_MAILED = person_state.update().where(person_state.c.person == sa.bindparam("whose"))


class Letters:
    """The part of the ledger in which letters are planned."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, people: Collection[str]) -> Mapping[str, Sequence[Told]]:
        """What these people were last told of each day; one (possibly empty) sequence for each id."""
        found: dict[str, list[Told]] = {person: [] for person in people}
        with self._database.reading() as connection:
            for some in chunks(people):
                for row in connection.execute(_TOLD.where(told.c.person.in_(some))):
                    found[row.person].append(told_of(row))
        return found

    def letters(self, people: Collection[str]) -> Mapping[str, Sequence[Mail]]:
        """Their letters about days that wait or are under way and may still be replaced."""
        found: dict[str, list[Mail]] = {person: [] for person in people}
        with self._database.reading() as connection:
            for some in chunks(people):
                for row in connection.execute(_replaceable(some)):
                    found[row.person].append(mail_of(row))
        return found

    def save_letters(
        self,
        lease: Lease,
        person: str,
        rows: Sequence[Told],
        letters: Sequence[Mail],
        drop: Collection[int],
        mailed: str | None,
    ) -> bool:
        """Write down what a person is to be told, in one commit that proves the lease.

        ``letters`` are new, or replace the waiting one of their id; those in ``drop`` have never been. False,
        and nothing is written, if one of these, or another letter about the same sessions, is under way.
        """
        for row in rows:
            if row.key.person != person:
                raise ValueError(f"{row.key} is not to be written for person {person}")
        with self._database.writing() as connection:
            prove(connection, lease, person)
            replaced = {one.id for one in letters if one.id} | set(drop)
            sessions = {one.session for one in letters} | {row.key.session for row in rows}
            if rows or letters or drop:
                for known in connection.execute(_replaceable([person])):
                    if known.state != MailState.WAITING and (known.session in sessions or known.id in drop):
                        return False
                    replaced.discard(known.id)
            if replaced:
                return False  # sent, or dropped, since it was read
            connection.execute(outbox.delete().where(_waiting(person), outbox.c.id.in_(list(drop))))
            for one in letters:
                _write(connection, one)
            upsert(connection, told, [columns_of_told(row) for row in rows])
            connection.execute(_MAILED, {"whose": person, "mailed": mailed})
        return True

    def post(self, mail: Mail) -> bool:
        """Write down a letter of its own, once for its name; false if there is one already."""
        with self._database.writing() as connection:
            return post_within(connection, [mail]) == 1

    # Since when what is new is told ---------------------------------------------------------------

    def mail_baselines(self) -> Mapping[str, MailBaseline]:
        """Of every account that has one."""
        with self._database.reading() as connection:
            return {
                row.account: MailBaseline(
                    row.account,
                    row.since,
                    None if row.people is None else frozenset(row.people),
                    row.restored,
                )
                for row in connection.execute(mail_baseline.select())
            }

    def set_mail_baseline(self, baseline: MailBaseline) -> None:
        """From now on what is new in this account is told."""
        people = None if baseline.people is None else sorted(baseline.people)
        new = {"account": baseline.account, "since": baseline.since, "people": people}
        with self._database.writing() as connection:
            upsert(connection, mail_baseline, [{**new, "restored": baseline.restored}])

    def end_mail_baselines(self, accounts: Collection[str]) -> None:
        """Nobody is told anything in these accounts: what comes meanwhile is no news afterwards."""
        with self._database.writing() as connection:
            connection.execute(mail_baseline.delete().where(mail_baseline.c.account.in_(list(accounts))))

    def distrust_mail(self) -> None:
        """The state has become older than what we did: what it says of letters may be long over. Nothing that
        waits is sent, nothing that differs is told."""
        with self._database.writing() as connection:
            connection.execute(mail_baseline.update().values(restored=True))
            people = sa.select(person_state.c.person).where(person_state.c.mailed.is_not(None))
            for some in chunks(list(connection.scalars(people))):
                lock(connection, some)
                connection.execute(
                    person_state.update().where(person_state.c.person.in_(some)).values(mailed=MAIL_OPEN)
                )
            connection.execute(
                outbox.update()
                .where(outbox.c.state == MailState.WAITING.value)
                .values(
                    state=MailState.UNKNOWN.value,
                    last_error="the state was restored: it may have been sent before",
                    ended_at=outbox.c.created_at,
                    version=outbox.c.version + 1,
                )
            )


def post_within(connection: sa.Connection, letters: Sequence[Mail]) -> int:
    """Write down letters of their own in a transaction under way, once for the name of each; how many are
    new."""
    new = 0
    for mail in letters:
        known = sa.select(outbox.c.id).where(outbox.c.once == mail.once)
        if connection.execute(known).first() is None:
            new += insert_once(connection, outbox, columns_of_mail(mail))
    return new


def _replaceable(people: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    return (
        outbox.select()
        .where(outbox.c.person.in_(people), outbox.c.state.in_(_OPEN), outbox.c.once.is_(None))
        .order_by(outbox.c.id)
    )


def _waiting(person: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        outbox.c.person == person, outbox.c.state == MailState.WAITING.value, outbox.c.once.is_(None)
    )


def _write(connection: sa.Connection, mail: Mail) -> None:
    if not mail.id:
        if mail.once is None or not connection.scalar(
            sa.select(sa.func.count()).where(outbox.c.once == mail.once).select_from(outbox)
        ):
            connection.execute(outbox.insert().values(**columns_of_mail(mail)))
        return
    new = columns_of_mail(replace(mail, version=mail.version + 1))
    connection.execute(outbox.update().where(outbox.c.id == mail.id, _waiting(mail.person)).values(**new))
