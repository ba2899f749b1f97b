"""The checker that holds requests against Google's description would notice what it is there for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.simulators.wire import SeenRequest
from tests.support.discovery import problems

EVENTS = "/calendar/v3/calendars/ana/events"


def wrong(method: str, path: str, body: Any = None, **query: str) -> list[str]:
    text = "" if body is None else json.dumps(body)
    values = {name: [value] for name, value in query.items()}
    return [
        problem.partition(": ")[2]
        for problem in problems([SeenRequest(method, path, values, {}, text, "", None, 200)])
    ]


def test_a_proper_request_has_no_problems() -> None:
    assert wrong("GET", EVENTS, timeMin="2026-01-01T00:00:00Z", maxResults="250", alt="json") == []
    assert wrong("POST", EVENTS, {"summary": "x", "start": {"date": "2026-01-01"}}, sendUpdates="none") == []
    assert wrong("POST", "/token", {"anything": 1}) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "problem"),
    [
        ("GET", "/calendar/v3/nothing", {}, "no such method"),
        ("PUT", EVENTS, {}, "no such method"),
        ("GET", EVENTS, {"since": "1"}, "calendar.events.list has no parameter since"),
        ("GET", EVENTS, {"maxAttendees": "0"}, "parameter maxAttendees: 0 is out of range"),
        ("GET", EVENTS, {"maxResults": "many"}, "parameter maxResults: many is no integer"),
        ("GET", EVENTS, {"showDeleted": "True"}, "parameter showDeleted: True is no boolean"),
        ("DELETE", f"{EVENTS}/x", {"sendNotifications": "true"}, "parameter sendNotifications is deprecated"),
        ("POST", f"{EVENTS}/x/move", {}, "parameter destination is missing"),
    ],
)
def test_a_wrong_request_is_noticed(method: str, path: str, query: dict[str, str], problem: str) -> None:
    assert problem in wrong(method, path, {} if method == "PUT" else None, **query)


def test_a_time_without_an_offset_is_noticed() -> None:
    (problem,) = wrong("GET", EVENTS, timeMin="2026-01-01T00:00:00")
    assert "offset" in problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"updated": "2026-01-01T00:00:00Z"}, "body.updated is read-only"),
        ({"attendees": [{"self": True}]}, "body.attendees[0].self is read-only"),
        ({"title": "x"}, "body has no property title"),
        ({"summary": 5}, "body.summary is no string"),
        ({"start": {"date": "1 May"}}, "body.start.date: 1 May is no date"),
        ({"extendedProperties": {"private": {"a": 1}}}, "body.extendedProperties.private.a is no string"),
    ],
)
def test_a_wrong_body_is_noticed(body: dict[str, Any], problem: str) -> None:
    assert wrong("POST", EVENTS, body) == [problem]
