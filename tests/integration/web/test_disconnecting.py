"""Disconnecting: what is said first, what becomes of the events, and what is ended where."""

from __future__ import annotations

import pytest

from reconciler.errors import ReauthorizationNeeded
from reconciler.model import Connection, ConnectionState, Mode
from reconciler.simulators.wire import Fault
from tests.support.browser import Browser
from tests.support.house import DAY, MONDAY, TUESDAY
from tests.support.pages import Pages


@pytest.fixture
def ana(pages: Pages, vendor: str) -> Browser:
    """Ana is connected, with two sessions of hers in her calendar, to the vendor in turn."""
    for when, title in ((MONDAY, "Safety"), (TUESDAY, "First aid")):
        pages.bed.lms.book("ana", pages.bed.lms.add_session(when, title=title))
    browser = pages.connected(vendor)
    pages.bed.once()
    assert pages.bed.titles("ana") == ["First aid", "Safety"]
    return browser


def disconnect(ana: Browser, events: str) -> Browser:
    ana.open("/").press("Calendar updates")
    return ana.press("Disconnect", events=events)


def audit(pages: Pages) -> list[str]:
    return [line.what for line in pages.bed.house.ledger.audit_log(9)]


def connections(pages: Pages) -> list[Connection]:
    return list(pages.bed.house.ledger.connections(["ana"]))


def test_it_is_said_first_what_will_happen(pages: Pages, ana: Browser) -> None:
    ana.open("/").press("Calendar updates")
    assert ana.heading == "Disconnect this calendar?"
    assert "Events already there will stay and are no longer updated." in ana.text
    assert connections(pages)
    assert ana.press("Stay connected").heading == "Your training in your calendar"
    assert connections(pages)


