"""What a cycle logs: one sentence, its id on every line, and of people nothing but ids."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from reconciler.logs import Lines, LogFormat
from reconciler.model import Connection
from tests.support.house import MINUTE, MONDAY, HouseBed

TITLE = "Safety <b>basics</b>"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the program logs, as it would on standard error."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Lines(LogFormat.JSON))
    root = logging.getLogger("reconciler")
    root.addHandler(handler)
    level, root.level = root.level, logging.INFO
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    session = house.lms.add_session(MONDAY, title=TITLE)
    house.newcomer("ana", "google", session)
    house.newcomer("ben", "microsoft", session)
    return house


def test_a_cycle_is_one_sentence_and_names_itself(acme: HouseBed, logged: io.StringIO) -> None:
    acme.once()
    told = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [(one["cycle"], one["msg"]) for one in told] == [
        ("push-20261122T090100Z", "push: 2 people changed: 2 created"),
        ("audit-20261122T090100Z", "audit: no calendar is due to be looked at"),
        ("confirm-20261122T090100Z", "confirm: no event has vanished"),
        ("upkeep-20261122T090100Z", "upkeep: nothing idle, nothing past its time"),
    ]


def test_the_threads_that_work_for_a_cycle_name_it_too(
    acme: HouseBed, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unforeseen(connection: Connection) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(acme.house.providers["google"], "open", unforeseen)
    acme.push()
    told = [json.loads(line) for line in logged.getvalue().splitlines()]
    (contained,) = [one for one in told if "traceback" in one]
    assert "person ana" in contained["msg"]
    assert "nobody thought of this" in contained["traceback"]
    assert {one["cycle"] for one in told} == {"push-20261122T090100Z"}


def test_of_people_and_training_only_ids_are_logged(acme: HouseBed, logged: io.StringIO) -> None:
    acme.once()
    acme.google.revoke("ana@google.example")
    acme.close()
    acme.remove("ben")
    acme.audit()
    for _ in range(3):
        acme.clock.move(40 * MINUTE)
        acme.once()
    text = logged.getvalue()
    assert "connection that does not work any more" in text
    assert "vanished" in text
    assert not re.search(r"@|Safety|Ana|Ben", text)
