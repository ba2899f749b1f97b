"""What went wrong in a long run, played again on the code as it is now, and kept beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.harness.boundaries import How
from tests.harness.boundary_runs import run
from tests.harness.campaign import REPORTS, commit, templates
from tests.harness.histories import Step, history, play
from tests.harness.scenarios import ALL, CALDAV
from tests.harness.site import Templates

_HISTORY = re.compile(r"seed (\d+)(?: at (\w+))?: ((?:\w+:\d+ ?)*)")
_HOWS = "|".join(re.escape(how.value) for how in How)
_BOUNDARY = re.compile(rf"(.+), boundary (\d+), ({_HOWS})(?:, again after (\d+))?: ")


def again(folder: Path = REPORTS) -> int:
    """Play again, say it, and keep it; how many are still wrong."""
    still, now = 0, {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": commit()}
    with templates() as files:
        for file in sorted([*folder.glob("histories*.json"), *folder.glob("boundaries*.json")]):
            report = json.loads(file.read_text("utf-8"))
            name = report["name"]
            replay = _history if name.startswith("histories") else _boundary
            for part in (one for one in report["parts"] if one["wrongs"]):
                wrongs = list(_replayed(files, part["wrongs"], replay))
                print(f"{name}: of {len(part['wrongs'])}, {len(wrongs)} are still wrong", *wrongs, sep="\n  ")
                part["again"] = {**now, "wrongs": wrongs}
                still += len(wrongs)
            file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return still


def _replayed(
    files: Templates, wrongs: list[str], replay: Callable[[Templates, str], list[str]]
) -> Iterator[str]:
    for wrong in wrongs:
        yield from (f"{wrong.partition(': ')[0]}: {what}" for what in replay(files, wrong))


def _history(files: Templates, wrong: str) -> list[str]:
    """The whole history, and the short one that was made of it."""
    found = _matched(_HISTORY, wrong)
    told = history(int(found[1]), vendor=found[2] or "")
    pairs = (one.split(":") for one in found[3].split())
    short = replace(told, steps=tuple(Step(act, int(seed)) for act, seed in pairs))
    return [*play(files, told).wrongs, *play(files, short).wrongs]


def _boundary(files: Templates, wrong: str) -> list[str]:
    found = _matched(_BOUNDARY, wrong)
    scenario = next(one for one in (*ALL, *CALDAV) if one.name == found[1])
    return run(files, scenario, int(found[2]), How(found[3]), int(found[4]) if found[4] else None)


def _matched(pattern: re.Pattern[str], wrong: str) -> re.Match[str]:
    found = pattern.match(wrong)
    if found is None:
        raise ValueError(f"this cannot be played again: {wrong}")
    return found
