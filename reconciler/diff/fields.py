"""Which fields of an event are ours, how they are composed, normalised, digested and compared."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from reconciler.model import (
    ActualEvent,
    Content,
    Day,
    Digest,
    EventKey,
    LedgerEntry,
    Registration,
    Removal,
    Role,
    Session,
    Standing,
    zone,
)

FORM_VERSION = "1"
"""Raised when the template of the block or the format of the digests changes. Such a change is no news:
events are rewritten when quota is left over."""

_SEPARATOR = "\x1f"  # never in a cleaned text: control characters are removed at the LMS's border


class Field(StrEnum):
    """A managed field."""

    TITLE = "title"
    TIME = "time"
    LOCATION = "location"
    BLOCK = "block"
    MARKER = "marker"


# Identity -----------------------------------------------------------------------------------------


def token_of(installation: str, key: EventKey) -> str:
    """What an event of this key is searched by: 40 lower-case hexadecimal digits."""
    return _hash(["token", installation, *_key_parts(key)], 20).hex()


def made_as(installation: str, key: EventKey, generation: int) -> str:
    """The id we choose for the n-th making of this event: 32 characters of lower-case base32hex.

    Google accepts ``[a-v0-9]`` of 5 to 1024 characters as an event id (RFC 4648 section 7).
    """
    raw = _hash(["id", installation, *_key_parts(key), str(generation)], 20)
    return base64.b32hexencode(raw).decode("ascii").lower()


def mail_uid(installation: str, key: EventKey, generation: int) -> str:
    """The UID of the entry that is mailed for this day (RFC 5545 section 3.8.4.7): derived, so that it is the
    same after a loss of the state."""
    raw = _hash(["mail", installation, *_key_parts(key), str(generation)], 20)
    return f"{raw.hex()}@{installation}"


def made_by_us(installation: str, event: ActualEvent) -> bool:
    """Whether we made this event: its maker's id is the one we would have chosen. A copy has another."""
    marker = event.marker
    if marker is None or event.made_as is None or marker.installation != installation:
        return False
    return event.made_as == made_as(installation, marker.key, marker.generation)


def ours(installation: str, entry: LedgerEntry | None, event: ActualEvent) -> bool:
    """Whether we made it: by its own marker, or by an id that one of the row's generations would have had."""
    if made_by_us(installation, event):
        return True
    if entry is None or event.made_as is None:
        return False
    generations = range(entry.generation, -1, -1)
    return any(event.made_as == made_as(installation, entry.key, number) for number in generations)


def _key_parts(key: EventKey) -> list[str]:
    return [key.person, key.session, str(key.slot)]


# Composition --------------------------------------------------------------------------------------


def removal_of(registration: Registration, gives_back: bool) -> Removal:
    """What deleting the event means; ``gives_back`` is whether un-registering is switched on at all."""
    session = registration.session
    if registration.role is Role.LEARNER and registration.seat and session.cancellable and gives_back:
        return Removal.UNREGISTERS
    return Removal.PUT_BACK


def content_of(session: Session, removal: Removal) -> Content:
    """The managed texts of a session's events. The same for all its days, so that a day added or dropped
    concerns no other."""
    paragraphs = [_news_of(session), session.url, closing_of(session, removal)]
    return Content(session.title, session.location, _paragraphs(paragraphs))


def _news_of(session: Session) -> str:
    """What of our block is news when it changes: course, instructors, details."""
    lines = [f"Course: {session.course}"] if session.course and session.course != session.title else []
    if session.instructors:
        lines.append(f"With: {', '.join(session.instructors)}")
    return _paragraphs(["\n".join(lines), session.details])


