"""A real Prometheus scrapes the daemon as its user starts it, and goes by the rules that are delivered."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError

import pytest
import yaml

from reconciler.simulators.lms import When
from tests.support.house import HouseBed
from tests.support.prometheus import PATIENCE, Prometheus, at_work, program

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
PANELS = json.loads((FOLDER.parent / "grafana" / "reconciler.json").read_text())["panels"]
DASHBOARD = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
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


def is_answered(prometheus: Prometheus, expression: str) -> bool:
    """Whether Prometheus understands a panel's expression, with Grafana's variable filled in."""
    try:
        prometheus.query(expression.replace("$__rate_interval", "1m"))
    except HTTPError:
        return False
    return True


def test_every_panel_says_what_good_looks_like_and_speaks_of_metrics_that_there_are() -> None:
    asking = [panel for panel in PANELS if panel["type"] != "row"]
    assert len(asking) > 15
    assert [panel["title"] for panel in asking if not panel["description"].startswith("Good: ")] == []
    page = (FOLDER.parents[1] / "docs" / "metrics.md").read_text()
    known = set(re.findall(r"^\| (reconciler_\w+) \|", page, re.MULTILINE))
    named = {word for one in DASHBOARD for word in re.findall(r"\breconciler_\w+", one)}
    assert {re.sub(r"_(bucket|count|sum)$", "", word) for word in named} <= known


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
            assert [wrong for wrong in DASHBOARD if not is_answered(prometheus, wrong)] == []
            assert "ReconcilerDown" not in alerts(prometheus)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            prometheus.until(lambda one: alerts(one).get("ReconcilerDown") == "pending")
    finally:
        process.kill()
        process.communicate()
