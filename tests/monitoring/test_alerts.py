"""The alerts fire when they should and stay quiet when they should, and each has its page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "reconciler.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS = sorted(FOLDER.glob("*.test.yml"))
HEADINGS = ["What it means", "What people notice", "What to look at", "What to do", "How to undo it"]
OTHERS = {"up"}
"""Prometheus' own."""
each_alert = pytest.mark.parametrize("alert", ALERTS)


def promtool(*arguments: str) -> None:
    ended = subprocess.run(
        [program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_rules_and_the_sample_that_names_them_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "reconciler.rules.yml")


@pytest.mark.parametrize("stories", TESTS, ids=lambda path: path.name)
def test_each_alert_fires_when_it_should_and_stays_quiet_when_it_should(stories: Path) -> None:
    promtool("test", "rules", stories.name)


@each_alert
def test_it_is_tested_both_firing_and_quiet(alert: str) -> None:
    """Whatever is expected at a time is the set of all that fire: there, all others are quiet."""
    looks = [
        str(look["exp_samples"])
        for file in TESTS
        for story in yaml.safe_load(file.read_text())["tests"]
        if any(alert in str(look["exp_samples"]) for look in story["promql_expr_test"])
        for look in story["promql_expr_test"]
    ]
    assert any(alert in fires for fires in looks)
    assert any(alert not in fires for fires in looks)


@each_alert
def test_it_has_a_page_that_answers_five_questions(alert: str) -> None:
    named = ALERTS[alert]["annotations"]["runbook_url"]
    assert named == f"docs/runbooks/{alert}.md"
    text = (ROOT / named).read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    severity = {"page": "Page", "ticket": "Ticket"}[ALERTS[alert]["labels"]["severity"]]
    assert f"*{severity}: " in text
    assert f"# {alert}\n" in text


def test_each_page_has_its_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


def test_the_rules_speak_only_of_metrics_that_there_are() -> None:
    known = set(re.findall(r"^\| (reconciler_\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    words = {word for rule in RULES for word in re.findall(r"\b(?:reconciler_\w+|up)\b", rule["expr"])}
    assert {re.sub(r"_(bucket|count|sum)$", "", word) for word in words} - OTHERS <= known
