"""The long runs, made by hand, and what is kept of them: ``reports/*.json``, one file for each kind."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from tests.harness.boundaries import How
from tests.harness.boundary_runs import HOWS, boundaries_of, run
from tests.harness.histories import LENGTH, Outcome, history, play, shortened
from tests.harness.kills import kill
from tests.harness.lost_replies import lose_replies
from tests.harness.scenarios import ALL, CALDAV, Scenario
from tests.harness.site import Templates
from tests.harness.soak import YEAR, soak

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
SHOWN = 10
MOST_GROWTH = 1.05
DOZEN = 12
EARLY = "ended early"
PARTS = ("seed", "run")
"""What a long run is made in parts by."""
Job, Result = TypeVar("Job"), TypeVar("Result")


class Killed(NamedTuple):
    """What came of the kills in one house."""

    counts: Counter[str]
    wrongs: list[str]


@dataclass
class Report:
    """What one kind of run found. ``wrongs`` is what should be empty."""

    name: str
    parameters: dict[str, Any]
    counts: dict[str, float] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def found(self, *wrongs: str) -> None:
        """Something is wrong; told at once, since what is still to come may take hours."""
        self.wrongs += wrongs
        for wrong in wrongs:
            print(f"\n{self.name}: {wrong}", file=sys.stderr)

    def write(self, folder: Path = REPORTS) -> None:
        """Keep it, with the date and the commit it was made on. Where its seeds go on where those of the
        report that is there ended, it is added to that one: a long run may be made in parts."""
        folder.mkdir(exist_ok=True)
        file = folder / f"{self.name}.json"
        part = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "commit": commit(),
            "seconds": round(time.monotonic() - self.begun),
            "parameters": self.parameters,
            "counts": self.counts,
            "wrongs": self.wrongs[:SHOWN],
        }
        before = json.loads(file.read_text("utf-8"))["parts"] if file.exists() else []
        parts = [*before, part] if before and _goes_on(before[-1], part) else [part]
        text = json.dumps({"name": self.name, "parts": parts}, indent=2, ensure_ascii=False)
        file.write_text(text + "\n", "utf-8")

    def end(self) -> int:
        """Say it, keep it; the exit code."""
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        print(f"{self.name}: {counts}; {len(self.wrongs)} wrong")
        for wrong in self.wrongs[:SHOWN]:
            print(f"  {wrong}")
        self.write()
        return 1 if self.wrongs else 0


def _goes_on(before: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether a run begins after the last seed, or the last boundary, of another and is otherwise like it."""
    old, new = before["parameters"], part["parameters"]
    alike = all(old.get(name) == new.get(name) for name in ("steps", "stride"))
    return alike and any(f"first {of}" in new and new[f"first {of}"] == old[f"last {of}"] + 1 for of in PARTS)


def commit() -> str:
    """The commit this was made on; with a plus where files differ from it."""

    def said(*arguments: str) -> str:
        command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = said("status", "--porcelain", "--untracked-files=no", "--", "reconciler", "tests")
    return said("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")


@contextmanager
def templates() -> Iterator[Templates]:
    """Files to begin with; in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Templates(Path(folder))


def at_once(
    work: Callable[[Job], Result], jobs: Sequence[Job], report: Report, chunk: int = 4
) -> Iterator[Result]:
    """The work on all jobs, by as many processes as ``JOBS`` in the environment says, or processors there
    are; in their order. Ctrl-C ends it early: what was found until then stands, and the report says so."""
    processes = int(os.environ.get("JOBS", "0")) or os.cpu_count()
    with Pool(processes, initializer=_begin_work) as pool, _until_interrupted() as interrupted:
        results = pool.imap(work, jobs, chunksize=chunk)
        with click.progressbar(results, len(jobs), report.name, file=sys.stderr) as shown:
            for result in shown:
                yield result
                if interrupted.is_set():
                    report.parameters[EARLY] = "yes"
                    return


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C, wherever it strikes; the second one ends everything."""
    interrupted, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def strike(number: int, frame: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, strike)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def quiet() -> None:
    """Nothing of what the program logs is of interest here."""
    logging.disable(logging.CRITICAL)


def _begin_work() -> None:
    quiet()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for whoever started the run to end it


# Boundaries -------------------------------------------------------------------------------------------


def _named(kind: str, vendor: str) -> str:
    return f"{kind}-{vendor}" if vendor else kind


def boundaries(stride: int, first: int = 0, vendor: str = "") -> Report:
    """Every scenario with each thing that may happen at each boundary (each ``stride``-th), and once more
    with a second crash in the recovery from the first; from the ``first`` of these runs on."""
    scenarios = _scenarios(vendor)
    report = Report(_named("boundaries", vendor), {"stride": stride, "first run": first, "last run": first})
    with templates() as files:
        jobs = list(_jobs(files, scenarios, stride))
        report.parameters |= {"scenarios": len(scenarios), "of runs": len(jobs)}
        report.counts = {"runs": 0}
        for number, wrongs in enumerate(at_once(partial(_run, files, vendor), jobs[first:], report), first):
            report.parameters["last run"] = number
            report.counts["runs"] += 1
            report.found(*wrongs)
    return report


