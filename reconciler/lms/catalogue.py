"""What a scan keeps of the sessions while everybody streams by: a short text for each, nothing for a seat.

The stream has a row for every seat of the LMS, so what is done for a row is all that counts here. Nearly
everybody has one seat in each of their sessions, and nothing needs to be merged then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from reconciler.diff.fields import Fingerprint, person_fingerprint, session_fingerprint
from reconciler.lms.days import is_current
from reconciler.lms.reading import Reading, SeatRow
from reconciler.lms.registrations import Kind, Place, kind_of, line_of, merged
from reconciler.lms.text import LONGEST_ADDRESS, line
from reconciler.model import Refusal, Session, Standing
from reconciler.ports import Glance

_NEWS, _FORM = 20, 36
"""Where the news and the form end in a session's entry. Then come four digits of days still to come and when
it starts, unless there is to be no event."""

_SEAT = itemgetter(1, 2, 3, 4)


class Catalogue:
    """The sessions of a scan. ``crowd`` counts the registrations of each, whatever their status; ``now`` is
    from when on days are still to come."""

    def __init__(self, reading: Reading, since: datetime, now: datetime) -> None:
        self.by_account: dict[str, set[str]] = {}
        self.crowd: dict[str, int] = {}
        self.refused: list[Refusal] = []
        self.complete = False
        self._since, self._now = since, now
        self._reading = reading
        # Twenty hexadecimal digits of news, sixteen of form, four of days, eleven of the start in seconds:
        # one text takes a third of the memory of four values.
        self._entries: dict[str, str] = {}
        self._kinds: dict[tuple[Any, Any], Kind] = {}

    def add(self, session: Session) -> None:
        """Take up a session, unless it is past."""
        if not is_current(session, self._since):
            return
        self.by_account.setdefault(session.account, set()).add(session.id)
        self._entries[session.id] = "".join((*session_fingerprint(session), self._times(session)))
        if session.refused:
            self.refused.append(Refusal("session", session.id, session.refused))

    def _times(self, session: Session) -> str:
        if session.refused or session.cancelled:
            return ""
        starts = [day.start_instant for day in session.days if day.end_instant > self._since]
        if not starts:
            return ""
        to_come = sum(day.end_instant > self._now for day in session.days)
        return f"{min(to_come, 9_999):04}{int(min(starts).timestamp()):011}"

    def glance(self, person: str, rows: Sequence[SeatRow]) -> Glance:
        """One person, of all their rows; counts their registrations."""
        sessions = [row[1] for row in rows]
        if len(set(sessions)) == len(sessions):
            lines, forms, times = self._sole(rows)
        else:
            lines, forms, times = self._merged(rows)
        account, identity, active, address = self._reading.who(rows[0])
        digest = person_fingerprint(identity, active, lines, forms)
        starts, events = [each[4:] for each in times], sum([int(each[:4]) for each in times])
        return Glance(
            person,
            account,
            digest,
            _instant(min(starts)) if starts else None,
            line(address, LONGEST_ADDRESS),
            events if active else 0,
        )

    def _sole(self, rows: Sequence[SeatRow]) -> tuple[list[str], list[str], list[str]]:
        """Lines, forms, and days and starts, of somebody with one seat in each session."""
        lines: list[str] = []
        forms: list[str] = []
        times: list[str] = []
        entries, kinds, crowd = self._entries, self._kinds, self.crowd
        for session, ref, first, second in map(_SEAT, rows):
            entry = entries.get(session)
            if entry is None:
                continue
            code, wanted = kinds.get((first, second)) or self._kind(first, second)
            crowd[session] = crowd.get(session, 0) + 1
            lines.append(f"{entry[:_NEWS]}{code}{ref or ''}")
            forms.append(entry[_NEWS:_FORM])
            if wanted and len(entry) > _FORM:
                times.append(entry[_FORM:])
        return lines, forms, times

    def _merged(self, rows: Iterable[SeatRow]) -> tuple[list[str], list[str], list[str]]:
        """The same of somebody with several seats in a session."""
        lines: list[str] = []
        forms: list[str] = []
        times: list[str] = []
        for place in self._places(rows):
            entry = self._entries[place.session]
            self.crowd[place.session] = self.crowd.get(place.session, 0) + 1
            lines.append(line_of(place, Fingerprint(entry[:_NEWS], entry[_NEWS:_FORM])))
            forms.append(entry[_NEWS:_FORM])
            if place.standing is Standing.WANTED and len(entry) > _FORM:
                times.append(entry[_FORM:])
        return lines, forms, times

    def _places(self, rows: Iterable[SeatRow]) -> Iterator[Place]:
        return merged(
            (session, ref or "", *self._reading.kind(first, second))
            for session, ref, first, second in map(_SEAT, rows)
            if session in self._entries
        )

    def _kind(self, first: Any, second: Any) -> Kind:
        kind = self._kinds[first, second] = kind_of(*self._reading.kind(first, second))
        return kind


def _instant(start: str) -> datetime:
    return datetime.fromtimestamp(int(start), UTC)
