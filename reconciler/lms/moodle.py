"""Moodle's mod_facetoface, the open plugin for instructor-led training, on PostgreSQL or MariaDB.

What this adapter knows of Moodle, beyond its tables (https://moodledev.io/docs/apis/core/dml/database-schema):

- One site is one account, named by its ``siteidentifier``.
- An edit of a session makes all its date rows anew, so their ids mean nothing; their instants do.
- Dates are instants. They are shown in the site's zone, never the person's. ``config.php`` may set another
  zone than the database holds, and then ``time_zone`` has to be given.
- A seat is the id of the sign-up's current status row: the sign-up row is used again when somebody comes
  back. A trainer's seat is the id of the row that holds the role.
- A hidden activity or session keeps its events. One that is being deleted is cancelled.
- A user's id is never used again, but a restored site may; the time of creation tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconciler.lms.days import Refused, in_order, instant_day, known_zone
from reconciler.lms.engine import address_of, snapshot
from reconciler.lms.moodle_mails import mails_on
from reconciler.lms.moodle_queries import NEEDED, MoodleQueries
from reconciler.lms.reading import (
    Incomplete,
    Reading,
    SeatRow,
    Selection,
    Who,
    columns_found,
    grouped,
    names,
    whole_number,
)
from reconciler.lms.registrations import Seat
from reconciler.lms.source import SqlLms
from reconciler.lms.text import LONGEST_ADDRESS, LONGEST_LOCATION, block, line, link
from reconciler.model import Account, Day, Person, Refusal, Role, SeatStatus, Session

_STATUSES = {
    10: SeatStatus.CANCELLED,
    20: SeatStatus.CANCELLED,
    30: SeatStatus.DECLINED,
    40: SeatStatus.REQUESTED,
    45: SeatStatus.REQUESTED,
    50: SeatStatus.REQUESTED,
    60: SeatStatus.WAITING,
    70: SeatStatus.BOOKED,
    80: SeatStatus.NO_SHOW,
    90: SeatStatus.PARTIALLY_ATTENDED,
    100: SeatStatus.COMPLETED,
}
_USUAL_FIELDS = ("room", "venue", "location")  # as the plugin itself writes a place
_SERVERS_ZONE = "99"  # Moodle's way of saying: as the server is set
_SETTINGS = ("siteidentifier", "timezone", "forcetimezone", "siteguest")


@dataclass(frozen=True, slots=True)
class _Options:
    """What the operator says about the site; see :class:`MoodleLms`."""

    site_url: str | None
    time_zone: str | None
    location_fields: tuple[str, ...]
    link_field: str | None


@dataclass(frozen=True, slots=True)
class _Site:
    """What the site says of itself: the one account, the roles of trainers, the guest's user id."""

    account: Account
    trainer_roles: tuple[int, ...]
    guest: int


class MoodleLms(SqlLms):
    """``prefix`` is ``$CFG->prefix``, ``site_url`` is ``$CFG->wwwroot`` (without it there are no links).

    ``time_zone`` is the site's, for where ``config.php`` sets it. ``location_fields`` are short names of
    the site's own session fields, joined in this order; ``link_field`` one whose web address, where a
    session has any, stands for the session's page (a link to join online).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        prefix: str = "mdl_",
        site_url: str | None = None,
        time_zone: str | None = None,
        location_fields: Sequence[str] = _USUAL_FIELDS,
        link_field: str | None = None,
    ) -> None:
        super().__init__(engine, address_of(engine, prefix))
        self._prefix = prefix
        self._options = _Options(site_url, time_zone, tuple(location_fields), link_field)
        self._queries: MoodleQueries | None = None

    def _open(self, connection: Connection) -> Reading:
        queries = self._queries
        if queries is None:
            columns = columns_found(connection, NEEDED, self._prefix, None, self.address)
            queries = self._queries = MoodleQueries(columns, self._prefix)
        return _MoodleReading(connection, queries, self._options, self._site(connection, queries))

    def _forget(self) -> None:
        self._queries = None

    def own_mails(self) -> Mapping[str, str]:
        """See :class:`~reconciler.ports.MailsItself`."""
        with self._reading(), snapshot(self._engine) as connection:
            return mails_on(connection, self._prefix)

    def _site(self, connection: Connection, queries: MoodleQueries) -> _Site:
        config: dict[str, str] = {
            row.name: row.value for row in connection.execute(queries.settings(_SETTINGS))
        }
        roles = connection.execute(queries.trainer_roles()).scalar() or ""
        name = connection.execute(queries.site_name()).scalar()
        identifier = config.get("siteidentifier") or ""
        problems = [] if identifier else [f"{self._prefix}config: no siteidentifier, so no Moodle site"]
        try:
            zone = known_zone(self._options.time_zone or _zone_set(config))
        except Refused as refused:
            zone = ""
            problems.append(f"{refused} as the site's: set the adapter's time_zone as config.php does")
        if problems:
            raise Incomplete(problems, self.address)
        numbers = [whole_number(role.strip()) for role in roles.split(",")]
        return _Site(
            Account(identifier, line(name) or "Moodle", zone),
            tuple(number for number in numbers if number is not None),
            whole_number(config.get("siteguest", "")) or 0,
        )


def _zone_set(config: Mapping[str, str]) -> str:
    """The zone set for everybody wins over the site's default."""
    zones = (config.get(name, _SERVERS_ZONE) for name in ("forcetimezone", "timezone"))
    return next((zone for zone in zones if zone and zone != _SERVERS_ZONE), "")


