"""The operations listener: where it listens, what it answers, and that it asks nothing of anybody."""

from __future__ import annotations

import logging
import socket

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from reconciler.errors import ConfigurationError
from reconciler.ops import serving
from reconciler.service import Service
from tests.support.house import HouseBed
from tests.support.listener import Listener


def test_the_metrics_are_shown_as_prometheus_asks_for_them(house: HouseBed, listener: Listener) -> None:
    house.once()
    plain = listener.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert 'reconciler_cycles_total{cycle="push",result="success"} 1.0' in plain.text
    assert "_created" not in plain.text
    opened = listener.get("/metrics", "application/openmetrics-text;version=1.0.0").text
    families = {family.name for family in text_string_to_metric_families(opened)}
    assert {"reconciler_cycles", "process_resident_memory_bytes"} <= families


def test_it_listens_until_it_is_closed(house: HouseBed, port: int) -> None:
    house.configure(ops={"listen": f"127.0.0.1:{port}"})
    with serving(house.house):
        assert Listener(port).get("/metrics").status == 200
    with pytest.raises(OSError, match="refused"):
        Listener(port).get("/metrics")


def test_a_port_in_use_is_told_with_the_key_that_names_it(house: HouseBed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house.configure(ops={"listen": f"127.0.0.1:{port}"})
        with pytest.raises(ConfigurationError) as raised, serving(house.house):
            pass
    assert raised.value.problems == (
        f"ops.listen: cannot listen on 127.0.0.1 port {port}: Address already in use",
    )


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_listener_that_others_can_reach_is_warned_about(
    house: HouseBed, port: int, host: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    house.configure(ops={"listen": f"{host}:{port}"})
    with caplog.at_level(logging.WARNING, "reconciler.ops"), serving(house.house):
        pass
    assert ("can be reached from other machines" in caplog.text) is warned


def test_what_is_shown_is_kept_by_nobody_and_framed_nowhere(listener: Listener) -> None:
    for path in ("/metrics", "/alive", "/ready", "/nothing"):
        headers = listener.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_pages_for_learners_are_not_among_it(listener: Listener) -> None:
    assert [listener.get(path).status for path in ("/launch", "/me", "/static/style.css")] == [404] * 3


def test_metrics_can_be_read_before_any_cycle_has_begun(house: HouseBed, port: int) -> None:
    house.configure(ops={"listen": f"127.0.0.1:{port}"})
    with serving(house.house) as desk:
        Service(house.config, house.house, desk, None).schedule()
        shown = Listener(port).get("/metrics")
    assert shown.status == 200
    assert 'reconciler_cycle_idle_seconds{cycle="push"}' in shown.text
