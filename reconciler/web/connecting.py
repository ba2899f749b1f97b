"""Connecting a calendar: the code flow of OAuth, as RFC 9700 wants it.

The state is of one use, of ten minutes, and of the browser session in which it was made: the secrets that
go with it lie in a cookie sealed for that session and that vendor. What comes back without them connects
nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for

from reconciler.errors import ConsentRefused, ReconcilerError
from reconciler.labels import Consent
from reconciler.ledger.audit import AuditLine
from reconciler.ledger.people import CONNECT_REFUSED
from reconciler.model import ConnectionState, Person
from reconciler.ports import Granted
from reconciler.web.guard import as_page_problem, limited, origin, site, visitor
from reconciler.web.links import APPROVE, read, sign
from reconciler.web.people import known_person, of_session
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.sessions import PageSession, delete_cookie, sealed, set_cookie, unsealed
from reconciler.web.vendors import words_of
from reconciler.welcome import grant_of

pages = Blueprint("connecting", __name__)

FLOW = timedelta(minutes=10)
_FLOW_COOKIE = "__Host-flow-"
_MOST_FLOWS = 3
"""Consents that one browser may have under way, in as many tabs."""


@pages.post("/connect/<vendor>")
@limited(lambda site: site.limits.connect)
def begin(vendor: str) -> Any:
    """Send the browser to the vendor's consent page."""
    session = visitor()
    person = known_person(of_session(site(), session))
    refuse_unoffered(person, vendor)
    refuse_second(person, vendor)
    if vendor in site().sign_ins:
        return redirect(url_for("signing_in.form", vendor=vendor), 303)
    flow = site().flows[vendor]
    state = secrets.token_urlsafe(32)
    try:
        start = flow.begin(site().callback(vendor), state, _hint(person))
    except ReconcilerError as problem:
        raise as_page_problem(problem, vendor) from problem
    page = render_template("continue.html", url=start.auth_url, about=words_of(vendor))
    site().world.metrics.consent(vendor, Consent.BEGUN)
    response = make_response(page)
    kept = {"secrets": dict(start.secrets), "state": state, "begun": site().world.clock().timestamp()}
    _make_room(response)
    set_cookie(response, _cookie(state), sealed(site().vault, kept, _purpose(session, vendor)), FLOW)
    return response


@pages.get("/oauth/<vendor>/callback")
@limited(lambda site: site.limits.callback)
def callback(vendor: str) -> Any:
    """The browser is back from the vendor."""
    if vendor not in site().flows:
        raise PageProblem(Problem.NOT_FOUND, "no such vendor")
    state = request.args.get("state", "")
    if state.count(".") == 2:  # a token of ours: an administrator's answer
        return _approved(vendor, state)
    session = visitor()
    kept = unsealed(site().vault, request.cookies.get(_cookie(state)), _purpose(session, vendor))
    try:
        _finish(session, vendor, state, kept)
    except PageProblem as problem:
        response = make_response(_told(problem, vendor))
    else:
        response = make_response(redirect(url_for("person.home"), 303))
    delete_cookie(response, _cookie(state))
    return response


def _told(problem: PageProblem, vendor: str) -> Any:
    """The page that explains why nothing came of it; an administrator's approval gets one of its own."""
    if problem.problem is Problem.ADMIN_APPROVAL and site().flows[vendor].admin_consent_url("", ""):
        current_app.handle_user_exception(problem)  # for the log
        return approval_page(vendor)
    return current_app.handle_user_exception(problem)


def _finish(session: PageSession, vendor: str, state: str, kept: dict[str, Any] | None) -> None:
    person = known_person(of_session(site(), session))
    now = site().world.clock()
    if kept is None or not secrets.compare_digest(kept["state"], state):
        raise PageProblem(Problem.CONSENT_EXPIRED, "state: not begun in this session", vendor=vendor)
    if now.timestamp() - kept["begun"] > FLOW.total_seconds():
        raise PageProblem(Problem.CONSENT_EXPIRED, "state: too old", vendor=vendor)
    if not site().ledger.use("state", state, now + FLOW, now):
        raise PageProblem(Problem.CONSENT_USED, "state: used before", vendor=vendor)
    secret, answer = kept["secrets"], request.args.to_dict()

    def finish() -> Granted:
        refuse_unoffered(person, vendor)
        return site().flows[vendor].finish(secret, site().callback(vendor), answer)

    finished(session, person, vendor, finish)


def finished(session: PageSession, person: Person, vendor: str, finish: Callable[[], Granted]) -> None:
    """Connect what is granted now, and say so; or note why not, and raise what the page tells."""
    try:
        granted = finish()
        # A grant that is refused here is not ended at the vendor: where it belongs to an account that serves
        # somebody else, theirs would end with it.
        grant = grant_of(person, vendor, granted)
        site().welcome.begin(grant, granted.credentials, f"person {person.id}", origin())
    except ReconcilerError as problem:
        raise refused(person, vendor, problem) from problem
    site().world.metrics.consent(vendor, Consent.CONNECTED)
    session["said"] = "connected-in-part" if granted.lacking else "connected"


