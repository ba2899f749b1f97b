"""What every LMS in a database has in common: scanning it as a stream and reading people in batches.

An adapter says how its tables give accounts, sessions, people and seats; this module makes the snapshot,
merges seats into registrations and digests them, the same way for the scan and for a reading, so that
both give equal digests for equal rows. The number of statements does not depend on how many people there
are, and grows by three with each few thousand sessions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

from sqlalchemy.engine import Connection, Engine

from reconciler.diff.fields import Fingerprint, person_fingerprint, session_fingerprint
from reconciler.errors import LmsUnreadable
from reconciler.lms.catalogue import Catalogue
from reconciler.lms.days import is_current
from reconciler.lms.engine import snapshot, unreadable
from reconciler.lms.reading import Incomplete, Reading, SeatRow, Selection
from reconciler.lms.registrations import Place, Seat, line_of, merged, registration
from reconciler.model import Account, Desired, Person, Refusal, Session
from reconciler.ports import Glance, Scan

CHUNK = 10_000
"""How many ids are named in one statement: PostgreSQL takes 65,535 parameters, SQLite 32,766."""
SESSIONS = 4_000
"""How many sessions a scan reads at a time. They are in memory with their texts and days."""


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
                catalogue = Catalogue(reading, since, now or since)
                catalogue.refused.extend(reading.strays(since))
                for ids in _chunks(reading.current(since), SESSIONS):
                    for session in reading.sessions(Selection(since, sessions=ids)):
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
        self, rows: Iterator[SeatRow], catalogue: Catalogue, accounts: Mapping[str, Account]
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
    fingerprints: Mapping[str, Fingerprint],
) -> Desired:
    if person is None:
        return Desired(person_id, None)
    places: list[Place] = sorted(place for place in merged(seats) if place.session in sessions)
    digest = person_fingerprint(
        person.identity,
        person.active,
        [line_of(place, fingerprints[place.session]) for place in places],
        [fingerprints[place.session].form for place in places],
    )
    own = tuple(registration(person_id, place, sessions[place.session]) for place in places)
    return Desired(person_id, person, own, digest)


def _chunks(wanted: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    ids = sorted(set(wanted))
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
