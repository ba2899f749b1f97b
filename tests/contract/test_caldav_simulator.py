"""The simulated CalDAV server is as odd as the real ones: the same questions get the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest
import requests
from lxml import etree

from reconciler.providers.caldav import dav, mapping
from reconciler.simulators.caldav_store import CYRUS, DAVICAL, RADICALE, SOGO, XANDIKOS
from tests.contract.conftest import server_of
from tests.support.caldav_bed import DENTIST
from tests.support.caldav_servers import CalDavServer
from tests.support.caldav_simulated import simulated

ODD = {"radicale": RADICALE, "xandikos": XANDIKOS, "davical": DAVICAL, "cyrus": CYRUS, "sogo": SOGO}
SINCE = datetime(2026, 12, 1, tzinfo=UTC)
TRIES = 5
"""A second may end between two requests: what a server does within one is tried so often."""


class Asked(Protocol):
    """A server and its owner's other program."""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> requests.Response:
        """One request."""

    def new_calendar(self) -> str:
        """A new calendar's path."""


@dataclass
class Calendar:
    """One calendar, asked over the wire. Connections that a busy server closes are tried again."""

    server: Asked
    path: str

    def ask(self, method: str, name: str, body: str = "", **headers: str) -> requests.Response:
        for _ in range(3):
            try:
                return self.server.ask(method, f"{self.path}{name}", body, **headers)
            except requests.ConnectionError:
                continue
        raise AssertionError("it closes every connection")

    def put(self, name: str, title: str = "Dentist", uid: str = "", **headers: str) -> requests.Response:
        text = DENTIST.replace("UID:dentist", f"UID:{uid or name}").replace("Dentist", title)
        given = {"Content_Type": "text/calendar; charset=utf-8", **headers}
        return self.ask("PUT", f"{name}.ics", text, **given)

    def etag(self, name: str) -> str:
        return self.ask("GET", f"{name}.ics").headers["ETag"]

    def report(self, body: bytes | str) -> requests.Response:
        text = body if isinstance(body, str) else body.decode()
        return self.ask("REPORT", "", text, Content_Type="application/xml; charset=utf-8", Depth="1")

    def told(self, body: bytes | str) -> dict[str, str]:
        """Names and statuses in a report's answer; that it was cut is said of the calendar itself."""
        return _told(self.report(body))[0]

    def sync(self, token: str = "") -> tuple[dict[str, str], str]:
        return _told(self.report(dav.sync_collection(token)))


def _told(answer: requests.Response) -> tuple[dict[str, str], str]:
    assert answer.status_code == 207, (answer.status_code, answer.text)
    root = etree.fromstring(answer.content)
    found = {}
    for one in root.iterchildren(f"{dav.DAV}response"):
        status = one.findtext(f"{dav.DAV}status") or one.findtext(f"{dav.DAV}propstat/{dav.DAV}status") or ""
        name = str(one.findtext(f"{dav.DAV}href")).strip().rstrip("/").rpartition("/")[2]
        found[name] = status.split()[1]
    return found, str(root.findtext(f"{dav.DAV}sync-token"))


# The questions --------------------------------------------------------------------------------------

Question = Callable[[Calendar], object]
QUESTIONS: list[Question] = []


def question(asked: Question) -> Question:
    QUESTIONS.append(asked)
    return asked


def _kind(answer: requests.Response) -> str:
    return "done" if answer.status_code < 300 else str(answer.status_code)


@question
def creating_what_is_there(calendar: Calendar) -> object:
    new = _kind(calendar.put("a", If_None_Match="*"))
    again = _kind(calendar.put("a", "Boring", If_None_Match="*"))
    return new, again, "Boring" in calendar.ask("GET", "a.ics").text


@question
def writing_under_an_etag(calendar: Calendar) -> object:
    calendar.put("a")
    old = calendar.etag("a")
    told = calendar.put("a", "Boring", If_Match=old).headers.get("ETag")
    right = told == calendar.etag("a")
    return right, old != told, _kind(calendar.put("b", If_Match=old))


@question
def writing_under_an_old_etag(calendar: Calendar) -> object:
    calendar.put("a")
    old = calendar.etag("a")
    calendar.put("a", "Boring")
    return _kind(calendar.put("a", "Exciting", If_Match=old)), "Boring" in calendar.ask("GET", "a.ics").text


