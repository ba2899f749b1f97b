"""From seats to registrations: all of one person's seats in one session are one registration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.diff.fields import registration_line
from reconciler.model import Registration, Role, SeatStatus, Session, Standing, standing_of

Seat = tuple[str, str, Role, SeatStatus | None]
"""Session, reference (empty where the LMS cannot say), role, status (``None``: a word nobody knows)."""

_WEIGHT = {Standing.WANTED: 0, Standing.KEEP: 1, Standing.NONE: 2}
_PLACEHOLDER = "\x1e"
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


def registration(person: str, place: Place, session: Session) -> Registration:
    """The place with its session."""
    return Registration(person, session, place.role, place.standing, place.seat, place.seats)


class Lines:
    """The lines of people's fingerprints, as :func:`~reconciler.diff.fields.registration_line` makes them.

    A scan needs one for every registration there is, so what is the same for a session, role and
    standing is composed once, around the seat.
    """

    def __init__(self) -> None:
        self._around: dict[tuple[str, Role, Standing], tuple[str, str]] = {}

    def line(self, place: Place, fingerprint: str) -> str:
        """The line of this place; ``fingerprint`` is its session's."""
        key = (place.session, place.role, place.standing)
        around = self._around.get(key)
        if around is None:
            around = self._around[key] = self._compose(place, fingerprint)
        return f"{around[0]}{place.seat or ''}{around[1]}"

    @staticmethod
    def _compose(place: Place, fingerprint: str) -> tuple[str, str]:
        session = Session(id=place.session, account="", title="")
        stand_in = Registration("", session, place.role, place.standing, _PLACEHOLDER)
        before, _, after = registration_line(stand_in, fingerprint).rpartition(_PLACEHOLDER)
        return before, after
