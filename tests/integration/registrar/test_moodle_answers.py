"""Only one whole answer to this very request is an answer; and what was told nothing has done nothing."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_channels import CommandChannel, SocketChannel
from reconciler.lms.moodle_registrar import MoodleRegistrar
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
REQUEST = Unregistration(
    account="site",
    person="22",
    session="3",
    seats=("30",),
    days=((NOW + timedelta(days=9), NOW + timedelta(days=9, hours=8)),),
    now=NOW,
    deadline=NOW + timedelta(minutes=1),
    reference="evidence-1",
)

FAKE = """
import json, os, sys, time

def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()

def answer(outcome="done", nonce=None, **more):
    nonce = nonce or asked["nonce"]
    say(f"\\n@@ilt-reconciler {nonce} answer\\n")
    say(json.dumps({"version": 1, "nonce": nonce, "outcome": outcome, "why": "", "now": 1.5} | more) + "\\n")

say("Welcome to this host\\n\\n@@ilt-reconciler hello\\n")
asked = json.loads(sys.stdin.readline())
"""


def told(body: str, seconds: float = 20) -> MoodleRegistrar:
    """A registrar whose script says hello, reads the request, and then does this."""
    return MoodleRegistrar(CommandChannel([sys.executable, "-c", FAKE + body], seconds))


def untold(*command: str, seconds: float = 20) -> MoodleRegistrar:
    return MoodleRegistrar(CommandChannel(command, seconds))


GOOD = {
    "plain": "answer()",
    "after a PHP warning": "say('PHP Warning:  Undefined variable\\n'); answer()",
    "after a false answer": 'say(\'{"outcome": "lost", "version": 1}\\n\'); answer()',
    "after bytes that are no text": "os.write(1, bytes(range(256))); answer()",
    "with blank lines behind": "answer(); say('\\n\\n')",
}


@pytest.mark.parametrize("case", GOOD)
def test_one_whole_answer_counts_whatever_is_printed_before_it(case: str) -> None:
    assert told(GOOD[case]).unregister(REQUEST) == RegistrarAnswer(RegistrarOutcome.DONE)


NO_ANSWER = {
    "nothing": "pass",
    "garbage": "say('<html>done</html>')",
    "the answer to another request": "answer(nonce='0' * 32)",
    "two answers": "answer(); answer()",
    "two answers that disagree": "answer('lost'); answer('done')",
    "two objects in one": "answer(); say('{}')",
    "something behind it": "answer(); say('PHP Warning: too late')",
    "half an answer": 'say(f\'\\n@@ilt-reconciler {asked["nonce"]} answer\\n{{"version": 1, "outc\')',
    "no object": "say(f'\\n@@ilt-reconciler {asked[\"nonce\"]} answer\\n[1]\\n')",
    "another version": "answer(version=2)",
    "an unknown outcome": "answer('perhaps')",
    "an outcome of another question": "answer('ready')",
    "still there": "answer('still-there')",
    "a wrong exit code": "answer(); sys.exit(1)",
    "the exit code of another outcome": "answer('lost'); sys.exit(3)",
    "killed": "answer(); os.kill(os.getpid(), 9)",
    "unknown, it says itself": "answer('unknown'); sys.exit(70)",
    "far too much": "say('x' * 2_000_000); answer()",
}


@pytest.mark.parametrize("case", NO_ANSWER)
def test_whatever_is_not_one_whole_answer_is_unknown(case: str) -> None:
    registrar = told(NO_ANSWER[case])
    assert registrar.unregister(REQUEST).outcome is RegistrarOutcome.UNKNOWN


@pytest.mark.parametrize("case", [case for case in NO_ANSWER if case != "still there"])
def test_resolving_without_an_answer_concludes_nothing(case: str) -> None:
    with pytest.raises(LmsUnreadable):
        told(NO_ANSWER[case]).resolve(REQUEST)


def test_a_time_out_after_it_was_told_is_unknown() -> None:
    waiting = "answer(); time.sleep(600)"
    assert told(waiting, seconds=1).unregister(REQUEST).outcome is RegistrarOutcome.UNKNOWN


def test_a_child_that_holds_the_wire_open_is_not_waited_for() -> None:
    forked = "answer(); os.fork() or time.sleep(600)"
    assert told(forked, seconds=2).unregister(REQUEST).outcome is RegistrarOutcome.UNKNOWN


UNTOLD = {
    "missing command": ("/nowhere/php", "unregister.php"),
    "missing script": (sys.executable, "/nowhere/unregister.php"),
    "a command that only ends": ("true",),
    "a command that fails": ("false",),
    "a command that says something else": ("echo", "@@ilt-reconciler hallo"),
}


@pytest.mark.parametrize("case", UNTOLD)
def test_a_script_that_never_said_hello_was_told_nothing(case: str) -> None:
    registrar = untold(*UNTOLD[case])
    with pytest.raises(LmsUnreadable, match="told nothing"):
        registrar.unregister(REQUEST)
    with pytest.raises(LmsUnreadable):
        registrar.now()
    assert len(registrar.check()) == 1


def test_a_time_out_before_hello_was_told_nothing() -> None:
    with pytest.raises(LmsUnreadable, match="told nothing"):
        untold("sleep", "600", seconds=0.5).unregister(REQUEST)


def test_an_error_that_the_script_itself_reports_has_written_nothing() -> None:
    with pytest.raises(LmsUnreadable, match="wrote nothing: deadline"):
        told("answer('error', why='deadline'); sys.exit(75)").unregister(REQUEST)


def test_the_check_shows_what_the_command_complained_of() -> None:
    [problem] = untold("sh", "-c", "echo 'Permission denied (publickey).' >&2; exit 255").check()
    assert problem.endswith("Permission denied (publickey).")


def test_problems_and_warnings_are_plain_text() -> None:
    assert told("answer('ready', problems=['a\\n\\x1b[31mb'])").check() == ["a [31mb"]
    answer = told("answer(why='', warnings=['notice:\\u202e x'], trace='status 7')").unregister(REQUEST)
    assert (answer.why, answer.trace) == ("notice: x", "status 7")


def test_the_environment_and_its_secrets_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    answer = told("answer(why='A_SECRET' if 'A_SECRET' in os.environ else 'clean')").unregister(REQUEST)
    assert answer.why == "clean"


def test_a_socket_that_is_not_there_was_told_nothing(tmp_path: Path) -> None:
    registrar = MoodleRegistrar(SocketChannel(tmp_path / "nothing.sock"))
    with pytest.raises(LmsUnreadable, match="told nothing"):
        registrar.unregister(REQUEST)
    assert len(registrar.check()) == 1
