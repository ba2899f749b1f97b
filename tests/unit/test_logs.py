"""An entry in the log is one line, says where it belongs, and cannot pretend to be two."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile

import pytest

from reconciler.logs import Lines, LogFormat, leads_to_journal, within

HOSTILE = 'a "b"\r\nlevel=error msg=c\x00\x1b[31m\u2028\u202e \\ =é'


def entry(msg: str, level: int = logging.INFO, error: Exception | None = None) -> logging.LogRecord:
    trace = (type(error), error, None) if error else None
    record = logging.LogRecord("reconciler.loop", level, "x.py", 1, "%s", (msg,), trace)
    record.created = 1764000000.25
    return record


def test_an_entry_is_one_line_of_keys_and_values() -> None:
    line = Lines(LogFormat.KEY_VALUE).format(entry("push: 2 people, nothing to do"))
    assert line == (
        'time=2025-11-24T16:00:00.250Z level=info logger=reconciler.loop msg="push: 2 people, nothing to do"'
    )


def test_or_one_object_of_json() -> None:
    assert json.loads(Lines(LogFormat.JSON).format(entry("stopped"))) == {
        "time": "2025-11-24T16:00:00.250Z",
        "level": "info",
        "logger": "reconciler.loop",
        "msg": "stopped",
    }


def test_what_is_logged_in_a_cycle_bears_its_id() -> None:
    with within("push-20261122T090000Z"):
        assert " cycle=push-20261122T090000Z msg=x" in Lines(LogFormat.KEY_VALUE).format(entry("x"))
    assert "cycle=" not in Lines(LogFormat.KEY_VALUE).format(entry("x"))


@pytest.mark.parametrize("form", LogFormat)
def test_no_text_can_make_two_lines_of_one_or_move_the_reader(form: LogFormat) -> None:
    line = Lines(form).format(entry(HOSTILE, error=ValueError(HOSTILE)))
    assert line.splitlines() == [line]
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", line)
    assert "ValueError" in line


def test_a_value_in_quotes_is_read_back_as_it_was() -> None:
    line = Lines(LogFormat.KEY_VALUE).format(entry(HOSTILE))
    assert json.loads(line.partition(" msg=")[2]) == HOSTILE


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 3)],
)
def test_the_journal_gets_each_lines_priority_and_keeps_the_time_itself(level: int, priority: int) -> None:
    line = Lines(LogFormat.KEY_VALUE, journal=True).format(entry("x", level))
    assert line.startswith(f"<{priority}>level=")


def test_the_journal_is_recognised_by_its_stream() -> None:
    with tempfile.TemporaryFile() as stream:
        there = os.fstat(stream.fileno())
        of_the_journal = {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
        assert leads_to_journal(of_the_journal, stream.fileno())
        assert not leads_to_journal(of_the_journal, 2)
        assert not leads_to_journal({}, stream.fileno())
        number = stream.fileno()
    assert not leads_to_journal(of_the_journal, number)


def test_the_level_that_is_asked_for_is_logged_and_what_is_graver() -> None:
    program = (
        "import logging; from reconciler.logs import *; set_up(LogFormat.JSON, LogLevel.WARNING);"
        "logging.info('quiet'); logging.warning('heard'); set_up(); logging.info('now')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = ended.stderr.splitlines()
    assert json.loads(first)["msg"] == "heard"
    assert second.endswith("level=info logger=root msg=now")