def _paragraphs(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def closing_of(session: Session, removal: Removal) -> str:
    """The sentence at a learner's event's end, where deleting the event gives the seat back."""
    if removal is not Removal.UNREGISTERS:
        return ""
    until = f" (until {session.cancel_until:%Y-%m-%d %H:%M} UTC)" if session.cancel_until else ""
    return f"Cannot come? Delete this event{until}, and your seat is given back."


# Digests ------------------------------------------------------------------------------------------


def digest_of(session: Session, day: Day, removal: Removal) -> Digest:
    """What would be written for this day, in three parts (see :class:`~reconciler.model.Digest`)."""
    return Digest(
        time=_short(_time_parts(day)),
        content=_short([session.title, session.location, _news_of(session)]),
        form=_form_of(session, removal),
    )


def _form_of(session: Session, removal: Removal) -> str:
    return _short([FORM_VERSION, session.url, closing_of(session, removal)])


def said_nothing(session: Session, written: Digest) -> bool:
    """Whether an event, as it was written, does not say that deleting it gives the seat back."""
    return written.form == _form_of(session, Removal.PUT_BACK)


class Fingerprint(NamedTuple):
    """Stands for everything of a session that could change somebody's events. ``news`` are 20 hexadecimal
    digits, ``form`` 16: like in a :class:`~reconciler.model.Digest`, a change of the form is no news."""

    news: str
    form: str


def session_fingerprint(session: Session) -> Fingerprint:
    """Of a session, whatever the order of its days. Computed once per session."""
    until = _moment(session.cancel_until) if session.cancel_until else ""
    days = sorted(_SEPARATOR.join(_time_parts(day)) for day in session.days)
    texts = [session.title, session.location, _news_of(session)]
    news = [session.id, *texts, str(session.cancelled), session.refused or "", *days]
    form = [session.id, FORM_VERSION, session.url, str(session.cancellable), until]
    return Fingerprint(_short(news), _hash(form, 8).hex())


KINDS = {(role, standing): f"{role[0]}{standing[0]}" for role in Role for standing in Standing}
"""What of a registration is neither its session nor its seat, in two letters."""


def registration_line(registration: Registration, fingerprint: Fingerprint) -> str:
    """One registration within a person's news; ``fingerprint`` is its session's. News and kind are of a
    fixed length, the seat is the rest."""
    kind = KINDS[registration.role, registration.standing]
    return f"{fingerprint.news}{kind}{registration.seat or ''}"


def person_fingerprint(identity: str, active: bool, lines: list[str], forms: list[str]) -> str:
    """The digest of one person's desired state, news and form apart; empty when nothing is desired.

    ``lines`` come from :func:`registration_line`, ``forms`` from the fingerprints of their sessions, both in
    any order (they are put in order here). Never holds a slot or a row id of a day.
    """
    if not lines:
        return ""
    lines.sort()
    forms.sort()
    news = _SEPARATOR.join((identity, str(active), *lines))
    return f"{_digits(news, 10)}.{_digits(''.join(forms), 8)}"


def no_news(digest: str, applied: str | None) -> bool:
    """Whether what is desired differs from what was applied in nothing but its form."""
    return bool(applied) and digest.partition(".")[0] == (applied or "").partition(".")[0]


def _time_parts(day: Day) -> list[str]:
    return [_moment(day.starts), _moment(day.ends), day.zone, str(day.all_day)]


def _moment(moment: datetime) -> str:
    """A wall time as it is, an instant in UTC: whichever is the truth."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _short(parts: Iterable[str]) -> str:
    return _hash(parts, 10).hex()


def _hash(parts: Iterable[str], size: int) -> bytes:
    text = _SEPARATOR.join(parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def _digits(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


# Comparison with a calendar -----------------------------------------------------------------------


def differences(content: Content, day: Day, actual: ActualEvent) -> frozenset[Field]:
    """The managed texts and times in which the calendar differs from what should be there."""
    found = set()
    if folded(actual.title) != folded(content.title):
        found.add(Field.TITLE)
    if folded(actual.location) != folded(content.location):
        found.add(Field.LOCATION)
    if actual.block is None or folded(actual.block) != folded(content.block):
        found.add(Field.BLOCK)
    if actual.day is None or not same_time(day, actual.day):
        found.add(Field.TIME)
    return frozenset(found)


def folded(text: str) -> str:
    """White space folded: vendors trim it, wrap it and change its line ends."""
    return " ".join(text.split())


def same_time(desired: Day, actual: Day) -> bool:
    """Whether both are the same instants shown at the same wall time; for all-day days the same dates.

    A vendor that shows UTC may have been given UTC (an instant within a gap or fold cannot always be
    said otherwise), so its wall time says nothing.
    """
    if desired.all_day or actual.all_day:
        return desired.all_day == actual.all_day and (
            (desired.start_wall, desired.end_wall) == (actual.start_wall, actual.end_wall)
        )
    if (desired.start_instant, desired.end_instant) != (actual.start_instant, actual.end_instant):
        return False
    return actual.zone == "UTC" or _shown_offsets(desired) == _shown_offsets(actual)


def _shown_offsets(day: Day) -> list[timedelta | None]:
    there = zone(day.zone)
    return [moment.astimezone(there).utcoffset() for moment in (day.start_instant, day.end_instant)]
