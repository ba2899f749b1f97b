"""`check-config --online` asks the vendors for what they publish of their sign-in, and names who is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler

from reconciler.simulators.wire import Fault
from tests.support.caldav_relay import a_radicale
from tests.support.house import HouseBed
from tests.support.ports import free_port


@contextmanager
def a_server_of_pages() -> Iterator[str]:
    """The address of a web server that knows no more than GET."""
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


def test_the_vendors_sign_in_is_looked_at_and_nobody_signs_in(house: HouseBed) -> None:
    checked = house.cli("check-config", "--online")
    assert (checked.exit_code, checked.stderr) == (0, "")
    asked = [(one.method, one.path) for vendor in house.vendors for one in vendor.recorder.seen]
    assert {method for method, _ in asked} == {"GET"}
    assert len(asked) == 3
    house.cli("check-config")
    assert sum(len(vendor.recorder.seen) for vendor in house.vendors) == 3


def test_a_vendor_that_is_away_or_hidden_by_a_proxy_is_named_with_its_section(house: HouseBed) -> None:
    house.google.faults.add(Fault("html"))
    house.microsoft.faults.add(Fault("status", status=503))
    refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    google, microsoft = refused.stderr.splitlines()
    assert google.startswith("providers.google: ")
    assert microsoft.startswith("providers.microsoft: ")
    assert refused.stderr.count("network.proxy") == 2


def test_a_vendor_whose_certificate_is_not_trusted_is_named_too(house: HouseBed) -> None:
    house.configure(network={"ca_file": None})
    refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    assert "providers.google: " in refused.stderr
    assert "SSL" in refused.stderr
    assert "network.ca_file" in refused.stderr


def test_the_caldav_servers_that_are_named_are_asked_without_a_password(house: HouseBed) -> None:
    away = f"http://localhost:{free_port()}"
    with a_radicale(["ana"]) as radicale:
        house.configure(
            providers={"caldav": {"allowed_hosts": [radicale.address, away, "*.example.org"]}},
            accounts={"defaults": {"vendors": ["google", "microsoft", "caldav"]}},
        )
        refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"providers.caldav: {away}: no answer")
    assert "network.proxy" in line


def test_a_server_that_knows_no_caldav_is_named(house: HouseBed) -> None:
    with a_server_of_pages() as address:
        house.configure(
            providers={"caldav": {"allowed_hosts": [address]}},
            accounts={"defaults": {"vendors": ["google", "microsoft", "caldav"]}},
        )
        refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    said = f"providers.caldav: {address}: no CalDAV server: it answered 501 to PROPFIND /.well-known/caldav"
    assert said in refused.stderr


def test_a_redis_for_the_quotas_that_is_away_is_named(house: HouseBed) -> None:
    house.configure(dispatch={"quotas": f"redis://127.0.0.1:{free_port()}/0"})
    refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    assert refused.stderr.startswith("dispatch.quotas: Redis cannot be used: ")
