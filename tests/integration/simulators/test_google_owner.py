"""What owners do by hand in the simulated Google, in Python and over its control endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google_caller import ANA, Google, private, running


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        started.insert(
            "abcde", description="Bring boots & gloves\nRoom <1>", extendedProperties=private(k="v")
        )
        yield started


def _act(google: Google, action: str, **given: Any) -> Any:
    answer = google.call("POST", "/_sim/owner", json={"mailbox": ANA, "action": action, **given})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def _dump(google: Google, **query: object) -> list[dict[str, Any]]:
    answer = google.call("GET", "/_sim/calendar", params={"mailbox": ANA, **query})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_what_an_owner_deletes_and_restores_comes_back_under_its_id(google: Google) -> None:
    before = google.call("GET", "abcde").json()["etag"]
    _act(google, "delete", event_id="abcde")
    assert google.call("GET", "abcde").json()["status"] == "cancelled"
    assert (_dump(google), [one["id"] for one in _dump(google, deleted=1)]) == ([], ["abcde"])
    _act(google, "restore", event_id="abcde")
    after = google.call("GET", "abcde").json()
    assert (after["status"], after["etag"] != before) == ("confirmed", True)
    assert google.ids(privateExtendedProperty="k=v") == ["abcde"]


def test_a_copy_has_the_private_properties_and_another_id(google: Google) -> None:
    copy = _act(google, "copy", event_id="abcde")
    assert google.ids(privateExtendedProperty="k=v") == ["abcde", copy]
    _act(google, "delete", event_id="abcde")
    assert google.ids(privateExtendedProperty="k=v") == [copy]


def test_an_event_moved_by_its_owner_is_only_found_in_the_other_calendar(google: Google) -> None:
    other = _act(google, "add_calendar", summary="Work")
    _act(google, "move", event_id="abcde", to=other)
    assert google.ids(privateExtendedProperty="k=v") == []
    assert google.call("GET", "abcde").json()["status"] == "cancelled"
    assert [(one["id"], one["calendarId"]) for one in _dump(google)] == [("abcde", other)]
    _act(google, "delete_calendar", calendar=other)
    assert google.call("GET", f"/calendar/v3/calendars/{other}/events").status_code == 404


def test_moved_away_and_back_it_lives_again(google: Google) -> None:
    other = _act(google, "add_calendar", summary="Work")
    _act(google, "move", event_id="abcde", to=other)
    _act(google, "move", event_id="abcde", to=ANA)
    assert google.ids(privateExtendedProperty="k=v") == ["abcde"]


def test_an_owners_edit_turns_the_description_into_html(google: Google) -> None:
    guests = [{"email": "guest@example.com", "responseStatus": "needsAction"}]
    _act(google, "edit", event_id="abcde", as_html=True, colorId="4", attendees=guests, summary="Mine")
    after = google.call("GET", "abcde").json()
    assert after["description"] == "Bring boots &amp; gloves<br>Room &lt;1&gt;"
    assert (after["summary"], after["colorId"], after["attendees"]) == ("Mine", "4", guests)


def test_a_description_that_is_html_already_is_not_escaped_again(google: Google) -> None:
    html = "Bring <b>boots</b> &amp; gloves<br>Room &lt;1&gt;"
    _act(google, "edit", event_id="abcde", as_html=True, description=html)
    assert google.call("GET", "abcde").json()["description"] == html


def test_an_owner_drags_an_event_to_another_time(google: Google) -> None:
    _act(google, "shift", event_id="abcde", minutes=30)
    after = google.call("GET", "abcde").json()
    assert after["start"]["dateTime"] == "2026-12-01T10:30:00Z"
    assert after["end"]["dateTime"] == "2026-12-01T11:30:00Z"


def test_an_owner_lets_it_repeat(google: Google) -> None:
    _act(google, "make_recurring", event_id="abcde")
    assert google.call("GET", "abcde").json()["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=4"]
    assert len(google.ids(singleEvents="true")) == 4


def test_an_owner_empties_the_whole_account(google: Google) -> None:
    other = _act(google, "add_calendar", summary="Work")
    _act(google, "add", start={"date": "2026-12-01"}, end={"date": "2026-12-02"}, to=other, summary="Holiday")
    assert _act(google, "delete_all") == 2
    assert _dump(google) == []


def test_tombstones_are_purged_over_http(google: Google) -> None:
    _act(google, "delete", event_id="abcde")
    assert google.call("POST", "/_sim/purge", json={"mailbox": ANA}).json() == {"purged": 1}
    assert _dump(google, deleted=1) == []


@pytest.mark.parametrize("given", [{"action": "delete", "event_id": "never1"}, {"action": "nonsense"}])
def test_an_act_on_nothing_is_not_found(google: Google, given: dict[str, str]) -> None:
    assert google.call("POST", "/_sim/owner", json={"mailbox": ANA, **given}).status_code == 404


def test_owners_acts_are_no_vendor_requests(google: Google) -> None:
    before = len(google.sim.recorder.seen)
    _act(google, "delete", event_id="abcde")
    _dump(google)
    assert len(google.sim.recorder.seen) == before


def test_accounts_made_over_http_have_calendars_and_a_lasting_sub(google: Google) -> None:
    asked = {"mailbox": "bob@example.com", "zone": "Asia/Tokyo", "calendars": ["Work"]}
    made = google.call("POST", "/_sim/accounts", json=asked).json()["accounts"][0]
    again = google.call("POST", "/_sim/accounts", json=[{"mailbox": "bob@example.com"}]).json()["accounts"][0]
    assert made == again
    assert made["calendars"][0] == "bob@example.com"
    assert google.sim.store.calendars["bob@example.com"].zone == "Asia/Tokyo"
