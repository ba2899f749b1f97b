"""Giving a seat back in Moodle, through the script of ours on its host that calls the plugin's functions.

The script is ``deploy/moodle/cli/unregister.php``; what it does, and how it is reached, is in
``docs/moodle-unregister.md``. Its answer is one line of JSON behind a line that bears the request's own
random number, so that no warning, banner or answer to somebody else can be taken for it. Whatever is not
exactly that, is no answer: it may have happened.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_channels import Channel, Reply
from reconciler.lms.text import line
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration

_ANSWER = re.compile(rb"^@@ilt-reconciler (\S+) answer\n", re.MULTILINE)
_EXITS = {"done": 0, "still-there": 0, "ready": 0, "refused": 3, "lost": 4, "unknown": 70, "error": 75}
_OUTCOMES = {
    "unregister": {
        "done": RegistrarOutcome.DONE,
        "refused": RegistrarOutcome.REFUSED,
        "lost": RegistrarOutcome.LOST,
        "unknown": RegistrarOutcome.UNKNOWN,
    },
    "resolve": {
        "done": RegistrarOutcome.DONE,
        "still-there": RegistrarOutcome.STILL_THERE,
        "lost": RegistrarOutcome.LOST,
    },
}
_LONGEST = 300


class MoodleRegistrar:
    """See :class:`~reconciler.ports.Registrar`. A seat is the id of a sign-up's status row.

    ``address`` names the LMS in errors, as the reading adapter does.
    """

    def __init__(self, channel: Channel, address: str = "moodle") -> None:
        self._channel = channel
        self._address = address

    def now(self) -> datetime:
        """The clock of the Moodle host. Raises ``LmsUnreadable``."""
        fields, reply = self._ask("clock")
        moment = fields.get("now") if fields.get("outcome") == "ready" else None
        if not isinstance(moment, int | float):
            raise self._unreadable(fields, reply)
        return datetime.fromtimestamp(moment, UTC)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """Raises ``LmsUnreadable`` if the script was never told, or says that it wrote nothing."""
        fields, reply = self._ask("unregister", request)
        if not reply.sent or fields.get("outcome") == "error":
            raise self._unreadable(fields, reply)
        found = self._answer("unregister", fields)
        return found or RegistrarAnswer(RegistrarOutcome.UNKNOWN, "no usable answer")

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """By the history of the sign-up, in which our writes bear the reference. Raises ``LmsUnreadable``."""
        fields, reply = self._ask("resolve", request)
        found = self._answer("resolve", fields)
        if found is None:
            raise self._unreadable(fields, reply)
        return found

    def check(self) -> list[str]:
        """What stands in the way of giving seats back: one sentence each; empty when all is well."""
        fields, reply = self._ask("check")
        problems = fields.get("problems")
        if fields.get("outcome") != "ready" or not isinstance(problems, list):
            return [f"{self._unreadable(fields, reply).what} {line(reply.complaint, _LONGEST)}".strip()]
        return [line(problem, _LONGEST) for problem in problems]

    def _ask(self, op: str, request: Unregistration | None = None) -> tuple[Mapping[str, Any], Reply]:
        """The members of the answer, none without a usable one; and how it came about."""
        nonce = secrets.token_hex(16)
        body = {"version": 1, "nonce": nonce, "op": op} | (_fields(request) if request else {})
        reply = self._channel.ask(json.dumps(body).encode() + b"\n")
        return _read(reply, nonce), reply

    @staticmethod
    def _answer(op: str, fields: Mapping[str, Any]) -> RegistrarAnswer | None:
        outcome = _OUTCOMES[op].get(str(fields.get("outcome")))
        if outcome is None:
            return None
        warnings = fields.get("warnings")
        why = [fields.get("why"), *(warnings if isinstance(warnings, list) else [])]
        text = "; ".join(line(part, _LONGEST) for part in why if part)
        return RegistrarAnswer(outcome, text, line(fields.get("trace"), _LONGEST))

    def _unreadable(self, fields: Mapping[str, Any], reply: Reply) -> LmsUnreadable:
        if fields.get("outcome") == "error":
            what = f"The script on the Moodle host wrote nothing: {line(fields.get('why'), 100)}"
        elif not reply.sent:
            what = "The script on the Moodle host did not answer, so it was told nothing"
        else:
            what = "The script on the Moodle host gave no usable answer"
        return LmsUnreadable(
            what, whose=self._address, next_step="`reconciler check-config --online` says what is wrong."
        )


def _fields(request: Unregistration) -> dict[str, Any]:
    """Instants as unix seconds, rounded to the careful side."""
    return {
        "account": request.account,
        "person": request.person,
        "session": request.session,
        "seats": list(request.seats),
        "days": [[int(start.timestamp()), int(end.timestamp())] for start, end in request.days],
        "now": math.ceil(request.now.timestamp()),
        "deadline": math.floor(request.deadline.timestamp()),
        "reference": request.reference,
    }


def _read(reply: Reply, nonce: str) -> Mapping[str, Any]:
    """The one answer to this very request, whole and the last thing said; nothing otherwise."""
    marks = list(_ANSWER.finditer(reply.output))
    if not (reply.sent and reply.ended and len(marks) == 1 and marks[0][1] == nonce.encode()):
        return {}
    try:
        fields = json.loads(reply.output[marks[0].end() :])
    except ValueError:  # cut off, or more than one
        return {}
    if not isinstance(fields, dict) or fields.get("version") != 1 or fields.get("nonce") != nonce:
        return {}
    expected = _EXITS.get(str(fields.get("outcome")))
    if expected is None or reply.exit_code not in (None, 0, expected):
        return {}
    return fields
