"""iCalendar objects as lines, so that what is not ours stays as it is, byte for byte. Pure.

A *content line* (RFC 5545 section 3.1) may be folded over several lines; it is kept both as it stands and
unfolded. Only the lines of one event are ever replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from icalendar import Parameters
from icalendar.parser import Contentline

from reconciler.errors import VendorNonsense

_FOLD = re.compile(r"\r?\n(?![ \t])")
_UNFOLD = re.compile(r"\r?\n[ \t]")
_LINE = 75
_NAME = re.compile(r"[A-Za-z0-9-]+")
_CONTENT_LINE: Any = Contentline  # whose types are not told
_ESCAPED = re.compile(r"\\([\\;,nN])")


class Line(NamedTuple):
    """A content line: its name in capitals, and how it stands."""

    name: str
    stands: str

    @property
    def params(self) -> Mapping[str, str]:
        """Its parameters; none where they cannot be read."""
        try:
            _, params, _ = _CONTENT_LINE(_UNFOLD.sub("", self.stands)).parts()
        except ValueError:
            return {}
        return {name.upper(): value for name, value in params.items() if isinstance(value, str)}

    @property
    def value(self) -> str:
        """What is behind the colon, as it stands there."""
        line, quoted = _UNFOLD.sub("", self.stands), False
        if '"' not in line:
            return line.partition(":")[2]
        for place, character in enumerate(line):
            if character == '"':
                quoted = not quoted
            elif character == ":" and not quoted:
                return line[place + 1 :]
        return ""

    @property
    def text(self) -> str:
        """Its value as text (RFC 5545 section 3.3.11)."""
        return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value)


@dataclass(frozen=True)
class Parsed:
    """A calendar object with one event at least: the lines before, of, and behind its main event. The main
    event is the one that is no exception to a recurrence; its first and last line are its delimiters."""

    before: tuple[Line, ...]
    event: tuple[Line, ...]
    behind: tuple[Line, ...]

    @cached_property
    def own(self) -> Mapping[str, Line]:
        """The event's own lines by name, the first of each; not those of its alarms."""
        found: dict[str, Line] = {}
        for line in own_lines(self.event):
            found.setdefault(line.name, line)
        return found

    def text(self, name: str) -> str:
        """A property of the event as text; empty without it."""
        line = self.own.get(name)
        return line.text if line else ""

    def with_event(self, lines: Iterable[Line]) -> str:
        """The whole object with these lines instead of the event's."""
        everything = (*self.before, *lines, *self.behind)
        return "\r\n".join(line.stands for line in everything) + "\r\n"


def own_lines(event: Iterable[Line]) -> list[Line]:
    """The lines of an event that are not within one of its parts, its delimiters left out."""
    depth, found = 0, []
    for line in event:
        if line.name == "BEGIN":
            depth += 1
        elif line.name == "END":
            depth -= 1
        elif depth == 1:
            found.append(line)
    return found


def parse(text: str) -> Parsed:
    """The lines of a calendar object; ``VendorNonsense`` where there is no event in it."""
    lines = [_line(stands) for stands in _FOLD.split(text.strip("\r\n\ufeff")) if stands]
    spans = _events(lines)
    if not spans or lines[0] != Line("BEGIN", lines[0].stands):
        raise VendorNonsense("the server answered something that is no event")
    main = [span for span in spans if "RECURRENCE-ID" not in {line.name for line in lines[slice(*span)]}]
    start, end = (main or spans)[0]
    return Parsed(tuple(lines[:start]), tuple(lines[start:end]), tuple(lines[end:]))


def _line(stands: str) -> Line:
    name = _NAME.match(_UNFOLD.sub("", stands[:80]) if "\n" in stands else stands)
    return Line(name[0].upper() if name else "", stands)


def _events(lines: list[Line]) -> list[tuple[int, int]]:
    """Where events begin and end."""
    spans, start, depth = [], 0, 0
    for place, line in enumerate(lines):
        if line.name == "BEGIN":
            depth += 1
            if depth == 2:
                start = place
        elif line.name == "END":
            if depth == 2 and lines[start].value.strip().upper() == "VEVENT":
                spans.append((start, place + 1))
            depth -= 1
    return spans


def text_line(name: str, text: str) -> Line:
    """A property whose value is text, folded at 75 octets."""
    # Not by icalendar 7.3, to which a backslash before a capital N is a line break.
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return made(name, text)


def made(name: str, value: str, params: Mapping[str, str] | None = None) -> Line:
    """A property with a value that is written already, folded at 75 octets."""
    head = name
    for key, given in (params or {}).items():
        head += f";{key}={_quoted(given)}"
    return Line(name, _folded(f"{head}:{value}"))


def _folded(line: str) -> str:
    """RFC 5545 section 3.1: 75 octets a line at most, no character torn apart, and no escape, which some
    programs would misread. Not by icalendar, which takes a third of our CPU for an event to do it."""
    if len(line) <= _LINE and line.isascii():
        return line
    octets = line.encode()
    parts, start, room = list[bytes](), 0, _LINE
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80:
            end -= 1
        end -= octets[end - 1 : end] in (b"\\", b"^")
        parts.append(octets[start:end])
        start, room = end, _LINE - 1
    return b"\r\n ".join([*parts, octets[start:]]).decode()


@lru_cache(maxsize=256)  # they are names of time zones
def _quoted(value: str) -> str:
    return str(Parameters({"X": value}).to_ical().decode()).partition("=")[2]
