"""The demo that one plays oneself: what its page promises is what happens, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from reconciler.demo.live.pages import create_live
from reconciler.demo.live.town import PREFIX, Town, a_town
from reconciler.web.server import Serving
from tests.support.chromium import DESK, look
from tests.support.live_picture import connect
from tests.support.ports import free_port

SLOW = 60_000
"""Milliseconds within which the daemon does what it does within seconds."""


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """The demo as it is, but that its time of grace is short."""
    port = free_port()
    with a_town(port, grace=timedelta(seconds=3)) as made:
        served = Serving(create_live(made), "127.0.0.1", port)
        try:
            yield made
        finally:
            served.close()


def of(page: Page, person: str) -> Locator:
    """Somebody's calendar on the page."""
    return page.locator(f"#calendar-{person}")


def titles(page: Page, person: str) -> Locator:
    return of(page, person).locator(".training > summary strong")


def session(page: Page, title: str) -> Locator:
    return page.locator("#lms .session").filter(has=page.get_by_role("heading", name=title))


def test_one_connects_moves_deletes_and_the_other_side_follows(town: Town, chromium: Browser) -> None:
    page = chromium.new_context(viewport=DESK).new_page()
    page.goto(town.public)
    expect(titles(page, "ben")).to_have_count(5, timeout=SLOW)

    connect(page, "ana", "Google Calendar")
    expect(titles(page, "ana")).to_have_text(
        ["First aid", "First aid", "Forklift", "Fire drill"], timeout=SLOW
    )

    session(page, "Forklift").get_by_text("Move, book, call off").click()
    session(page, "Forklift").get_by_label("Day").select_option("Thursday")
    session(page, "Forklift").get_by_role("button", name="Save").click()
    thursday = of(page, "ana").locator(".day").nth(3)
    expect(thursday.locator(".training > summary")).to_have_text(re.compile("Forklift"), timeout=SLOW)

    look(page, "demo-live-moved")
    thursday.locator("summary").get_by_text("Forklift").click()
    thursday.get_by_role("button", name="Delete Forklift").click()
    expect(of(page, "ana").get_by_role("status")).to_contain_text("Forklift", timeout=SLOW)
    expect(session(page, "Forklift").locator(".seats")).not_to_contain_text("Ana", timeout=SLOW)
    expect(session(page, "Forklift").locator(".seats")).to_contain_text("Omar")
    expect(page.locator("#news")).to_contain_text("the seat is given back in the LMS")
    assert set(town.stage.lms.statuses("ana", "102").values()) == {"cancelled"}


def test_without_scripts_everything_can_be_done_too(town: Town, chromium: Browser) -> None:
    page = chromium.new_context(viewport=DESK, java_script_enabled=False).new_page()
    page.goto(f"{town.public}/calendar/chloe")
    welding = page.locator(".training").filter(has_text="Welding")
    expect(welding).to_have_count(1)
    welding.locator("summary").click()
    welding.get_by_role("button", name="Delete Welding").click()
    expect(page.get_by_role("heading", name="Bin")).to_be_visible()
    page.get_by_role("button", name="Restore Welding").click()
    expect(page.locator(".training").filter(has_text="Welding")).to_have_count(1)
    assert page.url == f"{town.public}/calendar/chloe"


def test_other_sites_press_no_buttons_here(town: Town) -> None:
    form = {"session": "101", "person": "ana"}
    strange = {"Sec-Fetch-Site": "cross-site"}
    refused = requests.post(f"{town.public}/lms/cancel-seat", form, headers=strange, timeout=20)
    renamed = requests.get(town.public, headers={"Host": "evil.example"}, timeout=20)
    assert (refused.status_code, renamed.status_code) == (403, 403)
    assert set(town.stage.lms.statuses("ana", "101").values()) == {"booked"}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("lms/change", {"session": "101", "title": "x", "location": "", "day": "9", "hour": "9"}),
        ("lms/change", {"session": "nothing"}),
        ("lms/burn", {}),
        ("calendar/ben/delete", {"event": "nothing"}),
        ("calendar/ben/change", {"event": "nothing", "title": "x", "day": "x"}),
    ],
)
def test_what_makes_no_sense_changes_nothing(town: Town, path: str, form: dict[str, str]) -> None:
    before = town.stage.lms.timetable()
    assert requests.post(f"{town.public}/{path}", form, timeout=20).status_code == 400
    assert town.stage.lms.timetable() == before


def test_nobody_else_has_a_calendar(town: Town) -> None:
    assert requests.get(f"{town.public}/calendar/omar", timeout=20).status_code == 404


def test_the_programs_own_pages_keep_their_own_headers(town: Town) -> None:
    answer = requests.get(f"{town.public}{PREFIX}/privacy", timeout=20)
    assert answer.status_code == 200
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    """Started as its users start it: no sooner is the address told than it can be opened."""
    line = [sys.executable, "-m", "reconciler", "demo", "--live", "--port", str(free_port())]
    kept = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    demo = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept, start_new_session=True
    )
    assert demo.stdout is not None
    url = next(found[0] for said in demo.stdout if (found := re.search(r"http://localhost:\d+/", said)))
    assert requests.get(url, timeout=20).status_code == 200
    os.killpg(demo.pid, signal.SIGINT)  # to all of it, as a terminal does
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGINT
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
