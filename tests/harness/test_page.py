"""The page about reliability is what the reports say, and the tests that it names are there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.again import again
from tests.harness.boundaries import How
from tests.harness.campaign import ROOT, Report
from tests.harness.histories import history
from tests.harness.page import RUNS, kept, page, scorecard
from tests.harness.scenarios import ALL


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
    assert "| what went wrong | 1, told below |" in shown
    assert "\n- seed 7: a seat was lost\n" in shown


def test_what_went_wrong_is_shown_with_what_came_of_playing_it_again(tmp_path: Path) -> None:
    told = str(history(308))
    a_part(tmp_path, 300, 399, [f"{told}: a seat was lost"])
    assert again(tmp_path) == 0
    shown = page({"histories": json.loads((tmp_path / "histories.json").read_text("utf-8"))}, [])
    assert "\n- seed 308: a seat was lost\n" in shown
    assert ": nothing went wrong |" in shown


def test_a_boundary_at_which_something_went_wrong_is_found_again_by_its_words(tmp_path: Path) -> None:
    name = next(one.name for one in ALL if one.name.startswith("a learner deletes the event and keeps"))
    wrong = f"{name}, boundary 9, {How.REPLY_LOST}, again after 12: it did not end as it should"
    Report("boundaries", {"stride": 1}, {"runs": 1}, [wrong]).write(tmp_path)
    assert again(tmp_path) == 0
    [part] = json.loads((tmp_path / "boundaries.json").read_text("utf-8"))["parts"]
    assert part["again"]["wrongs"] == []


def test_a_run_that_begins_elsewhere_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    a_part(tmp_path, 0, 99, ["seed 7: a seat was lost"])
    shown = a_part(tmp_path, 0, 49)
    assert "| histories | 50 |" in shown
    assert "| what went wrong | nothing |" in shown
