"""A webhook as the documentation asks for, over real HTTP or HTTPS, that can be told to behave badly."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from reconciler.simulators.certificates import Certificates

KEY = b"a key that both sides hold in a file"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "unregister-webhook.md"
Misbehaviour = Callable[["Hook", dict[str, Any]], Response | None]


def documented_verifier() -> Callable[[bytes, str, str, bytes, float], bool]:
    """``verified`` as an operator copies it from the page."""
    [block] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    verifier: Callable[[bytes, str, str, bytes, float], bool] = names["verified"]
    return verifier


@dataclass
class Hook:
    """Seats, who gave them back, and every request that came. ``instead`` are answers to give first."""

    booked: set[str] = field(default_factory=lambda: {"b-1"})
    given_back: dict[str, list[str]] = field(default_factory=dict)
    refuses: str = ""
    instead: list[Misbehaviour] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    signed: list[bool] = field(default_factory=list)
    addressed: list[str] = field(default_factory=list)
    url: str = ""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        body, headers = request.get_data(), request.headers
        self.addressed.append(request.path)
        stamp, signature = (
            headers.get("X-Reconciler-Timestamp", ""),
            headers.get("X-Reconciler-Signature", ""),
        )
        self.signed.append(documented_verifier()(KEY, stamp, signature, body, time.time()))
        if not self.signed[-1]:
            return Response(status=401)
        asked = json.loads(body)
        assert headers["Idempotency-Key"] == asked.get("reference", "")
        self.seen.append(asked)
        if self.instead and (bad := self.instead.pop(0)(self, asked)) is not None:
            return bad
        return self.right(asked)

    def right(self, asked: dict[str, Any], **changes: Any) -> Response:
        """The answer that the contract asks for."""
        fields = {"version": 1, "reference": asked.get("reference", ""), **self._outcome(asked), **changes}
        return Response(json.dumps(fields), mimetype="application/json")

    def _outcome(self, asked: dict[str, Any]) -> dict[str, str]:
        if asked["operation"] == "clock":
            return {"now": datetime.now(UTC).isoformat()}
        seats, reference = asked["seats"], asked["reference"]
        if self.given_back.get(reference) == seats:
            return {"outcome": "done", "why": "already", "trace": f"by {reference}"}
        if not self.booked >= set(seats):
            return {"outcome": "lost", "why": "other-seat"}
        if asked["operation"] == "state":
            return {"outcome": "still-there"}
        if self.refuses:
            return {"outcome": "refused", "why": self.refuses}
        if datetime.now(UTC) >= datetime.fromisoformat(asked["deadline"]):
            return {"outcome": "lost", "why": "too-late"}
        self.booked -= set(seats)
        self.given_back[reference] = seats
        return {"outcome": "done", "trace": f"by {reference}"}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: tests print what they need."""


@contextmanager
def listening(hook: Hook, certificates: Certificates | None = None) -> Iterator[Hook]:
    """The hook on loopback, over TLS where certificates are given."""
    context = certificates.server_context() if certificates else None
    server = make_server("127.0.0.1", 0, hook, threaded=True, ssl_context=context, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hook.url = f"{'https' if certificates else 'http'}://127.0.0.1:{server.server_port}/seats"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
