"""One browser for all tests of the pages, and a running program for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from reconciler.simulators.lms import When
from tests.support.chromium import ACCOUNTS, Town, a_town, in_days, launch


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def town(tmp_path: Path, ledger_file: Path, chromium: Browser) -> Iterator[Town]:
    """Ana is booked into a session; she has an account at either vendor and has connected neither."""
    with a_town(tmp_path, ledger_file, chromium) as made:
        lms = made.pages.bed.lms
        days = When(in_days(9, 9), in_days(9, 17)), When(in_days(10, 9), in_days(10, 12))
        title, room = "Working safely at heights", "Room 4, Training Centre North"
        lms.book("ana", lms.add_session(*days, title=title, location=room))
        for vendor, address in ACCOUNTS.items():
            made.pages.account_at(vendor, address)
        yield made
