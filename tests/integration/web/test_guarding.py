"""What holds for every page: headers, cookies, forms of ours only, nobody else's pages, and not too often."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from limits import RateLimitItemPerMinute

from reconciler.web.guard import HEADERS
from reconciler.web.limiting import Limits
from tests.support.browser import Browser
from tests.support.pages import PUBLIC, Pages

EVERYWHERE = ["/", "/launch", "/disconnect", "/account", "/seats", "/privacy", "/approve", "/nowhere",
              "/oauth/google/callback", "/oauth/nobody/callback", "/approval/microsoft",
              "/privacy/about-me.json", "/static/style.css"]  # fmt: skip


def forms(pages: Pages) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every address that changes something, by the application's own map, with what it would be sent."""
    for rule in pages.app.url_map.iter_rules():
        if "POST" in (rule.methods or ()):
            yield rule.rule.replace("<vendor>", "google"), [("events", "stay"), ("vendor", "google")]


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("known", [False, True], ids=["nobody", "ana"])
def test_every_answer_bears_the_headers_that_guard_it(pages: Pages, path: str, known: bool) -> None:
    browser = pages.arrive("ana") if known else pages.browser()
    answer = browser.open(path, follow=False).answer
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == (
        "public, max-age=86400" if path.startswith("/static") else "no-store"
    )
    assert "Server" not in answer.headers


def test_no_page_holds_a_script_a_style_or_anything_from_elsewhere(pages: Pages) -> None:
    ana = pages.arrive("ana", role="owner")
    for path in EVERYWHERE[:-1]:
        page = ana.open(path, follow=False).page
        assert page.find_all(["script", "style", "iframe", "img", "object"]) == []
        assert [one for one in page.find_all(True) if one.get("style") or one.get("onclick")] == []
        assert all(str(one["href"]).startswith("/static/") for one in page.find_all("link"))


def test_a_cookie_of_ours_cannot_be_read_by_scripts_sent_in_the_clear_or_set_by_a_neighbour(
    pages: Pages,
) -> None:
    pages.account_at("google")
    ana = pages.arrive("ana")
    ana.press("Authorize Google Calendar")
    set_by_us = [
        line for answer in ana.seen for name, line in answer.headers.items()
        if name == "Set-Cookie" and answer.url.startswith(PUBLIC)
    ]  # fmt: skip
    assert len(set_by_us) > 2
    for line in set_by_us:
        assert line.startswith("__Host-")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert "Domain=" not in line


def test_nothing_is_changed_by_a_form_that_is_not_ours(pages: Pages) -> None:
    ana = pages.connected("google")
    before = pages.bed.house.ledger.audit_log(99), pages.bed.connection("ana")
    tried = list(forms(pages))
    assert {path for path, _ in tried} >= {"/disconnect", "/launch", "/account", "/seats", "/leave"}
    for path, form in tried:
        for forged in ([], [("csrf", "")], [("csrf", "x" * 32)], [("csrf", _csrf(pages.arrive("ben")))]):
            ana.send("POST", path, [*form, *forged], follow=False)
            assert ana.answer.status == 400, path
            assert ana.heading == "Please press the button once more"
    assert (pages.bed.house.ledger.audit_log(99), pages.bed.connection("ana")) == before


def _csrf(browser: Browser) -> str:
    return str(browser.page.find("input", attrs={"name": "csrf"})["value"])  # type: ignore[index]


def test_nothing_is_changed_by_opening_an_address(pages: Pages) -> None:
    ana = pages.connected("google")
    before = pages.bed.house.ledger.audit_log(99), pages.bed.connection("ana")
    for rule in pages.app.url_map.iter_rules():
        path = rule.rule.replace("<vendor>", "google").replace("<path:filename>", "style.css")
        for query in ("", "?events=remove&answer=give-back&confirmed=yes"):
            ana.open(path + query, follow=False)
    assert (pages.bed.house.ledger.audit_log(99), pages.bed.connection("ana")) == before


def test_no_address_names_a_person(pages: Pages) -> None:
    named = {name for rule in pages.app.url_map.iter_rules() for name in rule.arguments}
    assert named == {"vendor", "filename"}


def test_a_session_that_was_there_before_is_worth_nothing_afterwards(pages: Pages) -> None:
    ana = pages.browser().open(pages.link())
    before = ana.cookie("__Host-session")
    ana.press("Open my calendar settings")
    assert ana.cookie("__Host-session") != before
    thief = pages.browser()
    thief._client.set_cookie("__Host-session", before or "", domain="calendar.example.org")
    assert thief.open("/").answer.status == 403


