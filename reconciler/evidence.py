"""What must be there before the LMS is asked to give a seat back: that the calendars have been asked, a
witness, and what is written down of the proof, which is ids, times and statuses, never a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from reconciler.diff.confirm import Sought, Unregister
from reconciler.diff.fields import token_of
from reconciler.errors import EventRefused
from reconciler.model import ActualEvent, Connection, EventKey, Found, LedgerEntry, Listing
from reconciler.ports import Calendar, Evidence, Heard, Ledger, Unregistration


def has_witness(ledger: Ledger, connection: Connection, absent: Sequence[LedgerEntry], now: datetime) -> bool:
    """Whether the service has shown somebody else's events since these were missed; if not, it is asked: what
    every calendar lacks at once proves nothing."""
    since = max(entry.missing_since or now for entry in absent)
    if ledger.witnessed(connection.service, connection.person, since, now):
        return True
    ledger.call_witness(connection.service, connection.person, now)
    return False


def seek(calendar: Calendar, listing: Listing, installation: str, entry: LedgerEntry) -> Sought:
    """Ask for the event by its id, and for its key in every calendar that the grant shows. What the listing
    of the default one shows is there too, should the vendor's search not find it yet."""
    by_id, seen = None, True
    if entry.event_id is not None:
        try:
            by_id = calendar.get(entry.event_id, entry.calendar_id or listing.calendar_id)
        except EventRefused:
            seen = False  # the calendar it was moved to is gone or closed to us: no deletion of this one
    token = token_of(installation, entry.key)
    found = calendar.find(token)
    listed = [event for event in listing.events if event.marker and event.marker.token == token]
    there = {event.event_id: event for event in (*listed, *found.events)}
    # What lay in a calendar that is gone went with it: nobody deleted this one.
    seen &= entry.calendar_id in (None, listing.calendar_id, *found.calendars)
    return Sought(
        by_id=by_id,
        found=tuple(event for event in there.values() if event.event_id not in entry.doomed),
        everywhere=found.everywhere and seen,
        denied=by_id is not None and _is_denied(by_id, found),
    )


def _is_denied(by_id: ActualEvent, found: Found) -> bool:
    """Whether the lists of a calendar lack what is in it, with our marker by which they are made."""
    listed = any(event.event_id == by_id.event_id for event in found.events)
    shown = found.everywhere and by_id.calendar_id in found.calendars
    return shown and by_id.marker is not None and not listed


def request_for(
    judgement: Unregister, connection: Connection, installation: str, now: datetime, deadline: datetime
) -> Unregistration:
    """What the LMS is asked: this seat, as it was proven, until ``deadline`` by the LMS's clock."""
    session = judgement.registration.session
    first = judgement.entries[0]
    return Unregistration(
        account=connection.account,
        person=connection.person,
        session=session.id,
        seats=judgement.registration.seats,
        days=tuple(sorted((day.start_instant, day.end_instant) for day in session.days)),
        now=now,
        deadline=deadline,
        reference=f"{token_of(installation, first.key)[:12]}-{first.generation}",
    )


def evidence_for(
    judgement: Unregister,
    request: Unregistration,
    connection: Connection,
    sought: Mapping[EventKey, Sought],
    heard: Sequence[Heard],
) -> Evidence:
    """The proof of one un-registration, from which its request can be made again."""
    events = [
        {
            "slot": entry.key.slot,
            "event_id": entry.event_id,
            "calendar_id": entry.calendar_id,
            "etag": entry.etag,
            "generation": entry.generation,
            "missing_since": _text(entry.missing_since),
            "confirmed_at": _text(entry.suspicion.confirmed_at),
            "by_id": "gone",
            "by_key": "in no calendar" if sought[entry.key].everywhere else "in no visible calendar",
            "answer": entry.answer,
        }
        for entry in judgement.entries
    ]
    facts: dict[str, object] = {
        "reference": request.reference,
        "account": request.account,
        "seats": list(request.seats),
        "days": [[_text(start), _text(end)] for start, end in request.days],
        "now": _text(request.now),
        "deadline": _text(request.deadline),
        "baseline_since": _text(connection.baseline_since),
        "events": events,
        "answers": [asdict(one) for one in heard],
    }
    seat = judgement.registration.seat or ""
    return Evidence(request.now, connection.person, judgement.session, seat, connection.provider, facts)


def request_of(proof: Evidence) -> Unregistration:
    """The request that this evidence was written for."""
    facts = proof.facts
    days, seats = facts["days"], facts["seats"]
    assert isinstance(days, list)
    assert isinstance(seats, list)
    return Unregistration(
        account=str(facts["account"]),
        person=proof.person,
        session=proof.session,
        seats=tuple(seats),
        days=tuple((datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in days),
        now=datetime.fromisoformat(str(facts["now"])),
        deadline=datetime.fromisoformat(str(facts["deadline"])),
        reference=str(facts["reference"]),
    )


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def mark_of(rows: Sequence[LedgerEntry]) -> str:
    """What tells one deletion of a session's events from the next, so that its owner is told of each once."""
    days = ",".join(f"{row.key.slot}.{row.generation}" for row in sorted(rows, key=lambda row: row.key))
    since = min((row.missing_since for row in rows if row.missing_since), default=None)
    return f"{days} {since.isoformat() if since else ''}"
