"""Connecting a calendar through the pages: all of it, or nothing."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from reconciler.errors import ConsentProblem, StateUnreadable
from reconciler.labels import Consent
from reconciler.model import ConnectionState, Mode
from reconciler.simulators.wire import Fault
from reconciler.tokens.store import SqlTokens
from tests.support.browser import Browser
from tests.support.house import MONDAY
from tests.support.pages import PUBLIC, Pages

ANA = "ana@contoso.example"
SCOPE = "https://www.googleapis.com/auth/"
NO = {"google": "Deny", "microsoft": "Cancel"}
TITLE = {"google": "Google Calendar", "microsoft": "Microsoft 365"}


def nothing_is_connected(pages: Pages, person: str = "ana") -> bool:
    """No connection, no token, and nobody was told of one."""
    ledger = pages.bed.house.ledger
    stored = ledger.everything_about(person)
    return (
        not ledger.connections([person])
        and "token" not in stored
        and "connection" not in stored
        and pages.told.kinds == []
    )


def the_return(browser: Browser) -> str:
    """The address at which the browser came back from the vendor."""
    return next(one.url for one in reversed(browser.seen) if "/callback?" in one.url)


def changed(url: str, **query: str | None) -> str:
    """The same address with other answers in it."""
    kept = {**dict(parse_qsl(urlsplit(url).query)), **query}
    return f"{url.partition('?')[0]}?{urlencode({k: v for k, v in kept.items() if v is not None})}"


@pytest.fixture
def at_the_vendor(pages: Pages, vendor: str) -> Browser:
    """Ana has pressed our button, and looks at the vendor's page."""
    pages.account_at(vendor)
    return pages.arrive("ana").press(f"Authorize {TITLE[vendor]}")


# All of it ----------------------------------------------------------------------------------------


def test_somebody_who_allows_everything_is_connected_and_their_sessions_follow(
    pages: Pages, vendor: str
) -> None:
    pages.bed.lms.book("ana", pages.bed.lms.add_session(MONDAY, title="Safety"))
    ana = pages.connected(vendor)
    assert (ana.answer.status, ana.answer.url) == (200, f"{PUBLIC}/")
    assert "Your calendar is connected." in ana.text
    assert ANA in ana.text
    connection = pages.bed.connection("ana")
    assert (connection.provider, connection.state) == (vendor, ConnectionState.CONNECTED)
    assert set(pages.bed.house.tokens.get(connection)) == {"refresh_token"}
    assert pages.told.kinds == ["connected"]
    pages.bed.once()
    assert pages.bed.titles("ana") == ["Safety"]
    shown = ana.open("/").text
    assert "Next session Safety Monday, December 7, 2026, 9:00" in shown.replace("\u202f", " ")
    assert "Last synchronised 1 second ago" in shown
    assert "Your calendar is connected." not in shown


def test_who_connected_what_and_from_where_is_written_down(pages: Pages, vendor: str) -> None:
    pages.connected(vendor)
    (line,) = [one for one in pages.bed.house.ledger.audit_log(9) if one.what == "connected"]
    assert (line.who, line.origin, line.person) == ("person ana", "192.0.2.1", "ana")
    assert ANA not in line.detail


def test_a_box_left_unticked_is_seen_and_explained(pages: Pages) -> None:
    pages.account_at("google")
    ana = pages.arrive("ana").press("Authorize Google Calendar")
    pages.allow(ana, "google", ANA, scope=[f"{SCOPE}calendar.events"])
    assert "with one box left unticked" in ana.text
    assert "we will ask you what you meant" in ana.text
    ana.press("Authorize again")
    pages.allow(ana, "google", ANA)
    assert "Your calendar is connected." in ana.text


def test_two_tabs_may_connect_side_by_side(pages: Pages, vendor: str) -> None:
    pages.account_at(vendor)
    ana = pages.arrive("ana").press(f"Authorize {TITLE[vendor]}")
    first = list(ana.seen)
    ana.open(f"{PUBLIC}/").press(f"Authorize {TITLE[vendor]}")
    pages.allow(ana, vendor, ANA)
    assert "Your calendar is connected." in ana.text
    ana.seen[:] = first
    pages.allow(ana, vendor, ANA)
    assert "Your calendar is connected." in ana.text
    assert pages.bed.connection("ana").state is ConnectionState.CONNECTED


# Or nothing ---------------------------------------------------------------------------------------


def test_whoever_declines_is_told_that_it_is_fine(pages: Pages, vendor: str, at_the_vendor: Browser) -> None:
    at_the_vendor.press(NO[vendor], account=ANA)
    assert (at_the_vendor.answer.status, at_the_vendor.heading) == (200, "Nothing was connected")
    assert nothing_is_connected(pages)
    assert f"Authorize {TITLE[vendor]}" in at_the_vendor.press("To my calendar settings").text


