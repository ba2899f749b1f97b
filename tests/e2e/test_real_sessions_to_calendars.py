"""Every real session, and every gap and fold to come, through the reference tables into both vendors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.simulators.lms import When
from tests.support.house import NOW, HouseBed
from tests.support.real_times import days_of, edges, real_sessions

YEAR = timedelta(weeks=52)
SECOND = timedelta(seconds=1)
HANDFUL = 10
Line = tuple[str, datetime, datetime]


def people(house: HouseBed) -> list[tuple[str, str]]:
    """A learner at each vendor, ten times, so that nobody's quota is in the way."""
    pairs = [(f"gil-{number}", f"mia-{number}") for number in range(HANDFUL)]
    for google, microsoft in pairs:
        house.newcomer(google, "google")
        house.newcomer(microsoft, "microsoft")
    return pairs


def ahead(days: Sequence[When]) -> list[When]:
    """The same days, whole years of 52 weeks later, so that they are all to come and of the same season."""
    years = 0
    while days and min(day.starts for day in days) + years * YEAR <= NOW.replace(tzinfo=None) + YEAR / 52:
        years += 1
    return [day._replace(starts=day.starts + years * YEAR, ends=day.ends + years * YEAR) for day in days]


def folded(text: str) -> str:
    return " ".join(text.split())


def instant(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def line(title: str, day: When) -> Line:
    """As it is to lie in a calendar: instants, or dates of whole days."""
    if day.all_day:
        return folded(title), day.starts, day.ends
    return folded(title), instant(day.starts, day.time_zone), instant(day.ends, day.time_zone)


def there(house: HouseBed, person: str) -> list[Line]:
    return sorted(
        (folded(one.title), one.starts.replace(tzinfo=None), one.ends) for one in house.seen(person)
    )


def in_order(lines: list[Line]) -> list[Line]:
    return sorted((title, starts.replace(tzinfo=None), ends) for title, starts, ends in lines)


def hold(house: HouseBed, expected: dict[str, list[Line]]) -> None:
    """They are all there after one push, each written once, and nobody then finds anything to change."""
    assert house.push().result == "success"
    assert {person: there(house, person) for person in expected} == {
        person: in_order(lines) for person, lines in expected.items()
    }
    assert house.calls()["create"] == sum(map(len, expected.values()))
    house.count_anew()
    house.push()
    assert house.calls() == {}
    house.close()
    house.audit()
    assert house.calls() == {"list": len(expected)}


def add(house: HouseBed, row: dict[str, Any], days: list[When]) -> str:
    fields = {"title": row["title"], "course": row["organisation"], "details": row["description"] or ""}
    place = row["location"]
    return house.lms.add_session(
        *days, id=row["id"], location=place.get("name") or "", url=place.get("url") or "", **fields
    )


def test_all_real_sessions_reach_both_vendors_and_stay_as_they_were_written(house: HouseBed) -> None:
    pairs = people(house)
    expected: dict[str, list[Line]] = {person: [] for pair in pairs for person in pair}
    for number, row in enumerate(real_sessions()):
        days = ahead([When(day.starts, day.ends, day.zone, day.all_day) for day in days_of(row)])
        session = add(house, row, days)
        for person in pairs[number % HANDFUL]:
            house.lms.book(person, session)
            if row["status"] == "scheduled":
                expected[person] += [line(row["title"], day) for day in days]
        if row["status"] == "cancelled":
            house.lms.cancel_session(session)
    assert sum(map(len, expected.values())) > 1_400
    hold(house, expected)


def test_days_that_begin_or_end_in_a_gap_or_fold_are_the_instants_that_rfc_5545_says(house: HouseBed) -> None:
    """In a gap the offset before it, in a fold the first occurrence (section 3.3.5): the offset before."""
    pairs = people(house)
    expected: dict[str, list[Line]] = {person: [] for pair in pairs for person in pair}
    to_come = [edge for edge in edges("gap", "fold") if is_to_come(edge)]
    assert len(to_come) > 200
    for number, edge in enumerate(to_come):
        zone, title = edge["tz"], f"{edge['kind']} {edge['transition_utc']} {edge['tz']}"
        middle = midst(edge)
        meant = (middle - offset(edge["from_offset"])).replace(tzinfo=UTC)
        before, after = middle - timedelta(hours=30), middle + timedelta(hours=30)
        session = house.lms.add_session(When(before, middle, zone), When(middle, after, zone), title=title)
        for person in pairs[number % HANDFUL]:
            house.lms.book(person, session)
            expected[person] += [
                (title, instant(before, zone), meant),
                (title, meant, instant(after, zone)),
            ]
    hold(house, expected)


def is_to_come(edge: dict[str, Any]) -> bool:
    """And known to the tz database in force: countries change their rules, and releases differ."""
    change, zone = moment(edge["transition_utc"]), ZoneInfo(edge["tz"])
    before, after = ((change + by).astimezone(zone).utcoffset() for by in (-SECOND, timedelta(0)))
    known = (before, after) == (offset(edge["from_offset"]), offset(edge["to_offset"]))
    return known and change > NOW + timedelta(days=2)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def midst(edge: dict[str, Any]) -> datetime:
    """A wall time in the middle of the hour that does not exist, or exists twice."""
    one, other = moment(edge["local_from"]), moment(edge["local_to"])
    return min(one, other) + abs(other - one) / 2


def offset(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = (int(part) for part in text.lstrip("-").split(":"))
    return sign * timedelta(hours=hours, minutes=minutes, seconds=seconds)
