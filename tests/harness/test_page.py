"""The page about reliability is what the reports say, and the tests that it names are there."""

from __future__ import annotations

import pytest

from tests.harness.campaign import ROOT
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
