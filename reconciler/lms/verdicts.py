"""Whether a seat may be given back, and what became of it: pure, and the same for every LMS in a database.

The reasons are codes, the same ones that the script on a Moodle host and an operator's webhook use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from reconciler.lms.registrations import Seat
from reconciler.model import Role, SeatStatus, Session
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration

BEGUN = "begun"
NOT_CANCELLABLE = "not-cancellable"
CANCEL_UNTIL = "cancel-until"
ATTENDED = "attended"
NOT_A_LEARNER = "not-a-learner"
OTHER_DAYS = "other-days"
OTHER_SEAT = "other-seat"
SESSION_GONE = "session-gone"
SESSION_CANCELLED = "session-cancelled"
ALREADY = "already"
UNREADABLE = "unreadable"

_TAUGHT = frozenset(
    {SeatStatus.ATTENDED, SeatStatus.PARTIALLY_ATTENDED, SeatStatus.COMPLETED, SeatStatus.NO_SHOW}
)


def refused(why: str) -> RegistrarAnswer:
    """The LMS says no."""
    return RegistrarAnswer(RegistrarOutcome.REFUSED, why)


def lost(why: str) -> RegistrarAnswer:
    """It is not as it was seen any more."""
    return RegistrarAnswer(RegistrarOutcome.LOST, why)


def done(why: str = "", trace: str = "") -> RegistrarAnswer:
    """The seat is given back."""
    return RegistrarAnswer(RegistrarOutcome.DONE, why, trace)


def on_session(request: Unregistration, session: Session | None) -> RegistrarAnswer | None:
    """Why the session forbids it, as it is now; ``None`` if it does not.

    A session has begun, and its deadline has passed, by ``request.now``.
    """
    if session is None:
        return lost(SESSION_GONE)
    if session.cancelled:
        return lost(SESSION_CANCELLED)
    if session.refused is not None:
        return lost(UNREADABLE)
    if tuple((day.start_instant, day.end_instant) for day in session.days) != request.days:
        return lost(OTHER_DAYS)
    return on_time(request) or _on_rules(session, request.now)


def on_time(request: Unregistration) -> RegistrarAnswer | None:
    """Refused once the first day has begun; also where there is no day that could tell."""
    if not request.days or min(start for start, _end in request.days) <= request.now:
        return refused(BEGUN)
    return None


def _on_rules(session: Session, now: datetime) -> RegistrarAnswer | None:
    if not session.cancellable:
        return refused(NOT_CANCELLABLE)
    if session.cancel_until is not None and session.cancel_until <= now:
        return refused(CANCEL_UNTIL)
    return None


def on_seats(request: Unregistration, seats: Collection[Seat]) -> RegistrarAnswer | None:
    """What stands against it among the person's seats in the session; ``None`` if nothing does.

    ``DONE`` if all those named are cancelled already and no other was booked since: a row cannot say by whom.
    """
    named = _named(request, seats)
    if not request.seats or len(named) != len(request.seats):
        return lost(OTHER_SEAT)
    if any(role is not Role.LEARNER for _session, _ref, role, _status in named):
        return refused(NOT_A_LEARNER)
    statuses = {status for _session, _ref, _role, status in named}
    if statuses == {SeatStatus.BOOKED}:
        return lost(OTHER_SEAT) if others_booked(request, seats) else None
    if statuses == {SeatStatus.CANCELLED}:
        return lost(OTHER_SEAT) if others_booked(request, seats) else done(ALREADY)
    return refused(ATTENDED) if statuses & _TAUGHT else lost(OTHER_SEAT)


def others_booked(request: Unregistration, seats: Iterable[Seat]) -> bool:
    """Whether the person has come by another seat in the session than those that were seen."""
    return any(
        session == request.session and ref not in request.seats
        for session, ref, role, status in seats
        if role is Role.LEARNER and status is SeatStatus.BOOKED
    )


def became(request: Unregistration, seats: Iterable[Seat]) -> RegistrarAnswer:
    """What became of a request, by the rows of the seats it names."""
    named = _named(request, seats)
    statuses = {status for _session, _ref, _role, status in named}
    if request.seats and len(named) == len(request.seats):
        if statuses == {SeatStatus.CANCELLED}:
            return done()
        if statuses == {SeatStatus.BOOKED}:
            return RegistrarAnswer(RegistrarOutcome.STILL_THERE)
    return lost(OTHER_SEAT)


def _named(request: Unregistration, seats: Iterable[Seat]) -> list[Seat]:
    return [seat for seat in seats if seat[0] == request.session and seat[1] in request.seats]
