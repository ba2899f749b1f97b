"""What can go wrong on a page, told in plain words with a way on. One line in the log for each, ids only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import ConsentProblem


def N_(message: str) -> str:
    """Marks a message to be translated where it is shown."""
    return message


class Way(StrEnum):
    """How it goes on from a problem."""

    LMS = "lms"  # open the page from the LMS again
    HOME = "home"  # back to the person's page
    AGAIN = "again"  # try the same once more


class Problem(StrEnum):
    """Why a page cannot be shown, or a consent did not come about."""

    NO_SESSION = "no-session"
    SESSION_OVER = "session-over"
    LAUNCH_WRONG = "launch-wrong"
    LAUNCH_EXPIRED = "launch-expired"
    LAUNCH_USED = "launch-used"
    LINK_WRONG = "link-wrong"
    LINK_EXPIRED = "link-expired"
    LINK_USED = "link-used"
    UNKNOWN_PERSON = "unknown-person"
    FORM_EXPIRED = "form-expired"
    NOT_OWNER = "not-owner"
    TOO_OFTEN = "too-often"
    NOT_FOUND = "not-found"
    VENDOR_OFF = "vendor-off"
    VENDOR_SILENT = "vendor-silent"
    LMS_SILENT = "lms-silent"
    STATE_SILENT = "state-silent"
    NOTHING_IN_QUESTION = "nothing-in-question"
    UNFORESEEN = "unforeseen"
    DECLINED = "declined"
    ADMIN_APPROVAL = "admin-approval"
    WRONG_ACCOUNT = "wrong-account"
    SCOPES_LACKING = "scopes-lacking"
    CONSENT_EXPIRED = "consent-expired"
    CONSENT_USED = "consent-used"
    CONSENT_BROKEN = "consent-broken"
    ALREADY_CONNECTED = "already-connected"
    ACCOUNT_TAKEN = "account-taken"
    NOT_CONNECTED = "not-connected"
    NO_SERVER = "no-server"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class Telling:
    """How a problem is told."""

    status: int
    title: str
    text: str
    way: Way


class PageProblem(Exception):
    """Ends a page. ``why`` is for the log: codes and ids, nothing of a person."""

    def __init__(self, problem: Problem, why: str, *, vendor: str | None = None) -> None:
        super().__init__(why)
        self.problem = problem
        self.why = why
        self.vendor = vendor


OF_CONSENT = {
    ConsentProblem.DECLINED: Problem.DECLINED,
    ConsentProblem.ADMIN_APPROVAL: Problem.ADMIN_APPROVAL,
    ConsentProblem.WRONG_ACCOUNT: Problem.WRONG_ACCOUNT,
    ConsentProblem.SCOPES_LACKING: Problem.SCOPES_LACKING,
    ConsentProblem.EXPIRED: Problem.CONSENT_EXPIRED,
    ConsentProblem.BROKEN: Problem.CONSENT_BROKEN,
    ConsentProblem.ALREADY_CONNECTED: Problem.ALREADY_CONNECTED,
    ConsentProblem.ACCOUNT_TAKEN: Problem.ACCOUNT_TAKEN,
    ConsentProblem.NO_SERVER: Problem.NO_SERVER,
    ConsentProblem.WRONG_PASSWORD: Problem.WRONG_PASSWORD,
    ConsentProblem.READ_ONLY: Problem.READ_ONLY,
}

TELLINGS = {
    Problem.NO_SESSION: Telling(
        403,
        N_("Please come in through your training system"),
        N_(
            "This page shows your own settings, so it has to know who you are. Open it from your "
            "profile in the training system."
        ),
        Way.LMS,
    ),
    Problem.SESSION_OVER: Telling(
        403,
        N_("You have been away for a while"),
        N_(
            "To protect your settings, this page closes after 30 minutes without use. Nothing was "
            "changed. Open it again from your training system."
        ),
        Way.LMS,
    ),
    Problem.LAUNCH_WRONG: Telling(
        400,
        N_("This link cannot be used"),
        N_(
            "The link that brought you here is damaged or was not made by your training system. Open "
            "this page again from your profile there. If that does not help, tell your support the "
            "reference below."
        ),
        Way.LMS,
    ),
    Problem.LAUNCH_EXPIRED: Telling(
        400,
        N_("This link is too old"),
        N_("Links into this page are good for a few minutes only. Open it again from your training system."),
        Way.LMS,
    ),
    Problem.LAUNCH_USED: Telling(
        400,
        N_("This link was used already"),
        N_(
            "Each link opens this page once. If it was you who just opened it, simply continue; "
            "otherwise open it again from your training system."
        ),
        Way.HOME,
    ),
    Problem.LINK_WRONG: Telling(
        400,
        N_("This link cannot be used"),
        N_(
            "The link is damaged or incomplete. Mail programs sometimes break long links in two: try to "
            "copy it as a whole."
        ),
        Way.LMS,
    ),
    Problem.LINK_EXPIRED: Telling(
        400,
        N_("This link is too old"),
        N_("What it was about has been settled meanwhile. Your training system shows your present seats."),
        Way.LMS,
    ),
    Problem.LINK_USED: Telling(
        400,
        N_("Your answer was noted already"),
        N_(
            "Each link takes one answer. Your training system shows your present seats; to change your "
            "mind, open your calendar settings there."
        ),
        Way.LMS,
    ),
    Problem.UNKNOWN_PERSON: Telling(
        403,
        N_("We cannot find you in the training system"),
        N_(
            "The training system sent you here, but its records do not show you as an active member of "
            "this organisation. Ask its support to check your account."
        ),
        Way.LMS,
    ),
    Problem.FORM_EXPIRED: Telling(
        400,
        N_("Please press the button once more"),
        N_(
            "This form was open for too long, or in two windows at once, so nothing was changed. Go "
            "back and try again."
        ),
        Way.HOME,
    ),
    Problem.NOT_OWNER: Telling(
        403,
        N_("This page is for account owners"),
        N_("Only whoever looks after your organisation's account can change these settings."),
        Way.HOME,
    ),
    Problem.TOO_OFTEN: Telling(
        429,
        N_("That was a little fast"),
        N_("There were too many attempts within a minute. Wait a minute, then try again."),
        Way.HOME,
    ),
    Problem.NOT_FOUND: Telling(
        404,
        N_("There is no such page"),
        N_("The address may have been mistyped."),
        Way.HOME,
    ),
    Problem.VENDOR_OFF: Telling(
        403,
        N_("This calendar is not offered"),
        N_("Your organisation has not switched it on. Your own page shows what can be connected."),
        Way.HOME,
    ),
    Problem.VENDOR_SILENT: Telling(
        502,
        N_("The calendar provider does not answer"),
        N_(
            "Nothing was connected and nothing was changed. This usually passes within minutes: please "
            "try again a little later."
        ),
        Way.AGAIN,
    ),
    Problem.LMS_SILENT: Telling(
        503,
        N_("The training system does not answer"),
        N_(
            "We cannot look up your sessions just now. Nothing was changed. Please try again in a few "
            "minutes."
        ),
        Way.AGAIN,
    ),
    Problem.STATE_SILENT: Telling(
        503,
        N_("This page is out of order just now"),
        N_(
            "Nothing was changed. Please try again in a few minutes; if it stays so, tell your support "
            "the reference below."
        ),
        Way.AGAIN,
    ),
    Problem.NOTHING_IN_QUESTION: Telling(
        409,
        N_("There is nothing left to decide"),
        N_(
            "The seat is no longer in question: it was kept, or it has just been given back. Your "
            "training system shows how it stands."
        ),
        Way.LMS,
    ),
    Problem.UNFORESEEN: Telling(
        500,
        N_("Something went wrong here"),
        N_(
            "It was our fault, not yours. Nothing that you have not confirmed was changed. If it "
            "happens again, tell your support the reference below."
        ),
        Way.HOME,
    ),
    Problem.DECLINED: Telling(
        200,
        N_("Nothing was connected"),
        N_(
            "You did not allow access, and that is fine: nothing was stored. You can connect a calendar "
            "at any time."
        ),
        Way.HOME,
    ),
    Problem.ADMIN_APPROVAL: Telling(
        200,
        N_("Your organisation has to approve this first"),
        N_(
            "Nothing is wrong with your account. In many organisations an administrator approves a "
            "calendar service once, for everybody; after that you can connect."
        ),
        Way.HOME,
    ),
    Problem.WRONG_ACCOUNT: Telling(
        200,
        N_("This account cannot be connected"),
        N_(
            "You signed in with an account that has no calendar we may use: a private account instead "
            "of the one from work, perhaps, or one of another organisation. Nothing was connected. Try "
            "again and choose another account."
        ),
        Way.HOME,
    ),
    Problem.SCOPES_LACKING: Telling(
        200,
        N_("The box for the calendar was not ticked"),
        N_(
            "The provider asks for each permission with a box of its own. Without the one for your "
            "calendar's events nothing can be entered there, so nothing was connected. Try again and "
            "tick the boxes."
        ),
        Way.HOME,
    ),
    Problem.CONSENT_EXPIRED: Telling(
        400,
        N_("That took a little too long"),
        N_(
            "For your safety, connecting has to be finished within ten minutes, in the browser in which "
            "it was begun. Nothing was connected. Please begin again."
        ),
        Way.HOME,
    ),
    Problem.CONSENT_USED: Telling(
        400,
        N_("This step is done already"),
        N_(
            "The provider's answer was used once, and cannot be used again. Your page shows whether "
            "your calendar is connected."
        ),
        Way.HOME,
    ),
    Problem.CONSENT_BROKEN: Telling(
        400,
        N_("The provider's answer made no sense"),
        N_(
            "Nothing was connected. Please begin again; if it stays so, tell your support the reference "
            "below."
        ),
        Way.HOME,
    ),
    Problem.ALREADY_CONNECTED: Telling(
        409,
        N_("Another calendar is connected already"),
        N_(
            "You can have one calendar connected at a time. Disconnect the present one first, then "
            "connect the other."
        ),
        Way.HOME,
    ),
    Problem.ACCOUNT_TAKEN: Telling(
        409,
        N_("This calendar belongs to somebody else here"),
        N_(
            "The account you signed in with already serves another person of the training system, so it "
            "was not connected again. Use an account of your own, or ask that person to disconnect it "
            "first."
        ),
        Way.HOME,
    ),
    Problem.NO_SERVER: Telling(
        200,
        N_("We cannot use a calendar at this address"),
        N_(
            "Nothing was connected. The address may be mistyped, the server may not answer, or it is none "
            "that can be used from here. Copy the address from your calendar program's settings; if that "
            "does not help, ask whoever runs the server."
        ),
        Way.HOME,
    ),
    Problem.WRONG_PASSWORD: Telling(
        200,
        N_("User name or password were not accepted"),
        N_(
            "Nothing was connected. Make sure that the user name is the one of that server, and that the "
            "password is an app password that you made there."
        ),
        Way.HOME,
    ),
    Problem.READ_ONLY: Telling(
        200,
        N_("Nothing can be entered in this calendar"),
        N_(
            "Nothing was connected: the server did not let us write into the calendar you chose. Choose "
            "another one, of your own."
        ),
        Way.HOME,
    ),
    Problem.NOT_CONNECTED: Telling(
        409,
        N_("No calendar is connected"),
        N_("It may have been disconnected in another window. Your page shows how it stands."),
        Way.HOME,
    ),
}
"""Every problem, and how it is told."""
