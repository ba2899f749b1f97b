"""A Prometheus that remembers an hour as if it had scraped it: its samples, and what its rules record."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from tests.monitoring.faulty_hour import Sample
from tests.support.prometheus import Prometheus, at_work, program

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "reconciler.rules.yml"
TARGET = {"job": "reconciler", "instance": "127.0.0.1:9464"}
"""The labels that Prometheus adds, as deploy/prometheus/prometheus.yml has it."""


def exposition(readings: Iterable[tuple[datetime, Sequence[Sample]]]) -> Iterator[str]:
    """What promtool takes: each sample with its instant."""
    for at, samples in readings:
        for name, labels, value in samples:
            shown = ",".join(f'{label}="{text}"' for label, text in {**labels, **TARGET}.items())
            yield f"{name}{{{shown}}} {value} {at.timestamp():.3f}\n"
    yield "# EOF\n"


@contextmanager
def remembering(folder: Path, readings: Sequence[tuple[datetime, Sequence[Sample]]]) -> Iterator[Prometheus]:
    """Prometheus at work with these in its data folder, and the series that the delivered rules record."""
    data = folder / "data"
    written = folder / "samples"
    with written.open("w") as lines:
        lines.writelines(exposition(readings))
    _promtool("create-blocks-from", "openmetrics", written, data)
    first, last = readings[0][0], readings[-1][0] + timedelta(seconds=1)
    with at_work(folder, "") as prometheus:
        span = [f"--start={first.timestamp():.0f}", f"--end={last.timestamp():.0f}", "--eval-interval=15s"]
        where = [f"--url=http://127.0.0.1:{prometheus.port}", f"--output-dir={data}"]
        _promtool("create-blocks-from", "rules", *span, *where, RULES)
    with at_work(folder, "") as prometheus:
        yield prometheus


def _promtool(*arguments: str | Path) -> None:
    ended = subprocess.run(
        [program("promtool"), "tsdb", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
