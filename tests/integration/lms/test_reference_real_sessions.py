"""Real training sessions and the edges of time zones, through the reference tables and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.lms.text import LONGEST_BLOCK, LONGEST_LOCATION, block, line
from reconciler.model import Session
from reconciler.simulators.lms import When
from tests.support.moodle import shared_file
from tests.support.reference_lms import ReferenceSite

LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)


def real_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in shared_file(name).read_text(encoding="utf-8").splitlines()]


def when(row: dict[str, Any], day: dict[str, str]) -> When:
    last = day.get("end_date", day["date"])
    if row["all_day"] or not day["start"]:
        return When(_moment(day["date"]), _moment(last), row["timezone"], all_day=True)
    return When(_moment(day["date"], day["start"]), _moment(last, day["end"]), row["timezone"])


def _moment(date: str, hours: str = "00:00") -> datetime:
    return datetime.fromisoformat(f"{date}T{hours.replace('-', ':')}")  # one source writes 09-00


def fill(site: ReferenceSite, rows: list[dict[str, Any]]) -> None:
    site.rows.insert(
        "sessions",
        [
            {
                "id": row["id"],
                "account_id": "acme",
                "title": row["title"],
                "course": row["organisation"],
                "details": row["description"] or "",
                "location": row["location"].get("name") or "",
                "url": row["location"].get("url") or "",
                "status": row["status"],
                "cancellable": True,
                "cancel_until": None,
            }
            for row in rows
        ],
    )
    days = [(row["id"], when(row, day)) for row in rows for day in row["days"]]
    site.rows.insert("days", [{"session_id": id_, **day._asdict()} for id_, day in days])
    site.rows.add_person("ana")
    site.rows.insert(
        "seats",
        [
            {
                "seat_ref": f"seat-{row['id']}",
                "session_id": row["id"],
                "person_id": "ana",
                "role": "learner",
                "status": "booked",
            }
            for row in rows
        ],
    )


def read_back(site: ReferenceSite) -> dict[str, Session]:
    desired = site.source.read(["ana"], LONG_AGO)["ana"]
    with site.source.scan(LONG_AGO) as scan:
        (glance,) = scan.people
    assert glance.digest == desired.digest
    assert scan.refused == []
    return {registration.session.id: registration.session for registration in desired.registrations}


def test_every_real_session_comes_back_as_it_went_in(site: ReferenceSite) -> None:
    rows = real_rows("ilt-sessions.jsonl")
    fill(site, rows)
    found = read_back(site)
    assert found.keys() == {row["id"] for row in rows}
    for row in rows:
        session = found[row["id"]]
        assert session.title == line(row["title"])
        assert session.details == block(row["description"])
        assert len(session.details) <= LONGEST_BLOCK
        assert session.cancelled == (row["status"] == "cancelled")
        assert {day.zone for day in session.days} == {row["timezone"]}
        walls = {(when_.starts, when_.ends) for when_ in (when(row, day) for day in row["days"])}
        if not row["all_day"]:
            assert {(day.starts, day.ends) for day in session.days} == walls


def test_real_wall_times_are_the_instants_that_their_source_means(site: ReferenceSite) -> None:
    rows = [row for row in real_rows("ilt-sessions.jsonl") if not row["all_day"] and row["utc"]]
    fill(site, rows)
    found = read_back(site)
    for row in rows:
        expected = {tuple(map(datetime.fromisoformat, pair)) for pair in row["utc"]}
        assert {(day.start_instant, day.end_instant) for day in found[row["id"]].days} == expected


def test_the_edges_of_time_zones_are_read_as_rfc_5545_says(site: ReferenceSite) -> None:
    """In a gap the offset before it, in a fold the first occurrence: the offset before, both times."""
    edges = [
        edge for edge in real_rows("tz-edges.jsonl") if edge["kind"] in ("gap", "fold") and is_known(edge)
    ]
    assert len(edges) > 450
    expected = {}
    days = []
    for number, edge in enumerate(edges):
        early, late = sorted((_at(edge["local_from"]), _at(edge["local_to"])))
        wall = early + (late - early) / 2
        days.append((f"s{number}", When(wall, wall, edge["tz"])))
        expected[f"s{number}"] = (wall - _offset(edge["from_offset"])).replace(tzinfo=UTC)
    site.rows.add_person("ana")
    site.rows.insert("sessions", [_plain_session(id_) for id_, _day in days])
    site.rows.insert("days", [{"session_id": id_, **day._asdict()} for id_, day in days])
    site.rows.insert("seats", [_plain_seat(id_) for id_, _day in days])
    found = read_back(site)
    assert {id_: session.days[0].start_instant for id_, session in found.items()} == expected


def is_known(edge: dict[str, Any]) -> bool:
    """Whether this machine's rules have that transition at that instant: they differ between releases."""
    change = datetime.fromisoformat(edge["transition_utc"])
    return [
        (change + step).astimezone(ZoneInfo(edge["tz"])).utcoffset()
        for step in (-timedelta(seconds=1), timedelta())
    ] == [_offset(edge["from_offset"]), _offset(edge["to_offset"])]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _offset(text: str) -> timedelta:
    hours, minutes, seconds = (int(part) for part in text.lstrip("-").split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) * (-1 if text.startswith("-") else 1)


def _plain_session(id_: str) -> dict[str, Any]:
    texts = dict.fromkeys(("title", "course", "details", "location", "url"), "")
    return {
        "id": id_,
        "account_id": "acme",
        **texts,
        "status": "scheduled",
        "cancellable": True,
        "cancel_until": None,
    }


def _plain_seat(id_: str) -> dict[str, Any]:
    return {
        "seat_ref": f"seat-{id_}",
        "session_id": id_,
        "person_id": "ana",
        "role": "learner",
        "status": "booked",
    }


BORDER = {
    "title": line,
    "course": line,
    "details": block,
    "location": lambda text: line(text, LONGEST_LOCATION),
}


@pytest.mark.parametrize("field", BORDER)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_comes_through_clean_and_the_scan_agrees_with_the_reading(
    file_site: ReferenceSite, field: str, text: str
) -> None:
    if not file_site.source.session("s"):
        file_site.rows.add_session(id="s")
        file_site.rows.add_person("ana")
        file_site.rows.book("ana", "s")
    file_site.rows.change("s", **{field: text})
    assert getattr(read_back(file_site)["s"], field) == BORDER[field](text)
