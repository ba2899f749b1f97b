"""The account owner's page: which calendars people may connect, and whether they are told by mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from reconciler.model import AccountSwitches, ConnectionState
from reconciler.web.guard import origin, site, visitor
from reconciler.web.launch import Visitor
from reconciler.web.people import of_session
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.sessions import PageSession
from reconciler.web.vendors import words_of

pages = Blueprint("owner", __name__)

LOOKED_BACK = timedelta(days=30)
"""Over this time refused attempts are counted."""
_ATTENTION = (ConnectionState.REAUTHORIZE, ConnectionState.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Tallied:
    """How many people. ``served`` counts, by vendor, those whose calendar is not disconnected."""

    connected: int
    attention: int
    refused: int
    served: Mapping[str, int]


@pages.get("/account")
def account() -> Any:
    """The switches, and how many people they concern."""
    session = _owner()
    return render_template(
        "owner.html",
        switches=site().stored_switches(session["account"]),
        vendors=sorted(site().consents),
        tallied=_tallied(session["account"]),
        words_of=words_of,
        said=session.pop("said", None),
    )


@pages.post("/account")
def switch() -> Any:
    """Switch; whatever would end somebody's updates is shown first, and done once it is confirmed."""
    session = _owner()
    old = site().stored_switches(session["account"])
    new = _wanted(old)
    tallied = _tallied(session["account"])
    off = sorted(vendor for vendor in old.vendors - new.vendors if tallied.served.get(vendor))
    silent = old.email_notifications and not new.email_notifications
    if (off or silent) and request.form.get("confirmed") != "yes":
        return render_template(
            "confirm.html", new=new, off=off, silent=silent, tallied=tallied, words_of=words_of
        )
    if new != old:
        who = f"person {session['person']}"
        site().ledger.change_switches(old, _wanted, who, site().world.clock(), origin())
        session["said"] = "switched"
    return redirect(url_for("owner.account"), 303)


def _owner() -> PageSession:
    session = visitor()
    if session["role"] != Visitor.OWNER:
        raise PageProblem(Problem.NOT_OWNER, "not an owner")
    of_session(site(), session)
    return session


def _wanted(old: AccountSwitches) -> AccountSwitches:
    """The switches as the form shows them; vendors that the operator has not configured stay as they are."""
    offered = site().consents.keys()
    chosen = frozenset(request.form.getlist("vendor")) & offered
    return replace(
        old,
        vendors=chosen | (old.vendors - offered),
        email_notifications=request.form.get("mails") == "on",
    )


def _tallied(account: str) -> Tallied:
    counts = site().ledger.account_counts(account)
    served: dict[str, int] = {}
    for (vendor, state), count in counts.items():
        if state != ConnectionState.DISCONNECTED:
            served[vendor] = served.get(vendor, 0) + count
    since = site().world.clock() - LOOKED_BACK
    return Tallied(
        connected=sum(count for (_, state), count in counts.items() if state == ConnectionState.CONNECTED),
        attention=sum(count for (_, state), count in counts.items() if state in _ATTENTION),
        refused=site().ledger.refused_people(account, since),
        served=served,
    )
