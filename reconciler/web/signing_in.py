"""Connecting a calendar by user name and app password, at a server that the person names.

Two steps: where and who, then which calendar. Between them the browser keeps what was typed, sealed so that
only we can read it, for that session and vendor and ten minutes. Nothing is stored before all was tried out.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from reconciler.errors import ReconcilerError
from reconciler.labels import Consent
from reconciler.model import Person
from reconciler.ports import PasswordFlow, SignIn
from reconciler.web.connecting import FLOW, finished, refuse_second, refuse_unoffered, refused
from reconciler.web.guard import limited, site, visitor
from reconciler.web.people import known_person, of_session
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.sessions import PageSession, sealed, unsealed
from reconciler.web.vendors import words_of

pages = Blueprint("signing_in", __name__)

LONGEST = 500
"""Characters of anything typed here."""


@pages.get("/sign-in/<vendor>")
def form(vendor: str) -> Any:
    """Where the calendar is, and who they are there."""
    _, _, flow = _offered(vendor)
    return render_template("sign-in.html", flow=flow, vendor=vendor, about=words_of(vendor))


@pages.post("/sign-in/<vendor>")
@limited(lambda site: site.limits.connect)
def calendars(vendor: str) -> Any:
    """Look there, and ask which calendar."""
    session, person, flow = _offered(vendor)
    site().world.metrics.consent(vendor, Consent.BEGUN)
    typed = _typed(flow)
    try:
        offers = flow.calendars(typed)
    except ReconcilerError as problem:
        raise refused(person, vendor, problem) from problem
    kept = {"address": typed.address, "user": typed.user, "password": typed.password}
    begun = site().world.clock().timestamp()
    way = sealed(site().vault, {**kept, "begun": begun}, _purpose(session, vendor))
    return render_template(
        "choose-calendar.html", offers=offers, way=way, vendor=vendor, about=words_of(vendor), user=typed.user
    )


@pages.post("/sign-in/<vendor>/calendar")
@limited(lambda site: site.limits.connect)
def choose(vendor: str) -> Any:
    """Try the chosen calendar out, and connect it."""
    session, person, flow = _offered(vendor)
    kept = unsealed(site().vault, request.form.get("way"), _purpose(session, vendor))
    now = site().world.clock().timestamp()
    if kept is None or now - kept["begun"] > FLOW.total_seconds():
        raise PageProblem(Problem.CONSENT_EXPIRED, "sign-in: too old, or not begun here", vendor=vendor)
    sign_in = SignIn(kept["address"], kept["user"], kept["password"])
    chosen = request.form.get("calendar", "")
    finished(session, person, vendor, lambda: flow.finish(sign_in, chosen))
    return redirect(url_for("person.home"), 303)


def _offered(vendor: str) -> tuple[PageSession, Person, PasswordFlow]:
    """Who this is, and the vendor's consent, if it is offered to them."""
    session = visitor()
    person = known_person(of_session(site(), session))
    flow = site().sign_ins.get(vendor)
    if flow is None:
        raise PageProblem(Problem.NOT_FOUND, "no such vendor")
    refuse_unoffered(person, vendor)
    refuse_second(person, vendor)
    return session, person, flow


def _typed(flow: PasswordFlow) -> SignIn:
    """The form: an address that was typed counts before one that is offered."""
    given = {name: request.form.get(name, "")[:LONGEST] for name in ("other", "offered", "user", "password")}
    other = given["other"].strip() if flow.any_address else ""
    offered = given["offered"] if given["offered"] in flow.offered else ""
    return SignIn(other or offered, given["user"].strip(), given["password"])


def _purpose(session: PageSession, vendor: str) -> tuple[str, ...]:
    return ("sign-in", vendor, str(session["id"]))
