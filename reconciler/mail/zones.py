"""A time zone as an entry's receivers can read it: a VTIMEZONE for the year of one day.

Outlook reads of it only the yearly rules and the offsets, and takes a zone it cannot make sense of for none
([MS-STANOICAL] 2.2.47, [MS-OXCICAL] 2.1.3.1.1.19). So a zone whose clocks change by a rule is told by that
rule, and any other by the one offset that holds for the whole day. Where neither can be said, the entry is
better off in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

from reconciler.model import zone
from reconciler.zones import clock_changes, offset_at

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEK = timedelta(days=7)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Onset:
    """A change of the clocks. ``wall`` is what they showed when it came, by the offset ``before``."""

    wall: datetime
    before: timedelta
    after: timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """A yearly rule: the n-th such weekday of a month, or the last (``place`` -1)."""

    month: int
    place: int
    weekday: str

    def first(self, onset: Onset) -> Onset:
        """The rule's onset in 1970. It is told to hold since then, because some receivers keep the first
        description of a zone that they see, and read entries of other years by it."""
        days = [onset.wall.replace(year=1970, month=self.month, day=day) for day in range(1, 29)]
        days += [day for day in (days[-1] + timedelta(more) for more in (1, 2, 3)) if day.month == self.month]
        same = [day for day in days if _WEEKDAYS[day.weekday()] == self.weekday]
        return replace(onset, wall=same[self.place if self.place < 0 else self.place - 1])


def described(zone_name: str, starts: datetime, ends: datetime) -> Timezone | None:
    """The zone around two instants; ``None`` where it cannot be told so that everybody understands."""
    year = starts.astimezone(zone(zone_name)).year
    ruled = _ruled(zone_name, year) if ends - starts < timedelta(days=180) else None
    if ruled is not None:
        return ruled
    if any(clock_changes(zone_name, starts, ends)):
        return None
    return _fixed(zone_name, offset_at(zone_name, starts))


@lru_cache(maxsize=512)
def _ruled(zone_name: str, year: int) -> Timezone | None:
    """The zone by its yearly rules, where the same two hold in the years before and after too."""
    years = [tuple(_onsets_in(zone_name, each)) for each in (year - 1, year, year + 1)]
    if any(len(onsets) != 2 for onsets in years):
        return None
    told = _named(zone_name)
    for onsets in zip(*years, strict=True):
        rule = _rule(onsets)
        if rule is None:
            return None
        told.add_component(_observance(rule.first(onsets[0]), rule))
    return told


@lru_cache(maxsize=512)
def _fixed(zone_name: str, offset: timedelta) -> Timezone:
    told = _named(zone_name)
    told.add_component(_observance(Onset(_LONG_AGO, offset, offset), None))
    return told


def _named(zone_name: str) -> Timezone:
    told = Timezone()
    told.add("TZID", zone_name)
    return told


def _observance(onset: Onset, rule: Rule | None) -> TimezoneStandard | TimezoneDaylight:
    """The greater offset is called daylight time, as receivers expect (Dublin's law has it otherwise)."""
    part = TimezoneDaylight() if onset.after > onset.before else TimezoneStandard()
    part.add("DTSTART", onset.wall)
    part.add("TZOFFSETFROM", onset.before)
    part.add("TZOFFSETTO", onset.after)
    if rule is not None:
        part.add("RRULE", {"FREQ": "YEARLY", "BYMONTH": rule.month, "BYDAY": f"{rule.place}{rule.weekday}"})
    return part


def _rule(onsets: Sequence[Onset]) -> Rule | None:
    """What these have in common as a yearly rule: the n-th or last weekday of a month, at a time."""
    shapes = {
        (onset.before, onset.after, onset.wall.time(), onset.wall.month, onset.wall.weekday())
        for onset in onsets
    }
    places = {(onset.wall.day - 1) // 7 + 1 for onset in onsets}
    if len(shapes) != 1:
        return None
    if all((onset.wall + _WEEK).month != onset.wall.month for onset in onsets):
        places = {-1}
    if len(places) != 1:
        return None
    wall = onsets[0].wall
    return Rule(wall.month, places.pop(), _WEEKDAYS[wall.weekday()])


# What the tz database says -----------------------------------------------------------------------


def _onsets_in(zone_name: str, year: int) -> Iterator[Onset]:
    since, until = (datetime(one, 1, 1, tzinfo=UTC) for one in (year, year + 1))
    for change in clock_changes(zone_name, since, until):
        yield Onset(change.instant.replace(tzinfo=None) + change.before, change.before, change.after)
