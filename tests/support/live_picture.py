"""The picture at the top of the front page: the live demo as it is, in a real Chromium. ``make picture``."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from reconciler.demo.live.pages import create_live
from reconciler.demo.live.town import a_town
from reconciler.web.server import Serving
from tests.support.chromium import launch
from tests.support.ports import free_port

SIZE = {"width": 1280, "height": 900}
_PATIENT = 60_000  # milliseconds


def connect(page: Page, person: str, title: str) -> None:
    """On the demo's first page: connect somebody's calendar at simulated Google, and come back."""
    page.locator(f"#calendar-{person}").get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Open my calendar settings").click()
    page.get_by_role("button", name=f"Authorize {title}").click()
    page.get_by_label("Account").select_option(f"{person}@acme.example")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("link", name="Back to training").click()


def draw(picture: Path) -> None:
    """Ana has connected her calendar, and has deleted an event a moment ago: the time of grace runs."""
    port = free_port()
    with a_town(port, grace=timedelta(seconds=30)) as town, sync_playwright() as playwright:
        served = Serving(create_live(town), "127.0.0.1", port)
        browser = launch(playwright)
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")  # type: ignore[arg-type]
        page.goto(town.public)
        connect(page, "ana", "Google Calendar")
        ana = page.locator("#calendar-ana")
        expect(ana.locator(".training")).to_have_count(4, timeout=_PATIENT)
        ana.locator(".training summary").filter(has_text="Forklift").click()
        ana.get_by_role("button", name="Delete Forklift").click()
        expect(ana.get_by_role("status")).to_contain_text("given back in", timeout=_PATIENT)
        page.add_style_tag(content="footer { display: none } main { padding-bottom: 1.25rem }")
        page.screenshot(path=picture, full_page=True)
        browser.close()
        served.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
