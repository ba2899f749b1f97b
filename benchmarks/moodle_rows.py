"""A Moodle site with mod_facetoface by the hundred thousand seats, set-based like :mod:`benchmarks.rows`.

Of Moodle's tables those columns that are read, with the indexes that Moodle 4 and the plugin declare for
them: none on ``facetoface_signups.userid``. Every person has five sign-ups, every session twenty, one to
three days within ninety days from :data:`~benchmarks.rows.NOW` on, a trainer, a room and a place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.rows import NOW, SEATS_A_PERSON, SEATS_A_SESSION, STEP, from_numbers, insert
from reconciler.lms.moodle_queries import BOOKED

FIRST_PERSON = 10
_SESSIONS_A_TRAINER = 10
_ROLE = 3
_FIELDS = ("location", "venue", "room")
_DETAILS = (
    "<p>Bring what you need to write, and the <b>shoes</b> that the workshop asks for. We begin on time, "
    "with a round of introductions, and end with questions; lunch is provided.</p><p>Part {} of the year.</p>"
)

metadata = sa.MetaData()


def _table(name: str, *columns: str, indexed: str = "", texts: tuple[str, ...] = ()) -> sa.Table:
    """Numbers, but for ``texts``; ``indexed`` is a column."""
    made: list[sa.Column[Any]] = [sa.Column("id", sa.BigInteger, primary_key=True)]
    for column in columns:
        kind: sa.types.TypeEngine[Any] = sa.String(1000) if column in texts else sa.BigInteger()
        made.append(sa.Column(column, kind, index=column == indexed))
    return sa.Table(f"mdl_{name}", metadata, *made)


_config = _table("config", "name", "value", texts=("name", "value"))
_plugins = _table("config_plugins", "plugin", "name", "value", texts=("plugin", "name", "value"))
_course = _table("course", "category", "fullname", texts=("fullname",))
_modules = _table("modules", "name", texts=("name",))
_places = _table("course_modules", "module", "instance", "deletioninprogress", indexed="module")
_activities = _table("facetoface", "course", "name", texts=("name",), indexed="course")
_sessions = _table(
    "facetoface_sessions",
    "facetoface",
    "details",
    "datetimeknown",
    "allowcancellations",
    texts=("details",),
    indexed="facetoface",
)
_dates = _table("facetoface_sessions_dates", "sessionid", "timestart", "timefinish", indexed="sessionid")
_field = _table("facetoface_session_field", "shortname", texts=("shortname",))
_values = _table("facetoface_session_data", "fieldid", "sessionid", "data", texts=("data",))
_roles = _table("facetoface_session_roles", "sessionid", "roleid", "userid", indexed="sessionid")
_signups = _table("facetoface_signups", "sessionid", "userid", indexed="sessionid")
_statuses = _table("facetoface_signups_status", "signupid", "statuscode", "superceded", indexed="signupid")
_users = _table(
    "user",
    "firstname",
    "lastname",
    "email",
    "lang",
    "suspended",
    "deleted",
    "timecreated",
    texts=("firstname", "lastname", "email", "lang"),
)


def fill_moodle(engine: sa.Engine, seats: int) -> None:
    """The site, with so many sign-ups that are booked."""
    metadata.create_all(engine)
    sessions = seats // SEATS_A_SESSION
    with engine.begin() as connection:
        insert(
            connection,
            _config,
            iter(
                [
                    {"id": 1, "name": "siteidentifier", "value": "bench"},
                    {"id": 2, "name": "timezone", "value": "Europe/Vienna"},
                    {"id": 3, "name": "siteguest", "value": "1"},
                ]
            ),
        )
        insert(
            connection,
            _plugins,
            iter([{"id": 1, "plugin": "facetoface", "name": "session_roles", "value": str(_ROLE)}]),
        )
        insert(
            connection,
            _course,
            iter(
                [
                    {"id": 1, "category": 0, "fullname": "The academy"},
                    {"id": 2, "category": 1, "fullname": "Safety"},
                ]
            ),
        )
        insert(connection, _modules, iter([{"id": 1, "name": "facetoface"}]))
        insert(connection, _activities, iter([{"id": 1, "course": 2, "name": "Working safely at height"}]))
        insert(connection, _places, iter([{"id": 1, "module": 1, "instance": 1, "deletioninprogress": 0}]))
        insert(connection, _field, ({"id": n, "shortname": name} for n, name in enumerate(_FIELDS, 1)))
        insert(connection, _sessions, (_session(n) for n in range(sessions)))
        insert(connection, _dates, (day for n in range(sessions) for day in _days(n)))
        insert(connection, _values, (value for n in range(sessions) for value in _place(n)))
        insert(connection, _roles, (_trainer(n, sessions) for n in range(sessions)))
        from_numbers(connection, _users, seats // SEATS_A_PERSON, _person)
        from_numbers(connection, _signups, seats, lambda n: _signup(n, sessions))
        from_numbers(connection, _statuses, seats, _booked)


def _session(number: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "facetoface": 1,
        "details": _DETAILS.format(number),
        "datetimeknown": 1,
        "allowcancellations": 1,
    }


def _days(number: int) -> Iterator[dict[str, Any]]:
    first = NOW.replace(hour=8) + timedelta(days=1)
    for day in range(1 + number % 3):
        starts = int((first + timedelta(days=number % 90 + day)).timestamp())
        yield {
            "id": 3 * number + day + 1,
            "sessionid": number + 1,
            "timestart": starts,
            "timefinish": starts + 8 * 3_600,
        }


def _place(number: int) -> Iterator[dict[str, Any]]:
    for field, data in enumerate(("Vienna", f"Building {number % 40}", f"{number % 7}.{number % 90:02}"), 1):
        yield {"id": 3 * number + field, "fieldid": field, "sessionid": number + 1, "data": data}


def _trainer(number: int, sessions: int) -> dict[str, Any]:
    person = FIRST_PERSON + number % max(1, sessions // _SESSIONS_A_TRAINER)
    return {"id": number + 1, "sessionid": number + 1, "roleid": _ROLE, "userid": person}


def _person(n: sa.ColumnElement[int]) -> dict[str, sa.ColumnElement[Any]]:
    number = sa.cast(n, sa.String(20))
    return {
        "id": n + FIRST_PERSON,
        "firstname": sa.literal("Person"),
        "lastname": number,
        "email": sa.func.concat("p", number, "@example.org"),
        "lang": sa.literal("en"),
        "suspended": sa.literal(0),
        "deleted": sa.literal(0),
        "timecreated": sa.literal(1_700_000_000),
    }


def _signup(n: sa.ColumnElement[int], sessions: int) -> dict[str, sa.ColumnElement[Any]]:
    person = sa.func.floor(n / SEATS_A_PERSON) + FIRST_PERSON
    return {"id": n + 1, "sessionid": (n * STEP) % sessions + 1, "userid": person}


def _booked(n: sa.ColumnElement[int]) -> dict[str, sa.ColumnElement[Any]]:
    return {
        "id": n + 1,
        "signupid": n + 1,
        "statuscode": sa.literal(BOOKED),
        "superceded": sa.literal(0),
    }


def bare_moodle() -> sa.Select[Any]:
    """One statement for all that is read of the seats, people in order."""
    return (
        sa.select(*_users.c, *_signups.c, *_statuses.c, *_sessions.c, *_dates.c)
        .join_from(_users, _signups, _signups.c.userid == _users.c.id)
        .join(_statuses, _statuses.c.signupid == _signups.c.id)
        .join(_sessions, _sessions.c.id == _signups.c.sessionid)
        .join(_dates, _dates.c.sessionid == _sessions.c.id)
        .where(_statuses.c.superceded == 0, _dates.c.timefinish > int(NOW.timestamp()))
        .order_by(_users.c.id)
    )
