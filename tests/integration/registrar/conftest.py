"""An LMS on the reference tables on each kind of database in turn, with one learner in one session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booked_site import Site, booked_site


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def lms_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty LMS database, on each kind of server in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lms.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def site(lms_url: str) -> Iterator[Site]:
    """Ana, and Ben beside her, booked into one course of two days."""
    booked = booked_site(lms_url)
    yield booked
    booked.lms.close()
