"""What both simulated vendors share: an HTTP(S) server, a clock, a fault plan, a record of requests.

A simulator is a WSGI application on a real socket. Its vendor-like part is in the subclasses; this
module adds the control surface under ``/_sim/`` by which a test or a person steers it over HTTP:

=======================  ==================================================================
``POST /_sim/faults``    one fault, or a list of them, as JSON (see :class:`Fault`)
``DELETE /_sim/faults``  forget all faults
``GET /_sim/requests``   the requests seen so far, as JSON; ``DELETE`` forgets them
``POST /_sim/clock``     ``{"now": "2026-11-22T09:00:00Z"}`` or ``{"advance": 60}`` (seconds)
=======================  ==================================================================
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from reconciler.simulators.certificates import Certificates
from reconciler.simulators.connections import ConnectionCut, cut, listen

type_environ = dict[str, Any]

FaultKind = Literal[
    "lost_reply",  # the effect happens, the connection is closed without an answer
    "drop",  # the connection is closed before anything happens
    "status",  # answered with `status` in the vendor's own error format, no effect
    "late_status",  # the same, but the effect has happened
    "html",  # answered 200 with an HTML page instead of JSON, no effect
    "huge",  # answered 200 with a body of `size` bytes, no effect
    "slow",  # answered normally after `seconds`
    "empty_page",  # a listing answers one empty page with a next page before the real ones
    "empty_list",  # a listing answers 200, complete, and empty
    "cut_page",  # a listing answers its first page; the next page fails with 500
    "dead_mailbox",  # everything about this mailbox answers as the vendor does when it is gone
]


@dataclass(frozen=True)
class Fault:
    """One thing that shall go wrong.

    ``operation`` is the vendor operation (``list``, ``get``, ``create``, ``update``, ``delete``,
    ``calendars``, ``token``...) or ``*``; ``mailbox`` restricts it to one person's account;
    ``skip`` lets that many matching requests pass first; ``times`` is how often it strikes, -1 for
    ever. ``retry_after`` is in seconds.
    """

    kind: FaultKind
    operation: str = "*"
    mailbox: str | None = None
    skip: int = 0
    times: int = 1
    status: int = 503
    reason: str | None = None
    retry_after: int | None = None
    seconds: float = 0.0
    size: int = 0

    def matches(self, operation: str, mailbox: str | None) -> bool:
        return self.operation in ("*", operation) and self.mailbox in (None, mailbox)


class FaultPlan:
    """The faults still to come, in the order they were planned."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, operation: str, mailbox: str | None) -> Fault | None:
        """The fault that strikes this request, if any; its count is used up."""
        with self._lock:
            for place, fault in enumerate(self._faults):
                if not fault.matches(operation, mailbox):
                    continue
                if fault.skip:
                    self._faults[place] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times > 0:
                    left = fault.times - 1
                    if left:
                        self._faults[place] = replace(fault, times=left)
                    else:
                        del self._faults[place]
                return fault
        return None


class SimClock:
    """The simulated vendor's clock: real time plus an offset, so that it ticks on after being set."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, instant: datetime) -> None:
        self._offset = instant - datetime.now(UTC)

    def advance(self, delta: timedelta) -> None:
        self._offset += delta


@dataclass(frozen=True)
class SeenRequest:
    """One request as it arrived, and the status it got (0: the connection was cut)."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str
    operation: str
    mailbox: str | None
    status: int


@dataclass
class Recorder:
    """Every vendor request, for tests that count or inspect them."""

    seen: list[SeenRequest] = field(default_factory=list)
    enabled: bool = True

    def add(self, request: SeenRequest) -> None:
        if self.enabled:
            self.seen.append(request)

    def clear(self) -> None:
        self.seen.clear()

    def count(self, operation: str | None = None) -> int:
        return sum(1 for request in self.seen if operation in (None, request.operation))


@dataclass
class Call:
    """One request on its way through a simulator."""

    request: Request
    endpoint: str
    args: dict[str, Any]
    operation: str
    mailbox: str | None
    fault: Fault | None


Endpoint = Callable[[Call], Response]


