"""What the adapter reads of two running Moodle sites is what the plugin itself answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from reconciler.lms.moodle import MoodleLms
from reconciler.model import Desired, Registration, Role, Standing
from tests.support.moodle import NOW, Truth, truth

OPEN = Callable[..., MoodleLms]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KEPT = (80, 90, 100)


def everybody(lms: MoodleLms, since: datetime = LONG_AGO) -> dict[str, Desired]:
    with lms.scan(since) as scan:
        glances = {glance.person: glance for glance in scan.people}
    desired = dict(lms.read(list(glances), since))
    assert {person: glance.digest for person, glance in glances.items()} == {
        person: found.digest for person, found in desired.items()
    }
    return desired


def days_by_seat(desired: dict[str, Desired]) -> set[tuple[object, ...]]:
    """Who is where as what, with what standing, when, of which activity and at which place."""
    return {
        (
            found.person_id,
            registration.session.id,
            registration.role,
            registration.standing,
            *day,
            registration.session.title,
            registration.session.location,
        )
        for found in desired.values()
        for registration in found.registrations
        for day in _instants(registration)
    }


def _instants(registration: Registration) -> list[tuple[object, ...]]:
    days = registration.session.days
    return [(day.start_instant, day.end_instant) for day in days] or [(None, None)]


def days_by_truth(rows: list[Truth]) -> set[tuple[object, ...]]:
    """The same, of the plugin's answer. It does not say where trainers' sessions take place."""
    places = {row.session: place(row) for row in rows if row.kind == "attendee"}
    expected: dict[tuple[str, str], set[tuple[object, ...]]] = {}
    for row in sorted(rows, key=lambda row: row.kind):  # attendees first: a learner who trains is a learner
        standing = Standing.WANTED if row.kind == "trainer" or row.code == 70 else Standing.NONE
        if row.kind == "attendee" and row.code in KEPT:
            standing = Standing.KEEP
        role = Role.LEARNER if row.kind == "attendee" else Role.INSTRUCTOR
        line = (row.user, row.session, role, standing, *times(row), row.name, places.get(row.session))
        expected.setdefault((row.user, row.session), set()).add(line)
    return set().union(*expected.values())


def times(row: Truth) -> tuple[datetime | None, datetime | None]:
    if not row.dated:
        return None, None
    return datetime.fromtimestamp(int(row.start), UTC), datetime.fromtimestamp(int(row.finish), UTC)


def place(row: Truth) -> str:
    return ", ".join(part for part in (row.room, row.venue, row.location) if part)


def without_place(lines: set[tuple[object, ...]], sessions: set[str]) -> set[tuple[object, ...]]:
    return {line[:-1] if line[1] in sessions else line for line in lines}


def test_everybody_is_where_the_plugin_says(open_moodle: OPEN, dump: str) -> None:
    rows = truth(dump.partition("-")[2])
    unsaid = {row.session for row in rows} - {row.session for row in rows if row.kind == "attendee"}
    expected = without_place(days_by_truth(rows), unsaid)
    found = without_place(days_by_seat(everybody(open_moodle(dump))), unsaid)
    assert found == expected


def test_people_are_those_the_plugin_names_with_their_addresses(open_moodle: OPEN, dump: str) -> None:
    desired = everybody(open_moodle(dump))
    for row in truth(dump.partition("-")[2]):
        person = desired[row.user].person
        assert person is not None
        assert (person.email, person.active) == (row.email, row.suspended == "0")


def test_both_databases_hold_the_same_training(open_moodle: OPEN) -> None:
    postgresql, mariadb = (everybody(open_moodle(f"{name}-seeded"), NOW) for name in ("pgsql", "mariadb"))
    assert {person: found.digest for person, found in postgresql.items() if found.registrations} == {
        person: found.digest for person, found in mariadb.items() if found.registrations
    }


def test_whoever_nothing_changed_for_has_the_same_digest_after_22_operations(open_moodle: OPEN) -> None:
    """Among them edits that change nothing but make every date row anew, and mails and zones of people."""
    before, after = (everybody(open_moodle(f"pgsql-{name}"), NOW) for name in ("seeded", "changed"))
    seen_before, seen_after = seen(before), seen(after)
    same = {
        person for person in before.keys() & after.keys() if before[person].digest == after[person].digest
    }
    assert same == {
        person for person in before.keys() & after.keys() if seen_before[person] == seen_after[person]
    }
    assert "7" in before
    assert len(same) > 3


def seen(desired: dict[str, Desired]) -> dict[str, tuple[object, ...]]:
    """All of a person that matters, spelled out."""
    return {
        id_: (
            found.person and (found.person.identity, found.person.active) if found.registrations else None,
            sorted((r.session.id, r.role, r.standing, r.seat, repr(r.session)) for r in found.registrations),
        )
        for id_, found in desired.items()
    }


def test_an_edit_that_changes_nothing_of_a_session_is_no_news_though_all_its_date_rows_are_new(
    open_moodle: OPEN, moodle_dumps: Callable[[str], str]
) -> None:
    seeded, changed = (date_rows(moodle_dumps(f"pgsql-{name}")) for name in ("seeded", "changed"))
    before, after = open_moodle("pgsql-seeded"), open_moodle("pgsql-changed")
    same = {id_ for id_ in seeded if before.session(id_) == after.session(id_)}
    assert {id_ for id_ in same if seeded[id_] != changed[id_]} == {"6", "19"}
    assert seeded.keys() - same == {"2", "3", "4", "5", "12", "13", "15", "16", "17", "18"}


def date_rows(url: str) -> dict[str, list[int]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT sessionid, id FROM mdl_facetoface_sessions_dates ORDER BY id"
        )
        found: dict[str, list[int]] = {}
        for session, id_ in rows:
            found.setdefault(str(session), []).append(id_)
    engine.dispose()
    return found


def test_sessions_past_are_left_out_and_dateless_ones_stay(open_moodle: OPEN, dump: str) -> None:
    rows = truth(dump.partition("-")[2])
    current = {row.session for row in rows if not row.dated or int(row.finish) > NOW.timestamp()}
    with open_moodle(dump).scan(NOW) as scan:
        list(scan.people)
    (sessions,) = scan.sessions.values()
    assert set(sessions) == current
    assert scan.refused == []


def test_the_crowd_counts_everybody_of_any_status(open_moodle: OPEN, dump: str) -> None:
    people: dict[str, set[str]] = {}
    for row in truth(dump.partition("-")[2]):
        people.setdefault(row.session, set()).add(row.user)
    with open_moodle(dump).scan(LONG_AGO) as scan:
        list(scan.people)
    assert scan.crowd == {session: len(users) for session, users in people.items()}


def test_people_stream_in_order_of_code_points(open_moodle: OPEN, dump: str) -> None:
    with open_moodle(dump).scan(NOW) as scan:
        people = [glance.person for glance in scan.people]
    assert people == sorted(people)
    assert {"3", "21", "10"} <= set(people)


def test_the_next_start_is_the_earliest_of_what_is_wanted(open_moodle: OPEN) -> None:
    lms = open_moodle("pgsql-seeded")
    with lms.scan(NOW) as scan:
        glances = {glance.person: glance.next_start for glance in scan.people}
    for person, desired in lms.read(list(glances), NOW).items():
        starts = [
            day.start_instant
            for registration in desired.registrations
            if registration.standing is Standing.WANTED
            for day in registration.session.days
            if day.end_instant > NOW
        ]
        assert glances[person] == min(starts, default=None)
    assert any(glances.values())