def test_without_the_box_for_events_nothing_is_connected(pages: Pages) -> None:
    pages.account_at("google")
    ana = pages.arrive("ana").press("Authorize Google Calendar")
    pages.allow(ana, "google", ANA, scope=[f"{SCOPE}calendar.calendarlist.readonly"])
    assert ana.heading == "The box for the calendar was not ticked"
    assert nothing_is_connected(pages)


def test_a_window_that_is_closed_leaves_nothing_behind(pages: Pages, at_the_vendor: Browser) -> None:
    assert nothing_is_connected(pages)
    assert at_the_vendor.open(f"{PUBLIC}/").heading == "Your training in your calendar"


def test_a_consent_of_ten_minutes_ago_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser
) -> None:
    pages.bed.clock.move(timedelta(minutes=10, seconds=1))
    pages.allow(at_the_vendor, vendor, ANA)
    assert at_the_vendor.heading == "That took a little too long"
    assert nothing_is_connected(pages)


def test_an_answer_that_comes_twice_is_used_once(pages: Pages, vendor: str) -> None:
    ana = pages.connected(vendor)
    callback = the_return(ana)
    cookie = _flow_cookie_of(ana)
    ana._client.set_cookie(*cookie, domain="calendar.example.org")  # it was taken away; put it back
    ana.open(callback)
    assert ana.heading == "This step is done already"
    assert pages.told.kinds == ["connected"]
    assert ana.press("To my calendar settings").answer.status == 200


def _flow_cookie_of(browser: Browser) -> tuple[str, str]:
    lines = [
        line
        for one in browser.seen
        if one.url.startswith(PUBLIC)
        for name, line in one.headers.items()
        if name == "Set-Cookie" and line.startswith("__Host-flow-") and "Max-Age=600" in line
    ]
    name, _, value = lines[-1].partition(";")[0].partition("=")
    return name, value


def test_the_back_button_after_connecting_says_that_it_is_done(pages: Pages, vendor: str) -> None:
    ana = pages.connected(vendor)
    assert ana.open(the_return(ana)).heading == "That took a little too long"
    assert pages.bed.connection("ana").state is ConnectionState.CONNECTED


@pytest.mark.parametrize("another", [{"state": "another"}, {"state": None}, {"state": ""}], ids=str)
def test_an_answer_without_the_state_of_this_browser_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser, another: dict[str, Any]
) -> None:
    pages.allow(at_the_vendor, vendor, ANA, follow=False)
    forged = changed(str(at_the_vendor.answer.headers["Location"]), **another)
    assert at_the_vendor.open(forged).heading == "That took a little too long"
    assert nothing_is_connected(pages)


def test_an_answer_meant_for_somebody_else_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser
) -> None:
    pages.allow(at_the_vendor, vendor, ANA, follow=False)
    anas = str(at_the_vendor.answer.headers["Location"])
    ben = pages.arrive("ben")
    assert ben.open(anas).heading == "That took a little too long"
    ben._client.set_cookie(*_flow_cookie_of(at_the_vendor), domain="calendar.example.org")
    assert ben.open(anas).heading == "That took a little too long"
    assert nothing_is_connected(pages)
    assert nothing_is_connected(pages, "ben")


def test_an_answer_of_one_vendor_is_none_of_another(
    pages: Pages, vendor: str, at_the_vendor: Browser
) -> None:
    other = {"google": "microsoft", "microsoft": "google"}[vendor]
    pages.allow(at_the_vendor, vendor, ANA, follow=False)
    mixed = str(at_the_vendor.answer.headers["Location"]).replace(f"/{vendor}/", f"/{other}/")
    assert at_the_vendor.open(mixed).heading == "That took a little too long"
    assert nothing_is_connected(pages)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": None},
        {"code": "another"},
        {"code": None, "error": "server_error"},
        {"code": None, "error": "unheard_of", "error_description": "<script>"},
        {"code": None, "error": "access_denied"},
    ],
    ids=str,
)
def test_an_answer_with_an_error_or_without_a_code_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser, answer: dict[str, Any]
) -> None:
    pages.allow(at_the_vendor, vendor, ANA, follow=False)
    at_the_vendor.open(changed(str(at_the_vendor.answer.headers["Location"]), **answer))
    assert at_the_vendor.answer.status in (200, 400, 502)
    assert at_the_vendor.heading
    assert at_the_vendor.page.find_all("script") == []
    assert nothing_is_connected(pages)


def test_a_token_endpoint_that_is_down_in_the_middle_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser
) -> None:
    at = pages.bed.google if vendor == "google" else pages.bed.microsoft
    at.faults.add(Fault("status", "token", status=503, times=9))
    pages.allow(at_the_vendor, vendor, ANA)
    assert (at_the_vendor.answer.status, at_the_vendor.heading) == (
        502,
        "The calendar provider does not answer",
    )
    assert nothing_is_connected(pages)


