"""What may have become of a seat in Moodle between the proof and the write, and what is to be answered."""

from __future__ import annotations

from reconciler.ports import RegistrarOutcome
from tests.support.moodle_site import LEARNER, SEAT, SESSION, SIGNUP

GIVEN_BACK = [(70, 1, LEARNER), (10, 0, LEARNER)]
"""The history of a sign-up that was given back."""

_STATUS = "UPDATE mdl_facetoface_signups_status SET statuscode = {} WHERE id = " + str(SEAT)
_HISTORY = (
    f"UPDATE mdl_facetoface_signups_status SET superceded = 1 WHERE id = {SEAT}",
    "INSERT INTO mdl_facetoface_signups_status (id, signupid, statuscode, superceded, createdby, timecreated)"
    " VALUES (9001, " + str(SIGNUP) + ", {}, 0, 2, 1)",
)


def as_status(code: int) -> tuple[str, ...]:
    return tuple(statement.format(code) for statement in _HISTORY)


OF_SESSION = f"WHERE sessionid = {SESSION}"
CASES: dict[str, tuple[tuple[str, ...], RegistrarOutcome, str]] = {
    "attended": (as_status(100), RegistrarOutcome.REFUSED, "attended"),
    "partially attended": (as_status(90), RegistrarOutcome.REFUSED, "attended"),
    "no show": (as_status(80), RegistrarOutcome.REFUSED, "attended"),
    "attended, in the row that was seen": ((_STATUS.format(100),), RegistrarOutcome.REFUSED, "attended"),
    "waiting": (as_status(60), RegistrarOutcome.LOST, "other-seat"),
    "declined": (as_status(30), RegistrarOutcome.LOST, "other-seat"),
    "cancelled by staff": (as_status(10), RegistrarOutcome.LOST, "other-seat"),
    "booked anew": (as_status(70), RegistrarOutcome.LOST, "other-seat"),
    "not cancellable": (
        (f"UPDATE mdl_facetoface_sessions SET allowcancellations = 0 WHERE id = {SESSION}",),
        RegistrarOutcome.REFUSED,
        "not-cancellable",
    ),
    "a day moved": (
        (f"UPDATE mdl_facetoface_sessions_dates SET timefinish = timefinish + 60 {OF_SESSION}",),
        RegistrarOutcome.LOST,
        "other-days",
    ),
    "no date any more": (
        (f"UPDATE mdl_facetoface_sessions SET datetimeknown = 0 WHERE id = {SESSION}",),
        RegistrarOutcome.LOST,
        "other-days",
    ),
    "un-enrolled": (
        (
            f"DELETE FROM mdl_facetoface_signups_status WHERE signupid = {SIGNUP}",
            f"DELETE FROM mdl_facetoface_signups WHERE id = {SIGNUP}",
        ),
        RegistrarOutcome.LOST,
        "other-seat",
    ),
    "session deleted": (
        (f"DELETE FROM mdl_facetoface_sessions WHERE id = {SESSION}",),
        RegistrarOutcome.LOST,
        "session-gone",
    ),
    "activity being deleted": (
        ("UPDATE mdl_course_modules SET deletioninprogress = 1",),
        RegistrarOutcome.LOST,
        "session-gone",
    ),
    "learner deleted": (
        (f"UPDATE mdl_user SET deleted = 1 WHERE id = {LEARNER}",),
        RegistrarOutcome.LOST,
        "other-seat",
    ),
}
