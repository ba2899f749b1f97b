"""The pages of the live demo: the roster, everybody's calendar, and what the program does, on one page.

Everything works without scripts; a small one of ours watches, so that nobody has to reload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, abort, redirect, render_template, request

from reconciler import bootstrap
from reconciler.demo.cast import PLAYERS, Player
from reconciler.demo.live import acts
from reconciler.demo.live.news import doubts, news
from reconciler.demo.live.passing_on import passed_on
from reconciler.demo.live.roster import Training, roster, when
from reconciler.demo.live.town import AUDIT, OWNER, PREFIX, PUSH, Town
from reconciler.demo.live.week import FIRST_HOUR, LAST_HOUR, WEEKDAYS, elsewhere, week_of
from reconciler.model import ConnectionState

SHOWN_FIRST = ("ana", "ben")
"""Whose calendars are on the first page."""
VENDORS = {"google": "Google Calendar", "microsoft": "Outlook"}
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ANY = ["GET", "HEAD", "POST"]


def create_live(town: Town) -> Flask:
    """The demo's own pages, and the program's behind them."""
    app = Flask(__name__)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals.update(when=when, vendors=VENDORS)

    @app.before_request
    def own_only() -> None:
        """Other sites may link here, but neither press buttons nor call this machine by another name."""
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.method == "POST" and site not in ("same-origin", "none"):
            abort(403)
        if request.host.partition(":")[0] not in ("localhost", "127.0.0.1"):
            abort(403)

    @app.after_request
    def headers(response: Response) -> Response:
        if request.endpoint != "program":
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/")
    def home() -> str:
        return render_template("home.html", **_view(town, SHOWN_FIRST))

    @app.get("/calendar/<person>")
    def calendar(person: str) -> str:
        _known(town, person)
        return render_template("calendar.html", **_view(town, [person]))

    @app.post("/lms/<act>")
    def in_the_lms(act: str) -> Any:
        return _done(lambda: acts.IN_THE_LMS[act](town, request.form))

    @app.post("/calendar/<person>/<act>")
    def in_a_calendar(person: str, act: str) -> Any:
        _known(town, person)
        return _done(lambda: acts.IN_A_CALENDAR[act](town, person, request.form))

    @app.post("/visit/<person>")
    def visit(person: str) -> Any:
        role = "owner" if person == OWNER.id else "learner"
        return redirect(town.launch_link(person, role, _back()), 303)

    @app.route(PREFIX, methods=_ANY)
    @app.route(f"{PREFIX}/", methods=_ANY)
    @app.route(f"{PREFIX}/<path:rest>", methods=_ANY)
    def program(rest: str = "") -> Any:
        return passed_on(request, town.behind, town.led)

    return app


def _known(town: Town, person: str) -> Player:
    try:
        return town.player(person)
    except KeyError:
        abort(404)


def _done(act: Any) -> Any:
    try:
        act()
    except (LookupError, ValueError):
        abort(400, "That is not possible any more. Go back, and look again.")
    return redirect(_back(), 303)


def _back() -> str:
    """The page it came from: one of ours."""
    given = request.form.get("back", "/")
    return given if given in ("/", *(f"/calendar/{player.id}" for player in PLAYERS)) else "/"


def _view(town: Town, people: Any) -> Mapping[str, Any]:
    trainings = roster(town.stage.lms, town.monday)
    titles = {one.id: one.title for one in trainings}
    return {
        "town": town,
        "trainings": trainings,
        "panes": [_pane(town, person, trainings, titles) for person in people],
        "news": news(town.ledger, titles),
        "players": PLAYERS,
        "owner": OWNER,
        "hours": range(FIRST_HOUR, LAST_HOUR),
        "days": WEEKDAYS,
        "back": request.path,
        "ended": town.daemon.poll() is not None,
        "push": PUSH.seconds,
        "audit": AUDIT.seconds,
        "grace": town.grace.seconds,
    }


def _pane(town: Town, person: str, trainings: list[Training], titles: Mapping[str, str]) -> Mapping[str, Any]:
    events = town.calendar(person).events()
    entries = town.ledger.entries([person])[person]
    connection = next(iter(town.ledger.connections([person])), None)
    return {
        "player": town.player(person),
        "connection": connection,
        "well": connection is not None and connection.state is ConnectionState.CONNECTED,
        "week": week_of(town.monday, events),
        "elsewhere": elsewhere(town.monday, events),
        "bin": [one for one in events if one.deleted],
        "doubts": doubts(entries, titles, bootstrap.now()),
        "monday": town.monday,
    }
