"""What the LMS says, read by other statements: the judge must not share the eyes of the accused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa


@dataclass(frozen=True, order=True)
class WantedDay:
    """An event that should be there; instants."""

    starts: datetime
    ends: datetime
    title: str
    location: str


@dataclass(frozen=True)
class SessionFacts:
    """A session as its row says."""

    title: str
    location: str
    status: str
    cancellable: bool
    cancel_until: datetime | None
    days: tuple[tuple[datetime, datetime], ...]

    @property
    def begins(self) -> datetime | None:
        return min((starts for starts, _ in self.days), default=None)

    def wanted(self) -> list[WantedDay]:
        return sorted(WantedDay(starts, ends, self.title, self.location) for starts, ends in self.days)


class Facts:
    """Questions to the LMS's tables."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def statuses(self, person: str, session: str) -> dict[str, str]:
        """The status of each of a person's seats in a session."""
        query = "SELECT seat_ref, status FROM seats WHERE person_id = ? AND session_id = ?"
        return {str(ref): str(status) for ref, status in self._rows(query, person, session)}

    def booked(self, person: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Role and booked seats of a person, by session; a learner's seats before an instructor's."""
        query = (
            "SELECT session_id, role, seat_ref FROM seats WHERE person_id = ? AND status = 'booked' "
            "ORDER BY session_id, role DESC, seat_ref"
        )
        found: dict[str, tuple[str, tuple[str, ...]]] = {}
        for session, role, ref in self._rows(query, person):
            known = found.get(session)
            if known is None:
                found[session] = (role, (ref,))
            elif known[0] == role:
                found[session] = (role, (*known[1], ref))
        return found

    def taught(self, person: str) -> set[str]:
        """The sessions in which a person's seat says attended, completed or the like: left as they are."""
        query = (
            "SELECT session_id FROM seats WHERE person_id = ? AND status IN "
            "('attended', 'partially_attended', 'completed', 'no_show')"
        )
        return {session for (session,) in self._rows(query, person)}

    def session(self, session: str) -> SessionFacts | None:
        rows = self._rows(
            "SELECT title, location, status, cancellable, cancel_until FROM sessions WHERE id = ?", session
        )
        if not rows:
            return None
        title, location, status, cancellable, until = rows[0]
        days = self._rows("SELECT starts, ends, time_zone FROM days WHERE session_id = ?", session)
        return SessionFacts(
            str(title),
            str(location),
            str(status),
            bool(cancellable),
            datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None,
            tuple(sorted((_instant(starts, zone), _instant(ends, zone)) for starts, ends, zone in days)),
        )

    def sessions(self) -> list[str]:
        return [str(row[0]) for row in self._rows("SELECT id FROM sessions ORDER BY id")]

    def active(self, person: str) -> bool:
        rows = self._rows("SELECT active FROM people WHERE id = ?", person)
        return bool(rows and rows[0][0])

    def identity(self, person: str) -> str | None:
        rows = self._rows("SELECT identity FROM people WHERE id = ?", person)
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql(query, parameters)
            return [tuple(row) for row in found]


def _instant(wall: object, zone: object) -> datetime:
    moment = datetime.fromisoformat(str(wall))
    return moment.replace(tzinfo=ZoneInfo(str(zone))).astimezone(UTC)
