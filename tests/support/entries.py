"""Values of the ledger, made short."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.ledger.enrolment import Grant
from reconciler.model import Digest, EventKey, LedgerEntry, Role, State

NOW = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


def entry(person: str = "7", session: str = "42", slot: int = 0, **changes: Any) -> LedgerEntry:
    """A live event that begins in an hour and lasts another."""
    made = LedgerEntry(
        key=EventKey(person, session, slot),
        account="acme",
        provider="google",
        role=Role.LEARNER,
        seat="seat-1",
        state=State.LIVE,
        generation=0,
        event_id=f"event-{person}-{session}-{slot}",
        calendar_id="primary",
        etag='"1"',
        digest=Digest("aa", "bb", "cc"),
        starts=NOW + HOUR,
        ends=NOW + 2 * HOUR,
        updated_at=NOW,
    )
    return replace(made, **changes)


def grant(person: str = "7", **changes: Any) -> Grant:
    """What a person has granted: an account of their own at Google."""
    made = Grant(
        person=person,
        account="acme",
        provider="google",
        subject=f"subject-{person}",
        address=f"{person}@example.com",
        calendar_id="primary",
        identity=person,
        scopes=("calendar.events",),
    )
    return replace(made, **changes)
