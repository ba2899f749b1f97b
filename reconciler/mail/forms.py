"""The parts a text is made of, twice: as plain lines, and as HTML that mail programs show alike.

A part stands by itself, marked off from the sentences around it by two control characters that no cleaned
text holds. HTML is tables with styles in each tag: half of the mail programs know no more.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from jinja2.utils import urlize
from markupsafe import Markup, escape

from reconciler.mail.letter import day_of
from reconciler.spoken import on_day, zone_title

_OPEN, _CLOSE = "\x02", "\x03"
_PART = re.compile(f"{_OPEN}(.*?){_CLOSE}", re.DOTALL)
_WIDTH = 76
Words = Mapping[str, str]

_INK, _QUIET, _LINE, _GREEN, _SOFT, _RED = "#1e2523", "#55605c", "#dcd8ce", "#1d5c54", "#e4f0ec", "#9a2f23"
_MARKS = {"new": _GREEN, "moved": "#8a5a00", "changed": "#8a5a00", "cancelled": _RED}


def safe_link(url: str) -> str:
    """A web address that may be clicked, or nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    web = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\s<>\"']", url)
    return url if web else ""


@dataclass(frozen=True)
class Plain:
    """Parts as plain text."""

    words: Words
    locale: Locale

    def card(self, session: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> str:
        """A session with its timetable."""
        rows = _rows(self.words, session)
        widest = max((len(label) for label, _ in rows), default=0) + 1
        told = [f"{label + ':':<{widest}} {text}" for label, text in rows]
        table = [self._day(day) for day in days]
        zones = _zones(days, self.locale)
        if zones:
            table.append(self.words["times_in"].format(zone=zones))
        groups = [[str(session["title"]), *told], table]
        return _part("\n\n".join("\n".join(f"  {line}" for line in group) for group in groups if group))

    def _day(self, day: Mapping[str, Any]) -> str:
        line = on_day(day_of(day), self.locale)
        mark = day.get("change") or ""
        if not mark:
            return line
        was = f", {self.words['was']} {on_day(day_of(day['was']), self.locale)}" if "was" in day else ""
        return f"{line}  [{self.words[mark]}{was}]"

    def button(self, label: str, url: str) -> str:
        """A link that asks for something; nothing without an address."""
        return _part(f"  {label}:\n  {url}") if safe_link(url) else ""

    def details(self, text: str) -> str:
        """A text of several lines, as it is."""
        return _part(text) if text else ""

    def strong(self, text: str) -> str:
        """What matters in a sentence."""
        return text

    def page(self, rendered: str) -> str:
        """The whole: sentences as paragraphs, parts as they are."""
        blocks = []
        for place, piece in enumerate(_PART.split(rendered)):
            if place % 2:
                blocks.append(piece.rstrip())
                continue
            paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", piece))
            blocks += [_wrapped(paragraph) for paragraph in paragraphs if paragraph]
        return "\n\n".join(blocks) + "\n"


@dataclass(frozen=True)
class Rich:
    """The same parts as HTML."""

    words: Words
    locale: Locale

    def card(self, session: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Markup:
        """A session with its timetable."""
        rows = [self._row(label, text) for label, text in _rows(self.words, session)]
        table = [self._day(day) for day in days]
        zones = _zones(days, self.locale)
        note = Markup('<p style="margin:8px 0 0;font-size:14px;color:{}">{}</p>').format(
            _QUIET, self.words["times_in"].format(zone=zones)
        )
        whole = Markup(
            '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:20px 0;'
            'border:1px solid {line};border-left:4px solid {green};border-radius:6px"><tr><td '
            'style="padding:16px 18px"><p style="margin:0 0 8px;font-size:18px;line-height:1.3;'
            'font-weight:600">{title}</p>{rows}{days}{note}</td></tr></table>'
        ).format(
            line=_LINE,
            green=_GREEN,
            title=session["title"],
            rows=_table(rows),
            days=_table(table),
            note=note if zones else "",
        )
        return _rich_part(whole)

    def _row(self, label: str, text: str) -> Markup:
        shown = _anchor(text, text) if safe_link(text) else escape(text)
        return Markup(
            '<tr><td style="padding:2px 14px 2px 0;color:{};vertical-align:top;white-space:nowrap">{}</td>'
            '<td style="padding:2px 0;vertical-align:top;word-break:break-word">{}</td></tr>'
        ).format(_QUIET, label, shown)

    def _day(self, day: Mapping[str, Any]) -> Markup:
        mark = day.get("change") or ""
        line: Any = on_day(day_of(day), self.locale)
        if mark == "cancelled":
            line = Markup("<s>{}</s>").format(line)
        elif mark:
            line = Markup("<strong>{}</strong>").format(line)
        old = _struck(on_day(day_of(day["was"]), self.locale)) if "was" in day else ""
        return Markup(
            '<tr><td style="padding:6px 10px 6px 0;border-top:1px solid {}">{}{}</td>'
            '<td style="padding:6px 0;border-top:1px solid {};text-align:right;vertical-align:top">{}</td>'
            "</tr>"
        ).format(_LINE, line, old, _LINE, self._mark(mark) if mark else "")

    def _mark(self, mark: str) -> Markup:
        return Markup(
            '<span style="color:{};font-size:13px;font-weight:600;white-space:nowrap">{}</span>'
        ).format(_MARKS[mark], self.words[mark])

    def button(self, label: str, url: str) -> Markup:
        """A link that asks for something; nothing without an address."""
        if not safe_link(url):
            return Markup("")
        return _rich_part(
            Markup(
                '<table role="presentation" cellpadding="0" cellspacing="0" style="margin:20px 0"><tr>'
                '<td style="background:{};border-radius:6px"><a href="{}" style="display:inline-block;'
                'padding:12px 22px;color:#ffffff;font-weight:600;text-decoration:none">{}</a></td></tr>'
                "</table>"
            ).format(_GREEN, url, label)
        )

    def details(self, text: str) -> Markup:
        """A text of several lines, as it is; addresses in it can be clicked."""
        if not text:
            return Markup("")
        linked = Markup(urlize(str(escape(text)), rel="noopener nofollow"))  # noqa: S704 (of escaped text)
        style = f"margin:16px 0;white-space:pre-line;word-break:break-word;color:{_QUIET}"
        return _rich_part(Markup('<div style="{}">{}</div>').format(style, linked))

    def strong(self, text: str) -> Markup:
        """What matters in a sentence."""
        return Markup("<strong>{}</strong>").format(text)

    def page(self, rendered: str) -> Markup:
        """The whole: sentences as paragraphs, parts as they are."""
        blocks = []
        for place, piece in enumerate(_PART.split(rendered)):
            if place % 2:
                blocks.append(piece)
                continue
            paragraphs = (paragraph.strip() for paragraph in re.split(r"\n\s*\n", piece))
            blocks += [f'<p style="margin:0 0 14px">{each}</p>' for each in paragraphs if each]
        return Markup("\n".join(blocks))  # noqa: S704 (what was rendered has been escaped)


# Both ---------------------------------------------------------------------------------------------


def _part(text: str) -> str:
    return f"{_OPEN}{text}{_CLOSE}"


def _rich_part(html: Markup) -> Markup:
    return Markup("\x02{}\x03").format(html)


def _rows(words: Words, session: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a session beside its title and days."""
    course = session.get("course") or ""
    rows = [
        (words["course"], course if course != session["title"] else ""),
        (words["where"], session.get("location") or ""),
        (words["with"], ", ".join(session.get("instructors") or ())),
        (words["link"], safe_link(session.get("url") or "")),
    ]
    return [(label, text) for label, text in rows if text]


def _zones(days: Sequence[Mapping[str, Any]], locale: Locale) -> str:
    """The zones of the days that have hours."""
    return ", ".join(dict.fromkeys(zone_title(day["zone"], locale) for day in days if not day["all_day"]))


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _table(rows: Sequence[Markup]) -> Markup:
    if not rows:
        return Markup("")
    return Markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" '
        'style="margin:8px 0 0;font-size:16px;line-height:1.45">{}</table>'
    ).format(Markup("").join(rows))


def _struck(text: str) -> Markup:
    return Markup('<br><s style="color:{};font-size:14px">{}</s>').format(_QUIET, text)


def _anchor(url: str, label: str) -> Markup:
    return Markup('<a href="{}" style="color:{}">{}</a>').format(url, _GREEN, label)
