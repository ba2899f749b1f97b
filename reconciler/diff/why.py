"""Why a seat waits, and why an event that was deleted gives none back: for people."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model import HoldReason

WHY_HELD = {
    HoldReason.HIDDEN_CALENDARS: "we may not look into the person's other calendars, where it may have "
    "been moved, so the learner is asked",
    HoldReason.SOME_DAYS: "only some of the session's days were deleted, so the learner is asked",
    HoldReason.PERSON_GUARD: "several seats of this person vanished at about the same time, which looks like "
    "an accident, so the learner is asked",
    HoldReason.FLEET_GUARD: "many people's events vanished at this vendor at about the same time, which "
    "looks like an accident, so an operator is asked",
    HoldReason.ASK: "every learner who deletes an event is asked (unregister.mode is ask)",
}
"""Why a seat waits, and for whom."""


class MayNot(StrEnum):
    """Why deleting the event does not give the seat back."""

    NEVER = "seats are not given back by deleting events here (unregister.mode, lms.unregister.way)"
    INSTRUCTOR = "an instructor is not un-registered by deleting the event"
    NOT_CANCELLABLE = "the LMS does not let this seat be given back"
    TOO_LATE = "the deadline for giving the seat back has passed"
    TOO_NEAR = "the deadline for giving the seat back passes before the time of grace is over"


UNSAID = "the event did not say yet that deleting it gives the seat back"
LMS_REFUSED = "the LMS refused: "
"""Before the code of its reason."""
