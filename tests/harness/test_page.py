"""The page about reliability is what the reports say, and the tests that it names are there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.campaign import ROOT, Report
from tests.harness.page import RUNS, kept, page, scorecard


def test_the_page_is_what_its_generator_makes_of_the_reports() -> None:
    assert (ROOT / "docs/reliability.md").read_text("utf-8") == page(kept(), scorecard())


def test_every_report_has_its_part_of_the_page() -> None:
    assert kept().keys() <= RUNS.keys()


@pytest.mark.parametrize("row", scorecard(), ids=lambda row: row["fault"])
def test_each_promise_is_held_by_tests_that_there_are(row: dict[str, list[str]]) -> None:
    assert row["tests"]
    for test in row["tests"]:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), test


def a_part(folder: Path, first: int, last: int, wrongs: Sequence[str] = ()) -> str:
    """A run of these seeds is kept: the page then."""
    seeds = {"first seed": first, "last seed": last, "steps": 14}
    Report("histories", seeds, {"histories": last - first + 1}, list(wrongs)).write(folder)
    return page({"histories": json.loads((folder / "histories.json").read_text("utf-8"))}, [])


def test_a_long_run_may_be_made_in_parts(tmp_path: Path) -> None:
    a_part(tmp_path, 0, 99, ["seed 7: a seat was lost"])
    shown = a_part(tmp_path, 100, 149)
    assert "| first seed | 0 |" in shown
    assert "| last seed | 149 |" in shown
    assert "| histories | 150 |" in shown
    assert "| what went wrong | seed 7: a seat was lost |" in shown


def test_a_run_that_begins_elsewhere_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    a_part(tmp_path, 0, 99, ["seed 7: a seat was lost"])
    shown = a_part(tmp_path, 0, 49)
    assert "| histories | 50 |" in shown
    assert "| what went wrong | nothing |" in shown
