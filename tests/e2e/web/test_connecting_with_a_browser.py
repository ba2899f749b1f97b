"""A real browser, the running program, and the vendors' consent pages: all ways to connect, and not to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Response

from tests.support.chromium import ACCOUNTS, PHONE, Town, look
from tests.support.google import serving

HOME = "Your training in your calendar"


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def connections(town: Town) -> list[str]:
    """What is connected, as vendor and address."""
    return [f"{one.provider} {one.address}" for one in town.pages.bed.house.ledger.connections(["ana"])]


@pytest.mark.parametrize("vendor", ACCOUNTS)
def test_somebody_comes_from_the_lms_connects_and_finds_their_sessions_in_the_calendar(
    town: Town, vendor: str
) -> None:
    page = town.tab()
    page.goto(town.pages.link())
    expect(page.get_by_text("You are here as Ana Berger.")).to_be_visible()
    look(page, "launch")
    page.get_by_role("button", name="Open my calendar settings").click()
    look(page, "person-nothing-connected")
    town.connect(page, vendor)
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()
    town.until(lambda: town.pages.bed.titles("ana") == ["Working safely at heights"] * 2)
    look(page, f"person-just-connected-{vendor}")
    page.reload()
    expect(page.get_by_text("Authorized", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("second"))).to_be_visible()
    look(page, f"person-connected-{vendor}")


@pytest.mark.parametrize(("vendor", "no"), [("google", "Deny"), ("microsoft", "Cancel")])
def test_whoever_declines_is_told_that_it_is_fine(town: Town, vendor: str, no: str) -> None:
    page = town.authorize(town.arrive(town.tab()), vendor)
    page.get_by_role("button", name=no).click()
    assert heading(page) == "Nothing was connected"
    look(page, "problem-declined")
    assert connections(town) == []


def test_a_window_closed_at_the_vendor_leaves_nothing_behind(town: Town) -> None:
    town.authorize(town.arrive(town.tab()), "google").close()
    page = town.tab()
    page.goto(town.pages.public)
    assert heading(page) == HOME
    assert connections(town) == []


def test_an_organisation_approves_once_and_then_everybody_can_connect(town: Town) -> None:
    directory = town.pages.bed.microsoft.directory
    directory.add_tenant("contoso.example").user_consent = False
    town.pages.bed.microsoft.add_account("admin@contoso.example", admin=True)
    page = town.connect(town.arrive(town.tab()), "microsoft")
    page.get_by_role("button", name="Return to the application without granting consent").click()
    assert heading(page) == "Your organisation has to approve this first"
    look(page, "approval")
    link = page.get_by_label("Text to send").input_value().split()[-1]
    admin = town.another_browser()
    admin.goto(link)
    look(admin, "approve")
    admin.get_by_role("link", name="Approve for everybody at Microsoft").click()
    admin.get_by_label("Signed in as").fill("admin@contoso.example")
    admin.get_by_role("button", name="Accept").click()
    assert heading(admin) == "Thank you, it is approved"
    look(admin, "approved")
    page.get_by_role("link", name="To my calendar settings").click()
    town.connect(page, "microsoft")
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()


def test_a_consent_that_takes_too_long_is_begun_again(town: Town) -> None:
    page = town.authorize(town.arrive(town.tab()), "google")
    town.context.clear_cookies(name=re.compile("__Host-flow"))  # as the browser does after ten minutes
    town.allow(page, "google", ACCOUNTS["google"])
    assert heading(page) == "That took a little too long"
    look(page, "problem-expired")
    page.get_by_role("link", name="To my calendar settings").click()
    town.connect(page, "google")
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()


def test_the_back_button_and_a_second_consent_with_the_first_ones_state_change_nothing(town: Town) -> None:
    page = town.connect(town.arrive(town.tab()), "google")
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()
    page.go_back()
    town.allow(page, "google", ACCOUNTS["google"])
    assert heading(page) == "That took a little too long"
    page.get_by_role("link", name="To my calendar settings").click()
    expect(page.get_by_text("Authorized", exact=True)).to_be_visible()
    assert connections(town) == ["google ana@gmail.example"]


def test_two_tabs_may_be_under_way_but_one_calendar_is_connected(town: Town) -> None:
    first = town.arrive(town.tab())
    second = town.tab()
    second.goto(town.pages.public)
    town.authorize(first, "google")
    town.authorize(second, "microsoft")
    town.allow(first, "google", ACCOUNTS["google"])
    expect(first.get_by_text("Your calendar is connected.")).to_be_visible()
    town.allow(second, "microsoft", ACCOUNTS["microsoft"])
    assert heading(second) == "Another calendar is connected already"
    look(second, "problem-already-connected")
    assert connections(town) == ["google ana@gmail.example"]


def test_somebody_elses_calendar_cannot_be_taken_over(town: Town) -> None:
    town.connected("google")
    ben = town.arrive(town.another_browser(), "ben")
    town.connect(ben, "google")
    assert heading(ben) == "This calendar belongs to somebody else here"
    assert connections(town) == ["google ana@gmail.example"]


def test_it_all_works_without_scripts_on_a_phone(town: Town) -> None:
    page = town.another_browser(java_script_enabled=False, viewport=PHONE, has_touch=True, is_mobile=True)
    town.connect(town.arrive(page), "google")
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()
    page.get_by_role("switch", name="Calendar updates").tap()
    page.get_by_role("button", name="Disconnect").tap()
    expect(page.get_by_text("Your calendar is disconnected.")).to_be_visible()


def test_it_all_works_with_the_keyboard(town: Town) -> None:
    page = town.tab()
    page.goto(town.pages.link())
    _go_to(page, "Open my calendar settings")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=HOME)).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    _go_to(page, "Authorize Google Calendar")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("^https://"))
    town.allow(page, "google", ACCOUNTS["google"])
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()
    _go_to(page, "Calendar updates")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Disconnect this calendar?")).to_be_visible()
    _go_to(page, "Leave them")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("Remove my upcoming events").is_checked()
    _go_to(page, "Disconnect")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your coming events are being removed.")).to_be_visible()


def _go_to(page: Page, words: str) -> None:
    """Press the tab key until what bears these words has the focus, and can be seen to have it."""
    for _ in range(30):
        page.keyboard.press("Tab")
        has = "document.activeElement.closest('label, button, a')?.textContent ?? ''"
        if words in page.evaluate(has):
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none"
            return
    raise AssertionError(f"{words!r} cannot be reached with the tab key")


def test_no_page_can_be_framed(town: Town) -> None:
    page = town.arrive(town.tab())
    frame = f'<iframe src="{town.pages.public}/privacy"></iframe>'
    with serving(lambda request: Response(frame, mimetype="text/html")) as elsewhere:
        page.goto(elsewhere)
        page.wait_for_load_state("networkidle")
        shown = page.frames[1].content()
    assert "What we store" not in shown
