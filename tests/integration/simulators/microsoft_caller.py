"""A simulated Microsoft with one account and an HTTPS session that is signed in to it.

Every answer is held against Microsoft's own schema on its way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import requests
from graph_schema import mismatches

from reconciler.simulators.certificates import Certificates, make_certificates
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.microsoft_switches import MicrosoftSwitches

ANA = "ana@contoso.example"
KEY = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name key"
IMMUTABLE = 'IdType="ImmutableId"'


@cache
def certificates() -> Certificates:
    folder = tempfile.TemporaryDirectory()
    made = make_certificates(Path(folder.name))
    _KEPT.append(folder)
    return made


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def https_session() -> requests.Session:
    """Trusts the simulators' authority, and nothing the environment says about others."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificates().ca_file)
    return session


class Microsoft:
    """The simulator, where it listens, and the calls that tests make."""

    def __init__(self, sim: MicrosoftSimulator, url: str) -> None:
        self.sim, self.url = sim, url
        self.session = https_session()
        self.session.headers["Prefer"] = IMMUTABLE
        self.sign_in(ANA)

    def sign_in(self, mailbox: str, **more: Any) -> None:
        token = self.sim.issue_access_token(mailbox, **more)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, prefer: str | None = None, **given: Any) -> requests.Response:
        """A call beneath /v1.0/me, or to a path or address as it stands."""
        if not path.startswith("http"):
            path = self.url + (path if path.startswith("/") else f"/v1.0/me/{path}")
        if prefer is not None:
            given.setdefault("headers", {})["Prefer"] = prefer
        answer = self.session.request(method, path, timeout=20, **given)
        wrong = mismatches(answer)
        assert not wrong, wrong
        return answer

    def create(self, key: str | None = "k1", path: str = "events", **fields: Any) -> dict[str, Any]:
        answer = self.call("POST", path, json=event(key, **fields))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, event_id: str, **given: Any) -> requests.Response:
        return self.call("GET", f"events/{event_id}", **given)

    def patch(self, event_id: str, if_match: str | None = None, **fields: Any) -> requests.Response:
        headers = {"If-Match": if_match} if if_match else {}
        return self.call("PATCH", f"events/{event_id}", json=fields, headers=headers)

    def delete(self, event_id: str, if_match: str | None = None) -> requests.Response:
        headers = {"If-Match": if_match} if if_match else {}
        return self.call("DELETE", f"events/{event_id}", headers=headers)

    def find(self, key: str = "k1", path: str = "events", **query: str) -> list[str]:
        """The ids of all pages of a listing by key."""
        return [one["id"] for one in self.walk(path, **{"$filter": by_key(key), **query})]

    def walk(self, path: str = "events", **query: str) -> list[dict[str, Any]]:
        answer = self.call("GET", path, params=query).json()
        found = answer["value"]
        while "@odata.nextLink" in answer:
            answer = self.call("GET", answer["@odata.nextLink"]).json()
            found += answer["value"]
        return found

    def tell(self, what: str, **fields: Any) -> dict[str, Any]:
        """A control request."""
        return self.session.post(f"{self.url}/_sim/{what}", json=fields, timeout=20).json()


def by_key(key: str, name: str = KEY) -> str:
    return f"singleValueExtendedProperties/Any(ep: ep/id eq '{name}' and ep/value eq '{key}')"


def when(text: str, zone: str = "Europe/London") -> dict[str, str]:
    return {"dateTime": text, "timeZone": zone}


def event(key: str | None = "k1", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "subject": "Safety basics",
        "start": when("2027-04-21T10:00:00"),
        "end": when("2027-04-21T12:00:00"),
    }
    if key is not None:
        made["singleValueExtendedProperties"] = [{"id": KEY, "value": key}]
    return {**made, **fields}


def error_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@contextmanager
def running(**switches: Any) -> Iterator[Microsoft]:
    """The simulator with Ana's mailbox, and with these switches."""
    sim = MicrosoftSimulator(MicrosoftSwitches(**switches))
    sim.add_account(ANA)
    with sim.serve(certificates()) as served:
        yield Microsoft(sim, served.url)
