"""The application behind the operations listener. It only looks; nothing can be changed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, Response, make_response, render_template, request
from markupsafe import Markup, escape
from prometheus_client.exposition import choose_encoder

from reconciler.errors import ReconcilerError
from reconciler.labels import Cycle
from reconciler.metrics import Metrics
from reconciler.ops.chart import DAY, last_day
from reconciler.ops.health import Check, alive, ready
from reconciler.ports import Clock, Run
from reconciler.pulse import Pulse
from reconciler.status import Status, ago, attention, in_place, quotas

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Desk:
    """What operators look at. ``status`` raises ``StateUnreadable``; ``stranger`` tells why this process only
    observes, as a copy of another installation does, if so. ``besides`` are further things to be so before
    it is ready."""

    metrics: Metrics
    pulse: Pulse
    clock: Clock
    status: Callable[[], Status]
    runs_since: Callable[[datetime], Sequence[Run]]
    stranger: Callable[[], str]
    push_interval: timedelta
    besides: Callable[[], list[Check]] = list

    def ready(self) -> list[Check]:
        """What must be so before the work can be done."""
        try:
            status, stranger = self.status(), self.stranger()
        except ReconcilerError as problem:
            return [Check("state database", False, str(problem))]
        return [
            *ready(status.last("push"), self.clock(), self.push_interval, stranger),
            *self.besides(),
        ]


def create_app(desk: Desk) -> Flask:
    """The listener's answers, as a WSGI application."""
    app = worker_app(desk.metrics, lambda: alive(desk.pulse), desk.ready)
    app.add_template_filter(_coded, "coded")

    @app.get("/")
    def status() -> str:
        return _page(desk)

    return app


def worker_app(
    measured: Metrics, is_alive: Callable[[], list[Check]], is_ready: Callable[[], list[Check]]
) -> Flask:
    """What every process answers: its metrics, whether it should go on, whether it does its work."""
    app = Flask(__name__)

    @app.get("/metrics")
    def metrics() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(measured.registry), content_type=content_type)

    @app.get("/alive")
    def tell_alive() -> Response:
        return _told(is_alive())

    @app.get("/ready")
    def tell_ready() -> Response:
        return _told(is_ready())

    @app.after_request
    def _harden(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    return app


def _page(desk: Desk) -> str:
    """How it stands, for people."""
    status = desk.status()
    day = last_day(desk.runs_since(status.now - DAY), status.now)
    return render_template(
        "status.html",
        status=status,
        headline="All is well." if status.healthy else "Something needs attention.",
        in_place=in_place(status),
        attention=list(attention(status)),
        day=day,
        written=sum(one.written for one in day),
        last=[run for run in map(status.last, Cycle) if run is not None],
        quotas=quotas(status),
        ago=ago,
    )


def _coded(line: str) -> Markup:
    """A line of `status` with what stands between back-ticks as code."""
    pieces = [escape(piece) for piece in line.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else piece for place, piece in enumerate(pieces)
    )


def _told(checks: list[Check]) -> Response:
    """200 if all is well, else 503; a line for each, for people."""
    lines = "".join(f"{check}\n" for check in checks)
    answer = make_response(lines, 200 if all(check.well for check in checks) else 503)
    answer.mimetype = "text/plain"
    return answer
