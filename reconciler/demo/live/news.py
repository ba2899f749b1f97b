"""What the program does, as the live demo tells it: line by line, and where a vanished event stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.demo.cast import PLAYERS
from reconciler.ledger.store import SqlLedger
from reconciler.model import LedgerEntry, State
from reconciler.ports import Occurrence

LINES = 12
_SAID = {
    "created": ("good", "put into the calendar"),
    "adopted": ("good", "found in the calendar, taken up"),
    "updated": ("good", "changed in the calendar"),
    "deleted": ("", "removed from the calendar"),
    "missing": ("warn", "no longer in the calendar: deleted by its owner?"),
    "proven a first time": ("warn", "asked for by its id, looked for everywhere: gone; grace runs"),
    "seat given back": ("bad", "proven again: the seat is given back in the LMS"),
    "seen": ("good", "back in the calendar: the seat stays"),
    "found again": ("good", "found again: nothing follows from its absence"),
    "held": ("warn", "held: the learner is asked"),
    "being put back": ("good", "put back"),
    "dismissed": ("", "deleted again: left away until the session changes"),
    "refused": ("bad", "refused by the vendor"),
}
"""A tone and words for what the ledger's history records; anything else in its own words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing done, or one seen: when (UTC), for whom, about what."""

    at: datetime
    person: str
    title: str
    tone: str
    text: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Doubt:
    """A seat whose event has vanished. ``seconds``: of grace, still to go; ``held``: its owner is asked."""

    title: str
    seconds: int
    held: bool


def news(ledger: SqlLedger, titles: Mapping[str, str]) -> list[Line]:
    """The last lines, newest first; the same of several days of a session in one."""
    names = {player.id: player.name for player in PLAYERS}
    happened = sorted(
        (one for person in names for one in ledger.history(person, None) if "intended" not in one.what),
        key=lambda one: one.at,
        reverse=True,
    )
    lines: list[Line] = []
    for one in happened:
        line = _line(one, names[one.person], titles.get(one.session, one.session))
        if lines and _same(lines[-1], line):
            lines[-1] = Line(line.at, *_what(lines[-1]), lines[-1].times + 1)
        elif len(lines) == LINES:
            break
        else:
            lines.append(line)
    return lines


def _line(one: Occurrence, person: str, title: str) -> Line:
    tone, text = _SAID.get(one.what, ("", one.what))
    if one.what == "updated":
        text = f"{one.why.partition(' (')[0]} in the calendar"
    return Line(one.at, person, title, tone, text)


def _what(line: Line) -> tuple[str, str, str, str]:
    return line.person, line.title, line.tone, line.text


def _same(newer: Line, older: Line) -> bool:
    return _what(newer) == _what(older) and (newer.at - older.at).total_seconds() < 1


def doubts(entries: Iterable[LedgerEntry], titles: Mapping[str, str], now: datetime) -> Sequence[Doubt]:
    """Somebody's seats in question, one line a session."""
    found: dict[str, Doubt] = {}
    for entry in entries:
        if entry.state not in (State.MISSING, State.HELD):
            continue
        until = entry.suspicion.grace_until
        seconds = max(0, round((until - now).total_seconds())) if until else -1
        session = entry.key.session
        found[session] = Doubt(titles.get(session, session), seconds, entry.state is State.HELD)
    return list(found.values())