class Simulator:
    """A simulated vendor: subclasses give the routes, the endpoints and the vendor's error format."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.faults = FaultPlan()
        self.recorder = Recorder()
        self.lock = threading.RLock()
        self._control = Map(
            [
                Rule("/_sim/faults", endpoint="faults", methods=["POST", "DELETE"]),
                Rule("/_sim/requests", endpoint="requests", methods=["GET", "DELETE"]),
                Rule("/_sim/clock", endpoint="clock", methods=["GET", "POST"]),
                *self.control_rules(),
            ]
        )
        self._map = Map(list(self.rules()), merge_slashes=False)

    # what a vendor gives -------------------------------------------------------------------
    def rules(self) -> Iterable[Rule]:
        """URL rules; a rule's endpoint names the method that answers it."""
        raise NotImplementedError

    def identify(self, request: Request, endpoint: str, args: dict[str, Any]) -> tuple[str, str | None]:
        """The operation a request is (for faults and counts), and the mailbox it concerns."""
        raise NotImplementedError

    def error(self, status: int, reason: str | None, message: str = "") -> Response:
        """An error answer in the vendor's own format."""
        raise NotImplementedError

    def fault_answer(self, call: Call, fault: Fault) -> Response:
        """The answer to a planned ``status`` fault; for endpoints whose errors look different."""
        return self.error(fault.status, fault.reason)

    def perform(self, call: Call) -> Response:
        """Let the endpoint answer; a vendor wraps this to refuse a request before its endpoint sees it."""
        response: Response = getattr(self, call.endpoint)(call)
        return response

    def control_rules(self) -> Iterable[Rule]:
        """Further rules under ``/_sim/``; the endpoint names the method that answers its Request."""
        return ()

    # WSGI -------------------------------------------------------------------------------------
    def __call__(self, environ: type_environ, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith("/_sim/"):
            return self._answer_control(request)(environ, start_response)
        try:
            response = self._answer(request)
        except ConnectionCut:
            cut(environ["werkzeug.socket"])
            raise
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        request.get_data(cache=True)
        operation, mailbox, status = "unknown", None, 0
        try:
            try:
                endpoint, args = self._map.bind_to_environ(request.environ).match()
            except HTTPException as problem:
                response = self.error(problem.code or 404, None, problem.description or "")
            else:
                operation, mailbox = self.identify(request, endpoint, dict(args))
                fault = self.faults.take(operation, mailbox)
                response = self._run(Call(request, endpoint, dict(args), operation, mailbox, fault))
            status = response.status_code
            return response
        finally:
            self.recorder.add(_seen(request, operation, mailbox, status))

    def _run(self, call: Call) -> Response:
        fault = call.fault
        if fault is not None:
            if fault.kind == "drop":
                raise ConnectionCut
            if fault.kind == "status":
                return self._planned_refusal(call, fault)
            if fault.kind == "html":
                return Response("<html><body>Service page</body></html>", mimetype="text/html")
            if fault.kind == "huge":
                return Response(b" " * fault.size + b"{}", mimetype="application/json")
            if fault.kind == "slow":
                time.sleep(fault.seconds)
        response = self.perform(call)
        if fault is not None and fault.kind == "lost_reply":
            raise ConnectionCut
        if fault is not None and fault.kind == "late_status":
            return self._planned_refusal(call, fault)
        return response

    def _planned_refusal(self, call: Call, fault: Fault) -> Response:
        refusal = self.fault_answer(call, fault)
        if fault.retry_after is not None:
            refusal.headers["Retry-After"] = str(fault.retry_after)
        return refusal

    def _answer_control(self, request: Request) -> Response:
        try:
            endpoint, _ = self._control.bind_to_environ(request.environ).match()
        except HTTPException as problem:
            return json_response({"error": problem.description}, problem.code or 404)
        if endpoint not in ("faults", "clock", "requests"):
            answer: Response = getattr(self, endpoint)(request)
            return answer
        if endpoint == "faults":
            if request.method == "DELETE":
                self.faults.clear()
            else:
                given = json.loads(request.get_data())
                self.faults.add(*(Fault(**one) for one in (given if isinstance(given, list) else [given])))
        elif endpoint == "clock" and request.method == "POST":
            given = json.loads(request.get_data())
            if "now" in given:
                self.clock.set(datetime.fromisoformat(given["now"]))
            self.clock.advance(timedelta(seconds=given.get("advance", 0)))
        elif endpoint == "requests" and request.method == "DELETE":
            self.recorder.clear()
        return json_response(
            {
                "now": self.clock.now().isoformat(),
                "requests": [vars(seen) for seen in self.recorder.seen] if endpoint == "requests" else None,
            }
        )

    def serve(self, certificates: Certificates | None = None, port: int = 0) -> Served:
        """Listen on loopback, over TLS where certificates are given; the caller stops it."""
        return Served(self, certificates, port)


class Served:
    """A simulator listening on a loopback port; a context manager."""

    def __init__(self, simulator: Simulator, certificates: Certificates | None, port: int) -> None:
        context = certificates.server_context() if certificates else None
        self._server, self._connections = listen(simulator, context, port)
        scheme = "https" if certificates else "http"
        self.url = f"{scheme}://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._connections.close_all()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def json_response(data: object, status: int = 200) -> Response:
    """An answer in JSON, with letters beyond ASCII as they are."""
    return Response(json.dumps(data, ensure_ascii=False), status=status, mimetype="application/json")


def _seen(request: Request, operation: str, mailbox: str | None, status: int) -> SeenRequest:
    return SeenRequest(
        method=request.method,
        path=request.path,
        query={name: request.args.getlist(name) for name in request.args},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.get_data(as_text=True),
        operation=operation,
        mailbox=mailbox,
        status=status,
    )
