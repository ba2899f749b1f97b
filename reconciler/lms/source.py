"""What every LMS in a database has in common: scanning it as a stream and reading people in batches.

An adapter says how its tables give accounts, sessions, people and seats; this module makes the snapshot,
merges seats into registrations and digests them, the same way for the scan and for a reading, so that
both give equal digests for equal rows. The number of statements does not depend on how much there is;
a scan holds a fingerprint for each session and nothing for each seat.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

from sqlalchemy.engine import Connection, Engine

from reconciler.diff.fields import person_fingerprint, session_fingerprint
from reconciler.errors import LmsUnreadable
from reconciler.lms.days import is_current
from reconciler.lms.engine import snapshot, unreadable
from reconciler.lms.reading import Incomplete, Reading, SeatRow, Selection
from reconciler.lms.registrations import Lines, Place, Seat, merged, registration
from reconciler.lms.text import LONGEST_ADDRESS, line
from reconciler.model import Account, Desired, Person, Refusal, Session, Standing
from reconciler.ports import Glance, Scan

CHUNK = 10_000
"""How many ids are named in one statement: PostgreSQL takes 65,535 parameters, SQLite 32,766."""


class SqlLms(ABC):
    """A source of training behind an SQL database. See :class:`~reconciler.ports.LmsSource`.

    May be used by several threads at once: each reading takes a connection of its own.
    """

    def __init__(self, engine: Engine, address: str) -> None:
        self.address = address
        self._engine = engine

    @abstractmethod
    def _open(self, connection: Connection) -> Reading:
        """Begin to read with a connection that holds a snapshot; raises ``Incomplete``."""

    @abstractmethod
    def _forget(self) -> None:
        """Forget what is known of the tables: they may have changed."""

    # The port

    @contextmanager
    def scan(self, since: datetime, now: datetime | None = None) -> Iterator[Scan]:
        """A snapshot of all sessions with a day ending after ``since`` or without days, streamed.
        ``now``, or ``since`` without it, is from when on days are still to come.

        Raises ``LmsUnreadable``, while ``people`` is read too. The snapshot lasts as long as the scan, so
        read it without pause: MariaDB gives up on a reader that stalls for ten minutes.
        """
        with ExitStack() as stack:
            with self._reading():
                connection = stack.enter_context(snapshot(self._engine))
                reading = self._open(connection)
                accounts = reading.accounts()
                catalogue = _Catalogue(since, now or since)
                catalogue.refused.extend(reading.strays(since))
                for session in reading.sessions(Selection(since=since)):
                    catalogue.add(session)
            people = self._glances(reading.seat_rows(since), catalogue, accounts)
            yield Scan(accounts, catalogue.by_account, people, catalogue.crowd, catalogue.refused)
            people.close()
            if not catalogue.complete:  # a stream that nobody reads on is cut, not drained
                connection.invalidate()

    def read(self, people: Collection[str], since: datetime) -> Mapping[str, Desired]:
        """The desired state of these people in one snapshot, one entry for each id asked for."""
        desired: dict[str, Desired] = {}
        with self._reading(), snapshot(self._engine) as connection:
            reading = self._open(connection)
            for ids in _chunks(people):
                desired.update(_read_chunk(reading, ids, since))
        return desired

    def session(self, session_id: str) -> Session | None:
        """One session, however old; ``None`` if there is none."""
        with self._reading(), snapshot(self._engine) as connection:
            found = list(self._open(connection).sessions(Selection(session=session_id)))
        return found[0] if found else None

    def check(self) -> list[str]:
        """What is wrong with tables, columns or rights: one sentence each; empty when all is well."""
        self._forget()
        try:
            with self._reading(), snapshot(self._engine) as connection:
                return _tried(self._open(connection), connection)
        except Incomplete as error:
            return list(error.problems)
        except LmsUnreadable as error:
            return [error.what]

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    # How

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Errors in our words; after one the tables are looked at anew, for they may have changed."""
        try:
            with unreadable(self.address):
                yield
        except LmsUnreadable:
            self._forget()
            raise

    def _glances(
        self, rows: Iterator[SeatRow], catalogue: _Catalogue, accounts: Mapping[str, Account]
    ) -> Generator[Glance, None, None]:
        previous: str | None = None
        strange: set[str] = set()
        with self._reading():
            for person, own in groupby(rows, key=itemgetter(0)):
                if previous is not None and person <= previous:
                    raise LmsUnreadable(
                        f"People come in another order than asked for: {previous!r} before {person!r}",
                        whose=self.address,
                        next_step="The database sorts ids otherwise than by code point.",
                    )
                previous = person
                glance = catalogue.glance(person, list(own))
                if glance.account not in accounts and glance.account not in strange:
                    strange.add(glance.account)
                    catalogue.refused.append(
                        Refusal("account", glance.account, "has people but is not among the accounts")
                    )
                yield glance
        catalogue.complete = True


