"""The pages a person sees while signing in: consent, approval needed, errors, and form_post answers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from werkzeug.wrappers import Response

from reconciler.simulators.person_pages import person_page

_IN_WORDS = {
    "Calendars.ReadWrite": "Have full access to your calendars",
    "User.Read": "Sign you in and read your profile",
    "User.Read.All": "Read all users' full profiles",
    "offline_access": "Maintain access to data you have given it access to",
    "openid": "Sign you in",
    "profile": "View your basic profile",
}
"""As Entra names them (https://learn.microsoft.com/graph/permissions-reference)."""


def consent_page(app: str, scopes: Iterable[str], suggested: str, known: Iterable[str]) -> Response:
    """Accept or Cancel, as whom. The form posts back to the address it came from, query and all."""
    wanted = "".join(f"<li>{_in_words(one)}</li>" for one in scopes)
    accounts = "".join(f'<option value="{escape(one)}">' for one in known)
    return page(
        "Permissions requested",
        f"<p>{escape(app)} would like to:</p><ul>{wanted}</ul>"
        f'<form method="post"><label>Signed in as <input name="account" list="known" required'
        f' value="{escape(suggested)}"></label><datalist id="known">{accounts}</datalist><p class="buttons">'
        '<button name="decision" value="cancel" formnovalidate>Cancel</button>'
        '<button class="yes" name="decision" value="accept">Accept</button></p></form>',
    )


def _in_words(scope: str) -> str:
    name = scope.rpartition("/")[2]
    words = _IN_WORDS.get(name)
    return f"{escape(words)}<small>{escape(name)}</small>" if words else escape(name)


def approval_page(app: str, account: str) -> Response:
    """The tenant lets nobody consent for themselves (AADSTS90094)."""
    return page(
        "Need admin approval",
        f"<p>{escape(app)} needs permission to access resources in your organization that only an admin can"
        " grant. Please ask an admin to grant permission to this app before you can use it.</p>"
        "<p>AADSTS90094</p>"
        f'<form method="post"><input type="hidden" name="account" value="{escape(account)}">'
        '<button name="decision" value="return">Return to the application without granting consent</button>'
        "</form>",
    )


def problem_page(text: str) -> Response:
    """What goes wrong before the redirect address can be trusted is shown, never redirected."""
    return page("Sorry, but we’re having trouble signing you in.", f"<p>{escape(text)}</p>")


def form_post_page(target: str, fields: dict[str, str]) -> Response:
    """OAuth 2.0 Form Post Response Mode; the button is for those without scripts."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    return page(
        "Working...",
        f'<form method="post" name="hiddenform" action="{escape(target)}">{inputs}'
        "<button>Continue</button></form><script>document.forms[0].submit()</script>",
    )


def page(title: str, body: str) -> Response:
    """Entra's pages refuse to be framed."""
    return person_page("Microsoft", title, body)
