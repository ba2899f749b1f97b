"""Rows become values, and values rows. Nothing here talks to a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from reconciler.model import (
    AccountSwitches,
    Answer,
    Connection,
    ConnectionState,
    Digest,
    EventKey,
    HoldReason,
    LedgerEntry,
    Mode,
    PersonState,
    Role,
    State,
    Suspicion,
    UnregisterMode,
)
from reconciler.ports import Hold, Occurrence, Run

Row = sa.Row[Any]


def entry_of(row: Row) -> LedgerEntry:
    """One row of ``event``."""
    return LedgerEntry(
        key=EventKey(row.person, row.session, row.slot),
        account=row.account,
        provider=row.provider,
        role=Role(row.role),
        seat=row.seat,
        state=State(row.state),
        generation=row.generation,
        event_id=row.event_id,
        calendar_id=row.calendar_id,
        etag=row.etag,
        digest=Digest(row.digest_time, row.digest_content, row.digest_form),
        starts=row.starts,
        ends=row.ends,
        doomed=tuple(row.doomed),
        copied=row.copied,
        missing_since=row.missing_since,
        intent=row.intent,
        attempts=row.attempts,
        retry_at=row.retry_at,
        last_error=row.last_error,
        updated_at=row.updated_at,
        suspicion=_suspicion_of(row),
    )


def _suspicion_of(row: Row) -> Suspicion:
    return Suspicion(
        confirmed_at=row.missing_confirmed_at,
        grace_until=row.grace_until,
        deadline=row.deadline,
        hold_reason=HoldReason(row.hold_reason) if row.hold_reason else None,
        held_since=row.held_since,
        answer=Answer(row.answer) if row.answer else None,
        answer_seat=row.answer_seat,
        answer_generation=row.answer_generation,
        put_back=row.put_back,
    )


def _columns_of_suspicion(suspicion: Suspicion) -> dict[str, Any]:
    return {
        "missing_confirmed_at": suspicion.confirmed_at,
        "grace_until": suspicion.grace_until,
        "deadline": suspicion.deadline,
        "hold_reason": suspicion.hold_reason.value if suspicion.hold_reason else None,
        "held_since": suspicion.held_since,
        "answer": suspicion.answer.value if suspicion.answer else None,
        "answer_seat": suspicion.answer_seat,
        "answer_generation": suspicion.answer_generation,
        "put_back": suspicion.put_back,
    }


def columns_of_entry(entry: LedgerEntry) -> dict[str, Any]:
    """The columns of ``event``."""
    return {
        **_columns_of_suspicion(entry.suspicion),
        "person": entry.key.person,
        "session": entry.key.session,
        "slot": entry.key.slot,
        "account": entry.account,
        "provider": entry.provider,
        "role": entry.role.value,
        "seat": entry.seat,
        "state": entry.state.value,
        "generation": entry.generation,
        "event_id": entry.event_id,
        "calendar_id": entry.calendar_id,
        "etag": entry.etag,
        "digest_time": entry.digest.time,
        "digest_content": entry.digest.content,
        "digest_form": entry.digest.form,
        "starts": entry.starts,
        "ends": entry.ends,
        "doomed": list(entry.doomed),
        "copied": entry.copied,
        "missing_since": entry.missing_since,
        "intent": entry.intent,
        "attempts": entry.attempts,
        "retry_at": entry.retry_at,
        "last_error": entry.last_error,
        "updated_at": entry.updated_at,
    }


def connection_of(row: Row) -> Connection:
    """One row of ``connection``."""
    return Connection(
        id=row.id,
        person=row.person,
        account=row.account,
        provider=row.provider,
        subject=row.subject,
        address=row.address,
        calendar_id=row.calendar_id,
        identity=row.identity,
        state=ConnectionState(row.state),
        scopes=tuple(row.scopes),
        baseline_since=row.baseline_since,
        listed_at=row.listed_at,
        state_since=row.state_since,
        last_error=row.last_error,
    )


_CONNECTIONS: dict[str | None, ConnectionState | None] = {
    None: None,
    **{state.value: state for state in ConnectionState},
}


def person_state_of(row: Row) -> PersonState:
    """One row of ``person_state``, without its lease, joined with the person's connection; its columns in
    the order of the value's fields, for a push pass reads everybody's."""
    person, account, applied, next_audit, provider, state, baseline, *rest = tuple(row)
    return PersonState(
        person, account, applied, next_audit, provider, _CONNECTIONS[state], baseline is not None, *rest
    )


def switches_of(row: Row) -> AccountSwitches:
    """One row of ``account``."""
    return AccountSwitches(
        account=row.account,
        vendors=frozenset(row.vendors),
        email_notifications=row.email_notifications,
        mode=Mode(row.mode),
        unregister=UnregisterMode(row.unregister_mode or UnregisterMode.APPLY),
        people=None if row.people is None else frozenset(row.people),
    )


def columns_of_switches(switches: AccountSwitches) -> dict[str, Any]:
    """The columns of ``account`` that the switches know."""
    return {
        "account": switches.account,
        "vendors": sorted(switches.vendors),
        "email_notifications": switches.email_notifications,
        "mode": switches.mode.value,
        "unregister_mode": switches.unregister.value,
        "people": None if switches.people is None else sorted(switches.people),
    }


def occurrence_of(row: Row) -> Occurrence:
    """One row of ``history``."""
    return Occurrence(row.at, row.person, row.session, row.slot, row.what, row.why)


def columns_of_occurrence(occurrence: Occurrence) -> dict[str, Any]:
    """The columns of ``history``."""
    return {
        "at": occurrence.at,
        "person": occurrence.person,
        "session": occurrence.session,
        "slot": occurrence.slot,
        "what": occurrence.what,
        "why": occurrence.why,
    }


def hold_of(row: Row) -> Hold:
    """One row of ``hold``."""
    # A row is a tuple, and a tuple has a method of the name of one of its columns.
    count: int = row._mapping["count"]
    return Hold(row.guard, row.subject, row.why, row.since, count, row.urgent_at, row.released)


def columns_of_hold(hold: Hold) -> dict[str, Any]:
    """The columns of ``hold``."""
    return {
        "guard": hold.guard,
        "subject": hold.subject,
        "why": hold.why,
        "since": hold.since,
        "count": hold.count,
        "urgent_at": hold.urgent_at,
        "released": hold.released,
    }


def run_of(row: Row) -> Run:
    """One row of ``run``."""
    return Run(row.cycle, row.started, row.finished, row.result, row.sentence, row.counts)
