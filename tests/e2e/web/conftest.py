"""One browser for all tests of the pages, and a running program for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.support.chromium import Town, a_town, in_days, launch

from reconciler.simulators.lms import When


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def town(tmp_path: Path, ledger_file: Path, chromium: Browser) -> Iterator[Town]:
    """Ana is booked into a session; she has an account at either vendor and has connected neither."""
    with a_town(tmp_path, ledger_file, chromium) as made:
        lms = made.pages.bed.lms
        session = lms.add_session(
            When(in_days(9, 9), in_days(9, 17)),
            When(in_days(10, 9), in_days(10, 12)),
            title="Working safely at heights",
            location="Room 4, Training Centre North",
        )
        lms.book("ana", session)
        made.pages.account_at("google", "ana@gmail.example")
        made.pages.account_at("microsoft", "ana@contoso.example")
        yield made