@question
def writing_the_same_anew(calendar: Calendar) -> object:
    calendar.put("a")
    old = calendar.etag("a")
    calendar.put("a")
    return calendar.etag("a") == old


@question
def deleting_under_an_old_etag(calendar: Calendar) -> object:
    calendar.put("a")
    old = calendar.etag("a")
    calendar.put("a", "Boring")
    return _kind(calendar.ask("DELETE", "a.ics", If_Match=old)), calendar.ask("GET", "a.ics").status_code


@question
def an_etag_after_deleting_and_making_anew(calendar: Calendar) -> object:
    calendar.put("a")
    old = calendar.etag("a")
    calendar.ask("DELETE", "a.ics")
    calendar.put("a", "Boring")
    return calendar.etag("a") == old


@question
def a_second_event_of_one_uid(calendar: Calendar) -> object:
    calendar.put("a", uid="one")
    second = calendar.put("b", uid="one")
    return second.status_code < 300, calendar.ask("GET", "b.ics").status_code


@question
def what_is_not_there(calendar: Calendar) -> object:
    return calendar.ask("GET", "a.ics").status_code, calendar.ask("DELETE", "a.ics").status_code


@question
def what_has_changed(calendar: Calendar) -> object:
    calendar.put("old")
    _, token = calendar.sync()
    calendar.put("new")
    calendar.ask("DELETE", "old.ics")
    changed, _ = calendar.sync(token)
    return changed


@question
def what_was_deleted_long_ago(calendar: Calendar) -> object:
    for name in ("a", "b", "c"):
        calendar.put(name)
    calendar.ask("DELETE", "b.ics")
    return calendar.sync("")[0]


@question
def a_token_that_was_never_given(calendar: Calendar) -> object:
    calendar.put("a")
    answer = calendar.report(dav.sync_collection("http://ilt.invalid/sync/0"))
    return answer.status_code, "valid-sync-token" in answer.text


@question
def what_was_told_already(calendar: Calendar) -> object:
    """Whether it may be told again within the same second."""
    again = False
    for number in range(TRIES):
        calendar.put(f"event-{number}")
        _, token = calendar.sync()
        again = again or bool(calendar.sync(token)[0])
    return again


@question
def a_wish_for_few_results(calendar: Calendar) -> object:
    """Whether the rest is lost without a word."""
    for name in ("a", "b", "c"):
        calendar.put(name)
    limit = "<limit><nresults>1</nresults></limit></sync-collection>"
    found, token = _told(
        calendar.report(dav.sync_collection("").decode().replace("</sync-collection>", limit))
    )
    events = {name for name in found if name.endswith(".ics")}
    return len(events) < 3 and "507" not in found.values() and not calendar.sync(token)[0]


@question
def a_search_by_a_property_of_ours(calendar: Calendar) -> object:
    calendar.put("a")
    return calendar.told(dav.query({mapping.TOKEN: "nobody's"}))


@question
def a_search_by_uid(calendar: Calendar) -> object:
    calendar.put("a")
    calendar.put("b")
    return calendar.told(dav.query({"UID": "a"}))


@question
def a_search_by_time(calendar: Calendar) -> object:
    calendar.put("a")
    late = datetime(2027, 1, 1, tzinfo=UTC)
    return calendar.told(dav.query({}, since=SINCE)), calendar.told(dav.query({}, since=late))


@question
def events_by_their_names(calendar: Calendar) -> object:
    calendar.put("a")
    return calendar.told(dav.multiget([f"{calendar.path}{name}.ics" for name in ("a", "gone")]))


@question
def a_calendar_that_is_gone(calendar: Calendar) -> object:
    gone = Calendar(calendar.server, f"{calendar.path.rstrip('/')}-gone/")
    found = (gone.report(dav.query({})), gone.ask("GET", "a.ics"), gone.put("a"))
    return [answer.status_code for answer in found[:2]], found[2].status_code >= 400


# The answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked.__name__)
@pytest.mark.parametrize("name", ODD)
def test_the_simulator_answers_as_the_real_server_does(
    name: str, asked: Question, servers: dict[str, CalDavServer]
) -> None:
    real = server_of(name, servers)
    calendar = Calendar(real, real.new_calendar())
    try:
        answered = asked(calendar)
    finally:
        calendar.ask("DELETE", "")  # one server takes a UID once in all calendars of a person
    with simulated(ODD[name]) as simulator:
        assert asked(Calendar(simulator, simulator.new_calendar())) == answered
