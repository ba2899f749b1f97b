"""Single events in the simulated Google, held against Google's documents over plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from google_caller import ANA, Google, error_of, event, private, running

from reconciler.simulators.google_store import GoogleSwitches


@pytest.fixture
def google() -> Iterator[Google]:
    with running() as started:
        yield started


def test_an_insert_is_answered_200_with_googles_defaults(google: Google) -> None:
    made = google.insert("abc123", transparency="opaque")
    assert made["status"] == "confirmed"
    assert made["eventType"] == "default"
    assert made["iCalUID"] == "abc123@google.com"
    assert made["organizer"] == made["creator"] == {"email": ANA, "self": True}
    assert made["reminders"] == {"useDefault": True}
    assert "transparency" not in made


def test_without_an_id_google_chooses_one_of_its_alphabet(google: Google) -> None:
    made = google.insert()
    assert set(made["id"]) <= set("0123456789abcdefghijklmnopqrstuv")
    assert google.call("GET", made["id"]).json() == made


@pytest.mark.parametrize("bad", ["abcd", "abcdw", "ABCDE", "abc-de", "a" * 1025])
def test_an_id_outside_base32hex_or_its_length_is_refused(google: Google, bad: str) -> None:
    answer = google.call("POST", json=event(bad))
    assert error_of(answer) == (400, "invalid")
    assert answer.json()["error"]["message"] == "Invalid resource id value."


def test_id_and_icaluid_together_are_refused(google: Google) -> None:
    assert error_of(google.call("POST", json=event("abcde", iCalUID="x@y"))) == (400, "invalid")


def test_a_used_id_is_refused_in_the_very_words(google: Google) -> None:
    google.insert("abcde")
    answer = google.call("POST", json=event("abcde"))
    assert answer.status_code == 409
    error = {
        "errors": [
            {
                "domain": "global",
                "reason": "duplicate",
                "message": "The requested identifier already exists.",
            }
        ],
        "code": 409,
        "message": "The requested identifier already exists.",
    }
    assert answer.text == json.dumps({"error": error}, indent=1) + "\n"


def test_where_collisions_are_not_detected_the_event_is_overwritten() -> None:
    with running(GoogleSwitches(collisions="overwrites")) as google:
        google.insert("abcde")
        assert google.insert("abcde", summary="Second")["id"] == "abcde"
        assert google.call("GET", "abcde").json()["summary"] == "Second"


def test_where_collisions_double_the_second_gets_another_id() -> None:
    with running(GoogleSwitches(collisions="doubled")) as google:
        google.insert("abcde", extendedProperties=private(k="v"))
        other = google.insert("abcde", extendedProperties=private(k="v"))["id"]
        assert sorted(google.ids(privateExtendedProperty="k=v")) == sorted(["abcde", other])


def test_where_client_ids_are_refused_none_is_taken() -> None:
    with running(GoogleSwitches(client_ids_refused=True)) as google:
        assert error_of(google.call("POST", json=event("abcde"))) == (400, "invalid")
        assert google.insert()["status"] == "confirmed"


def test_a_deleted_event_stays_as_a_tombstone_under_its_id(google: Google) -> None:
    google.insert("abcde")
    gone = google.call("DELETE", "abcde")
    assert (gone.status_code, gone.content) == (204, b"")
    left = google.call("GET", "abcde")
    assert (left.status_code, left.json()["status"], left.json()["summary"]) == (
        200,
        "cancelled",
        "Safety basics",
    )
    assert error_of(google.call("DELETE", "abcde")) == (410, "deleted")
    assert error_of(google.call("POST", json=event("abcde"))) == (409, "duplicate")
    assert google.ids() == []
    assert google.ids(showDeleted="true") == ["abcde"]


def test_a_tombstone_may_keep_nothing_but_its_id() -> None:
    with running(GoogleSwitches(cancelled_keeps_details=False)) as google:
        google.insert("abcde")
        google.call("DELETE", "abcde")
        assert google.call("GET", "abcde").json().keys() == {"kind", "etag", "id", "status"}


def test_tombstones_disappear_when_purged(google: Google) -> None:
    google.insert("abcde")
    google.call("DELETE", "abcde")
    assert google.sim.owner.purge(ANA) == 1
    assert error_of(google.call("GET", "abcde")) == (404, "notFound")
    assert google.insert("abcde")["status"] == "confirmed"


def test_an_event_that_never_was_is_not_found(google: Google) -> None:
    for method in ("GET", "DELETE", "PATCH", "PUT"):
        answer = google.call(method, "never1", json=event())
        assert error_of(answer) == (404, "notFound")
        assert answer.json()["error"]["message"] == "Not Found"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("extra", [{}, {"status": "confirmed"}])
def test_a_write_revives_a_cancelled_event(google: Google, method: str, extra: dict[str, str]) -> None:
    google.insert("abcde")
    google.call("DELETE", "abcde")
    assert google.call(method, "abcde", json=event(**extra)).json()["status"] == "confirmed"
    assert google.ids() == ["abcde"]


def test_a_stale_etag_keeps_a_deleted_event_dead(google: Google) -> None:
    etag = google.insert("abcde")["etag"]
    google.call("DELETE", "abcde")
    answer = google.call("PUT", "abcde", json=event(), headers={"If-Match": etag})
    assert error_of(answer) == (412, "conditionNotMet")
    assert google.call("GET", "abcde").json()["status"] == "cancelled"


def test_reviving_may_be_forbidden() -> None:
    with running(GoogleSwitches(revive="forbidden")) as google:
        google.insert("abcde")
        google.call("DELETE", "abcde")
        assert error_of(google.call("PUT", "abcde", json=event(status="confirmed"))) == (403, "forbidden")


def test_reviving_may_need_a_status() -> None:
    with running(GoogleSwitches(any_write_revives=False)) as google:
        google.insert("abcde")
        google.call("DELETE", "abcde")
        assert google.call("PATCH", "abcde", json={"summary": "x"}).json()["status"] == "cancelled"
        assert google.call("PATCH", "abcde", json={"status": "confirmed"}).json()["status"] == "confirmed"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match_lets_only_the_current_version_be_written(google: Google, method: str) -> None:
    old = google.insert("abcde")["etag"]
    current = google.call("PATCH", "abcde", json={"summary": "New"}).json()["etag"]
    assert current != old
    refused = google.call(method, "abcde", json=event(), headers={"If-Match": old})
    assert error_of(refused) == (412, "conditionNotMet")
    assert google.call(method, "abcde", json=event(), headers={"If-Match": current}).ok


def test_if_none_match_is_answered_304(google: Google) -> None:
    etag = google.insert("abcde")["etag"]
    same = google.call("GET", "abcde", headers={"If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")
    google.call("PATCH", "abcde", json={"summary": "New"})
    assert google.call("GET", "abcde", headers={"If-None-Match": etag}).status_code == 200


def test_put_loses_what_it_does_not_name_and_patch_merges(google: Google) -> None:
    google.insert("abcde", location="Room 1", colorId="5", extendedProperties=private(a="1", b="2"))
    merged = google.call("PATCH", "abcde", json={"location": None, "extendedProperties": private(b="3")})
    assert "location" not in merged.json()
    assert merged.json()["colorId"] == "5"
    assert merged.json()["extendedProperties"] == private(a="1", b="3")
    replaced = google.call("PUT", "abcde", json=event(summary="Only this")).json()
    assert replaced["summary"] == "Only this"
    assert replaced.keys().isdisjoint({"colorId", "extendedProperties"})


def test_a_null_in_a_patch_removes_a_property_from_the_index_too(google: Google) -> None:
    google.insert("abcde", extendedProperties=private(a="1", b="2"))
    google.call("PATCH", "abcde", json={"extendedProperties": {"private": {"a": None}}})
    assert google.ids(privateExtendedProperty="a=1") == []
    assert google.ids(privateExtendedProperty="b=2") == ["abcde"]


def test_long_keys_are_dropped_and_long_values_cut_without_a_word(google: Google) -> None:
    made = google.insert(extendedProperties=private(**{"k" * 44: "v" * 1025, "k" * 45: "v"}))
    assert made["extendedProperties"] == private(**{"k" * 44: "v" * 1024})


def test_more_than_300_properties_are_refused(google: Google) -> None:
    many = private(**{f"k{number}": "v" for number in range(301)})
    assert google.call("POST", json=event(extendedProperties=many)).status_code == 400


@pytest.mark.parametrize("name", ["created", "updated"])
def test_read_only_fields_are_refused_in_a_body(google: Google, name: str) -> None:
    given = event(**{name: "2026-11-01T00:00:00Z"})
    assert error_of(google.call("POST", json=given)) == (400, "invalid")


def test_a_time_is_answered_with_the_offset_of_the_calendar_or_of_the_zone_asked_for() -> None:
    with running(zone="Europe/Berlin") as google:
        wall = {"dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/London"}
        made = google.insert("abcde", start=wall)
        assert made["start"] == {"dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/London"}
        assert made["end"] == {"dateTime": "2026-12-01T12:00:00+01:00", "timeZone": "Europe/Berlin"}
        asked = google.call("GET", "abcde", params={"timeZone": "America/New_York"}).json()
        assert asked["start"]["dateTime"] == "2026-12-01T05:00:00-05:00"


def test_an_all_day_event_keeps_its_dates(google: Google) -> None:
    made = google.insert(start={"date": "2026-12-01"}, end={"date": "2026-12-02"})
    assert (made["start"], made["end"]) == ({"date": "2026-12-01"}, {"date": "2026-12-02"})


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ({"date": "2026-12-01", "dateTime": "2026-12-01T10:00:00Z"}, "invalid"),
        ({"date": "2026-12-01"}, "invalid"),
        ({"dateTime": "2026-12-01T10:00:00"}, "required"),
        ({"dateTime": "2026-12-01T10:00:00", "timeZone": "GMT Standard Time"}, "invalid"),
        ({"dateTime": "2026-12-01T10:00:00", "timeZone": "Mars/Olympus"}, "invalid"),
        ({"dateTime": "tomorrow"}, "invalid"),
        ({}, "required"),
        ({"dateTime": "2026-12-01T11:00:01Z"}, "timeRangeEmpty"),
    ],
)
def test_times_that_make_no_sense_are_refused(google: Google, start: dict[str, str], reason: str) -> None:
    assert error_of(google.call("POST", json=event(start=start))) == (400, reason)


def test_an_event_may_end_when_it_starts(google: Google) -> None:
    assert google.insert(end={"dateTime": "2026-12-01T10:00:00Z"})["status"] == "confirmed"


def test_a_change_of_time_raises_the_sequence_and_an_older_one_is_refused(google: Google) -> None:
    google.insert("abcde")
    later = event(end={"dateTime": "2026-12-01T12:00:00Z"})
    assert google.call("PUT", "abcde", json=later).json()["sequence"] == 1
    assert error_of(google.call("PUT", "abcde", json={**later, "sequence": 0})) == (400, "invalid")


def test_reminders_alone_do_not_bump_updated(google: Google) -> None:
    before = google.insert("abcde")
    mine = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]}
    after = google.call("PATCH", "abcde", json={"reminders": mine}).json()
    assert after["updated"] == before["updated"]
    assert after["reminders"] == mine


@pytest.mark.parametrize(
    "overrides",
    [
        [{"method": "popup", "minutes": number} for number in range(6)],
        [{"method": "sms", "minutes": 5}],
        [{"method": "popup", "minutes": 40321}],
    ],
)
def test_reminders_beyond_the_limits_are_refused(google: Google, overrides: list[dict[str, object]]) -> None:
    given = {"useDefault": False, "overrides": overrides}
    assert google.call("POST", json=event(reminders=given)).status_code == 400


@pytest.mark.parametrize("body", ["{", "[]", '"event"'])
def test_a_body_that_is_no_object_is_a_parse_error(google: Google, body: str) -> None:
    assert error_of(google.call("POST", data=body)) == (400, "parseError")


def test_the_kind_of_an_event_cannot_be_changed(google: Google) -> None:
    google.insert("abcde")
    answer = google.call("PATCH", "abcde", json={"eventType": "focusTime"})
    assert answer.json()["error"]["message"] == "Event type cannot be changed."


def test_moving_leaves_a_bare_tombstone_and_keeps_the_id(google: Google) -> None:
    other = google.sim.add_calendar(ANA, "Work").id
    google.insert("abcde", extendedProperties=private(k="v"))
    moved = google.call("POST", "abcde/move", params={"destination": other})
    assert moved.json()["organizer"] == {"email": other, "self": True, "displayName": "Work"}
    left = google.call("GET", "abcde").json()
    assert (left["status"], "summary" in left) == ("cancelled", False)
    there = google.call("GET", f"/calendar/v3/calendars/{other}/events/abcde").json()
    assert (there["status"], there["extendedProperties"]) == ("confirmed", private(k="v"))


def test_limits_on_texts_cut_without_a_word() -> None:
    with running(GoogleSwitches(longest_summary=10, longest_description=20)) as google:
        made = google.insert(summary="s" * 11, description="d" * 21)
        assert (made["summary"], made["description"]) == ("s" * 10, "d" * 20)
