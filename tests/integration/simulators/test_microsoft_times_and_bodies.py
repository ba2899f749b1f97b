"""How the simulated Graph reads and writes times and bodies, as Microsoft documents it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from microsoft_caller import ANA, Microsoft, error_of, event, running, when


@pytest.fixture
def graph() -> Iterator[Microsoft]:
    with running() as started:
        yield started


def test_times_are_shown_in_utc_with_seven_decimals(graph: Microsoft) -> None:
    made = graph.create()
    assert made["start"] == {"dateTime": "2027-04-21T09:00:00.0000000", "timeZone": "UTC"}
    assert made["originalStartTimeZone"] == "Europe/London"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/London", "10:00"),
        ("GMT Standard Time", "10:00"),
        ("Asia/Kolkata", "14:30"),
        ("Tokyo Standard Time", "18:00"),
    ],
)
def test_a_preferred_zone_is_used_and_echoed(graph: Microsoft, zone: str, shown: str) -> None:
    made = graph.create()
    answer = graph.get(made["id"], prefer=f'outlook.timezone="{zone}"')
    assert answer.json()["start"] == {"dateTime": f"2027-04-21T{shown}:00.0000000", "timeZone": zone}
    assert answer.headers["Preference-Applied"] == f'outlook.timezone="{zone}"'


def test_an_unknown_preferred_zone_is_refused(graph: Microsoft) -> None:
    answer = graph.call("GET", "events", prefer='outlook.timezone="Nowhere"')
    assert error_of(answer) == (400, "TimeZoneNotSupportedException")


def test_a_zone_of_a_newer_tz_database_may_be_unknown() -> None:
    with running(unknown_zones=frozenset({"Europe/Kyiv"})) as graph:
        body = event(start=when("2027-04-21T10:00:00", "Europe/Kyiv"))
        assert error_of(graph.call("POST", "events", json=body)) == (400, "TimeZoneNotSupportedException")


def test_original_zones_may_come_back_in_windows_names() -> None:
    with running(original_zone_as="windows") as graph:
        assert graph.create()["originalStartTimeZone"] == "GMT Standard Time"


@pytest.mark.parametrize(("second", "utc"), [(False, "00:30"), (True, "01:30")])
def test_a_wall_time_that_happens_twice(second: bool, utc: str) -> None:
    with running(ambiguous_time_is_second=second) as graph:
        made = graph.create(start=when("2027-10-31T01:30:00"), end=when("2027-10-31T05:00:00"))
        assert made["start"]["dateTime"] == f"2027-10-31T{utc}:00.0000000"


def test_an_all_day_event_runs_from_midnight_to_midnight_in_one_zone(graph: Microsoft) -> None:
    start, end = when("2027-04-21T00:00:00"), when("2027-04-22T00:00:00")
    made = graph.create(start=start, end=end, isAllDay=True)
    shown = graph.get(made["id"], prefer='outlook.timezone="Asia/Tokyo"').json()
    assert shown["start"] == {"dateTime": "2027-04-21T00:00:00.0000000", "timeZone": "Asia/Tokyo"}
    for wrong in (
        {"start": when("2027-04-21T10:00:00")},
        {"end": when("2027-04-22T00:00:00", "Asia/Tokyo")},
        {"end": start},
    ):
        answer = graph.call(
            "POST", "events", json=event(**{"start": start, "end": end, "isAllDay": True, **wrong})
        )
        assert error_of(answer) == (400, "ErrorPropertyValidationFailure")


def test_preferences_may_come_in_one_list_or_several_headers(graph: Microsoft) -> None:
    made = graph.create()
    both = 'outlook.timezone="Asia/Tokyo", outlook.body-content-type="text",IdType="ImmutableId"'
    answer = graph.get(made["id"], prefer=both)
    assert answer.json()["id"] == made["id"]
    assert answer.json()["body"]["contentType"] == "text"
    assert answer.json()["start"]["timeZone"] == "Asia/Tokyo"
    assert answer.headers["Preference-Applied"].count("=") == 3


def test_without_the_preference_ids_are_not_the_immutable_ones(graph: Microsoft) -> None:
    made = graph.create()
    assert graph.get(made["id"], prefer='outlook.timezone="UTC"').json()["id"] != made["id"]


def test_a_text_body_comes_back_as_html_in_a_wrapper(graph: Microsoft) -> None:
    made = graph.create(body={"contentType": "text", "content": "Bring <boots> & ID\nRoom 1"})
    assert made["body"]["contentType"] == "html"
    assert made["body"]["content"].startswith("<html>\r\n<head>\r\n<meta")
    assert "Bring &lt;boots&gt; &amp; ID<br>\r\nRoom 1" in made["body"]["content"]


def test_a_text_body_read_as_text_has_crlf_and_no_trailing_white_space(graph: Microsoft) -> None:
    made = graph.create(body={"contentType": "text", "content": "Bring boots  \nRoom 1\n\n \n"})
    body = graph.get(made["id"], prefer='outlook.body-content-type="text"').json()["body"]
    assert body == {"contentType": "text", "content": "Bring boots\r\nRoom 1\r\n"}


def test_an_html_body_gets_a_head_and_loses_its_styles(graph: Microsoft) -> None:
    content = '<style>p{color:red}</style><p>See <a href="https://lms.example/7">the session</a></p>'
    made = graph.create(body={"contentType": "HTML", "content": content})
    assert made["body"]["content"] != content
    assert "<meta" in made["body"]["content"]
    assert "color:red" not in made["body"]["content"]
    text = graph.get(made["id"], prefer='outlook.body-content-type="text"').json()["body"]["content"]
    assert text == "See the session<https://lms.example/7>\r\n"


def test_what_its_owner_writes_around_our_text_is_kept(graph: Microsoft) -> None:
    made = graph.create(body={"contentType": "text", "content": "ours"})
    owner = graph.sim.owner(ANA)
    owner.edit(made["id"], body={"contentType": "html", "content": "<p>mine</p><p>ours</p>"})
    body = graph.get(made["id"], prefer='outlook.body-content-type="text"').json()["body"]["content"]
    assert body.split() == ["mine", "ours"]
