"""A webhook of the operator's is asked as its page says, again where that helps, and believed only then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from reconciler.errors import LmsUnreadable
from reconciler.lms.webhook_registrar import WebhookRegistrar, signature
from reconciler.ports import RegistrarAnswer, RegistrarOutcome, Unregistration
from reconciler.simulators.certificates import Certificates, make_certificates
from tests.support.hook import KEY, Hook, Misbehaviour, documented_verifier, listening

DONE, REFUSED, LOST = RegistrarOutcome.DONE, RegistrarOutcome.REFUSED, RegistrarOutcome.LOST
UNKNOWN, STILL_THERE = RegistrarOutcome.UNKNOWN, RegistrarOutcome.STILL_THERE


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening(Hook()) as answering:
        yield answering


def _asks(**changes: Any) -> Unregistration:
    now = datetime.now(UTC)
    request = Unregistration(
        account="acme",
        person="7",
        session="42",
        seats=("b-1",),
        days=((now + timedelta(days=9), now + timedelta(days=9, hours=8)),),
        now=now,
        deadline=now + timedelta(seconds=30),
        reference="u-1",
    )
    return replace(request, **changes)


def _registrar(hook: Hook, **options: Any) -> WebhookRegistrar:
    key = options.pop("key", KEY)
    return WebhookRegistrar(hook.url, lambda: key, **{"first_wait": 0.01, "timeout": 5.0} | options)


def _soon() -> Unregistration:
    """A request whose deadline is near: for hooks that never answer well."""
    return _asks(deadline=datetime.now(UTC) + timedelta(seconds=1))


def test_the_seat_is_given_back_and_asking_again_is_done_already(hook: Hook) -> None:
    request = _asks()
    assert _registrar(hook).unregister(request) == RegistrarAnswer(DONE, "", "by u-1")
    assert _registrar(hook).unregister(request) == RegistrarAnswer(DONE, "already", "by u-1")
    assert hook.given_back == {"u-1": ["b-1"]}
    asked = hook.seen[0]
    assert (asked["version"], asked["operation"], asked["account"], asked["person"]) == (
        1,
        "unregister",
        "acme",
        "7",
    )
    assert (asked["session"], asked["seats"]) == ("42", ["b-1"])
    instants = [*asked["days"][0], asked["now"], asked["deadline"]]
    assert all(datetime.fromisoformat(text).utcoffset() == timedelta(0) for text in instants)
    assert abs(datetime.fromisoformat(asked["deadline"]) - request.deadline) < timedelta(milliseconds=1)


def test_refused_and_lost_are_taken_as_they_are(hook: Hook) -> None:
    hook.refuses = "attended"
    assert _registrar(hook).unregister(_asks()) == RegistrarAnswer(REFUSED, "attended")
    assert _registrar(hook).unregister(_asks(seats=("b-2",))) == RegistrarAnswer(LOST, "other-seat")
    assert len(hook.seen) == 2


def test_what_became_of_it_is_asked_of_the_same_hook(hook: Hook) -> None:
    assert _registrar(hook).resolve(_asks()) == RegistrarAnswer(STILL_THERE)
    _registrar(hook).unregister(_asks())
    assert _registrar(hook).resolve(_asks()).outcome is DONE
    assert _registrar(hook).resolve(_asks(reference="u-2")).outcome is LOST
    assert [asked["operation"] for asked in hook.seen] == ["state", "unregister", "state", "state"]


def test_the_clock_is_the_hooks(hook: Hook) -> None:
    before = datetime.now(UTC)
    assert before <= _registrar(hook).now() <= datetime.now(UTC)
    assert _registrar(hook).check() == []


# Signatures ---------------------------------------------------------------------------------------


def test_the_documented_verifier_refuses_whatever_is_not_signed_as_it_should_be() -> None:
    verified, body, now = documented_verifier(), b'{"a": 1}', 1_795_338_000
    good = signature(KEY, str(now), body)
    assert verified(KEY, str(now), good, body, now + 299.0)
    assert not verified(KEY, str(now), good, body + b" ", now)
    assert not verified(KEY, str(now + 1), good, body, now)
    assert not verified(KEY, str(now), good, body, now + 301.0)
    assert not verified(b"another key", str(now), good, body, now)
    assert not verified(KEY, str(now), good.removeprefix("v1="), body, now)
    for nonsense in ("", "soon", "-1", "\u0661"):
        assert not verified(KEY, nonsense, signature(KEY, nonsense, body), body, now)
    assert not verified(KEY, str(now), "v1=\u00e9", body, now)


def test_a_wrong_key_is_refused_by_the_hook_and_nothing_is_concluded(hook: Hook) -> None:
    registrar = _registrar(hook, key=b"wrong")
    assert registrar.unregister(_asks()).outcome is UNKNOWN
    with pytest.raises(LmsUnreadable, match="401"):
        registrar.resolve(_asks())
    [problem] = registrar.check()
    assert "401" in problem
    assert hook.signed == [False] * 3  # each once: a refusal is not tried again
    assert hook.booked == {"b-1"}


def test_an_old_timestamp_is_refused(hook: Hook) -> None:
    registrar = _registrar(hook, clock=lambda: datetime.now(UTC) - timedelta(minutes=6))
    assert registrar.unregister(_asks()).outcome is UNKNOWN
    assert hook.booked == {"b-1"}


# Again, where that helps --------------------------------------------------------------------------


def _status(code: int) -> Misbehaviour:
    return lambda hook, asked: Response("no", status=code)


def _done_but_says(code: int) -> Misbehaviour:
    def after(hook: Hook, asked: dict[str, Any]) -> Response:
        hook.right(asked)
        return Response("no", status=code)

    return after


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_under_the_same_reference(hook: Hook, code: int) -> None:
    hook.instead = [_status(code), _done_but_says(code)]
    assert _registrar(hook).unregister(_asks()) == RegistrarAnswer(DONE, "already", "by u-1")
    assert [asked["reference"] for asked in hook.seen] == ["u-1"] * 3
    assert hook.given_back == {"u-1": ["b-1"]}


def test_trying_again_ends_at_the_deadline(hook: Hook) -> None:
    hook.instead = [_status(503)] * 10_000
    assert _registrar(hook).unregister(_soon()).outcome is UNKNOWN
    assert 1 < len(hook.seen) < 10_000


@pytest.mark.parametrize("code", [201, 204, 301, 302, 307, 308, 400, 401, 403, 404, 410, 422])
def test_other_answers_are_none_and_not_tried_again(hook: Hook, code: int) -> None:
    hook.instead = [_status(code)]
    assert _registrar(hook).unregister(_asks()).outcome is UNKNOWN
    assert len(hook.seen) == 1


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    def elsewhere(hook: Hook, asked: dict[str, Any]) -> Response:
        return Response(status=307, headers={"Location": hook.url.replace("/seats", "/elsewhere")})

    hook.instead = [elsewhere]
    assert _registrar(hook).unregister(_asks()).outcome is UNKNOWN
    assert hook.addressed == ["/seats"]


def _body(text: str) -> Misbehaviour:
    return lambda hook, asked: Response(text, mimetype="application/json")


NO_ANSWER: dict[str, Misbehaviour] = {
    "a proxy's page": _body("<html>It works</html>"),
    "nothing": _body(""),
    "half an answer": _body('{"version": 1, "reference": "u-1", "outc'),
    "two answers": _body('{"version": 1}{"version": 1}'),
    "a list": _body("[]"),
    "the answer to another request": lambda hook, asked: hook.right(asked, reference="u-2"),
    "another version": lambda hook, asked: hook.right(asked, version=2),
    "an unknown outcome": lambda hook, asked: hook.right(asked, outcome="perhaps"),
    "an outcome of another question": lambda hook, asked: hook.right(asked, outcome="still-there"),
    "far too much": lambda hook, asked: hook.right(asked, padding="x" * 99_999),
}


@pytest.mark.parametrize("case", NO_ANSWER)
def test_whatever_is_not_the_contracts_answer_is_unknown(hook: Hook, case: str) -> None:
    hook.instead = [NO_ANSWER[case]] * 2
    assert _registrar(hook).unregister(_asks()).outcome is UNKNOWN
    if "another question" not in case:
        with pytest.raises(LmsUnreadable):
            _registrar(hook).resolve(_asks())


def test_a_hook_that_drips_is_not_waited_for(hook: Hook) -> None:
    stop = threading.Event()

    def drip() -> Iterator[bytes]:
        while not stop.wait(0.05):
            yield b" "

    hook.instead = [lambda hook, asked: Response(drip(), mimetype="application/json")]
    assert _registrar(hook, timeout=0.5).unregister(_asks()).outcome is UNKNOWN
    stop.set()


def test_a_hook_that_says_nothing_is_unknown(hook: Hook) -> None:
    stop = threading.Event()

    def silent(hook: Hook, asked: dict[str, Any]) -> Response:
        stop.wait(20)
        return Response(status=500)

    hook.instead = [silent] * 100
    assert _registrar(hook, timeout=0.2).unregister(_soon()).outcome is UNKNOWN
    stop.set()


# The way there ------------------------------------------------------------------------------------


def test_a_hook_that_was_never_reached_was_told_nothing(hook: Hook) -> None:
    nobody = Hook(url="http://127.0.0.1:1/seats")
    nowhere = Hook(url="https://hook.invalid/seats")
    for absent in (nobody, nowhere):
        with pytest.raises(LmsUnreadable, match="told nothing"):
            _registrar(absent).unregister(_soon())
        assert len(_registrar(absent, timeout=0.5).check()) == 1


def test_a_connection_that_breaks_after_the_request_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def hang_up() -> None:
            for _ in range(1000):
                try:
                    wire, _address = rude.accept()
                except OSError:
                    return
                wire.recv(65_536)
                wire.close()

        threading.Thread(target=hang_up, daemon=True).start()
        hook = Hook(url=f"http://127.0.0.1:{rude.getsockname()[1]}/seats")
        assert _registrar(hook).unregister(_soon()).outcome is UNKNOWN


def test_after_the_deadline_nothing_is_sent(hook: Hook) -> None:
    with pytest.raises(LmsUnreadable, match="nothing was sent"):
        _registrar(hook).unregister(_asks(deadline=datetime.now(UTC)))
    assert hook.seen == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_over_https_a_private_authority_is_believed_only_where_it_is_named(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))  # the environment decides nothing
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with listening(Hook(), certificates) as hook:
        with pytest.raises(LmsUnreadable, match="told nothing"):
            _registrar(hook).unregister(_soon())
        assert _registrar(hook, ca_file=certificates.ca_file).unregister(_asks()).outcome is DONE


def test_the_proxy_that_is_named_is_used(hook: Hook) -> None:
    proxied = Hook(url="http://hook.invalid/seats")
    proxy = hook.url.removesuffix("/seats")
    assert _registrar(proxied, proxy=proxy).unregister(_asks()).outcome is DONE


def test_a_key_that_was_changed_is_used_at_once(hook: Hook, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"old")
    registrar = WebhookRegistrar(hook.url, file.read_bytes, first_wait=0.01)
    file.rename(tmp_path / "away")
    with pytest.raises(LmsUnreadable, match="told nothing: the key cannot be read"):
        registrar.unregister(_asks())
    (tmp_path / "away").rename(file)
    assert registrar.unregister(_asks()).outcome is UNKNOWN
    file.write_bytes(KEY)
    assert registrar.unregister(_asks()).outcome is DONE