def test_a_cookie_that_was_altered_or_made_elsewhere_is_no_session(pages: Pages) -> None:
    good = pages.arrive("ana").cookie("__Host-session") or ""
    for cookie in (good[:-4], good[:40] + "A" + good[41:], "x", "AAAA", "\u00fc"):
        thief = pages.browser()
        thief._client.set_cookie("__Host-session", cookie, domain="calendar.example.org")
        assert thief.open("/").heading == "Please come in through your training system"


def test_a_session_tells_a_reader_of_the_cookie_nothing(pages: Pages) -> None:
    cookie = pages.arrive("ana").cookie("__Host-session") or ""
    assert b"ana" not in base64.urlsafe_b64decode(cookie)


def test_a_session_ends_after_half_an_hour_without_use_and_lasts_with_it(pages: Pages) -> None:
    ana = pages.arrive("ana")
    for _ in range(3):
        pages.bed.clock.move(timedelta(minutes=29))
        assert ana.open("/").answer.status == 200
    pages.bed.clock.move(timedelta(minutes=31))
    assert ana.open("/").heading == "You have been away for a while"


def test_a_session_ends_after_eight_hours_whatever_happens(pages: Pages) -> None:
    ana = pages.arrive("ana")
    for _ in range(24):
        pages.bed.clock.move(timedelta(minutes=20))
        assert ana.open("/").answer.status == 200
    pages.bed.clock.move(timedelta(minutes=1))
    assert ana.open("/").answer.status == 403


@pytest.mark.parametrize(("limit", "path"), [("launch", "/launch"), ("callback", "/oauth/google/callback")])
def test_one_address_may_knock_only_so_often_and_others_are_not_kept_out(
    pages: Pages, limit: str, path: str
) -> None:
    pages.limits = Limits(**{limit: RateLimitItemPerMinute(3)})  # type: ignore[arg-type]
    knocking, other = pages.browser(), pages.browser(address="192.0.2.2")
    for _ in range(3):
        assert knocking.open(path).answer.status != 429
    assert knocking.open(path).answer.status == 429
    assert knocking.heading == "That was a little fast"
    assert other.open(path).answer.status != 429


def test_whoever_brings_no_proxy_of_ours_cannot_say_that_they_are_somebody_else(pages: Pages) -> None:
    ana = pages.arrive("ana", pages.browser(headers={"X-Forwarded-For": "203.0.113.9"}))
    pages.account_at("google")
    pages.consent(ana, "google", "ana@contoso.example")
    (line,) = [one for one in pages.bed.house.ledger.audit_log(9) if one.what == "connected"]
    assert line.origin == "192.0.2.1"


def test_every_refusal_is_one_line_for_the_operator_with_ids_only(
    pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    ana = pages.arrive("ana")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "reconciler.web"):
        ana.open("/account")
    (record,) = caplog.records
    line = record.getMessage()
    assert "not-owner" in line
    assert "person ana, account acme" in line
    reference = re.search(r"reference ([0-9a-f]{8})", line)
    assert reference
    assert reference[1] in ana.text
    assert "Berger" not in line


def test_a_page_that_breaks_is_told_in_plain_words(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ana = pages.arrive("ana")
    monkeypatch.setattr("reconciler.web.person.situation_of", lambda *_: 1 / 0)
    ana.open("/")
    assert (ana.answer.status, ana.heading) == (500, "Something went wrong here")
    assert "ZeroDivisionError" not in ana.answer.text


def test_a_form_that_is_far_too_large_is_refused(pages: Pages) -> None:
    ana = pages.arrive("ana")
    ana.send("POST", "/disconnect", [("csrf", _csrf(ana)), ("events", "x" * 70_000)])
    assert ana.answer.status == 413


def test_what_others_wrote_is_shown_as_written(pages: Pages) -> None:
    pages.bed.lms.change_person("ana", name="&lt;b&gt;Ana&lt;/b&gt; &amp; &quot;Bo&quot; %s {{ 7 * 7 }}")
    ana = pages.arrive("ana")
    assert ana.page.find_all("b") == []
    assert '<b>Ana</b> & "Bo" %s {{ 7 * 7 }}, the sessions' in ana.text
