"""A real Chromium, without a window, in front of the running program: `reconciler run` with its pages.

Each page that a test looks at is checked with axe and kept as a picture under ``build/screenshots``, narrow
as on a phone and wide, light and dark.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import tenacity
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from tests.support.house import SetClock
from tests.support.pages import Pages, the_pages
from tests.support.ports import free_port

ACCOUNTS = {"google": "ana@gmail.example", "microsoft": "ana@contoso.example"}
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1100, "height": 850}
_OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_WITHIN = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class RealClock(SetClock):
    """What the machine's clock shows."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))

    def __call__(self) -> datetime:
        return datetime.now(UTC)


def executable() -> str:
    """Where Chromium is. Without one the test is skipped, or fails if the environment says ``CI=true``."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        sentence = "no Chromium for tests: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


def launch(playwright: Playwright) -> Browser:
    """Chromium, without a window."""
    return playwright.chromium.launch(executable_path=executable(), args=_OPTIONS.split())


@dataclass
class Town:
    """The running program, both vendors, and a browser. ``pages`` makes launch links and reads the ledger."""

    pages: Pages
    browser: Browser
    context: BrowserContext

    def tab(self) -> Page:
        """A new tab of the same browser."""
        return self.context.new_page()

    def another_browser(self, **given: Any) -> Page:
        """A tab of a browser that nobody has used yet."""
        context = self.browser.new_context(**{"ignore_https_errors": True, "viewport": DESK, **given})
        return context.new_page()

    def arrive(self, page: Page, person: str = "ana", **claims: Any) -> Page:
        """A person comes from the LMS and presses the one button."""
        page.goto(self.pages.link(person, **claims))
        page.get_by_role("button").first.click()
        return page

    def allow(self, page: Page, vendor: str, address: str) -> Page:
        """On the vendor's page: everything ticked, and allowed."""
        if vendor == "microsoft":
            page.get_by_label("Signed in as").fill(address)
            page.get_by_role("button", name="Accept").click()
            return page
        page.get_by_label("Account").select_option(address)
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_role("button", name="Allow").click()
        return page

    def authorize(self, page: Page, vendor: str) -> Page:
        """From one's own page to the vendor's."""
        title = {"google": "Google Calendar", "microsoft": "Microsoft 365"}[vendor]
        page.get_by_role("button", name=re.compile(title)).click()
        page.wait_for_url(re.compile("^https://"))
        return page

    def connect(self, page: Page, vendor: str, address: str | None = None) -> Page:
        """From one's own page to the vendor's and back, connected."""
        address = address or ACCOUNTS[vendor]
        bed = self.pages.bed
        bed.addresses["ana"] = (bed.google if vendor == "google" else bed.microsoft, address)
        return self.allow(self.authorize(page, vendor), vendor, address)

    def connected(self, vendor: str = "google") -> Page:
        """Ana's page, once her session is in her calendar."""
        page = self.connect(self.arrive(self.tab()), vendor)
        self.until(lambda: len(self.pages.bed.titles("ana")) > 0)
        page.reload()
        return page

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(AssertionError),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(30),
        reraise=True,
    )
    def until(self, so: Callable[[], bool]) -> None:
        """Wait for what the running program does by itself."""
        assert so()


def look(page: Page, name: str) -> None:
    """Check a page with axe, phone and desk, light and dark, and keep pictures of it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for place, size in (("phone", PHONE), ("desk", DESK)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size(size)  # type: ignore[arg-type]
            found = Axe().run(page, options={"runOnly": {"type": "tag", "values": _WITHIN}})
            assert found.response["violations"] == [], (name, scheme, place, found.generate_report())
            across = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert across <= 0, f"{name} is {across} px wider than a {place}"
            page.screenshot(path=PICTURES / f"{name}-{place}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


@contextmanager
def a_town(folder: Path, ledger_file: Path, browser: Browser, **given: Any) -> Iterator[Town]:
    """The program as its users start it, with everything around it."""
    shutil.copy(ledger_file, folder / "state.db")
    port, ops = free_port(), free_port()
    settings = {
        "listen": f"127.0.0.1:{port}",
        "public": f"http://localhost:{port}",
        "clock": RealClock(),
        "ops": {"listen": f"127.0.0.1:{ops}"},
        "intervals": {"push": "1s", "confirm": "1s", "jitter": 0.0},
        **given,
    }
    with the_pages(folder, f"sqlite:///{folder}/state.db", **settings) as pages:
        running = pages.bed.start("run")
        try:
            _await(pages.public, running)
            context = browser.new_context(ignore_https_errors=True, viewport=DESK, locale="en-GB")
            yield Town(pages, browser, context)
            context.close()
        finally:
            running.terminate()
            _, said = running.communicate(timeout=20)
        (folder / "log").write_text(said)


@tenacity.retry(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(20), reraise=True)
def _await(url: str, running: subprocess.Popen[str]) -> None:
    assert running.poll() is None, running.communicate()
    requests.get(url, timeout=5)


def in_days(days: int, hour: int) -> datetime:
    """A wall time so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(
        hour=hour, minute=0, second=0, microsecond=0, tzinfo=None
    )
