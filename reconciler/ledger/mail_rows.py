"""Rows of mail become values, and values rows. Nothing here talks to a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from reconciler.model import Day, Digest, EventKey, MailState, Role, Told, ToldState
from reconciler.ports import Mail

Row = sa.Row[Any]


def told_of(row: Row | Mapping[str, Any]) -> Told:
    """One row of ``told``, or what :func:`told_fact` made of one."""
    given = row if isinstance(row, Mapping) else row._mapping
    return Told(
        key=EventKey(given["person"], given["session"], given["slot"]),
        account=given["account"],
        role=Role(given["role"]),
        seat=given["seat"],
        state=ToldState(given["state"]),
        generation=given["generation"],
        uid=given["uid"],
        sequence=given["sequence"],
        address=given["address"],
        digest=Digest(given["digest_time"], given["digest_content"], given["digest_form"]),
        day=_day_of(given["day"]),
        title=given["title"],
        location=given["location"],
        noticed=given["noticed"],
    )


def told_fact(told: Told) -> dict[str, Any]:
    """What was told, JSON-able: the columns of ``told`` but for the instant at which the day ends."""
    return {
        "person": told.key.person,
        "session": told.key.session,
        "slot": told.key.slot,
        "account": told.account,
        "role": told.role.value,
        "seat": told.seat,
        "state": told.state.value,
        "generation": told.generation,
        "uid": told.uid,
        "sequence": told.sequence,
        "address": told.address,
        "digest_time": told.digest.time,
        "digest_content": told.digest.content,
        "digest_form": told.digest.form,
        "day": _day_fact(told.day),
        "title": told.title,
        "location": told.location,
        "noticed": told.noticed,
    }


def columns_of_told(told: Told) -> dict[str, Any]:
    """The columns of ``told``."""
    return {**told_fact(told), "ends": told.day.end_instant}


def _day_fact(day: Day) -> dict[str, Any]:
    return {
        "starts": day.starts.isoformat(),
        "ends": day.ends.isoformat(),
        "zone": day.zone,
        "all_day": day.all_day,
    }


def _day_of(fact: Mapping[str, Any]) -> Day:
    return Day(_moment(fact["starts"]), _moment(fact["ends"]), fact["zone"], fact["all_day"])


def _moment(text: str) -> datetime:
    """A wall time, or an instant with the very UTC that others are compared by."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def mail_of(row: Row) -> Mail:
    """One row of ``outbox``."""
    return Mail(
        id=row.id,
        person=row.person,
        account=row.account,
        session=row.session,
        slot=row.slot,
        kind=row.kind,
        way=row.way,
        once=row.once,
        state=MailState(row.state),
        version=row.version,
        address=row.address,
        body=row.body,
        effects=tuple(told_of(fact) for fact in row.effects),
        message_id=row.message_id,
        created_at=row.created_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        retry_at=row.retry_at,
        attempts=row.attempts,
        code=row.code,
        last_error=row.last_error,
        ended_at=row.ended_at,
    )


def columns_of_mail(mail: Mail) -> dict[str, Any]:
    """The columns of ``outbox`` that are written before anything is sent."""
    return {
        "person": mail.person,
        "account": mail.account,
        "session": mail.session,
        "slot": mail.slot,
        "kind": mail.kind,
        "way": mail.way,
        "once": mail.once,
        "state": mail.state.value,
        "version": mail.version,
        "address": mail.address,
        "body": mail.body,
        "effects": [told_fact(told) for told in mail.effects],
        "message_id": mail.message_id,
        "created_at": mail.created_at,
        "due_at": mail.due_at,
        "expires_at": mail.expires_at,
        "retry_at": mail.retry_at,
        "attempts": mail.attempts,
    }
