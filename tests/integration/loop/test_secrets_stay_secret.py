"""No secret shows anywhere but where it is meant to go.

Which secrets there are is read off the wire: every bearer token, refresh token, code, verifier and client
secret that reached a vendor, and the keys and passwords in the files. None of them may stand in a log, a
traceback, an error, a metric, the database, an argument or the environment.
"""

from __future__ import annotations

import logging
import socket
import traceback
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import tenacity

from reconciler.errors import ReconcilerError
from reconciler.simulators.google import CLIENT
from reconciler.simulators.lms import When
from reconciler.simulators.microsoft_directory import DEFAULT_SECRET
from reconciler.simulators.wire import Fault, Simulator
from tests.support.consent import ANA, Consent, at_google, at_microsoft
from tests.support.house import HouseBed

SECRET_FIELDS = ("refresh_token", "client_secret", "code", "code_verifier", "token", "client_assertion")


def over_the_wire(simulator: Simulator) -> Iterator[str]:
    """Every secret that a vendor was sent."""
    for seen in simulator.recorder.seen:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        if "authorization" in headers:
            yield headers["authorization"].removeprefix("Bearer ")
        form = parse_qs(seen.body) if seen.operation in ("token", "revoke") else {}
        for name in SECRET_FIELDS:
            yield from form.get(name, [])


def secrets_of(house: HouseBed) -> set[str]:
    found = {secret for vendor in house.vendors for secret in over_the_wire(vendor)}
    found |= {(house.folder / "token-key").read_text().strip(), CLIENT.secret, DEFAULT_SECRET}
    for connection in house.house.ledger.connections():
        found.update(house.house.tokens.get(connection).values())
    assert len(found) > 6
    return found


def shown_in(text: str, secrets: set[str]) -> list[str]:
    return [secret[:12] for secret in secrets if secret in text]


TROUBLE = [
    Fault("status", "list", status=401),
    Fault("status", "list", status=503),
    Fault("html", "list"),
    Fault("status", "token", status=400, reason="invalid_grant"),
    Fault("status", "token", status=401, reason="invalid_client"),
    Fault("status", "token", status=500),
    Fault("html", "token"),
    Fault("drop", "token", times=2),
    Fault("late_status", "create", status=500),
]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "httplib2", "googleapiclient", "google.auth", "msal"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def test_no_secret_shows_in_logs_tracebacks_metrics_or_the_database_whatever_fails(
    house: HouseBed, everything_logged: pytest.LogCaptureFixture
) -> None:
    soon = datetime(2026, 12, 7, 9)
    for vendor in ("google", "microsoft"):
        session = house.lms.add_session(When(soon, soon + timedelta(hours=1)))
        for number in range(2):
            house.newcomer(f"{vendor}-{number}", vendor, session)
    house.once()
    for fault in TROUBLE:
        for at in house.vendors:
            at.faults.add(fault)
        house.close()
        house.audit()
        for at in house.vendors:
            at.faults.clear()
    _break_credentials(house, "microsoft-1")
    house.audit()
    assert "unforeseen, contained" in everything_logged.text
    assert "Traceback" in everything_logged.text

    metrics, secrets = house.metrics(), secrets_of(house)
    explained = house.explained("google-0") + house.cli("status").output
    exported = house.cli("export", "microsoft-1").output
    house.close()
    files = [file for file in house.folder.iterdir() if file.name.startswith(("state.db", "witness"))]
    stored = "".join(file.read_bytes().decode("latin-1") for file in files)
    for text in (everything_logged.text, metrics, explained, exported, stored):
        assert shown_in(text, secrets) == []
    assert "microsoft-0@microsoft.example" not in everything_logged.text
    assert shown_in((house.folder / "token-key").read_text(), secrets), "the search itself finds nothing"


def _break_credentials(house: HouseBed, person: str) -> None:
    """What is stored is good JSON, sealed by us, and not what anybody expects."""
    connection = house.connection(person)
    stored = house.house.tokens.get(connection)
    house.house.tokens.put(connection, {"another_field": stored["refresh_token"]})
    house.close()


@pytest.mark.parametrize("bed", [at_google, at_microsoft], ids=["google", "microsoft"])
@pytest.mark.parametrize("fault", [None, *TROUBLE])
def test_no_secret_of_a_consent_shows_in_its_errors(
    bed: type[Consent], fault: Fault | None, everything_logged: pytest.LogCaptureFixture
) -> None:
    with bed() as vendor:
        start = vendor.begin()
        answer = vendor.press(start.auth_url)
        everything_logged.clear()  # so far the browser has been at work, and it logs addresses
        if fault is not None:
            vendor.simulator.faults.add(fault)
        told = ""
        for wrong in ({}, {"state": "another"}, {"iss": "https://evil.example"}, {}):
            try:
                vendor.finish(start, {**answer, **wrong})
            except ReconcilerError as problem:
                told += "".join(traceback.format_exception(problem))
        with suppress(ReconcilerError):
            vendor.flow.revoke({"refresh_token": "a-refresh-token"})
        secrets = {*over_the_wire(vendor.simulator), answer["code"], *start.secrets.values()}
        assert told
        assert shown_in(told + everything_logged.text, secrets - {"state-1"}) == []
        assert ANA not in told


# The program as its users start it ----------------------------------------------------------------


def test_no_secret_shows_in_the_process_list_the_environment_or_on_standard_error(house: HouseBed) -> None:
    soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=10)
    session = house.lms.add_session(When(soon, soon + timedelta(hours=1)))
    for vendor in ("google", "microsoft"):
        house.newcomer(f"{vendor}-0", vendor, session)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    house.configure(ops={"listen": f"127.0.0.1:{port}"}, intervals={"push": "1s", "confirm": "1s"})
    for at in house.vendors:
        at.faults.add(Fault("status", "create", status=503), Fault("status", "token", status=500))
    process = house.start("--verbose", "run")
    try:
        metrics = _until_a_cycle_has_ended(port)
        place = Path(f"/proc/{process.pid}")
        seen = (place / "cmdline").read_text() + (place / "environ").read_text()
    finally:
        process.terminate()
        output, errors = process.communicate(timeout=60)
    secrets = secrets_of(house)
    assert "push:" in errors
    for text in (metrics, seen, output, errors):
        assert shown_in(text, secrets) == []


@tenacity.retry(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.2), reraise=True)
def _until_a_cycle_has_ended(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    assert 'reconciler_cycles_total{cycle="push",result="error"} 0.0' in text
    assert 'reconciler_provider_requests_total{operation="create"' in text
    finished = [line for line in text.splitlines() if line.startswith('reconciler_cycles_total{cycle="push"')]
    assert sum(float(line.rpartition(" ")[2]) for line in finished) > 0
    return text
