"""Seats in question: keep them, or give them back. Reached from a person's page, or with a link in a mail."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template, request

from reconciler.errors import ReconcilerError
from reconciler.loop import lms_window
from reconciler.model import Answer, Desired
from reconciler.tokens.signing import SEAT
from reconciler.web import words
from reconciler.web.guard import limited, origin, site, visitor
from reconciler.web.links import read
from reconciler.web.people import known_person, of_session, questions_of
from reconciler.web.problems import PageProblem, Problem

pages = Blueprint("seats", __name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked: by a link, which takes one answer, or by their own session."""

    desired: Desired
    session: str | None = None
    jti: str | None = None
    expires: datetime | None = None


@pages.get("/seats")
@limited(lambda site: site.limits.launch)
def show() -> Any:
    """The seats, and two buttons. Uses nothing up."""
    token = request.args.get("token")
    asked = _asked(token)
    questions = questions_of(site(), asked.desired, asked.session)
    if not questions:
        raise PageProblem(Problem.NOTHING_IN_QUESTION, "nothing in question")
    return render_template("seats.html", questions=questions, token=token)


@pages.post("/seats")
@limited(lambda site: site.limits.launch)
def answer() -> Any:
    """Note the answer for each seat that is ticked."""
    token = request.form.get("token")
    asked = _asked(token)
    given = Answer.KEEP if request.form.get("answer") == "keep" else Answer.GIVE_BACK
    open_ones = {one.session: one for one in questions_of(site(), asked.desired, asked.session)}
    chosen = [name for name in request.form.getlist("seat") if name in open_ones]
    if not chosen:
        raise PageProblem(Problem.NOTHING_IN_QUESTION, "no seat chosen that is in question")
    _use_up(asked)
    noted = [open_ones[name] for name in chosen if _noted(asked, name, given)]
    if not noted:
        raise PageProblem(Problem.NOTHING_IN_QUESTION, "too late")
    return render_template("answered.html", questions=noted, keep=given is Answer.KEEP, token=token)


def _asked(token: str | None) -> Asked:
    if token is None:
        return Asked(of_session(site(), visitor()))
    claims = read(site(), SEAT, token)
    person = str(claims.get("sub"))
    desired = site().world.lms.read([person], lms_window(site().world.clock()))[person]
    if desired.person is None or not desired.person.active:
        raise PageProblem(Problem.UNKNOWN_PERSON, f"person {person} is not active")
    words.speak(desired.person.locale)
    return Asked(desired, claims.get("session"), claims["jti"], datetime.fromtimestamp(claims["exp"], UTC))


def _use_up(asked: Asked) -> None:
    if asked.jti is None or asked.expires is None:
        return
    if not site().ledger.use("seat", asked.jti, asked.expires, site().world.clock()):
        raise PageProblem(Problem.LINK_USED, f"seat link of person {known_person(asked.desired).id}: used")


def _noted(asked: Asked, session: str, given: Answer) -> bool:
    person = known_person(asked.desired).id
    with suppress(ReconcilerError):  # too late, or settled meanwhile
        site().ledger.answer(person, session, given, f"person {person}", origin(), site().world.clock())
        return True
    return False
