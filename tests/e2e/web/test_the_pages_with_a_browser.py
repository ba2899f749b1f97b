"""A real browser and the running program: disconnecting, seats in question, the owner's page, the rest."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from reconciler.model import ConnectionState, State
from reconciler.simulators.lms import When
from tests.support.chromium import ACCOUNTS, Town, in_days, look


def connections(town: Town) -> list[str]:
    return [f"{one.provider} {one.address}" for one in town.pages.bed.house.ledger.connections(["ana"])]


def test_disconnecting_and_connecting_another_account(town: Town) -> None:
    town.pages.account_at("google", "ana.private@gmail.example")
    page = town.connected("google")
    page.get_by_role("switch", name="Calendar updates").click()
    look(page, "disconnect")
    page.get_by_label("Leave them").check()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Our access to it has been ended at Google too.")).to_be_visible()
    look(page, "person-disconnected")
    town.connect(page, "google", "ana.private@gmail.example")
    expect(page.get_by_text("ana.private@gmail.example")).to_be_visible()
    town.until(lambda: len(town.pages.bed.titles("ana")) == 2)
    assert connections(town) == ["google ana.private@gmail.example"]


def test_disconnecting_with_the_coming_events_removed(town: Town) -> None:
    page = town.connected("microsoft")
    page.get_by_role("switch", name="Calendar updates").click()
    page.get_by_label("Remove my upcoming events").check()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Your coming events are being removed.")).to_be_visible()
    look(page, "person-leaving")
    town.until(lambda: connections(town) == [])
    assert town.pages.bed.titles("ana") == []
    page.reload()
    expect(page.get_by_role("button", name="Authorize Microsoft 365")).to_be_visible()


def test_an_owner_switches_a_vendor_off_while_somebody_is_connected(town: Town) -> None:
    page = town.connected("google")
    town.pages.bed.lms.add_person("olga", name="Olga Novak")
    owner = town.arrive(town.another_browser(), "olga", role="owner")
    look(owner, "owner")
    owner.get_by_label("Google Calendar").uncheck()
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("Google Calendar: this concerns 1 person.")).to_be_visible()
    look(owner, "owner-confirm")
    owner.get_by_role("button", name="Switch off").click()
    expect(owner.get_by_text("Your settings are saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Your organisation has switched Google Calendar off.")).to_be_visible()
    look(page, "person-switched-off")
    assert len(town.pages.bed.titles("ana")) == 2


def test_an_owner_sees_in_red_that_notifications_are_off(town: Town) -> None:
    town.pages.bed.lms.add_person("olga", name="Olga Novak", locale="de_AT")
    owner = town.arrive(town.another_browser(), "olga", role="owner")
    owner.get_by_label("E-Mail-Benachrichtigungen").uncheck()
    owner.get_by_role("button", name="Speichern").click()
    look(owner, "german-owner-confirm-notifications")
    owner.get_by_role("button", name="Ausschalten").click()
    expect(owner.get_by_text("E-Mail-Benachrichtigungen sind ausgeschaltet.")).to_be_visible()
    look(owner, "german-owner-notifications-off")


def test_a_grant_withdrawn_at_the_vendor_is_authorized_again_with_one_button(town: Town) -> None:
    page = town.connected("google")
    ledger, connection = town.pages.bed.house.ledger, town.pages.bed.connection("ana")
    ledger.set_connection_state(connection, ConnectionState.REAUTHORIZE, "revoked", town.pages.bed.clock())
    page.reload()
    expect(page.get_by_text("Needs to be authorized again")).to_be_visible()
    look(page, "person-reauthorize")
    page.get_by_role("button", name="Authorize again").click()
    town.allow(page, "google", ACCOUNTS["google"])
    expect(page.get_by_text("Authorized", exact=True)).to_be_visible()


def test_seats_in_question_are_shown_and_kept(town: Town) -> None:
    lms = town.pages.bed.lms
    for number, title in enumerate(("First aid", "Fire drill for wardens"), 12):
        day = When(in_days(number, 9), in_days(number, 16))
        lms.book("ana", lms.add_session(day, title=title, location="Hall 2"))
    page = town.connect(town.arrive(town.tab()), "google")
    town.until(lambda: town.pages.bed.states("ana") == [State.LIVE] * 4)
    town.pages.bed.remove("ana")
    assert town.pages.bed.cli("resync", "ana").exit_code == 0
    town.until(lambda: town.pages.bed.states("ana") == [State.HELD] * 4)
    page.reload()
    look(page, "person-seats-in-question")
    page.get_by_role("link", name="Decide now").click()
    look(page, "seats")
    page.get_by_role("button", name="Keep my seats, put the events back").click()
    expect(page.get_by_role("heading", name="You keep your seats")).to_be_visible()
    look(page, "seats-kept")
    town.until(lambda: town.pages.bed.states("ana") == [State.LIVE] * 4)


def test_what_is_stored_can_be_read_and_downloaded(town: Town) -> None:
    page = town.connected("google")
    page.get_by_role("link", name="What we store").click()
    look(page, "privacy")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download everything about me").click()
    assert "ana@gmail.example" in started.value.path().read_text("utf-8")


def test_whoever_speaks_german_reads_german(town: Town) -> None:
    town.pages.bed.lms.change_person("ana", locale="de_AT")
    page = town.arrive(town.tab())
    look(page, "german-person-nothing-connected")
    page.get_by_role("button", name="Google Calendar freigeben").click()
    page.wait_for_url(re.compile("^https://"))
    town.allow(page, "google", ACCOUNTS["google"])
    expect(page.get_by_text("Ihr Kalender ist verbunden.")).to_be_visible()
    look(page, "german-person-connected")
    page.get_by_role("switch", name="Kalender aktuell halten").click()
    look(page, "german-disconnect")


def test_whoever_signs_out_or_was_never_in_finds_a_way_on(town: Town) -> None:
    page = town.arrive(town.tab())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    look(page, "signed-out")
    page.goto(town.pages.public)
    look(page, "problem-no-session")
    page.goto(f"{town.pages.public}/launch?token=x.y.z")
    look(page, "problem-damaged-link")
