"""The Microsoft provider, whole, against the simulated vendor over HTTPS.

::

    with a_microsoft(soft_deleted_answers_get=True) as bed:
        written = bed.calendar.create(a_draft())
        bed.owner.delete(written.event_id)
        assert bed.calendar.get(written.event_id, written.calendar_id) is None

On leaving, every request sent is held against Microsoft's own description of the API, and no listing may
have shown an event that is not ours.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.errors import ReauthorizationNeeded
from reconciler.model import Connection
from reconciler.ports import TokenStore
from reconciler.providers.microsoft.client import AT_ONCE, PERSON_QUOTAS, PROJECT_QUOTAS, Graph
from reconciler.providers.microsoft.oauth import REFRESH_TOKEN, AccessTokens, Entra
from reconciler.providers.microsoft.provider import (
    MicrosoftCalendar,
    MicrosoftProvider,
)
from reconciler.providers.microsoft.transport import Transport
from reconciler.providers.throttle import AtOnce, Observer, Throttle
from reconciler.simulators.certificates import Certificates, make_certificates
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET
from reconciler.simulators.microsoft_owner import Owner
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.wire import Fault
from tests.support.builders import INSTALLATION, a_connection
from tests.support.graph_openapi import objections

ANA = "ana@contoso.example"


class HeldTokens:
    """A token store that remembers what was put, in order."""

    def __init__(self) -> None:
        self.put_so_far: list[str] = []
        self._held: dict[int, Mapping[str, str]] = {}

    def get(self, connection: Connection) -> Mapping[str, str]:
        if connection.id not in self._held:
            raise ReauthorizationNeeded("no credentials", whose=f"connection {connection.id}")
        return self._held[connection.id]

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        self._held[connection.id] = dict(credentials)
        self.put_so_far.append(credentials[REFRESH_TOKEN])

    def remove(self, connection: Connection) -> None:
        self._held.pop(connection.id, None)


@dataclass
class MicrosoftBed:
    """One person's mailbox and all that lies between it and the port."""

    simulator: MicrosoftSimulator
    url: str
    entra: Entra
    graph: Graph
    store: HeldTokens
    connection: Connection
    slept: list[float] = field(default_factory=list)

    @property
    def provider(self) -> MicrosoftProvider:
        return MicrosoftProvider(self.graph, INSTALLATION)

    @property
    def calendar(self) -> MicrosoftCalendar:
        return self.provider.open(self.connection)

    @property
    def owner(self) -> Owner:
        return self.simulator.owner(ANA)

    def keep_tokens_in(self, store: TokenStore) -> None:
        """From now on, with no token in memory yet."""
        self.graph = replace(self.graph, tokens=AccessTokens(self.entra, store))

    def fault(self, kind: Any, operation: str = "*", **more: Any) -> None:
        self.simulator.faults.add(Fault(kind, operation, **more))

    def sent(self, operation: str | None = None) -> int:
        return self.simulator.recorder.count(operation)


@contextmanager
def a_microsoft(
    *,
    consumer: bool = False,
    transport: Mapping[str, Any] | None = None,
    observer: Observer | None = None,
    **switches: Any,
) -> Iterator[MicrosoftBed]:
    """A simulated vendor with these switches, and Ana, connected to it. Nobody really sleeps."""
    simulator = MicrosoftSimulator(MicrosoftSwitches(**switches))
    account = simulator.add_account(ANA, consumer=consumer)
    with simulator.serve(certificates()) as served:
        store, slept = HeldTokens(), []
        connection = a_connection(
            provider="microsoft",
            subject=f"{account.tenant}:{account.oid}",
            calendar_id=simulator.mailbox(ANA).default.id,
        )
        store.put(connection, {REFRESH_TOKEN: simulator.issue_refresh_token(ANA)})
        wire = Transport(ca_file=str(certificates().ca_file), **(transport or {}))
        entra = Entra(DEFAULT_CLIENT_ID, DEFAULT_SECRET, wire, login_url=served.url, observer=observer)
        graph = Graph(
            transport=wire,
            tokens=AccessTokens(entra, store),
            throttle=Throttle(
                "microsoft", PROJECT_QUOTAS, PERSON_QUOTAS, sleep=slept.append, observer=observer
            ),
            at_once=AtOnce(AT_ONCE),
            url=f"{served.url}/v1.0",
        )
        yield MicrosoftBed(simulator, served.url, entra, graph, store, connection, slept)
    assert objections(simulator.recorder.seen) == []
    assert simulator.foreign_events_shown() == []
    assert simulator.mails_sent() == []


@cache
def certificates() -> Certificates:
    """One authority for all tests."""
    folder = tempfile.TemporaryDirectory()
    _FOLDERS.append(folder)
    return make_certificates(Path(folder.name))


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
