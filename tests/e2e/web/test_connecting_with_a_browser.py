"""A real browser, the running program, and the vendors' consent pages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.support.chromium import Town, look

ACCOUNTS = {"google": "ana@gmail.example", "microsoft": "ana@contoso.example"}


@pytest.mark.parametrize("vendor", ACCOUNTS)
def test_somebody_comes_from_the_lms_and_connects_their_calendar(town: Town, vendor: str) -> None:
    page = town.tab()
    page.goto(town.pages.link())
    expect(page.get_by_text("You are here as Ana Berger.")).to_be_visible()
    look(page, "launch")
    page.get_by_role("button", name="Open my calendar settings").click()
    look(page, "person-nothing-connected")
    town.connect(page, vendor, ACCOUNTS[vendor])
    expect(page.get_by_text("Your calendar is connected.")).to_be_visible()
    look(page, f"person-connected-{vendor}")
