"""Each panel of the dashboard is answered by a real Prometheus that holds a faulty hour."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.monitoring.dashboard import Curve, Panel, filled, panels
from tests.monitoring.faulty_hour import BEGINS, LASTS, faulty_hour
from tests.monitoring.remembering import remembering
from tests.support.prometheus import Prometheus, program

ROOT = Path(__file__).parents[2]
ASKING = [panel for panel in panels() if panel.type != "row"]
EXPRESSIONS = [(panel.title, expression) for panel in ASKING for expression, _ in panel.targets]
ENDS = BEGINS + LASTS


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory, ledger_file: Path) -> Iterator[Prometheus]:
    """A Prometheus that holds the hour."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("hour")
    shutil.copy(ledger_file, folder / "state.db")
    with faulty_hour(folder, f"sqlite:///{folder}/state.db", quiet=timedelta(hours=1)) as hour:
        readings = hour.samples
    with remembering(tmp_path_factory.mktemp("prometheus"), readings) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def answers(remembered: Prometheus) -> Mapping[str, Sequence[Curve]]:
    """What each panel shows of that hour."""
    return {panel.title: panel.answered(remembered, BEGINS, ENDS) for panel in ASKING}


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_prometheus_answers_each_expression_after_a_faulty_hour(
    remembered: Prometheus, title: str, expression: str
) -> None:
    found = remembered.query(filled(expression), time=f"{ENDS.timestamp():.0f}")
    assert found, title


def test_no_panel_is_empty(answers: Mapping[str, Sequence[Curve]]) -> None:
    assert [title for title, curves in answers.items() if not any(curve.points for curve in curves)] == []


def test_the_numbers_tell_what_went_wrong(answers: Mapping[str, Sequence[Curve]]) -> None:
    def last(title: str, name: str) -> float:
        (curve,) = [one for one in answers[title] if one.name == name]
        return curve.points[-1][1]

    def highest(title: str, name: str) -> float:
        return max(value for one in answers[title] if one.name == name for _, value in one.points)

    assert last("Held by guards", "vanished-sessions") == 4
    assert 0.5 < last("Events in place", "in place") < 0.9  # what is held is still there, and should not be
    assert last("Changes in time, 30 days", "in time") < 0.995
    assert highest("Late changes, against the promise", "1 h") > 0.072
    assert highest("Calls by outcome", "microsoft server_error") > 0
    assert highest("The vendor asks for a pause", "google project") > 200
    assert highest("Since each cycle last ended well", "push") > 480
    assert highest("Since each cycle last ended well", "push") < 600
    assert last("Connected calendars", "reauthorize") == 2
    assert last("Events that are not simply in place", "google failing") == 1
    consents = [round(last("Consents", name)) for name in ("begun", "connected", "declined")]
    assert consents == [2, 1, 1]


def test_every_panel_says_what_good_looks_like_and_speaks_of_metrics_that_there_are() -> None:
    assert len(ASKING) > 15
    assert [panel.title for panel in ASKING if not panel.good.startswith("Good: ")] == []
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    known = set(re.findall(r"^\| (reconciler_\w+) \|", page, re.MULTILINE))
    named = {word for _, one in EXPRESSIONS for word in re.findall(r"\breconciler_\w+", one)}
    assert {re.sub(r"_(bucket|count|sum)$", "", word) for word in named} <= known


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.title)
def test_the_picture_in_the_pages_is_of_this_dashboard(panel: Panel) -> None:
    drawn = (ROOT / "docs" / "images" / "dashboard.svg").read_text("utf-8")
    assert f">{panel.title.replace(chr(39), '&#x27;')}</text>" in drawn
