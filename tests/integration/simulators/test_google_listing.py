"""Lists, pages, partial responses and sync tokens of the simulated Google."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from google_caller import ANA, Google, error_of, private, running

from reconciler.simulators.google_store import GoogleSwitches


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        yield started


def _pages(google: Google, **query: object) -> list[list[str]]:
    """The ids on each page, to the end."""
    pages, token = [], None
    while True:
        more = {"pageToken": token} if token else {}
        answer = google.call("GET", params={**query, **more}).json()
        pages.append([one["id"] for one in answer["items"]])
        token = answer.get("nextPageToken")
        if token is None:
            return pages
        assert "nextSyncToken" not in answer


def _synced(google: Google, token: str, **query: object) -> tuple[dict[str, str], str]:
    answer = google.call("GET", params={"syncToken": token, **query})
    assert answer.status_code == 200, answer.text
    return {one["id"]: one["status"] for one in answer.json()["items"]}, answer.json()["nextSyncToken"]


def _first_token(google: Google, **query: object) -> str:
    token: str = google.call("GET", params=query).json()["nextSyncToken"]
    return token


def test_a_list_names_its_calendar_and_the_callers_role() -> None:
    with running(zone="Europe/Paris") as google:
        answer = google.call("GET", params={"fields": "summary,timeZone,accessRole"})
        assert answer.json() == {"summary": ANA, "timeZone": "Europe/Paris", "accessRole": "owner"}


def test_a_page_holds_250_unless_told_otherwise(google: Google) -> None:
    ids = [google.insert()["id"] for _ in range(251)]
    assert [len(page) for page in _pages(google)] == [250, 1]
    pages = _pages(google, maxResults=100)
    assert [len(page) for page in pages] == [100, 100, 51]
    assert [one for page in pages for one in page] == ids


@pytest.mark.parametrize("given", ["0", "-1", "many"])
def test_a_page_size_that_is_no_positive_number_is_refused(google: Google, given: str) -> None:
    assert error_of(google.call("GET", params={"maxResults": given})) == (400, "invalidParameter")


def test_pages_may_be_short_and_the_first_one_empty() -> None:
    with running(GoogleSwitches(page_ceiling=2, empty_page_first=True)) as google:
        for _ in range(5):
            google.insert()
        assert [len(page) for page in _pages(google, maxResults=4)] == [0, 2, 2, 1]


@pytest.mark.parametrize("token", ["nonsense", "e30="])
def test_a_page_token_that_google_did_not_give_is_refused(google: Google, token: str) -> None:
    assert error_of(google.call("GET", params={"pageToken": token})) == (400, "invalid")


def test_a_page_token_belongs_to_its_query(google: Google) -> None:
    for _ in range(2):
        google.insert()
    token = google.call("GET", params={"maxResults": 1}).json()["nextPageToken"]
    other = {"maxResults": 1, "pageToken": token, "showDeleted": "true"}
    assert error_of(google.call("GET", params=other)) == (400, "invalid")


def test_an_event_made_between_two_pages_is_in_the_next_sync(google: Google) -> None:
    for _ in range(2):
        google.insert()
    token = google.call("GET", params={"maxResults": 1}).json()["nextPageToken"]
    google.call("DELETE", google.ids()[0])
    last = google.call("GET", params={"maxResults": 1, "pageToken": token}).json()
    changes, _ = _synced(google, last["nextSyncToken"])
    assert list(changes.values()) == ["cancelled"]


def test_the_window_excludes_what_ends_or_starts_at_its_borders(google: Google) -> None:
    google.insert("abcde")
    ten, eleven = "2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"
    assert google.ids(timeMin=eleven) == []
    assert google.ids(timeMax=ten) == []
    assert google.ids(timeMin="2026-12-01T11:59:59.900+01:00", timeMax="2026-12-02T00:00:00Z") == ["abcde"]
    assert google.ids(timeMin="2026-12-01T00:00:00Z", timeMax="2026-12-01T10:00:01Z") == ["abcde"]


def test_a_window_without_an_offset_is_a_bad_request(google: Google) -> None:
    assert error_of(google.call("GET", params={"timeMin": "2026-12-01T10:00:00"})) == (400, "badRequest")


def test_an_empty_window_is_refused_as_google_words_it(google: Google) -> None:
    same = {"timeMin": "2026-12-01T10:00:00Z", "timeMax": "2026-12-01T10:00:00Z"}
    error = google.call("GET", params=same).json()["error"]
    assert error["errors"] == [
        {
            "domain": "calendar",
            "reason": "timeRangeEmpty",
            "message": "The specified time range is empty.",
            "locationType": "parameter",
            "location": "timeMax",
        }
    ]


def test_a_private_property_finds_only_its_events(google: Google) -> None:
    google.insert("aaaaa", extendedProperties=private(k="v"))
    google.insert("bbbbb", extendedProperties=private(k="other"))
    google.insert("ccccc", extendedProperties={"shared": {"k": "v"}})
    assert google.ids(privateExtendedProperty="k=v") == ["aaaaa"]
    assert google.ids(sharedExtendedProperty="k=v") == ["ccccc"]
    assert google.call("GET", params={"privateExtendedProperty": "k"}).status_code == 400


@pytest.mark.parametrize(("switch", "found"), [("and", ["aaaaa"]), ("or", ["aaaaa", "bbbbb"])])
def test_repeated_private_properties_combine_as_the_switch_says(switch: str, found: list[str]) -> None:
    with running(GoogleSwitches(repeated_private_property=switch)) as google:
        google.insert("aaaaa", extendedProperties=private(k="v", l="w"))
        google.insert("bbbbb", extendedProperties=private(k="v"))
        assert google.ids(privateExtendedProperty=["k=v", "l=w"]) == found


@pytest.mark.parametrize(("switch", "found"), [(True, ["aaaaa"]), (False, [])])
def test_tombstones_may_or_may_not_be_found_by_property(switch: bool, found: list[str]) -> None:
    with running(GoogleSwitches(tombstones_match_private_property=switch)) as google:
        google.insert("aaaaa", extendedProperties=private(k="v"))
        google.call("DELETE", "aaaaa")
        assert google.ids(privateExtendedProperty="k=v", showDeleted="true") == found
        assert google.ids(privateExtendedProperty="k=v") == []


def test_ordering_by_start_needs_single_events(google: Google) -> None:
    google.insert("later", start={"dateTime": "2026-12-01T10:30:00Z"})
    google.insert("earlier")
    assert google.call("GET", params={"orderBy": "startTime"}).status_code == 400
    assert google.ids(orderBy="startTime", singleEvents="true") == ["earlier", "later"]
    google.call("PATCH", "later", json={"summary": "x"})
    assert google.ids(orderBy="updated") == ["earlier", "later"]


def test_a_series_is_one_event_or_its_times(google: Google) -> None:
    google.insert("abcde")
    google.sim.owner.make_recurring(ANA, "abcde", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert google.ids() == ["abcde"]
    assert google.ids(singleEvents="true") == [
        "abcde_20261201T100000Z",
        "abcde_20261208T100000Z",
        "abcde_20261215T100000Z",
    ]
    assert google.ids(timeMin="2026-12-14T00:00:00Z") == ["abcde"]
    assert google.ids(timeMin="2026-12-16T00:00:00Z") == []
    second = google.call("GET", "abcde_20261208T100000Z").json()
    assert (second["recurringEventId"], second["start"]["dateTime"]) == ("abcde", "2026-12-08T10:00:00Z")


def test_a_series_keeps_its_wall_clock_over_a_change_of_offset() -> None:
    with running(zone="Europe/Berlin") as google:
        day = {"timeZone": "Europe/Berlin"}
        google.insert(
            "abcde",
            start={"dateTime": "2026-10-24T10:00:00", **day},
            end={"dateTime": "2026-10-24T11:00:00", **day},
            recurrence=["RRULE:FREQ=DAILY;COUNT=2"],
        )
        times = google.call("GET", params={"singleEvents": "true"}).json()["items"]
        assert [one["start"]["dateTime"] for one in times] == [
            "2026-10-24T10:00:00+02:00",
            "2026-10-25T10:00:00+01:00",
        ]


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ("items(id,start/date)", {"items": [{"id": "abcde", "start": {"date": "2026-12-01"}}]}),
        ("items/id,summary", {"summary": ANA, "items": [{"id": "abcde"}]}),
        ("items/extendedProperties/private/k", {"items": [{"extendedProperties": {"private": {"k": "v"}}}]}),
        (
            "items(start(date),end/*)",
            {"items": [{"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}}]},
        ),
    ],
)  # fmt: skip
def test_fields_select_what_is_answered(google: Google, fields: str, answer: dict[str, object]) -> None:
    google.insert(
        "abcde",
        start={"date": "2026-12-01"},
        end={"date": "2026-12-02"},
        extendedProperties=private(k="v", other="w"),
    )
    assert google.call("GET", params={"fields": fields}).json() == answer


def test_fields_that_do_not_name_the_next_page_hide_it(google: Google) -> None:
    for _ in range(2):
        google.insert()
    assert google.call("GET", params={"fields": "items(id)", "maxResults": 1}).json().keys() == {"items"}


@pytest.mark.parametrize("fields", ["nonsense", "items(id", "items(nonsense)", "items//id", ""])
def test_fields_that_do_not_exist_are_refused(google: Google, fields: str) -> None:
    assert error_of(google.call("GET", params={"fields": fields})) == (400, "invalidParameter")


def test_fields_work_on_a_single_event_too(google: Google) -> None:
    google.insert("abcde")
    assert google.call("GET", "abcde", params={"fields": "id,status"}).json() == {
        "id": "abcde",
        "status": "confirmed",
    }


def test_a_sync_tells_what_changed_and_what_was_deleted(google: Google) -> None:
    google.insert("aaaaa")
    google.insert("bbbbb")
    token = _first_token(google)
    assert _synced(google, token)[0] == {}
    google.call("DELETE", "aaaaa")
    google.insert("ccccc")
    changes, after = _synced(google, token)
    assert changes == {"aaaaa": "cancelled", "ccccc": "confirmed"}
    assert _synced(google, after)[0] == {}


def test_a_windowed_first_sync_reports_changes_outside_the_window_afterwards(google: Google) -> None:
    token = _first_token(google, timeMin="2027-01-01T00:00:00Z")
    google.insert("abcde")
    assert _synced(google, token)[0] == {"abcde": "confirmed"}


@pytest.mark.parametrize(
    "other",
    [
        {"timeMin": "2026-12-01T10:00:00Z"}, {"timeMax": "2026-12-01T10:00:00Z"}, {"orderBy": "updated"},
        {"privateExtendedProperty": "k=v"}, {"sharedExtendedProperty": "k=v"}, {"q": "x"}, {"iCalUID": "x"},
        {"updatedMin": "2026-12-01T10:00:00Z"}, {"showDeleted": "false"}, {"singleEvents": "true"},
    ],
)  # fmt: skip
def test_a_sync_token_goes_with_no_other_restriction(google: Google, other: dict[str, str]) -> None:
    token = _first_token(google)
    assert google.call("GET", params={"syncToken": token, **other}).status_code == 400


def test_a_bad_sync_token_asks_for_a_full_sync_in_the_very_words(google: Google) -> None:
    answer = google.call("GET", params={"syncToken": "nonsense"})
    assert answer.status_code == 410
    assert answer.json()["error"]["errors"] == [
        {
            "domain": "calendar",
            "reason": "fullSyncRequired",
            "message": "Sync token is no longer valid, a full sync is required.",
            "locationType": "parameter",
            "location": "syncToken",
        }
    ]


def test_purged_tombstones_take_the_older_sync_tokens_with_them(google: Google) -> None:
    google.insert("aaaaa")
    token = _first_token(google)
    google.call("DELETE", "aaaaa")
    google.sim.owner.purge(ANA)
    assert error_of(google.call("GET", params={"syncToken": token})) == (410, "fullSyncRequired")
    assert _synced(google, _first_token(google))[0] == {}


def test_expired_sync_tokens_may_be_refused_without_the_reason() -> None:
    with running(GoogleSwitches(full_sync_reason_named=False)) as google:
        token = _first_token(google)
        google.sim.expire_sync_tokens(ANA)
        assert error_of(google.call("GET", params={"syncToken": token})) == (410, "gone")


@pytest.mark.parametrize("switch", [True, False])
def test_a_list_by_private_property_gives_a_sync_token_only_by_the_switch(switch: bool) -> None:
    with running(GoogleSwitches(sync_token_with_private_property=switch)) as google:
        answer = google.call("GET", params={"privateExtendedProperty": "k=v"}).json()
        assert ("nextSyncToken" in answer) is switch


def test_updated_min_shows_deletions_and_may_lie_too_far_back(google: Google) -> None:
    google.insert("abcde")
    google.call("DELETE", "abcde")
    now = datetime.now(UTC)
    assert google.ids(updatedMin=(now - timedelta(days=1)).isoformat()) == ["abcde"]
    assert google.ids(updatedMin=(now + timedelta(days=1)).isoformat()) == []
    old = google.call("GET", params={"updatedMin": (now - timedelta(days=60)).isoformat()})
    assert error_of(old) == (410, "updatedMinTooLongAgo")


def test_a_fresh_event_may_be_missing_from_some_listings_and_syncs_afterwards() -> None:
    with running(GoogleSwitches(listing_delay_count=2)) as google:
        google.insert("abcde", extendedProperties=private(k="v"))
        token = _first_token(google)
        assert google.ids(privateExtendedProperty="k=v") == []
        assert google.call("GET", "abcde").status_code == 200
        assert google.ids(privateExtendedProperty="k=v") == ["abcde"]
        assert _synced(google, token)[0] == {"abcde": "confirmed"}


def test_a_fresh_event_may_be_missing_for_some_seconds() -> None:
    with running(GoogleSwitches(listing_delay_seconds=60)) as google:
        google.insert("abcde")
        assert google.ids() == []
        google.sim.clock.advance(timedelta(seconds=61))
        assert google.ids() == ["abcde"]


def test_a_query_too_long_for_a_url_comes_as_a_form(google: Google) -> None:
    google.insert("abcde", extendedProperties=private(k="v" * 1024))
    answer = google.call(
        "POST",
        data={"privateExtendedProperty": "k=" + "v" * 1024, "fields": "items/id"},
        headers={"x-http-method-override": "GET"},
    )
    assert answer.json() == {"items": [{"id": "abcde"}]}
    assert google.sim.recorder.seen[-1].operation == "list"


def test_events_shown_that_were_not_asked_for_are_noted(google: Google) -> None:
    mine = google.insert("aaaaa", extendedProperties=private(k="v"))["id"]
    google.sim.owner.add(ANA, {"date": "2026-12-01"}, {"date": "2026-12-02"}, summary="Dentist")
    google.call("GET", mine)
    google.ids(privateExtendedProperty="k=v")
    google.call("GET", params={"fields": "summary,nextSyncToken"})
    assert google.sim.foreign_events_shown() == []
    google.ids()
    assert len(google.sim.foreign_events_shown()) == 2
    assert google.call("GET", "/_sim/foreign").json()["foreign"][0]["mailbox"] == ANA


def test_calendars_are_listed_in_pages_and_the_hidden_ones_only_on_request(google: Google) -> None:
    work = google.sim.add_calendar(ANA, "Work").id
    hidden = google.sim.add_calendar(ANA, "Old").id
    google.sim.owner.hide_calendar(ANA, hidden)

    def listed(**query: object) -> list[str]:
        answer = google.call("GET", "/calendar/v3/users/me/calendarList", params=query).json()
        more = {"pageToken": answer["nextPageToken"]} if "nextPageToken" in answer else None
        ids = [one["id"] for one in answer["items"]]
        return ids + listed(**{**query, **more}) if more else ids

    assert listed(maxResults=1) == [ANA, work]
    assert listed(showHidden="true") == [ANA, work, hidden]
    got = google.call("GET", f"/calendar/v3/calendars/{work}").json()
    assert (got["summary"], got["timeZone"]) == ("Work", "UTC")


def test_a_shared_calendar_is_read_but_not_written_by_a_reader(google: Google) -> None:
    google.sim.add_account("bob@example.com")
    google.insert("abcde")
    google.sim.share(ANA, "bob@example.com", "reader")
    google.sign_in("bob@example.com", "https://www.googleapis.com/auth/calendar")
    path = f"/calendar/v3/calendars/{ANA}/events/abcde"
    assert google.call("GET", path).status_code == 200
    assert error_of(google.call("DELETE", path)) == (403, "requiredAccessLevel")
    assert error_of(google.call("GET", "/calendar/v3/calendars/eve@example.com/events")) == (404, "notFound")
