"""Files to begin with, and a site for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.site import Site, Templates


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Empty files, made once."""
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Iterator[Site]:
    """A site with nobody in it."""
    made = Site.made(tmp_path, templates)
    yield made
    made.close()
