"""`check-config --online` asks the vendors for what they publish of their sign-in, and names who is away."""

from __future__ import annotations

from reconciler.simulators.wire import Fault
from tests.support.house import HouseBed
from tests.support.ports import free_port


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


def test_a_redis_for_the_quotas_that_is_away_is_named(house: HouseBed) -> None:
    house.configure(dispatch={"quotas": f"redis://127.0.0.1:{free_port()}/0"})
    refused = house.cli("check-config", "--online")
    assert refused.exit_code == 78
    assert refused.stderr.startswith("dispatch.quotas: Redis cannot be used: ")
