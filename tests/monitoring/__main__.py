"""The pictures of a faulty hour: the dashboard, and the page of the operations listener. ``make picture``."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from reconciler.ledger.database import open_database
from reconciler.ledger.upgrade import upgrade
from tests.monitoring.dashboard import panels
from tests.monitoring.drawing import picture
from tests.monitoring.faulty_hour import BEGINS, LASTS, FaultyHour, faulty_hour
from tests.monitoring.remembering import remembering
from tests.support.chromium import launch


def photograph(page: str, file: Path) -> None:
    """What a browser shows there."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        tab = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="light")
        tab.goto(page)
        tab.screenshot(path=file, full_page=True)
        browser.close()


def lived_through(folder: Path, status: Path) -> FaultyHour:
    """The hour, after a quiet day; photographed at its end."""
    url = f"sqlite:///{folder}/state.db"
    database = open_database(url)
    upgrade(database)
    database.close()
    with faulty_hour(folder, url, quiet=timedelta(days=1)) as hour:
        photograph(hour.page, status)
    return hour


def main(dashboard: Path, status: Path) -> None:
    """Draw both."""
    logging.disable()
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        hour = lived_through(Path(first), status)
        with remembering(Path(second), hour.samples) as prometheus:
            ends = BEGINS + LASTS
            answers = [(panel, panel.answered(prometheus, BEGINS, ends)) for panel in panels()]
    dashboard.write_text(picture(answers, BEGINS, ends), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