def test_a_token_that_cannot_be_stored_takes_the_connection_with_it(
    pages: Pages, vendor: str, at_the_vendor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateUnreadable("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqlTokens, "put_within", full)
        pages.allow(at_the_vendor, vendor, ANA)
    assert at_the_vendor.heading == "This page is out of order just now"
    assert nothing_is_connected(pages)


def test_an_account_of_another_organisation_is_refused(pages: Pages) -> None:
    google = {**pages.bed.values["providers"]["google"], "allowed_domains": ["acme.example"]}
    pages.bed.configure(providers={"google": google})
    pages.anew()
    ana = pages.connected("google")
    assert ana.heading == "This account cannot be connected"
    assert nothing_is_connected(pages)


def test_how_far_consents_came_is_counted(pages: Pages, vendor: str, at_the_vendor: Browser) -> None:
    at_the_vendor.press(NO[vendor], account=ANA).open(f"{PUBLIC}/")
    pages.consent(at_the_vendor, vendor, ANA)
    counted = {
        result: pages.bed.house.metrics.registry.get_sample_value(
            "reconciler_oauth_flows_total", {"provider": vendor, "result": result}
        )
        for result in ("begun", "declined", "connected", "broken")
    }
    assert counted == {"begun": 2, "declined": 1, "connected": 1, "broken": 0}


def test_every_way_a_consent_can_fail_is_counted() -> None:
    assert {problem.value for problem in ConsentProblem} <= {one.value for one in Consent}


# One calendar a person, one person a calendar -----------------------------------------------------


def test_a_second_calendar_is_refused_until_the_first_is_disconnected(pages: Pages, vendor: str) -> None:
    other = {"google": "microsoft", "microsoft": "google"}[vendor]
    pages.account_at(other)
    ana = pages.connected(vendor)
    assert f"Authorize {TITLE[other]}" not in ana.text
    ana.send("POST", f"/connect/{other}", [("csrf", _csrf(ana))])
    assert ana.heading == "Another calendar is connected already"
    assert pages.bed.connection("ana").provider == vendor


def test_another_account_of_the_same_vendor_is_refused_when_authorizing_again(
    pages: Pages, vendor: str
) -> None:
    ana = pages.connected(vendor)
    pages.account_at(vendor, "other@contoso.example")
    first = pages.bed.connection("ana")
    ledger, now = pages.bed.house.ledger, pages.bed.clock()
    ledger.set_connection_state(first, ConnectionState.REAUTHORIZE, "revoked", now)
    ana.open("/").press("Authorize again")
    pages.allow(ana, vendor, "other@contoso.example")
    assert ana.heading == "Another calendar is connected already"
    ana.open("/").press("Authorize again")
    pages.allow(ana, vendor, ANA)
    assert "Your calendar is connected." in ana.text
    assert pages.bed.connection("ana").subject == first.subject


def test_an_account_that_serves_somebody_else_is_refused_and_theirs_goes_on(
    pages: Pages, vendor: str
) -> None:
    pages.bed.lms.book("ana", pages.bed.lms.add_session(MONDAY, title="Safety"))
    pages.connected(vendor)
    ben = pages.arrive("ben")
    pages.consent(ben, vendor, ANA)
    assert ben.heading == "This calendar belongs to somebody else here"
    assert "Ana" not in ben.text
    assert nothing_is_connected(pages, "ben") or pages.told.kinds == ["connected"]
    assert pages.bed.house.ledger.connections(["ben"]) == []
    pages.bed.once()
    assert pages.bed.titles("ana") == ["Safety"]


# Who is offered what ------------------------------------------------------------------------------


def test_a_vendor_that_is_not_switched_on_is_neither_offered_nor_begun(pages: Pages, vendor: str) -> None:
    other = {"google": "microsoft", "microsoft": "google"}[vendor]
    pages.bed.switch(vendors=frozenset({other}))
    ana = pages.arrive("ana")
    assert f"Authorize {TITLE[other]}" in ana.text
    assert f"Authorize {TITLE[vendor]}" not in ana.text
    ana.send("POST", f"/connect/{vendor}", [("csrf", _csrf(ana))])
    assert ana.heading == "This calendar is not offered"


def test_a_vendor_switched_off_in_the_middle_connects_nothing(
    pages: Pages, vendor: str, at_the_vendor: Browser
) -> None:
    pages.bed.switch(vendors=frozenset())
    pages.allow(at_the_vendor, vendor, ANA)
    assert at_the_vendor.heading == "This calendar is not offered"
    assert nothing_is_connected(pages)


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"vendors": frozenset()}, "has not switched calendar updates on"),
        ({"email_notifications": False}, "has not switched calendar updates on"),
        ({"people": frozenset({"ben"})}, "being tried out with a few people first"),
    ],
    ids=["no vendor", "no mails", "a pilot"],
)
def test_whoever_can_connect_nothing_is_told_why(pages: Pages, switches: dict[str, Any], said: str) -> None:
    pages.bed.switch(**switches)
    assert said in pages.arrive("ana").text


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"vendors": frozenset()}, "has switched Google Calendar off"),
        ({"email_notifications": False}, "has switched notifications off"),
        ({"people": frozenset({"ben"})}, "being tried out with a few people first"),
        ({"mode": Mode.OBSERVE}, "are paused by those who run this service"),
    ],
    ids=["vendor off", "no mails", "a pilot", "observed"],
)
def test_whose_calendar_stands_still_is_told_why(pages: Pages, switches: dict[str, Any], said: str) -> None:
    ana = pages.connected("google")
    pages.bed.switch(**switches)
    assert said in ana.open("/").text
    assert "Authorized" not in ana.text


