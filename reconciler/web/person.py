"""A person's own page: which calendar is connected, and how it stands; disconnecting; what is stored."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for

from reconciler.errors import ReconcilerError
from reconciler.model import Connection
from reconciler.web.guard import browser, origin, site, visitor
from reconciler.web.people import of_session, situation_of
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.vendors import words_of

pages = Blueprint("person", __name__)


@pages.get("/")
def home() -> Any:
    """The page itself."""
    session = visitor()
    situation = situation_of(site(), of_session(site(), session))
    return render_template(
        "person.html",
        situation=situation,
        said=session.pop("said", None),
        consents=site().consents,
        words_of=words_of,
        now=site().world.clock(),
    )


@pages.get("/disconnect")
def ask() -> Any:
    """What disconnecting means, and how it is wanted."""
    situation = situation_of(site(), of_session(site(), visitor()))
    if situation.connection is None:
        raise PageProblem(Problem.NOT_CONNECTED, "nothing to disconnect")
    return render_template("disconnect.html", situation=situation, words_of=words_of)


@pages.post("/disconnect")
def disconnect() -> Any:
    """Disconnect at once and leave the events, or have the coming ones removed first."""
    session = visitor()
    who = f"person {session['person']}"
    situation = situation_of(site(), of_session(site(), session))
    if situation.connection is None:
        raise PageProblem(Problem.NOT_CONNECTED, "nothing to disconnect")
    try:
        if request.form.get("events") == "remove" and situation.removable:
            site().ledger.leave(session["person"], who, origin(), site().world.clock())
            session["said"] = "leaving"
        else:
            session["said"] = _end(situation.connection, who)
    except ReconcilerError as problem:
        raise PageProblem(Problem.NOT_CONNECTED, str(problem)) from problem
    return redirect(url_for("person.home"), 303)


def _end(connection: Connection, who: str) -> str:
    revoked = site().farewell.end(connection, who, origin(), "as asked on the page")
    return f"disconnected {connection.provider}" if revoked else f"disconnected-here {connection.provider}"


@pages.get("/privacy")
def privacy() -> Any:
    """What is stored about whom, for how long, and why."""
    return render_template("privacy.html", known="person" in browser())


@pages.get("/privacy/about-me.json")
def about_me() -> Any:
    """Everything stored about the person, as a file."""
    session = visitor()
    of_session(site(), session)
    stored = {"person": session["person"], **site().about(session["person"])}
    return Response(
        json.dumps(stored, indent=2, ensure_ascii=False) + "\n",
        mimetype="application/json",
        headers={"Content-Disposition": 'attachment; filename="calendar-connection.json"'},
    )
