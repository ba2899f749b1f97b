"""How people say it: languages as their settings name them, days and hours as they write them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates

from reconciler.model import Day, zone

ENGLISH = "en"


def choose(wishes: Collection[str | None], languages: Collection[str]) -> Locale:
    """The locale of the first wish that is among these languages: ``de_AT``, ``de-at``, ``de``, and as some
    LMSs have it ``de_kids``. English where none is."""
    for wish in wishes:
        locale = _parsed(wish or "")
        if locale is not None and locale.language in languages:
            return locale
    return Locale(ENGLISH)


@lru_cache(maxsize=1_024)  # a few hundred are in use, and parsing is slow
def _parsed(wish: str) -> Locale | None:
    name = wish.strip().replace("-", "_")
    for attempt in (name, name.partition("_")[0]):
        try:
            return Locale.parse(attempt)
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return None


def on_day(day: Day, locale: Locale) -> str:
    """When a day takes place, by the clock on its wall."""
    starts, ends = day.start_wall, day.end_wall
    first = dates.format_date(starts, "full", locale)
    if day.all_day:
        last = ends - timedelta(days=1)
        return first if last <= starts else f"{first} \N{EN DASH} {dates.format_date(last, 'full', locale)}"
    if ends == starts:
        return f"{first}, {_clock(starts, locale)}"
    if ends.date() == starts.date():
        return f"{first}, {_clock(starts, locale)}\N{EN DASH}{_clock(ends, locale)}"
    last_day = dates.format_date(ends, "full", locale)
    return f"{first}, {_clock(starts, locale)} \N{EN DASH} {last_day}, {_clock(ends, locale)}"


def short_day(day: Day, locale: Locale) -> str:
    """The date of a day, short enough for a subject: with its weekday, without its year."""
    return dates.format_skeleton("MMMEd", day.start_wall, locale=locale)


def at(instant: datetime, zone_name: str, locale: Locale) -> str:
    """An instant to the minute, by the clocks of a zone and with its name."""
    wall = instant.astimezone(zone(zone_name))
    date = dates.format_date(wall, "full", locale)
    return f"{date}, {_clock(wall, locale)} ({zone_title(zone_name, locale)})"


def clock(instant: datetime, zone_name: str, locale: Locale) -> str:
    """The time of day of an instant, by the clocks of a zone."""
    return _clock(instant.astimezone(zone(zone_name)), locale)


@lru_cache(maxsize=4_096)
def zone_title(name: str, locale: Locale) -> str:
    """A zone as people call it."""
    return dates.get_timezone_name(ZoneInfo(name), locale=locale)


def _clock(wall: datetime, locale: Locale) -> str:
    return dates.format_time(wall.time(), "short", locale=locale)
