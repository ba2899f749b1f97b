"""The pages' words in people's own languages: gettext catalogues, and dates as people write them.

English stands in the templates; ``translations/<language>.po`` holds the others and is read at the start.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale, dates
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, has_request_context, request
from markupsafe import Markup

from reconciler import spoken
from reconciler.model import Day

FOLDER = Path(__file__).parent / "translations"


@cache
def languages() -> tuple[str, ...]:
    """The languages there are, English first."""
    return (spoken.ENGLISH, *sorted(file.stem for file in FOLDER.glob("*.po")))


@cache
def catalogue(language: str) -> NullTranslations:
    """The translations into one language; into English there are none."""
    if language == spoken.ENGLISH:
        return NullTranslations()
    compiled = io.BytesIO()
    with (FOLDER / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def choose(*wishes: str | None) -> Locale:
    """The locale of the first wish that is among our languages."""
    return spoken.choose(wishes, languages())


def speak(locale: str | None) -> None:
    """From here on this request is answered in this person's language, or in the browser's.

    Where the person's locale names no country, the browser's may: how to write a date depends on it.
    """
    wishes = list(request.accept_languages.values())
    chosen = choose(locale, *wishes)
    if chosen.territory is None:
        same = [wish for wish in wishes if choose(wish).language == chosen.language]
        chosen = choose(*(wish for wish in same if choose(wish).territory), str(chosen))
    g.locale = chosen


def locale() -> Locale:
    """The language of this answer."""
    if has_request_context() and "locale" not in g:
        speak(None)
    found: Locale = g.locale
    return found


def _(message: str) -> str:
    """The message in the language of this answer."""
    return catalogue(locale().language).gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """The message for this many, in the language of this answer."""
    return catalogue(locale().language).ngettext(one, many, count)


# Dates --------------------------------------------------------------------------------------------


def on_day(day: Day) -> str:
    """When a day takes place, by the clock on its wall."""
    return spoken.on_day(day, locale())


def zone_name(name: str) -> str:
    """A zone as people call it."""
    return spoken.zone_title(name, locale())


def date(instant: datetime) -> str:
    """The day of an instant, in UTC."""
    return dates.format_date(instant.astimezone(UTC), "long", locale())


def at(instant: datetime) -> Markup:
    """An instant with its zone, to the minute, for people and for programs that read to them."""
    text = dates.format_datetime(instant, "medium", UTC, locale())
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{instant:%Y-%m-%dT%H:%MZ}", text)


def ago(instant: datetime, now: datetime) -> str:
    """How long ago something was."""
    past = max(now - instant, timedelta(seconds=1))
    return dates.format_timedelta(-past, add_direction=True, locale=locale())
