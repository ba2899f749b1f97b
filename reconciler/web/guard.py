"""What holds for every page: headers, forms that are ours, who may see it, and one way to tell a problem."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, current_app, render_template, request, session
from limits import RateLimitItem
from werkzeug.exceptions import HTTPException

from reconciler.errors import ConsentRefused, LmsUnreadable, ReconcilerError, StateUnreadable
from reconciler.web import words
from reconciler.web.problems import OF_CONSENT, TELLINGS, PageProblem, Problem
from reconciler.web.sessions import PageSession
from reconciler.web.site import Site

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer (https://owasp.org/www-project-secure-headers/)."""


def site() -> Site:
    """The site this request is for."""
    return Site.of(current_app)


def visitor() -> PageSession:
    """Who this browser speaks for; raises :class:`PageProblem` where it speaks for nobody."""
    known = browser()
    if "person" not in known:
        raise PageProblem(Problem.SESSION_OVER if known.over else Problem.NO_SESSION, "no session")
    return known


def browser() -> PageSession:
    """What we know of this browser, be it of a person or not."""
    assert isinstance(session._get_current_object(), PageSession)  # type: ignore[attr-defined]
    found: PageSession = session._get_current_object()  # type: ignore[attr-defined]
    return found


def origin() -> str:
    """From where this request comes, for the audit log."""
    return request.remote_addr or ""


def limited(limit: Callable[[Site], RateLimitItem]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A page that may be asked for so often by one address."""

    def wrap(page: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(page)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            limits = site().limits
            if not limits.allows(limit(site()), page.__name__, origin()):
                raise PageProblem(Problem.TOO_OFTEN, "rate limit")
            return page(*args, **kwargs)

        return guarded

    return wrap


def install(app: Flask) -> None:
    """Have all of this done around every page of the application."""
    app.before_request(_language)
    app.before_request(_own_forms_only)
    app.after_request(_headers)
    app.register_error_handler(PageProblem, _told)
    app.register_error_handler(ReconcilerError, _told_by_program)
    app.register_error_handler(HTTPException, _told_by_http)
    app.register_error_handler(Exception, _unforeseen)


def _language() -> None:
    words.speak(session.get("locale"))


def _own_forms_only() -> None:
    """Nothing is changed but by a form that this browser was given by us."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    known = session.get("csrf")
    if not known or not hmac.compare_digest(str(known), request.form.get("csrf", "")):
        over = browser().over
        raise PageProblem(Problem.SESSION_OVER if over else Problem.FORM_EXPIRED, "not a form of ours")


def _headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    static = request.endpoint == "static" and response.status_code == 200
    response.headers["Cache-Control"] = "public, max-age=86400" if static else "no-store"
    return response


# Problems -----------------------------------------------------------------------------------------


def _told(problem: PageProblem) -> tuple[str, int]:
    reference = secrets.token_hex(4)
    log.warning(
        "page refused: %s; person %s, account %s, vendor %s, from %s, reference %s: %s",
        problem.problem,
        session.get("person", "-"),
        session.get("account", "-"),
        problem.vendor or "-",
        origin(),
        reference,
        problem.why,
    )
    return _page(problem.problem, reference)


def _page(problem: Problem, reference: str) -> tuple[str, int]:
    telling = TELLINGS[problem]
    body = render_template(
        "problem.html", telling=telling, reference=reference, known="person" in session, problem=problem
    )
    return body, telling.status


def _told_by_program(problem: ReconcilerError) -> tuple[str, int]:
    return _told(as_page_problem(problem))


def as_page_problem(problem: ReconcilerError, vendor: str | None = None) -> PageProblem:
    """One of the program's errors as a page tells it."""
    if isinstance(problem, ConsentRefused):
        return PageProblem(OF_CONSENT[problem.problem], str(problem), vendor=vendor)
    if isinstance(problem, LmsUnreadable):
        return PageProblem(Problem.LMS_SILENT, str(problem))
    if isinstance(problem, StateUnreadable):
        return PageProblem(Problem.STATE_SILENT, str(problem))
    return PageProblem(Problem.VENDOR_SILENT if vendor else Problem.UNFORESEEN, str(problem), vendor=vendor)


def _told_by_http(problem: HTTPException) -> tuple[str, int]:
    code = problem.code or 500
    if code >= 500:
        return _unforeseen(problem)
    body, _ = _page(Problem.NOT_FOUND, secrets.token_hex(4))
    return body, code


def _unforeseen(problem: Exception) -> tuple[str, int]:
    log.error("unforeseen, contained: a page", exc_info=problem)
    return _told(PageProblem(Problem.UNFORESEEN, type(problem).__name__))