class _Catalogue:
    """What a scan keeps: of each session a fingerprint, its first start and how many days are to come."""

    def __init__(self, since: datetime, now: datetime) -> None:
        self.by_account: dict[str, set[str]] = {}
        self.crowd: defaultdict[str, int] = defaultdict(int)
        self.refused: list[Refusal] = []
        self.complete = False
        self._since, self._now = since, now
        self._fingerprints: dict[str, str] = {}
        self._starts: dict[str, datetime] = {}
        self._to_come: dict[str, int] = {}
        self._lines = Lines()

    def add(self, session: Session) -> None:
        """Take up a session, unless it is past."""
        if not is_current(session, self._since):
            return
        self.by_account.setdefault(session.account, set()).add(session.id)
        self._fingerprints[session.id] = session_fingerprint(session)
        if session.refused:
            self.refused.append(Refusal("session", session.id, session.refused))
        elif not session.cancelled:
            starts = [day.start_instant for day in session.days if day.end_instant > self._since]
            if starts:
                self._starts[session.id] = min(starts)
                self._to_come[session.id] = sum(day.end_instant > self._now for day in session.days)

    def glance(self, person: str, rows: list[SeatRow]) -> Glance:
        """One person, of all their rows; counts their registrations."""
        lines: list[str] = []
        starts: list[datetime] = []
        events = 0
        for place in merged(row.seat for row in rows if row.seat):
            fingerprint = self._fingerprints.get(place.session)
            if fingerprint is None:
                continue
            self.crowd[place.session] += 1
            lines.append(self._lines.line(place, fingerprint))
            if place.standing is Standing.WANTED and place.session in self._starts:
                starts.append(self._starts[place.session])
                events += self._to_come[place.session]
        first = rows[0]
        digest = person_fingerprint(first.identity, first.active, lines)
        address = line(first.address, LONGEST_ADDRESS)
        to_come = events if first.active else 0
        return Glance(person, first.account, digest, min(starts, default=None), address, to_come)


def _tried(reading: Reading, connection: Connection) -> list[str]:
    """Send every statement once, for the rights it takes; then what looks wrong in the rows."""
    doubts = list(reading.doubts())
    nothing = Selection(datetime.now(UTC), people=(), sessions=())
    for rows in (reading.sessions(nothing), reading.people(()), reading.seats(nothing)):
        list(rows)
    next(reading.seat_rows(datetime.now(UTC)), None)
    connection.invalidate()  # the stream was not read to its end
    return doubts


def _read_chunk(reading: Reading, ids: Sequence[str], since: datetime) -> Iterator[tuple[str, Desired]]:
    people = {person.id: person for person in reading.people(ids)}
    seats: dict[str, list[Seat]] = {}
    for person, seat in reading.seats(Selection(people=ids)):
        seats.setdefault(person, []).append(seat)
    theirs = {seat[0] for own in seats.values() for seat in own}
    sessions = {
        session.id: session
        for chunk in _chunks(theirs)
        for session in reading.sessions(Selection(since, sessions=chunk))
        if is_current(session, since)
    }
    fingerprints = {id_: session_fingerprint(session) for id_, session in sessions.items()}
    for id_ in ids:
        yield id_, _desired(id_, people.get(id_), seats.get(id_, ()), sessions, fingerprints)


def _desired(
    person_id: str,
    person: Person | None,
    seats: Iterable[Seat],
    sessions: Mapping[str, Session],
    fingerprints: Mapping[str, str],
) -> Desired:
    if person is None:
        return Desired(person_id, None)
    lines = Lines()
    places: list[Place] = sorted(place for place in merged(seats) if place.session in sessions)
    digest = person_fingerprint(
        person.identity,
        person.active,
        [lines.line(place, fingerprints[place.session]) for place in places],
    )
    own = tuple(registration(person_id, place, sessions[place.session]) for place in places)
    return Desired(person_id, person, own, digest)


def _chunks(wanted: Collection[str]) -> Iterator[list[str]]:
    ids = sorted(set(wanted))
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
