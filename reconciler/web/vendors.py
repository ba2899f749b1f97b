"""What the pages say of each vendor: its name, what is asked for there, and what that is for."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.web.problems import N_


@dataclass(frozen=True, slots=True)
class Asked:
    """One permission, and in plain words what it is for."""

    permission: str
    why: str


@dataclass(frozen=True, slots=True)
class VendorWords:
    """``sign`` is a short mark beside the name. ``approval``: an organisation's administrator often has to
    approve first."""

    title: str
    company: str
    sign: str
    asked: tuple[Asked, ...]
    approval: bool = False


_WORDS = {
    "google": VendorWords(
        title="Google Calendar",
        company="Google",
        sign="G",
        asked=(
            Asked(
                N_("View and edit events on all your calendars"),
                N_(
                    "to enter your training sessions, and to keep those entries right. We read and "
                    "change the events we made, and no others."
                ),
            ),
            Asked(
                N_("See the list of your calendars"),
                N_(
                    "to find a session again that you have moved to another calendar of yours, so that "
                    "it is not mistaken for one you have deleted."
                ),
            ),
            Asked(
                N_("See your e-mail address"),
                N_("to show on this page which account is connected."),
            ),
        ),
    ),
    "microsoft": VendorWords(
        title="Microsoft 365",
        company="Microsoft",
        sign="M",
        asked=(
            Asked(
                N_("Have full access to your calendars"),
                N_(
                    "to enter your training sessions, and to keep those entries right. We read and "
                    "change the events we made, and no others."
                ),
            ),
            Asked(
                N_("Sign you in and read your profile"),
                N_("to show on this page which account is connected."),
            ),
            Asked(
                N_("Maintain access to data you have given it access to"),
                N_("to keep your calendar right while you are away."),
            ),
        ),
        approval=True,
    ),
    "caldav": VendorWords(
        title="CalDAV",
        company="CalDAV",
        sign="C",
        asked=(
            Asked(
                N_("The address of your calendar's server, and your user name there"),
                N_(
                    "for calendars at Nextcloud, SOGo, iCloud, Fastmail and any other server that speaks "
                    "CalDAV. We read and change the events we made, and no others."
                ),
            ),
            Asked(
                N_("A password made for this purpose alone"),
                N_("to keep your calendar right while you are away; you can delete it whenever you like."),
            ),
        ),
    ),
}


def words_of(vendor: str) -> VendorWords:
    """What is said of this vendor."""
    return _WORDS.get(vendor) or VendorWords(vendor.capitalize(), vendor.capitalize(), vendor[:1].upper(), ())