def test_disconnecting_leaves_the_events_and_destroys_the_token(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    connection = pages.bed.connection("ana")
    disconnect(ana, "stay")
    assert "Your calendar is disconnected." in ana.text
    assert connections(pages) == []
    with pytest.raises(ReauthorizationNeeded):
        pages.bed.house.tokens.get(connection)
    pages.bed.once()
    assert pages.bed.titles("ana") == ["First aid", "Safety"]
    assert pages.told.kinds == ["connected", "disconnected"]
    assert audit(pages)[0] == "disconnected"


def test_the_grant_is_ended_at_the_vendor_or_the_person_is_shown_where_to(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    disconnect(ana, "stay")
    if vendor == "google":
        assert "Our access to it has been ended at Google too." in ana.text
        assert pages.bed.google.recorder.count("revoke") == 1
    else:
        (link,) = [one for one in ana.page.find_all("a") if "apps with access" in one.get_text()]
        assert link["href"] == pages.site.flows["microsoft"].manage_url


def test_a_vendor_that_does_not_answer_keeps_nobody_from_disconnecting(pages: Pages) -> None:
    ana = pages.connected("google")
    pages.bed.google.faults.add(Fault("status", "revoke", status=503, times=9))
    disconnect(ana, "stay")
    assert "We have destroyed our key to it." in ana.text
    assert connections(pages) == []


def test_whoever_wants_it_has_the_coming_events_removed_first(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    disconnect(ana, "remove")
    assert "Your coming events are being removed." in ana.text
    assert pages.bed.connection("ana").state is ConnectionState.LEAVING
    pages.bed.push()
    assert pages.bed.titles("ana") == []
    assert connections(pages) == []
    assert "Authorize" in ana.open("/").text
    assert audit(pages)[:2] == ["disconnected", "asked to remove events and disconnect"]


def test_nobody_loses_a_seat_by_having_events_removed(pages: Pages, vendor: str, ana: Browser) -> None:
    disconnect(ana, "remove")
    for _ in range(3):
        pages.bed.once()
    for session in ("session-1", "session-2"):
        assert set(pages.bed.lms.statuses("ana", session).values()) == {"booked"}


def test_connecting_again_after_a_removal_puts_everything_back(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    disconnect(ana, "remove")
    pages.bed.once()
    pages.consent(ana.open("/"), vendor, "ana@contoso.example")
    pages.bed.once()
    assert pages.bed.titles("ana") == ["First aid", "Safety"]


def test_a_vendor_that_is_down_delays_the_removal_and_a_day_later_it_ends_anyway(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    at = pages.bed.google if vendor == "google" else pages.bed.microsoft
    disconnect(ana, "remove")
    down = Fault("status", "*", status=503, times=-1)
    at.faults.add(down)
    pages.bed.push()
    assert pages.bed.connection("ana").state is ConnectionState.LEAVING
    assert "We are removing your coming events" in ana.open("/").text
    pages.bed.clock.move(DAY)
    pages.bed.push()
    assert connections(pages) == []


def test_a_grant_that_is_gone_ends_the_removal(pages: Pages, vendor: str, ana: Browser) -> None:
    disconnect(ana, "remove")
    _revoke(pages, vendor)
    pages.bed.push()
    assert connections(pages) == []


def _revoke(pages: Pages, vendor: str) -> None:
    """Ana ends the grant on the vendor's own page; what was fetched with it before is forgotten."""
    if vendor == "google":
        pages.bed.google.revoke("ana@contoso.example")
    else:
        pages.bed.microsoft.revoke("ana@contoso.example")
    pages.bed.close()
    pages.anew()


def test_while_events_are_removed_one_can_still_disconnect_at_once(pages: Pages, ana: Browser) -> None:
    disconnect(ana, "remove")
    ana.open("/").press("Calendar updates")
    assert "Remove my upcoming events" not in ana.text
    ana.press("Disconnect")
    assert connections(pages) == []
    pages.bed.push()
    assert pages.bed.titles("ana") == ["First aid", "Safety"]


def test_where_nothing_may_be_deleted_no_removal_is_offered(pages: Pages, ana: Browser) -> None:
    for mode in (Mode.OBSERVE, Mode.UPSERT_ONLY):
        pages.bed.switch(mode=mode)
        assert "Remove my upcoming events" not in ana.open("/disconnect").text
    pages.bed.switch(mode=Mode.OBSERVE)
    ana.press("Disconnect", events="remove")
    assert connections(pages) == []


def test_a_switched_off_vendor_does_not_keep_anybodys_events(pages: Pages, ana: Browser) -> None:
    disconnect(ana, "remove")
    pages.bed.switch(vendors=frozenset())
    pages.bed.push()
    assert (pages.bed.titles("ana"), connections(pages)) == ([], [])


def test_a_paused_account_keeps_leaving_people_waiting(pages: Pages, ana: Browser) -> None:
    disconnect(ana, "remove")
    pages.bed.switch(mode=Mode.OBSERVE)
    pages.bed.once()
    assert pages.bed.connection("ana").state is ConnectionState.LEAVING
    pages.bed.switch(mode=Mode.SYNC)
    for _ in range(3):  # nobody has looked meanwhile: what we made goes at its second sight
        pages.bed.push()
    assert (pages.bed.titles("ana"), connections(pages)) == ([], [])


def test_a_held_account_does_not_hold_up_whoever_leaves(pages: Pages, ana: Browser) -> None:
    disconnect(ana, "remove")
    pages.bed.lms.drop("ana", "session-1")
    pages.bed.push()
    assert connections(pages) == []


def test_the_second_of_two_windows_is_told_that_it_is_done(pages: Pages, ana: Browser) -> None:
    ana.open("/disconnect")
    seen = list(ana.seen)
    ana.press("Disconnect", events="stay")
    ana.seen[:] = seen
    ana.press("Disconnect", events="remove")
    assert ana.heading == "No calendar is connected"


def test_disconnecting_what_is_not_connected_is_told_so(pages: Pages) -> None:
    assert pages.arrive("ana").open("/disconnect").heading == "No calendar is connected"


def test_a_person_can_download_what_is_stored_about_them_and_only_that(
    pages: Pages, vendor: str, ana: Browser
) -> None:
    ana.open("/privacy").press("Download everything about me")
    assert ana.answer.headers["Content-Type"] == "application/json"
    assert ana.answer.headers["Content-Disposition"].startswith("attachment")
    stored = ana.answer.text
    assert '"person": "ana"' in stored
    assert "ana@contoso.example" in stored
    assert pages.bed.house.tokens.get(pages.bed.connection("ana"))["refresh_token"] not in stored
    ben = pages.arrive("ben").open("/privacy/about-me.json")
    assert "ana" not in ben.answer.text
