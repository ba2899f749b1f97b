"""A simulated Google with one account and a plain HTTP session that is signed in to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.google_store import GoogleSwitches

ANA = "ana@example.com"
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar"


class Google:
    """The simulator, where it listens, and the calls that tests make."""

    def __init__(self, sim: GoogleSimulator, url: str) -> None:
        self.sim, self.url = sim, url
        self.session = requests.Session()
        self.session.trust_env = False
        self.sign_in(ANA, CALENDAR_SCOPE)

    def sign_in(self, mailbox: str, *scopes: str) -> None:
        token = self.sim.issue_access_token(mailbox, scopes)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str = "", **given: Any) -> requests.Response:
        """A call beneath the account's own calendar's events, or to a path that begins with a slash."""
        base = "" if path.startswith("/") else "/calendar/v3/calendars/primary/events"
        path = path if path.startswith("/") or not path else f"/{path}"
        return self.session.request(method, self.url + base + path, timeout=20, **given)

    def insert(self, event_id: str | None = None, **fields: Any) -> dict[str, Any]:
        answer = self.call("POST", json=event(event_id, **fields))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, **query: Any) -> list[str]:
        answer = self.call("GET", params=query)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]


def event(event_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """A body: an hour on 1 December 2026 from 10:00 UTC, unless told otherwise."""
    body: dict[str, Any] = {
        "summary": "Safety basics",
        "start": {"dateTime": "2026-12-01T10:00:00Z"},
        "end": {"dateTime": "2026-12-01T11:00:00Z"},
        **fields,
    }
    return body if event_id is None else {"id": event_id, **body}


def private(**properties: str) -> dict[str, Any]:
    return {"private": properties}


def error_of(answer: requests.Response) -> tuple[int, str]:
    """Status and reason of a refusal in Calendar's envelope."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["errors"][0]["reason"]


@contextmanager
def running(
    switches: GoogleSwitches | None = None,
    *,
    quota: QuotaLimits | None = None,
    zone: str = "UTC",
    **more: Any,
) -> Iterator[Google]:
    sim = GoogleSimulator(switches, quota=quota, **more)
    sim.add_account(ANA, zone)
    with sim.serve() as served:
        google = Google(sim, served.url)
        with google.session:
            yield google
