"""A simulated Google with Ana's account, and our provider in front of it over real HTTP."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from reconciler.errors import ReauthorizationNeeded, ReconcilerError
from reconciler.model import ActualEvent, Connection, ConnectionState, Draft
from reconciler.providers.google.client import PERSON_QUOTA, PROJECT_QUOTA, Client
from reconciler.providers.google.oauth import AccessTokens
from reconciler.providers.google.provider import GoogleCalendar, GoogleProvider
from reconciler.providers.google.transport import Transport
from reconciler.providers.throttle import Quota, Throttle
from reconciler.simulators.certificates import Certificates
from reconciler.simulators.google import CLIENT, GoogleSimulator
from reconciler.simulators.wire import Fault
from tests.support.builders import INSTALLATION, NOW, a_desired_event, a_draft, a_registration, a_session

ANA = "ana@example.org"
BEN = "ben@example.org"
_SCOPE = "https://www.googleapis.com/auth/"
EVENTS = f"{_SCOPE}calendar.events"
CALENDARS = f"{_SCOPE}calendar.calendarlist.readonly"
FOR_EVER = -1
READS = ["list", "get", "find"]
WRITES = ["create", "update", "delete"]
EVERYTHING = READS + WRITES


class Tokens:
    """Credentials by connection, in memory."""

    def __init__(self) -> None:
        self.stored: dict[int, Mapping[str, str]] = {}

    def get(self, connection: Connection) -> Mapping[str, str]:
        if connection.id not in self.stored:
            raise ReauthorizationNeeded("no credentials", whose=str(connection.id))
        return self.stored[connection.id]

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        self.stored[connection.id] = credentials

    def remove(self, connection: Connection) -> None:
        self.stored.pop(connection.id, None)


class Counting:
    """An observer that counts what it hears."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[str] = Counter()

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        self.outcomes[operation, outcome] += 1

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        self.refusals[scope] += 1

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        """Not counted."""


def impatient(seconds: float) -> None:
    """Sleeps in such small steps that back-off takes no time, while stated pauses are still sat out."""
    time.sleep(min(seconds, 0.01))


class Google:
    """The simulator, and what bootstrap would build to talk to it."""

    def __init__(
        self,
        sim: GoogleSimulator,
        url: str,
        *,
        project: Iterable[Quota] = (PROJECT_QUOTA,),
        person: Iterable[Quota] = (PERSON_QUOTA,),
        patience: float = 90.0,
        client_secret: str = CLIENT.secret,
        **transport: Any,
    ) -> None:
        self.sim = sim
        self.url = url
        self.store = Tokens()
        self.observer = Counting()
        self.transport = Transport(**{"timeout": 5.0, **transport})
        self.tokens = AccessTokens(
            self.store,
            self.transport,
            client_id=CLIENT.id,
            client_secret=client_secret,
            token_uri=f"{url}/token",
            observer=self.observer,
        )
        self.throttle = Throttle(
            "google",
            list(project),
            list(person),
            observer=self.observer,
            sleep=impatient,
            patience=patience,
        )
        self.client = Client(self.transport, self.tokens, self.throttle, endpoint=f"{url}/calendar/v3/")
        self.provider = GoogleProvider(self.client, INSTALLATION)
        self.ana = self.connect(1, ANA)
        self.calendar = self.provider.open(self.ana)

    def connect(self, number: int, mailbox: str, scopes: Iterable[str] = (EVENTS, CALENDARS)) -> Connection:
        """An account of this address, connected with these scopes."""
        account = self.sim.add_account(mailbox, "Europe/Berlin")
        person = mailbox.partition("@")[0]
        connection = Connection(
            id=number,
            person=person,
            account="academy",
            provider="google",
            subject=account.sub,
            address=mailbox,
            calendar_id=mailbox,
            identity=person,
            state=ConnectionState.CONNECTED,
        )
        self.store.put(connection, {"refresh_token": self.sim.issue_refresh_token(mailbox, list(scopes))})
        return connection

    def open(self, connection: Connection) -> GoogleCalendar:
        return self.provider.open(connection)

    def stored(self, event_id: str, mailbox: str = ANA) -> dict[str, Any]:
        """The event as Google keeps it, deleted or not."""
        return next(one for one in self.sim.owner.dump(mailbox, deleted=True) if one["id"] == event_id)

    def alive(self, mailbox: str = ANA) -> list[dict[str, Any]]:
        return self.sim.owner.dump(mailbox)

    def operations(self) -> list[str]:
        """What has been asked of Google so far, token requests left out."""
        return [seen.operation for seen in self.sim.recorder.seen if seen.operation != "token"]


def a_draft_of(session: str = "s1", title: str = "Safety basics", generation: int = 0, **day: Any) -> Draft:
    """A draft for Ana's first day of a session."""
    changes = {"title": title} | ({"days": [day["day"]]} if day else {})
    return a_draft(a_desired_event(a_registration(a_session(session, **changes))), generation)


def from_ledger(event: ActualEvent, **changes: Any) -> ActualEvent:
    """What the ledger alone knows of an event."""
    return replace(event, raw=None, block=None, **changes)


@contextmanager
def serving(answer: Callable[[Request], Response]) -> Iterator[str]:
    """Something else that listens where Google should; its address."""
    server = make_server("127.0.0.1", 0, Request.application(answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(
    *, certificates: Certificates | None = None, sim: GoogleSimulator | None = None, **given: Any
) -> Iterator[Google]:
    """Google, listening."""
    simulator = sim or GoogleSimulator()
    with simulator.serve(certificates) as served:
        yield Google(simulator, served.url, **given)


class Known:
    """One event that is there, and each thing that can be asked of its calendar."""

    def __init__(self, google: Google) -> None:
        self.google = google
        google.calendar.create(a_draft_of())
        (self.event,) = google.calendar.listing(NOW).events
        google.sim.recorder.clear()

    def list(self) -> object:
        return self.google.calendar.listing(NOW)

    def get(self) -> object:
        return self.google.calendar.get(self.event.event_id, ANA)

    def find(self) -> object:
        return self.google.calendar.find(a_draft_of().marker.token)

    def create(self) -> object:
        return self.google.calendar.create(a_draft_of("s2"))

    def update(self, event: ActualEvent | None = None) -> object:
        return self.google.calendar.update(a_draft_of(title="New"), event or self.event)

    def delete(self) -> object:
        return self.google.calendar.delete(self.event.event_id, ANA, self.event.etag)


def fails(known: Known, operation: str) -> ReconcilerError:
    """How this operation fails; it must."""
    with pytest.raises(ReconcilerError) as caught:
        getattr(known, operation)()
    return caught.value


def refused(status: int = 403, reason: str = "userRateLimitExceeded", **fault: Any) -> Fault:
    """Google's refusal, once unless told otherwise."""
    return Fault("status", status=status, reason=reason, **fault)
