"""What a benchmark finds: counts and ratios, each under a key of its own."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One finding. ``aim`` is what it should be; empty where it is only told."""

    key: str
    value: float
    what: str
    aim: str = ""

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return f"{self.value:,.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Measurement:
    """What one benchmark has found, and how it measures."""

    method: str
    figures: Sequence[Figure]

    @staticmethod
    def read(file: Path) -> Measurement:
        """What :func:`kept` has written."""
        found = json.loads(file.read_text("utf-8"))
        return Measurement(found["method"], [Figure(**one) for one in found["figures"]])


def kept(one: Measurement, file: Path) -> None:
    """Write it down, for when only others are measured again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(one), indent=1) + "\n", "utf-8")


@dataclass(frozen=True)
class Scale:
    """How much is measured. ``seats`` are the sizes of the LMS, rising, ``server_seats`` that of one on a
    server, 0 for none; ``people`` are connected at each vendor; ``runs`` are the repetitions of what is
    paired, of which the median counts; for ``busy_seconds`` a vendor's quota is used up."""

    name: str
    seats: tuple[int, ...]
    server_seats: int
    people: int
    runs: int
    busy_seconds: int


FULL = Scale(
    "full",
    seats=(1_000, 10_000, 100_000, 1_000_000),
    server_seats=100_000,
    people=100,
    runs=5,
    busy_seconds=60,
)
QUICK = Scale("quick", seats=(1_000, 10_000, 100_000), server_seats=0, people=15, runs=1, busy_seconds=6)


def median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of first to second, over runs that were made in pairs."""
    return statistics.median(ours / bare for ours, bare in pairs)


def short(count: int) -> str:
    """A size as part of a key: 10k, 1m."""
    return f"{count // 1_000_000}m" if count >= 1_000_000 else f"{count // 1_000}k"


def show(figures: Sequence[Figure]) -> None:
    """Print them as a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("aim")
    table.add_column("what it is")
    for figure in figures:
        table.add_row(figure.key, figure.shown, figure.aim, figure.what)
    Console(width=140).print(table)


def keep(figures: Sequence[Figure], scale: Scale, file: Path) -> None:
    """Write them as JSON: the figures by key, then how they were measured."""
    file.parent.mkdir(parents=True, exist_ok=True)
    found = {figure.key: round(figure.value, 3) for figure in figures}
    file.write_text(json.dumps({**found, "scale": asdict(scale)}, indent=1) + "\n", "utf-8")


def page(measured: Sequence[Measurement]) -> str:
    """The page that tells how it is measured and what was found."""
    figures = [figure for one in measured for figure in one.figures]
    rows = [f"| {one.key} | {one.shown} | {one.aim} | {one.what} |" for one in figures]
    table = "\n".join(["| figure | value | aim | what it is |", "| --- | ---: | --- | --- |", *rows])
    methods = [one.method for one in measured]
    return "\n\n".join([_INTRODUCTION, *methods, "## The figures", table]) + "\n"


_INTRODUCTION = """\
# What it costs

Written by `make bench`, which measures everything below and puts the figures into `build/bench.json` as well;
`make bench-quick` measures a tenth of it. Everything is a count, or a ratio of
two things measured side by side in the same run, because seconds mean nothing on another machine. Whatever
is measured runs in a process of its own, and what is compared takes turns; the median counts."""