def _scenarios(vendor: str) -> Sequence[Scenario]:
    return CALDAV if vendor else ALL


def _jobs(
    files: Templates, scenarios: Sequence[Scenario], stride: int
) -> Iterator[tuple[int, int, How, int | None]]:
    for number, scenario in enumerate(scenarios):
        crossed = len(boundaries_of(files, scenario))
        for offset, how in enumerate(HOWS):
            for at in range((number + offset) % stride, crossed, stride):
                yield number, at, how, None
        for at in range(number % stride, crossed, stride):
            yield number, at, How.CRASH_AFTER, (7 * at + number) % 23


def _run(files: Templates, vendor: str, job: tuple[int, int, How, int | None]) -> list[str]:
    number, at, how, recovery = job
    scenario = _scenarios(vendor)[number]
    where = f"{scenario.name}, boundary {at}, {how}" + (
        f", again after {recovery}" if recovery is not None else ""
    )
    return [f"{where}: {wrong}" for wrong in run(files, scenario, at, how, recovery)]


# Histories --------------------------------------------------------------------------------------------


def histories(count: int, first: int, vendor: str = "", length: int = LENGTH) -> Report:
    """So many random histories, the seeds counted from ``first``; those that go wrong are made short."""
    name = _named("histories", vendor)
    report = Report(name, {"first seed": first, "last seed": first, "steps": length})
    report.counts = dict.fromkeys(("histories", "deletions by owners", "un-registrations"), 0)
    with templates() as files:
        seeds = range(first, first + count)
        for seed, outcome in at_once(partial(_play, files, length, vendor), seeds, report):
            report.counts["histories"] += 1
            report.parameters["last seed"] = seed
            report.counts["deletions by owners"] += outcome.deletions
            report.counts["un-registrations"] += outcome.unregistered
            if outcome.wrongs:
                told = history(seed, length, vendor)
                short = shortened(files, told) if len(report.wrongs) < SHOWN else told
                report.found(f"{short}: {outcome.wrongs[0]}")
    return report


def _play(files: Templates, length: int, vendor: str, seed: int) -> tuple[int, Outcome]:
    return seed, play(files, history(seed, length, vendor))


# Lost replies, kills, years ---------------------------------------------------------------------------


def lost_replies(count: int, only: str = "") -> Report:
    """So many lost replies at each vendor, or at one alone, at least."""
    report = Report(_named("lost-replies", only), {"at each vendor": count})
    with templates() as files:
        for vendor in (only,) if only else ("google", "microsoft"):
            lost: Counter[str] = Counter()
            seed = 0
            while sum(lost.values()) < count and EARLY not in report.parameters:
                seeds = range(seed, seed + 8)
                seed += 8
                for kinds, wrongs in at_once(partial(lose_replies, files, vendor), seeds, report):
                    lost += kinds
                    report.found(*wrongs)
            report.parameters[f"seeds, {vendor}"] = f"0 to {seed - 1}"
            report.counts |= {f"{vendor}: {kind}": lost[kind] for kind in sorted(lost)}
    return report


def kills(count: int, first: int, vendor: str = "") -> Report:
    """So many kills, a dozen in each house."""
    houses = [
        (first + number, min(DOZEN, count - start)) for number, start in enumerate(range(0, count, DOZEN))
    ]
    report = Report(_named("kills", vendor), {"first seed": first, "last seed": first})
    total = Counter[str]()
    for seed, made in at_once(partial(_killed, vendor), houses, report, 1):
        report.parameters["last seed"] = seed
        total += made.counts
        report.found(*(f"seed {seed}: {wrong}" for wrong in made.wrongs))
    report.counts = dict(sorted(total.items()))
    return report


def _killed(vendor: str, job: tuple[int, int]) -> tuple[int, Killed]:
    seed, count = job
    with templates() as files:
        folder = files.state.parent
        shutil.copy(files.state, folder / "state.db")
        made = kill(folder, count, seed, vendor)
    return seed, Killed(made.counts, made.wrongs)


def years(count: int) -> Report:
    """So many simulated years, in one process."""
    report = Report("soak", {"years": count, "seed": 0})
    with templates() as files:
        made = soak(files, count * YEAR)
    report.wrongs = list(made.wrongs)
    report.counts = {
        "days": count * YEAR,
        "un-registrations": made.unregistered,
        "state file, last year beside the one before": made.file_ratio,
        "memory, last year beside the one before": made.memory_ratio,
    }
    for what in ("state file", "memory"):
        if report.counts[f"{what}, last year beside the one before"] > MOST_GROWTH:
            report.wrongs.append(f"the {what} grows")
    return report
