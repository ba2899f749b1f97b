"""Connecting a calendar at a real CalDAV server, by user name and app password: all of it, or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model import ConnectionState
from tests.support.browser import Browser
from tests.support.caldav_servers import PASSWORD, USER, CalDavServer, radicale
from tests.support.house import MONDAY
from tests.support.pages import Pages, the_pages


@pytest.fixture(scope="module")
def server() -> Iterator[CalDavServer]:
    """Radicale, with two calendars of alice's."""
    with radicale() as started:
        started.new_calendar()
        started.new_calendar()
        yield started


@pytest.fixture
def pages(tmp_path: Path, ledger_file: Path, server: CalDavServer) -> Iterator[Pages]:
    """Pages that offer this server, to everybody."""
    shutil.copy(ledger_file, tmp_path / "state.db")
    sections = {
        "providers": {"caldav": {"allowed_hosts": [server.address, "*"]}},
        "accounts": {"defaults": {"vendors": ["caldav"]}},
    }
    with the_pages(tmp_path, f"sqlite:///{tmp_path}/state.db", **sections) as made:
        yield made


def typed(pages: Pages, **changes: str) -> Browser:
    """Ana's answer to where her calendar is."""
    ana = pages.arrive("ana").press("Authorize CalDAV")
    assert ana.heading == "Where is your calendar?"
    return ana.press("Look for my calendars", user=USER, **{"password": PASSWORD, **changes})


def test_somebody_who_signs_in_is_connected_and_their_sessions_follow(
    pages: Pages, server: CalDavServer
) -> None:
    pages.bed.lms.book("ana", pages.bed.lms.add_session(MONDAY, title="Safety"))
    path = server.new_calendar()
    ana = typed(pages)
    assert ana.heading == "Which calendar?"
    assert f'"{PASSWORD}"' not in ana.answer.text
    ana.press("Connect this calendar", calendar=path)
    assert "Your calendar is connected." in ana.text
    connection = pages.bed.connection("ana")
    assert (connection.provider, connection.state) == ("caldav", ConnectionState.CONNECTED)
    assert connection.calendar_id == path
    assert pages.told.kinds == ["connected"]
    pages.bed.once()
    assert "SUMMARY:Safety" in server.ask("REPORT", path, _EVERYTHING, Depth="1").text


def test_nothing_is_left_of_the_try_out(pages: Pages, server: CalDavServer) -> None:
    path = server.new_calendar()
    typed(pages).press("Connect this calendar", calendar=path)
    assert "BEGIN:VEVENT" not in server.ask("REPORT", path, _EVERYTHING, Depth="1").text


@pytest.mark.parametrize(
    ("changes", "heading"),
    [
        ({"password": "wrong"}, "User name or password were not accepted"),
        ({"other": "https://127.0.0.1:1/"}, "We cannot use a calendar at this address"),
        ({"other": "https://calendar.invalid/"}, "We cannot use a calendar at this address"),
        ({"other": "file:///etc/passwd"}, "We cannot use a calendar at this address"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_stored(
    pages: Pages, changes: dict[str, str], heading: str
) -> None:
    ana = typed(pages, **changes)
    assert ana.heading == heading
    assert pages.bed.house.ledger.connections(["ana"]) == []
    assert pages.told.kinds == []


def test_a_calendar_that_is_none_of_theirs_is_not_connected(pages: Pages) -> None:
    ana = typed(pages).press("Connect this calendar", calendar="/bob/calendar/")
    assert ana.heading == "Nothing can be entered in this calendar"
    assert pages.bed.house.ledger.connections(["ana"]) == []


def test_what_was_typed_is_good_for_ten_minutes_and_in_no_other_session(pages: Pages) -> None:
    ana = typed(pages)
    (way,) = [str(one["value"]) for one in ana.page.find_all("input", attrs={"name": "way"})]
    ben = pages.arrive("ben").press("Authorize CalDAV")
    ben.press("Look for my calendars", user=USER, password=PASSWORD)
    ben.press("Connect this calendar", way=way)
    assert ben.heading == "That took a little too long"
    assert pages.bed.house.ledger.connections(["ben"]) == []


def test_one_principal_serves_one_person(pages: Pages) -> None:
    typed(pages).press("Connect this calendar")
    ben = pages.arrive("ben").press("Authorize CalDAV")
    ben.press("Look for my calendars", user=USER, password=PASSWORD).press("Connect this calendar")
    assert ben.heading == "This calendar belongs to somebody else here"


def test_the_command_line_connects_the_same_way(pages: Pages, server: CalDavServer) -> None:
    path = server.new_calendar()
    pages.bed.configure(mail={"host": "127.0.0.1", "tls": "none", "from_address": "training@acme.example"})
    arguments = ["--address", server.address, "--user", USER, "--password-file", "-"]
    refused = pages.bed.cli("connection", "sign-in", "ana", "caldav", *arguments, input=PASSWORD)
    assert refused.exit_code == 78
    assert path in refused.stderr
    done = pages.bed.cli(
        "connection", "sign-in", "ana", "caldav", *arguments, "--calendar", path, input=PASSWORD
    )
    assert (done.exit_code, done.stdout) == (0, "Person ana is connected.\n")
    assert pages.bed.connection("ana").calendar_id == path
    assert "person ana: connected, waiting" in pages.bed.cli("mail", "list").stdout


def test_an_owner_switches_it_on_and_off(pages: Pages) -> None:
    owner = pages.arrive("ana", role="owner").open("/account")
    owner.press("Save", vendor=[])
    assert "caldav" not in pages.site.stored_switches("acme").vendors
    owner.open("/account").press("Save", vendor=["caldav"])
    assert "caldav" in pages.site.stored_switches("acme").vendors


_EVERYTHING = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
