"""What a reading costs: a number of statements and an amount of memory that do not grow with the crowd."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.source import SqlLms
from reconciler.simulators.lms import When
from tests.support.crowds import add_crowd
from tests.support.moodle import WritableMoodle
from tests.support.reference_lms import ReferenceSite

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MORNING = When(datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 12))
AFTERNOON = When(datetime(2026, 12, 2, 13), datetime(2026, 12, 2, 17))


@contextmanager
def counted(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that are sent while in here."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", note)


def cost(lms: SqlLms, engine: sa.Engine) -> tuple[int, int, int]:
    """Statements of a scan, of reading everybody, and how many people that were."""
    with lms.scan(NOW) as scan:
        people = [glance.person for glance in scan.people]
    with counted(engine) as scanning, lms.scan(NOW) as scan:
        list(scan.people)
    with counted(engine) as reading:
        lms.read(people, NOW)
    return len(scanning), len(reading), len(people)


def test_statements_do_not_grow_with_people_and_sessions(site: ReferenceSite) -> None:
    engine = read_engine(site.url)
    lms = ReferenceLms(engine)
    site.rows.add_person("ana")
    site.rows.book("ana", site.rows.add_session(MORNING))
    small = cost(lms, engine)
    for number in range(30):
        site.rows.add_session(MORNING, AFTERNOON, id=f"s{number}")
    add_crowd(site, sessions=30, people=500)
    large = cost(lms, engine)
    lms.close()
    assert (small[2], large[2]) == (1, 501)
    assert large[:2] == small[:2]
    assert small[0] < 12
    assert small[1] < 12


def test_statements_to_a_moodle_do_not_grow_with_people_and_sessions(moodle: WritableMoodle) -> None:
    engine = read_engine(moodle.url)
    lms = MoodleLms(engine)
    small = cost(lms, engine)
    moodle.change(
        "INSERT INTO mdl_user (id, username, firstname)"
        " SELECT i, 'p' || i, 'P' FROM generate_series(1001, 1500) AS n(i)",
        "INSERT INTO mdl_facetoface_sessions (id, facetoface, datetimeknown, details)"
        " SELECT i, 1, 1, 'x' FROM generate_series(1001, 1050) AS n(i)",
        "INSERT INTO mdl_facetoface_sessions_dates (id, sessionid, timestart, timefinish)"
        " SELECT i, i, 1797841800, 1797868800 FROM generate_series(1001, 1050) AS n(i)",
        "INSERT INTO mdl_facetoface_signups (id, sessionid, userid, mailedreminder, notificationtype)"
        " SELECT i, 1001 + MOD(i, 50), i, 0, 3 FROM generate_series(1001, 1500) AS n(i)",
        "INSERT INTO mdl_facetoface_signups_status"
        " (id, signupid, statuscode, superceded, createdby, timecreated)"
        " SELECT i, i, 70, 0, 2, 0 FROM generate_series(1001, 1500) AS n(i)",
    )
    large = cost(lms, engine)
    lms.close()
    assert large[2] == small[2] + 500
    assert large[:2] == small[:2]
    assert small[0] < 15
    assert small[1] < 15


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_memory_does_not_grow_with_the_seats(make_site: Callable[[str], ReferenceSite], kind: str) -> None:
    peaks = [peak(make_site(kind), people) for people in (5_000, 50_000)]
    assert peaks[1] < 1.5 * peaks[0]


def peak(made: ReferenceSite, people: int) -> int:
    """Bytes at the peak of a scan of two seats for each of these people."""
    for number in range(40):
        made.rows.add_session(MORNING, id=f"s{number}", details="<p>Bring <b>ID</b>.</p>" * 20)
    add_crowd(made, sessions=40, people=people)
    tracemalloc.start()
    try:
        with made.source.scan(NOW) as scan:
            assert sum(bool(glance.digest) for glance in scan.people) == people
        assert sum(scan.crowd.values()) == 2 * people
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