def test_a_broken_connection_says_what_to_do(pages: Pages, vendor: str) -> None:
    ana = pages.connected(vendor)
    connection, now = pages.bed.connection("ana"), pages.bed.clock()
    pages.bed.house.ledger.set_connection_state(connection, ConnectionState.SUSPENDED, "why", now)
    assert "Your mailbox does not answer at the moment." in ana.open("/").text
    pages.bed.house.ledger.set_connection_state(
        pages.bed.connection("ana"), ConnectionState.REAUTHORIZE, "why", now
    )
    assert "no longer accepts our access" in ana.open("/").text


# Approval by an administrator ---------------------------------------------------------------------


@pytest.fixture
def no_consent_of_ones_own(pages: Pages) -> None:
    """Ana's organisation lets nobody consent for themselves."""
    pages.account_at("microsoft")
    pages.bed.microsoft.add_account("admin@contoso.example", admin=True)
    pages.bed.microsoft.directory.add_tenant("contoso.example").user_consent = False


def to_the_approval_page(pages: Pages) -> Browser:
    """Ana tries to connect, and Microsoft says that an administrator must approve."""
    ana = pages.arrive("ana").press("Authorize Microsoft 365").press("Accept", account=ANA)
    return ana.press("Return to the application without granting consent")


def link_in(browser: Browser) -> str:
    letter = browser.page.find("textarea")
    assert letter
    return letter.get_text().split()[-1]


@pytest.mark.usefixtures("no_consent_of_ones_own")
def test_an_organisation_that_must_approve_first_is_explained_with_what_to_send(
    pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "reconciler.web"):
        ana = to_the_approval_page(pages)
    assert ana.heading == "Your organisation has to approve this first"
    assert link_in(ana).startswith(f"{PUBLIC}/approve?token=")
    assert ["admin-approval" in record.getMessage() for record in caplog.records] == [True]
    assert nothing_is_connected(pages)


@pytest.mark.usefixtures("no_consent_of_ones_own")
def test_an_administrator_approves_for_everybody_and_ana_connects(pages: Pages) -> None:
    link = link_in(to_the_approval_page(pages))
    for _ in range(2):  # a scanner opened it before
        admin = pages.browser().open(link)
    assert admin.heading == "Approve the training calendar for your organisation"
    admin.press("Approve for everybody at Microsoft")
    admin.press("Accept", account="admin@contoso.example")
    assert admin.heading == "Thank you, it is approved"
    ana = pages.arrive("ana").press("Authorize Microsoft 365").press("Accept", account=ANA)
    assert "Your calendar is connected." in ana.text


@pytest.mark.usefixtures("no_consent_of_ones_own")
def test_an_administrator_who_declines_is_told_that_nothing_changed(pages: Pages) -> None:
    admin = pages.browser().open(link_in(to_the_approval_page(pages)))
    admin.press("Approve for everybody at Microsoft")
    admin.press("Cancel", account="admin@contoso.example")
    assert admin.heading == "It was not approved"


def test_what_to_send_is_there_before_anybody_was_refused(pages: Pages) -> None:
    ana = pages.arrive("ana").press("What to send to your administrator")
    assert link_in(ana).startswith(f"{PUBLIC}/approve?token=")
    assert pages.arrive("ana").open("/approval/google").answer.status == 404


def test_an_approval_that_nobody_asked_for_is_no_approval(pages: Pages) -> None:
    admin = pages.browser().open("/oauth/microsoft/callback?admin_consent=True&tenant=x&state=a.b.c")
    assert (admin.answer.status, admin.heading) == (400, "This link cannot be used")


def _csrf(browser: Browser) -> str:
    return str(browser.page.find("input", attrs={"name": "csrf"})["value"])  # type: ignore[index]
