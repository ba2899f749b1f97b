"""How it stands, for people: the same in the terminal and on the page, without Prometheus."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from reconciler.labels import Guard
from reconciler.ops.chart import last_day
from reconciler.ports import Hold, Run
from tests.support.house import MONDAY, NOW, TUESDAY, HouseBed
from tests.support.listener import Listener


@pytest.fixture
def acme(house: HouseBed, listener: Listener) -> HouseBed:
    """Ana and Ben with two sessions each, in place; what needs attention is up to the test."""
    made = [house.lms.add_session(MONDAY, title="<b>Safety</b>"), house.lms.add_session(TUESDAY)]
    house.newcomer("ana", "google", *made)
    house.newcomer("ben", "microsoft", *made)
    return house


def test_when_all_is_well_it_says_so_in_numbers(acme: HouseBed, listener: Listener) -> None:
    acme.house.loop.push()
    page = listener.get("/").text
    assert "<h1>All is well.</h1>" in page
    assert '<b>4</b><span class="quiet">events in place; 4 should be' in page
    assert "<b>2 of 2</b>" in page
    assert "push: 2 people changed: 4 created" in page
    assert re.search(r"google, minute: \d+ %", page)
    assert "4 in all" in page


def test_who_needs_attention_is_named_by_id_on_the_page_as_in_the_terminal(
    acme: HouseBed, listener: Listener
) -> None:
    acme.house.loop.push()
    acme.google.revoke("ana@google.example")
    acme.house.providers["google"]._client._tokens._grants.clear()  # type: ignore[attr-defined]
    acme.clock.move(timedelta(days=1))
    acme.house.loop.audit()
    acme.house.loop.push()
    page = listener.get("/").text
    assert 'class="bad">Something needs attention.' in page
    assert "person ana (google): reauthorize since" in page
    said = acme.cli("status").stdout
    assert "person ana (google): reauthorize since" in said
    assert "connects again on their page: `reconciler connect-link PERSON`" in said
    assert "@" not in re.sub(r"@media", "", page)
    assert "Safety" not in page


def test_what_to_do_about_a_hold_is_said_as_a_command(acme: HouseBed, listener: Listener) -> None:
    acme.house.loop.push()
    acme.house.ledger.hold(Hold(Guard.VANISHED_SESSIONS, "acme", "2 of <b>2</b> sessions vanished", NOW, 2))
    page = listener.get("/").text
    assert "HELD: 2 of &lt;b&gt;2&lt;/b&gt; sessions vanished (account acme)" in page
    assert "let go with <code>reconciler release --guard vanished-sessions</code>." in page
    assert '<b>1</b><span class="quiet">guard holds something' in page


def test_before_any_cycle_it_says_that(listener: Listener) -> None:
    assert "No cycle has ended yet." in listener.get("/").text


def test_the_last_day_is_told_by_quarters_of_an_hour() -> None:
    def run(ago: timedelta, result: str, created: int = 0, cycle: str = "push") -> Run:
        return Run(cycle, NOW - ago, NOW - ago, result, "", {"create ok": created})

    minute = timedelta(minutes=1)
    day = last_day(
        [
            run(timedelta(hours=25), "error", 9),
            run(20 * minute, "error", 2),
            run(16 * minute, "success", 2),
            run(5 * minute, "success", 8),
            run(4 * minute, "error", 0, "audit"),
        ],
        NOW,
    )
    assert len(day) == 96
    assert [(one.written, one.worst, one.height) for one in day[-3:]] == [
        (0, "none", 0),
        (4, "error", 50),
        (8, "success", 100),
    ]
    assert str(day[-1]) == "08:45Z: 8 written, worst push: success"