def refused(person: Person, vendor: str, problem: ReconcilerError) -> PageProblem:
    """Count and note that nothing came of a consent, and what its page tells."""
    if isinstance(problem, ConsentRefused):
        site().world.metrics.consent(vendor, Consent(problem.problem))
        _note_refusal(person, vendor, problem)
    else:
        site().world.metrics.consent(vendor, Consent.UNAVAILABLE)
    return as_page_problem(problem, vendor)


def _note_refusal(person: Person, vendor: str, problem: ConsentRefused) -> None:
    site().ledger.note(
        AuditLine(
            site().world.clock(),
            f"person {person.id}",
            origin(),
            CONNECT_REFUSED,
            person.account,
            person.id,
            f"{vendor}: {problem.problem}",
        )
    )


def refuse_unoffered(person: Person, vendor: str) -> None:
    """Only what the operator has configured and the account's owner has switched on is offered."""
    flow, switches = site().consents.get(vendor), site().switches(person.account)
    chosen = switches.people is None or person.id in switches.people
    if flow is None or vendor not in switches.vendors or not switches.email_notifications or not chosen:
        raise PageProblem(Problem.VENDOR_OFF, "not switched on for this person", vendor=vendor)


def refuse_second(person: Person, vendor: str) -> None:
    """One calendar at a time. The ledger makes sure of it; this saves people the way to the vendor."""
    for connection in site().ledger.connections([person.id]):
        again = connection.state in (ConnectionState.REAUTHORIZE, ConnectionState.SUSPENDED)
        if connection.provider != vendor or not again:
            if connection.provider == vendor and connection.state is ConnectionState.CONNECTED:
                continue  # to grant what was left out the first time
            raise PageProblem(Problem.ALREADY_CONNECTED, f"{connection.provider} is connected", vendor=vendor)


def _hint(person: Person) -> str | None:
    """Which account to begin with, where one is to be authorized again."""
    known = site().ledger.connections([person.id])
    return known[0].address if known else None


def _cookie(state: str) -> str:
    return _FLOW_COOKIE + state[:16]


def _purpose(session: PageSession, vendor: str) -> tuple[str, ...]:
    return ("consent", vendor, str(session["id"]))


def _make_room(response: Response) -> None:
    under_way = sorted(name for name in request.cookies if name.startswith(_FLOW_COOKIE))
    for name in under_way[: max(0, len(under_way) - _MOST_FLOWS + 1)]:
        delete_cookie(response, name)


# Approval by an administrator ---------------------------------------------------------------------


@pages.get("/approval/<vendor>")
def approval(vendor: str) -> Any:
    """For the person: what to send to whom."""
    known_person(of_session(site(), visitor()))
    return approval_page(vendor)


def approval_page(vendor: str) -> Any:
    """What to send to one's administrator."""
    session = visitor()
    flow = site().flows.get(vendor)
    if flow is None or flow.admin_consent_url("", "") is None:
        raise PageProblem(Problem.NOT_FOUND, "no approval by administrators there", vendor=vendor)
    claims = {"vendor": vendor, "account": session["account"]}
    token = sign(site(), APPROVE, claims, site().world.clock())
    link = f"{site().public_url}/approve?token={token}"
    return render_template("approval.html", link=link, about=words_of(vendor))


@pages.get("/approve")
@limited(lambda site: site.limits.launch)
def approve() -> Any:
    """For the administrator: what is asked for, and the way to the vendor. Uses nothing up."""
    token = request.args.get("token", "")
    vendor = str(read(site(), APPROVE, token).get("vendor"))
    flow = site().flows.get(vendor)
    url = flow.admin_consent_url(site().callback(vendor), token) if flow else None
    if url is None:
        raise PageProblem(Problem.NOT_FOUND, "no approval by administrators there", vendor=vendor)
    return render_template("approve.html", url=url, about=words_of(vendor))


def _approved(vendor: str, token: str) -> Any:
    """An administrator is back. Shown, and nothing else: anybody could have written this answer."""
    claims = read(site(), APPROVE, token)
    if claims.get("vendor") != vendor:
        raise PageProblem(Problem.LINK_WRONG, "approval for another vendor", vendor=vendor)
    try:
        site().flows[vendor].admin_approval(token, request.args.to_dict())
    except ConsentRefused as problem:
        return render_template("approved.html", about=words_of(vendor), approved=False, why=problem.problem)
    return render_template("approved.html", about=words_of(vendor), approved=True, why=None)
