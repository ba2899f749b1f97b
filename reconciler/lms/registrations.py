"""From seats to registrations: all of one person's seats in one session are one registration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.diff.fields import KINDS, Fingerprint
from reconciler.model import Registration, Role, SeatStatus, Session, Standing, standing_of

Seat = tuple[str, str, Role, SeatStatus | None]
"""Session, reference (empty where the LMS cannot say), role, status (``None``: a word nobody knows)."""

_WEIGHT = {Standing.WANTED: 0, Standing.KEEP: 1, Standing.NONE: 2}
_STANDING: dict[SeatStatus | None, Standing] = {
    None: Standing.KEEP,  # a word nobody knows concludes nothing; its session is refused as well
    **{status: standing_of(status) for status in SeatStatus},
}


class Place(NamedTuple):
    """One person's place in one session: a registration whose session is only named."""

    session: str
    role: Role
    standing: Standing
    seat: str | None
    seats: tuple[str, ...]


def merged(seats: Iterable[Seat]) -> Iterator[Place]:
    """One place for each session among one person's seats.

    The seats that ask for most decide: booked, else attended, else none. Learner and instructor at once
    is a learner, whose seat can be given back. Seats of less standing (an earlier, cancelled sign-up)
    are history, and no part of it.
    """
    by_session: dict[str, list[Seat]] = {}
    for seat in seats:
        by_session.setdefault(seat[0], []).append(seat)
    for session, own in by_session.items():
        yield _place(session, own) if len(own) > 1 else _sole(*own[0])


def _sole(session: str, ref: str, role: Role, status: SeatStatus | None) -> Place:
    """The place of a single seat, which is nearly every one."""
    return Place(session, role, _STANDING[status], ref or None, (ref,) if ref else ())


def _place(session: str, seats: list[Seat]) -> Place:
    standing = min((_STANDING[seat[3]] for seat in seats), key=_WEIGHT.__getitem__)
    asking = [seat for seat in seats if _STANDING[seat[3]] is standing]
    learning = [seat for seat in asking if seat[2] is Role.LEARNER]
    refs = tuple(sorted({seat[1] for seat in learning or asking}))
    seat = ",".join(refs) if all(refs) else None
    return Place(session, Role.LEARNER if learning else Role.INSTRUCTOR, standing, seat, refs if seat else ())


class Kind(NamedTuple):
    """What a sole seat of one role and status makes of a registration, as the stream needs it: the kind as in
    :data:`~reconciler.diff.fields.KINDS`, and whether there is to be an event."""

    code: str
    wanted: bool


def kind_of(role: Role, status: SeatStatus | None) -> Kind:
    """The kind of a sole seat."""
    standing = _STANDING[status]
    return Kind(KINDS[role, standing], standing is Standing.WANTED)


def line_of(place: Place, fingerprint: Fingerprint) -> str:
    """The place as :func:`~reconciler.diff.fields.registration_line` writes its registration."""
    return f"{fingerprint.news}{KINDS[place.role, place.standing]}{place.seat or ''}"


def registration(person: str, place: Place, session: Session) -> Registration:
    """The place with its session."""
    return Registration(person, session, place.role, place.standing, place.seat, place.seats)
