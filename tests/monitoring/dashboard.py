"""The dashboard that is delivered, and what Prometheus answers to each of its panels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.prometheus import Prometheus

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "reconciler.json"
STEP = 30
"""Seconds between two points of a curve."""
_VARIABLES = {"$__rate_interval": "1m"}
"""What Grafana puts in, with a scrape every 15 s."""


@dataclass(frozen=True)
class Curve:
    """One series: its name in the legend, and its values by seconds since 1970."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One panel of the dashboard. Its place counts from the top left, in Grafana's 24 columns."""

    title: str
    type: str
    unit: str
    good: str
    x: int
    y: int
    width: int
    height: int
    targets: Sequence[tuple[str, str]]

    @property
    def expressions(self) -> list[str]:
        """What is asked, with Grafana's variables filled in."""
        return [filled(expression) for expression, _ in self.targets]

    def answered(self, prometheus: Prometheus, begins: datetime, ends: datetime) -> list[Curve]:
        """What Prometheus says: the end of a span where the panel shows one number, else the span."""
        single = self.type == "stat"
        first = ends if single else begins
        span = {
            "start": f"{first.timestamp():.0f}",
            "end": f"{ends.timestamp():.0f}",
            "step": str(STEP),
        }
        curves: list[Curve] = []
        for (_, legend), expression in zip(self.targets, self.expressions, strict=True):
            found = prometheus.get("/api/v1/query_range", query=expression, **span)["result"]
            curves += [Curve(_named(legend, series["metric"]), _points(series["values"])) for series in found]
        return curves


def panels() -> list[Panel]:
    """Every panel, rows too."""
    return [_panel(one) for one in json.loads(FILE.read_text("utf-8"))["panels"]]


def filled(expression: str) -> str:
    """The expression with Grafana's variables filled in."""
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def _panel(given: Mapping[str, Any]) -> Panel:
    place = given["gridPos"]
    return Panel(
        title=given["title"],
        type=given["type"],
        unit=given.get("fieldConfig", {}).get("defaults", {}).get("unit", ""),
        good=given.get("description", ""),
        x=place["x"],
        y=place["y"],
        width=place["w"],
        height=place["h"],
        targets=[(one["expr"], one["legendFormat"]) for one in given.get("targets", ())],
    )


def _named(legend: str, labels: Mapping[str, str]) -> str:
    for label, text in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", text)
    return legend


def _points(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """Without those that are no number, such as the mean of nothing."""
    found = [(float(at), float(value)) for at, value in values]
    return [(at, value) for at, value in found if value == value]
