"""The account owner's page: what can be switched, what it says first, and who may not see it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from reconciler.model import ConnectionState, UnregisterMode
from tests.support.browser import Browser
from tests.support.house import MONDAY
from tests.support.pages import Pages


@pytest.fixture
def owner(pages: Pages) -> Browser:
    """Olga looks after Acme's account; Ana and Ben are connected to Google."""
    pages.bed.lms.add_person("olga", name="Olga Novak")
    pages.bed.lms.book("ana", pages.bed.lms.add_session(MONDAY, title="Safety"))
    pages.connected("google")
    pages.connected("google", "ben", "ben@contoso.example")
    pages.bed.addresses["ana"] = (pages.bed.google, "ana@contoso.example")
    return pages.arrive("olga", role="owner")


def counted(owner: Browser) -> dict[str, str]:
    boxes = owner.page.select(".counts > div")
    return {box.dt.get_text(): box.dd.get_text() for box in boxes if box.dt and box.dd}


def switches(pages: Pages) -> tuple[set[str], bool]:
    known = pages.site.switches("acme")
    return set(known.vendors), known.email_notifications


def test_an_owner_arrives_at_the_organisations_page(owner: Browser) -> None:
    assert owner.heading == "Calendars in your organisation"
    assert counted(owner) == {"connected": "2", "need attention": "0", "tried in vain": "0"}
    assert "2 people have connected theirs" in owner.text


def test_the_page_counts_and_names_nobody(pages: Pages, owner: Browser) -> None:
    for name in ("Ana", "Ben", "contoso"):
        assert name not in owner.text


def test_broken_connections_and_refused_attempts_are_counted(pages: Pages, owner: Browser) -> None:
    connection = pages.bed.connection("ana")
    pages.bed.house.ledger.set_connection_state(
        connection, ConnectionState.REAUTHORIZE, "why", pages.bed.clock()
    )
    pages.bed.lms.add_person("eve")
    for _ in range(2):
        eve = pages.arrive("eve")
        eve.press("Authorize Google Calendar").press("Deny", account="ana@contoso.example")
    assert counted(owner.open("/account")) == {
        "connected": "1",
        "need attention": "1",
        "tried in vain": "1",
    }


def test_another_accounts_people_are_not_counted(pages: Pages, owner: Browser) -> None:
    pages.bed.lms.add_account("other")
    pages.bed.lms.add_person("pat", account="other")
    pages.bed.lms.add_person("boss", account="other")
    pages.bed.connect("pat", "microsoft")
    assert counted(owner.open("/account"))["connected"] == "2"


def test_switching_a_vendor_off_says_first_whom_it_concerns_and_what_will_happen(
    pages: Pages, owner: Browser
) -> None:
    owner.press("Save", vendor=["microsoft"])
    assert owner.heading == "Switch this off?"
    assert "Google Calendar: this concerns 2 people." in owner.text
    assert "Events already in their calendars stay there and are no longer updated." in owner.text
    assert switches(pages) == ({"google", "microsoft"}, True)
    owner.press("Switch off")
    assert "Your settings are saved." in owner.text
    assert switches(pages) == ({"microsoft"}, True)
    (line,) = [one for one in pages.bed.house.ledger.audit_log(9) if one.what == "switches"]
    assert (line.who, line.account, line.origin) == ("person olga", "acme", "192.0.2.1")


def test_whoever_changes_their_mind_changes_nothing(pages: Pages, owner: Browser) -> None:
    owner.press("Save", vendor=[]).press("Change nothing")
    assert owner.heading == "Calendars in your organisation"
    assert switches(pages) == ({"google", "microsoft"}, True)


def test_what_concerns_nobody_is_switched_at_once(pages: Pages, owner: Browser) -> None:
    owner.press("Save", vendor=["google"])
    assert "Your settings are saved." in owner.text
    assert switches(pages) == ({"google"}, True)


def test_switching_notifications_off_says_that_calendars_stop_too(pages: Pages, owner: Browser) -> None:
    owner.press("Save", mails=[])
    assert "this concerns everybody, and the calendars of 2 people" in owner.text
    owner.press("Switch off")
    assert switches(pages) == ({"google", "microsoft"}, False)


def test_as_long_as_notifications_are_off_the_page_says_so_loudly(pages: Pages, owner: Browser) -> None:
    said = "the calendars of 2 connected people are not updated either"
    assert said not in owner.text
    owner.press("Save", mails=[]).press("Switch off")
    assert said in owner.text
    owner.press("Save", mails=["on"])
    assert said not in owner.text


def test_where_nobody_is_connected_the_loud_note_counts_nobody(pages: Pages, owner: Browser) -> None:
    for person in ("ana", "ben"):
        pages.bed.house.ledger.disconnect(person, person, "test", pages.bed.clock())
    owner.open("/account").press("Save", mails=[]).press("Switch off")
    assert "told anything by mail, and calendars are not updated either." in owner.text
    assert "0 connected" not in owner.text


def test_whose_calendar_is_switched_off_keeps_the_events_and_is_taken_up_again(
    pages: Pages, owner: Browser
) -> None:
    pages.bed.once()
    owner.press("Save", vendor=["microsoft"]).press("Switch off")
    pages.bed.lms.change("session-1", title="Safety for all")
    pages.bed.once()
    assert pages.bed.titles("ana") == ["Safety"]
    owner.press("Save", vendor=["google", "microsoft"])
    pages.bed.once()
    assert pages.bed.titles("ana") == ["Safety for all"]


def test_what_the_operator_set_stays_as_it_is(pages: Pages, owner: Browser) -> None:
    pages.bed.switch(unregister=UnregisterMode.ASK, people=frozenset({"ana", "ben"}))
    owner.open("/account").press("Save", vendor=["google"])
    known = pages.site.stored_switches("acme")
    assert (known.unregister, known.people) == (UnregisterMode.ASK, {"ana", "ben"})


def test_what_the_operator_sets_while_an_owner_switches_stays_as_it_is(pages: Pages, owner: Browser) -> None:
    set_meanwhile: list[UnregisterMode] = []

    def operator_sets(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "count(" in statement and not set_meanwhile:
            set_meanwhile.append(UnregisterMode.NEVER)
            pages.bed.switch(unregister=UnregisterMode.NEVER)

    sa.event.listen(sa.Engine, "before_cursor_execute", operator_sets)
    try:
        owner.press("Save", vendor=["google"])
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", operator_sets)
    assert set_meanwhile
    assert switches(pages) == ({"google"}, True)
    assert pages.site.switches("acme").unregister is UnregisterMode.NEVER


def test_a_vendor_that_nobody_configured_cannot_be_switched_on(pages: Pages, owner: Browser) -> None:
    owner.press("Save", vendor=["google", "microsoft", "elsewhere"])
    assert switches(pages) == ({"google", "microsoft"}, True)


def test_nobody_but_an_owner_sees_or_changes_it(pages: Pages, owner: Browser) -> None:
    ana = pages.arrive("ana")
    assert "Organisation" not in ana.text
    assert (ana.open("/account").answer.status, ana.heading) == (403, "This page is for account owners")
    ana.open("/")
    csrf = str(ana.page.find("input", attrs={"name": "csrf"})["value"])  # type: ignore[index]
    ana.send("POST", "/account", [("csrf", csrf), ("confirmed", "yes")])
    assert ana.answer.status == 403
    assert switches(pages) == ({"google", "microsoft"}, True)


def test_an_owner_has_a_page_of_their_own_like_everybody(owner: Browser) -> None:
    owner.press("My calendar")
    assert "Olga Novak, the sessions you are booked into" in owner.text
