"""Arriving with a link, and going again. The link opens a page with one button: programs that open every link
in a mail or a chat press no buttons, so they use nothing up."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from reconciler.web import words
from reconciler.web.guard import browser, limited, site, visitor
from reconciler.web.launch import Arrival, Visitor, arrival
from reconciler.web.people import desired_of, known_person
from reconciler.web.problems import PageProblem, Problem

pages = Blueprint("arriving", __name__)


@pages.get("/launch")
@limited(lambda site: site.limits.launch)
def launch() -> Any:
    """Who comes, and one button. Uses nothing up."""
    token = request.args.get("token", "")
    coming = arrival(site(), token)
    person = known_person(desired_of(site(), coming.person, coming.account))
    words.speak(person.locale)
    return render_template("launch.html", token=token, person=person)


@pages.post("/launch")
@limited(lambda site: site.limits.launch)
def enter() -> Any:
    """Use the token up, and begin a session that nobody can have known before."""
    coming = arrival(site(), request.form.get("token", ""))
    person = known_person(desired_of(site(), coming.person, coming.account))
    _use_up(coming)
    browser().begin(
        person=person.id,
        account=person.account,
        identity=person.identity,
        role=coming.role.value,
        locale=person.locale,
        return_to=coming.return_to,
    )
    owner = coming.role is Visitor.OWNER
    return redirect(url_for("owner.account" if owner else "person.home"), 303)


def _use_up(coming: Arrival) -> None:
    now = site().world.clock()
    if not site().ledger.use("launch", f"{coming.key} {coming.jti}", coming.expires, now):
        raise PageProblem(Problem.LAUNCH_USED, f"launch token of person {coming.person}: used before")


@pages.post("/leave")
def leave() -> Any:
    """End the session."""
    going = visitor()
    back, locale = going.get("return_to"), going.get("locale")
    going.clear()
    words.speak(locale)
    return render_template("left.html", back=back)
