"""The log: one line an entry, as key=value (logfmt) or JSON, on standard error.

Every entry made in a cycle bears the cycle's id, also those of the threads that work for it. Where standard
error leads to the journal, each line begins with its priority as in sd-daemon(3), and has no time of its
own: the journal keeps one.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_cycle: ContextVar[str] = ContextVar("cycle", default="")
_TALKATIVE = (
    *("alembic", "amqp", "celery", "googleapiclient", "httplib2"),
    *("kombu", "msal", "urllib3", "waitress", "werkzeug"),
)
_QUEUE = "waitress.queue"  # warns of any moment in which an answer waits for a thread
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_BARE = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSAFE = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class LogFormat(StrEnum):
    """How an entry is written."""

    KEY_VALUE = "key-value"
    JSON = "json"


class LogLevel(StrEnum):
    """What is written: this, and what is graver."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def cycle_id(name: str, started: datetime) -> str:
    """Names a cycle for people: its kind, and when it began, in UTC."""
    return f"{name}-{started:%Y%m%dT%H%M%SZ}"


@contextmanager
def within(cycle: str) -> Iterator[None]:
    """Whatever is logged meanwhile belongs to this cycle, also by threads that were handed the context."""
    token = _cycle.set(cycle)
    try:
        yield
    finally:
        _cycle.reset(token)


def current_cycle() -> str:
    """The id of the cycle that this thread works for; empty outside of any."""
    return _cycle.get()


def set_up(form: LogFormat = LogFormat.KEY_VALUE, level: LogLevel = LogLevel.INFO) -> None:
    """Log like this from now on. Leaves a log alone that somebody else has set up in this process."""
    root = logging.getLogger()
    others = [one for one in root.handlers if not isinstance(one, _StandardError)]
    if others:
        return
    handler = _StandardError()
    handler.setFormatter(Lines(form, journal=leads_to_journal(os.environ)))
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger(_QUEUE).setLevel(logging.ERROR)


def leads_to_journal(environment: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether what is written there is read by the journal: systemd.exec(5), ``JOURNAL_STREAM``."""
    try:
        there = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes where standard error leads at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class Lines(logging.Formatter):
    """Each entry as one line, whatever is in it; a traceback is a field like any other."""

    def __init__(self, form: LogFormat, journal: bool = False) -> None:
        super().__init__()
        self._form, self._journal = form, journal

    def format(self, record: logging.LogRecord) -> str:
        """The entry, without a line break at its end."""
        fields = self._fields(record)
        if self._form is LogFormat.JSON:
            line = json.dumps(fields)
        else:
            line = " ".join(f"{name}={_value(text)}" for name, text in fields.items())
        return f"<{_priority(record.levelno)}>{line}" if self._journal else line

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        fields = {"level": record.levelname.lower(), "logger": record.name}
        if not self._journal or self._form is LogFormat.JSON:
            fields = {"time": _instant(record.created), **fields}
        if cycle := _cycle.get():
            fields["cycle"] = cycle
        fields["msg"] = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            fields["traceback"] = self.formatException(record.exc_info)
        return fields


def _instant(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _priority(level: int) -> int:
    return next((priority for least, priority in _PRIORITIES if level >= least), 7)


def _value(text: str) -> str:
    """Bare where it is one plain word, else quoted as JSON quotes, with what is not seen escaped."""
    if _BARE.fullmatch(text) and not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