class _MoodleReading(Reading):
    """One snapshot of a Moodle site."""

    def __init__(
        self, connection: Connection, queries: MoodleQueries, options: _Options, site: _Site
    ) -> None:
        super().__init__(connection)
        self._queries = queries
        self._options = options
        self._site = site

    def accounts(self) -> Mapping[str, Account]:
        return {self._site.account.id: self._site.account}

    def sessions(self, selection: Selection) -> Iterator[Session]:
        fields = [*self._options.location_fields, *filter(None, [self._options.link_field])]
        dates = grouped(self._rows(self._queries.dates(selection)))
        values = grouped(self._rows(self._queries.field_values(selection, fields)))
        trainers = grouped(self._rows(self._queries.trainers(selection, self._site.trainer_roles)))
        unknown = {row.session: row.statuscode for row in self._rows(self._queries.unknown_codes(selection))}
        for row in self.stream(self._queries.sessions(selection)):
            days, refused = self._days(row, dates.get(row.id, ()))
            if row.id in unknown:
                refused = f"a sign-up has the unknown status {unknown[row.id]}"
            yield self._session(row, days, refused, _fields(values.get(row.id, ())), trainers.get(row.id, ()))

    def _session(
        self,
        row: sa.Row[Any],
        days: tuple[Day, ...],
        refused: str | None,
        fields: Mapping[str, str],
        trainers: Sequence[Sequence[Any]],
    ) -> Session:
        """A session that is being deleted is never refused: nothing else about it matters any more."""
        cancelled = bool(row.deleting)
        refused = None if cancelled else refused
        return Session(
            id=row.id,
            account=self._site.account.id,
            title=line(row.name),
            course=line(row.fullname),
            details=block(row.details),
            location=self._location(fields),
            url=self._url(row.id, fields),
            instructors=names((line(f"{first} {last}"), id_) for id_, first, last in trainers),
            days=() if refused else days,
            cancelled=cancelled,
            cancellable=bool(row.allowcancellations),
            refused=refused,
        )

    def _rows(self, query: sa.Select[Any]) -> Iterable[Any]:
        return self.connection.execute(query)

    def _days(self, row: sa.Row[Any], dates: Sequence[Sequence[Any]]) -> tuple[tuple[Day, ...], str | None]:
        """The days, and why the session is refused. A session without dates has one row of zeros."""
        if row.deleting is None:
            return (), "its activity is in no course"
        if not row.datetimeknown:
            return (), None
        if not dates:
            return (), "its dates are said to be known, but there are none"
        try:
            days = [instant_day(start, end, self._site.account.time_zone) for start, end in dates]
        except Refused as refused:
            return (), str(refused)
        return in_order(days), None

    def _location(self, fields: Mapping[str, str]) -> str:
        parts = [line(fields.get(name), LONGEST_LOCATION) for name in self._options.location_fields]
        return line(", ".join(part for part in parts if part), LONGEST_LOCATION)

    def _url(self, session: str, fields: Mapping[str, str]) -> str:
        """The link to join the session, or its page."""
        join = link(fields.get(self._options.link_field or ""))
        site = (self._options.site_url or "").rstrip("/")
        return join or (link(f"{site}/mod/facetoface/signup.php?s={session}") if site else "")

    def current(self, since: datetime) -> Iterator[str]:
        return (id_ for (id_,) in self.stream(self._queries.current(since)))

    def seat_rows(self, since: datetime) -> Iterator[SeatRow]:
        return self.stream(self._queries.seat_rows(since, self._site.trainer_roles, self._site.guest))

    def who(self, row: SeatRow) -> Who:
        id_, created, suspended, email = row[0], *row[5:]
        return Who(self._site.account.id, _identity(id_, created), not suspended, email)

    def kind(self, first: Any, second: Any) -> tuple[Role, SeatStatus | None]:
        return _kind_of_seat(first, second)

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        for row in self._rows(self._queries.people(ids, self._site.guest)):
            yield Person(
                row.id,
                self._site.account.id,
                line(row.email, LONGEST_ADDRESS),
                line(f"{row.firstname} {row.lastname}"),
                line(row.lang, 35).replace("_", "-"),
                _identity(row.id, row.timecreated),
                not row.suspended,
            )

    def seats(self, selection: Selection) -> Iterator[tuple[str, Seat]]:
        query = self._queries.seats(selection, self._site.trainer_roles, self._site.guest)
        for person, *seat in self._rows(query):
            yield person, _seat(*seat)

    def strays(self, since: datetime) -> Iterator[Refusal]:
        """None: what a deleted user, session or activity leaves behind is no seat."""
        yield from ()

    def doubts(self) -> Iterator[str]:
        """Fields that were asked for and are not there; a site need not have those of a new installation."""
        known = {row.shortname for row in self._rows(self._queries.field_names())} | set(_USUAL_FIELDS)
        wanted = {*self._options.location_fields, *filter(None, [self._options.link_field])}
        for name in sorted(wanted - known):
            yield f"the site has no session field with the short name {name!r}"


def _identity(id_: str, created: int) -> str:
    return f"{id_}:{created}"


def _fields(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Values by short name; several values of one field are one text."""
    found: dict[str, list[str]] = {}
    for name, value in rows:
        if value:
            found.setdefault(name, []).append(value.replace("##SEPARATOR##", ", "))
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _seat(session: str, ref: str, learner: int, code: int) -> Seat:
    return session, ref, *_kind_of_seat(learner, code)


def _kind_of_seat(learner: int, code: int) -> tuple[Role, SeatStatus | None]:
    return Role.LEARNER if learner else Role.INSTRUCTOR, _STATUSES.get(code)
