"""What fails as one: a vendor's cloud, or one of the servers that its name stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import Service
from reconciler.world import Weather
from tests.support.builders import a_connection

HERE, THERE = (Service("caldav", f"https://{name}.example:8443") for name in ("here", "there"))


@pytest.mark.parametrize(
    ("provider", "subject", "service"),
    [
        ("google", "1047", Service("google")),
        ("microsoft", "tenant.person", Service("microsoft")),
        ("caldav", "https://here.example:8443/principals/ana/", HERE),
        ("caldav", "http://[::1]:5232/ana/", Service("caldav", "http://[::1]:5232")),
    ],
)
def test_an_account_whose_subject_is_an_address_is_at_that_server(
    provider: str, subject: str, service: Service
) -> None:
    assert replace(a_connection(), provider=provider, subject=subject).service == service


def test_a_server_is_told_with_its_vendor_and_is_among_its_servers() -> None:
    assert [str(one) for one in HERE.circles] == ["caldav https://here.example:8443", "caldav"]
    assert [str(one) for one in Service("google").circles] == ["google"]


def test_a_server_that_is_away_stops_no_other_for_the_rest_of_a_cycle() -> None:
    weather = Weather()
    for _ in range(3):
        weather.failure(HERE)
    assert weather.down(HERE)
    assert not weather.down(THERE)
