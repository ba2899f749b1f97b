"""The statements for Moodle's mod_facetoface, the open plugin for instructor-led training.

They keep to columns that have been there since Moodle 2.1; what came later is asked for only where it is
(https://github.com/catalyst/moodle-mod_facetoface). Moodle declares no foreign keys, and deleting an
activity or session leaves rows of it behind, so every seat is joined to its session, and every session
to its activity. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from reconciler.lms.days import EARLIEST
from reconciler.lms.engine import as_text, code_points, exists
from reconciler.lms.reading import Selection, whole_number

NEEDED = {
    "config": ("name", "value"),
    "config_plugins": ("plugin", "name", "value"),
    "course": ("id", "category", "fullname"),
    "course_modules": ("module", "instance"),
    "modules": ("id", "name"),
    "facetoface": ("id", "course", "name"),
    "facetoface_sessions": ("id", "facetoface", "details", "datetimeknown"),
    "facetoface_sessions_dates": ("sessionid", "timestart", "timefinish"),
    "facetoface_session_field": ("id", "shortname"),
    "facetoface_session_data": ("fieldid", "sessionid", "data"),
    "facetoface_session_roles": ("id", "sessionid", "roleid", "userid"),
    "facetoface_signups": ("id", "sessionid", "userid"),
    "facetoface_signups_status": ("id", "signupid", "statuscode", "superceded"),
    "user": ("id", "firstname", "lastname", "email", "lang", "suspended", "deleted", "timecreated"),
}
"""Every column there must be, by table, whose names in the database begin with a prefix."""

OPTIONAL = {"course_modules": ("deletioninprogress",), "facetoface_sessions": ("allowcancellations",)}
"""Columns that are read where they are."""

CODES = (10, 20, 30, 40, 45, 50, 60, 70, 80, 90, 100)
"""What facetoface_signups_status.statuscode may hold (20 and 45 are Totara's)."""

BOOKED = 70

_Conditions: TypeAlias = Sequence[ColumnElement[bool]]


class MoodleQueries:
    """``columns`` is what was found of each table, ``prefix`` is ``$CFG->prefix``."""

    def __init__(self, columns: Mapping[str, Mapping[str, str]], prefix: str) -> None:
        self._columns = columns
        self._tables = {
            name: sa.table(f"{prefix}{name}", *(sa.column(column) for column in found))
            for name, found in columns.items()
        }
        self._sessions, self._activities = self._of("facetoface_sessions"), self._of("facetoface")
        self._dates, self._users = self._of("facetoface_sessions_dates"), self._of("user")
        self._signups, self._statuses = self._of("facetoface_signups"), self._of("facetoface_signups_status")
        self._roles = self._of("facetoface_session_roles")

    def _of(self, table: str) -> sa.TableClause:
        return self._tables[table]

    def _optional(self, table: str, column: str, otherwise: int) -> ColumnElement[Any]:
        """A column that older releases lack."""
        found = column in self._columns[table]
        return self._of(table).c[column] if found else sa.literal_column(str(otherwise))

    # The site

    def settings(self, names: Sequence[str]) -> sa.Select[Any]:
        """Name and value of these settings of the site."""
        config = self._of("config").c
        return sa.select(config.name, config.value).where(config.name.in_(names))

    def trainer_roles(self) -> sa.Select[Any]:
        """The ids of the roles whose holders are trainers, as one text with commas."""
        config = self._of("config_plugins").c
        return sa.select(config.value).where(config.plugin == "facetoface", config.name == "session_roles")

    def site_name(self) -> sa.Select[Any]:
        """The name of the site: that of the course without a category."""
        course = self._of("course").c
        return sa.select(course.fullname).where(course.category == 0)

    def field_names(self) -> sa.Select[Any]:
        """The short names of the site's own fields of sessions."""
        return sa.select(self._of("facetoface_session_field").c.shortname)

    # Sessions

    def sessions(self, selection: Selection) -> sa.Select[Any]:
        """The sessions meant. ``deleting`` is NULL where the activity is in no course any more."""
        sessions, course, modules = self._sessions.c, self._of("course"), self._course_modules()
        return (
            sa.select(
                as_text(sessions.id).label("id"),
                self._activities.c.name,
                course.c.fullname,
                sessions.details,
                sessions.datetimeknown,
                self._optional("facetoface_sessions", "allowcancellations", 1).label("allowcancellations"),
                modules.c.deleting,
            )
            .select_from(
                self._with_activity()
                .outerjoin(course, course.c.id == self._activities.c.course)
                .outerjoin(modules, modules.c.instance == self._activities.c.id)
            )
            .where(*self._meant(selection))
        )

    def current(self, since: datetime) -> sa.Select[Any]:
        """The ids of current sessions."""
        return (
            sa.select(as_text(self._sessions.c.id))
            .select_from(self._with_activity())
            .where(self._current(since))
        )

    def dates(self, selection: Selection) -> sa.Select[Any]:
        """Session, start and end of each day."""
        dates = self._dates.c
        return sa.select(as_text(dates.sessionid), dates.timestart, dates.timefinish).where(
            dates.sessionid.in_(self._ids_meant(selection))
        )

    def field_values(self, selection: Selection, fields: Sequence[str]) -> sa.Select[Any]:
        """Session, short name and value of these fields."""
        field, values = self._of("facetoface_session_field"), self._of("facetoface_session_data")
        return (
            sa.select(as_text(values.c.sessionid), field.c.shortname, values.c.data)
            .select_from(values.join(field, field.c.id == values.c.fieldid))
            .where(field.c.shortname.in_(fields), values.c.sessionid.in_(self._ids_meant(selection)))
        )

    def trainers(self, selection: Selection, roles: Sequence[int]) -> sa.Select[Any]:
        """Session, person, first and last name."""
        held, users = self._roles.c, self._users.c
        return (
            sa.select(as_text(held.sessionid), as_text(users.id), users.firstname, users.lastname)
            .select_from(self._roles.join(self._users, users.id == held.userid))
            .where(users.deleted == 0, held.roleid.in_(roles), held.sessionid.in_(self._ids_meant(selection)))
        )

    def unknown_codes(self, selection: Selection) -> sa.Select[Any]:
        """Session and a status code that nobody knows."""
        signups, statuses = self._signups.c, self._statuses.c
        return (
            sa.select(as_text(signups.sessionid).label("session"), statuses.statuscode)
            .select_from(self._current_statuses())
            .where(
                sa.or_(statuses.statuscode.not_in(CODES), statuses.statuscode.is_(None)),
                signups.sessionid.in_(self._ids_meant(selection)),
            )
            .distinct()
        )

    # People

    def people(self, ids: Sequence[str], guest: int) -> sa.Select[Any]:
        """These people, unless deleted."""
        users = self._users.c
        return sa.select(
            as_text(users.id).label("id"),
            users.email,
            users.firstname,
            users.lastname,
            users.lang,
            users.timecreated,
            users.suspended,
        ).where(users.id.in_(_numbers(ids)), *self._living(guest))

    def seat_rows(self, since: datetime, roles: Sequence[int], guest: int) -> sa.Select[Any]:
        """Person, session, seat, role, code, time created, suspended, email; everybody, ordered by id."""
        users = self._users.c
        meant = self._ids_meant(Selection(since=since))
        seats = self._seats(
            roles, [self._signups.c.sessionid.in_(meant)], [self._roles.c.sessionid.in_(meant)]
        )
        return (
            sa.select(
                as_text(users.id), *_seat_columns(seats), users.timecreated, users.suspended, users.email
            )
            .select_from(self._users.outerjoin(seats, seats.c.userid == users.id))
            .where(*self._living(guest))
            .order_by(code_points(as_text(users.id)))
        )

    def seats(self, selection: Selection, roles: Sequence[int], guest: int) -> sa.Select[Any]:
        """Person, session, seat, role, code, of these people, in these sessions."""
        users, learning, training = self._users.c, [], []
        for ids, column in ((selection.people, "userid"), (selection.session_ids, "sessionid")):
            if ids is not None:
                learning.append(self._signups.c[column].in_(_numbers(ids)))
                training.append(self._roles.c[column].in_(_numbers(ids)))
        seats = self._seats(roles, learning, training)
        return (
            sa.select(as_text(users.id), *_seat_columns(seats))
            .select_from(self._users.join(seats, seats.c.userid == users.id))
            .where(*self._living(guest))
        )

    # Parts

    def _living(self, guest: int) -> list[ColumnElement[bool]]:
        """A deleted person's row stays, with another name and address; a guest is nobody."""
        return [self._users.c.deleted == 0, self._users.c.id != guest]

    def _seats(self, roles: Sequence[int], learning: _Conditions, training: _Conditions) -> sa.Subquery:
        """Such sign-ups with their current status, and such trainers as if booked."""
        signups, statuses, held = self._signups.c, self._statuses.c, self._roles.c
        learners = (
            sa.select(
                signups.userid,
                signups.sessionid,
                statuses.id.label("ref"),
                sa.literal_column("1").label("learner"),
                statuses.statuscode.label("code"),
            )
            .select_from(self._current_statuses())
            .where(*learning)
        )
        trainers = sa.select(
            held.userid,
            held.sessionid,
            held.id.label("ref"),
            sa.literal_column("0").label("learner"),
            sa.literal_column(str(BOOKED)).label("code"),
        ).where(held.roleid.in_(roles), *training)
        return learners.union_all(trainers).subquery("seats")

    def _current_statuses(self) -> sa.Join:
        """Each sign-up with the one status that counts: the newest that is not superceded. Nothing in the
        database keeps two writers at once from leaving two of them."""
        newer = self._statuses.alias("newer")
        status = self._statuses.c
        superceded = exists(
            newer.c.signupid == status.signupid, newer.c.superceded == 0, newer.c.id > status.id
        )
        return self._signups.join(
            self._statuses,
            sa.and_(
                status.signupid == self._signups.c.id,
                status.superceded == 0,
                ~superceded.correlate(self._statuses),
            ),
        )

    def _with_activity(self) -> sa.Join:
        return self._sessions.join(self._activities, self._activities.c.id == self._sessions.c.facetoface)

    def _course_modules(self) -> sa.Subquery:
        """Activities in their courses, and whether they are being deleted."""
        places, modules = self._of("course_modules").c, self._of("modules").c
        deleting = sa.func.min(self._optional("course_modules", "deletioninprogress", 0))
        return (
            sa.select(places.instance, deleting.label("deleting"))
            .select_from(self._of("course_modules").join(self._of("modules"), modules.id == places.module))
            .where(modules.name == "facetoface")
            .group_by(places.instance)
            .subquery("places")
        )

    def _ids_meant(self, selection: Selection) -> sa.Select[Any]:
        return (
            sa.select(self._sessions.c.id).select_from(self._with_activity()).where(*self._meant(selection))
        )

    def _meant(self, selection: Selection) -> list[ColumnElement[bool]]:
        conditions = []
        if selection.since is not None:
            conditions.append(self._current(selection.since))
        if selection.session_ids is not None:
            conditions.append(self._sessions.c.id.in_(_numbers(selection.session_ids)))
        return conditions

    def _current(self, since: datetime) -> ColumnElement[bool]:
        """Without days, or with one that ends after ``since`` or whose year is absurd."""
        dates, sessions = self._dates.c, self._sessions.c
        own = dates.sessionid == sessions.id
        now, earliest = int(since.timestamp()), int(EARLIEST.replace(tzinfo=UTC).timestamp())
        late = [
            condition
            for column in (dates.timestart, dates.timefinish)
            for condition in (column > now, column < earliest)
        ]
        return sa.or_(
            sessions.datetimeknown == 0,
            ~exists(own).correlate(self._sessions),
            exists(own, sa.or_(*late)).correlate(self._sessions),
        )


def _seat_columns(seats: sa.Subquery) -> tuple[ColumnElement[Any], ...]:
    return as_text(seats.c.sessionid), as_text(seats.c.ref), seats.c.learner, seats.c.code


def _numbers(ids: Sequence[str]) -> list[int]:
    return [number for number in map(whole_number, ids) if number is not None]
