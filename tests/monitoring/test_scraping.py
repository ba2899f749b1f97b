"""A real Prometheus scrapes the daemon as its user starts it, and goes by the rules that are delivered."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from reconciler.simulators.lms import When
from tests.support.house import HouseBed
from tests.support.prometheus import PATIENCE, Prometheus, at_work, program

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))


@pytest.fixture
def acme(house: HouseBed, port: int) -> HouseBed:
    """Ana and Ben, each with an event to get; every cycle begins each second."""
    house.clock.now = datetime.now(UTC)
    session = house.lms.add_session(IN_SPRING, title="Safety")
    house.newcomer("ana", "google", session)
    house.newcomer("ben", "microsoft", session)
    house.configure(ops={"listen": f"127.0.0.1:{port}"}, intervals={"push": "1s", "confirm": "1s"})
    return house


def delivered(port: int) -> str:
    """The sample as it is delivered, looking each second, at this port."""
    sample = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    sample["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    sample["rule_files"] = [str(FOLDER / name) for name in sample["rule_files"]]
    assert sample["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:9464"]}]
    sample["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    return yaml.safe_dump(sample)


def alerts(prometheus: Prometheus) -> dict[str, str]:
    """Those that fire or are about to."""
    found = prometheus.get("/api/v1/alerts")["alerts"]
    return {one["labels"]["alertname"]: one["state"] for one in found}


def test_prometheus_scrapes_the_daemon_evaluates_each_rule_and_notices_its_end(
    acme: HouseBed, port: int, tmp_path: Path
) -> None:
    program("prometheus")
    process = acme.start("run")
    try:
        with at_work(tmp_path, delivered(port)) as prometheus:
            prometheus.until(lambda one: one.query('reconciler_events{state="live"} == 1'))
            acme.lms.change("session-1", title="Safety for all")
            prometheus.until(lambda one: len(one.query("reconciler:late:ratio_rate5m >= 0")) == 1)
            groups = prometheus.get("/api/v1/rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert len(rules) > 15
            assert {rule["health"] for rule in rules} == {"ok"}, [
                rule["lastError"] for rule in rules if "lastError" in rule
            ]
            assert "ReconcilerDown" not in alerts(prometheus)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            prometheus.until(lambda one: alerts(one).get("ReconcilerDown") == "pending")
    finally:
        process.kill()
        process.communicate()
