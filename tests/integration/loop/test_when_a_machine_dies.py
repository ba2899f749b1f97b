"""A machine dies in the middle of its work: whom it had begun is right again within two intervals."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from reconciler.ledger.tables import person_state
from reconciler.sitting import LEASE_SECONDS
from tests.support.house import MONDAY, TUESDAY, HouseBed


def an_interval_later(house: HouseBed) -> dict[str, int]:
    """The next push, once an interval has passed by the story's clock, and by the state database's too."""
    interval = house.house.settings.intervals.push
    until = sa.type_coerce(person_state.c.lease_until, sa.BigInteger)
    with house.house.ledger.database.writing() as transaction:
        past = until - interval // timedelta(microseconds=1)
        transaction.execute(sa.update(person_state).values(lease_until=past))
    before = house.clock()
    run = house.push()
    assert house.clock() - before == interval
    return dict(run.counts)


def test_whom_it_had_begun_is_right_within_two_intervals(house: HouseBed, vendor: str) -> None:
    session = house.lms.add_session(MONDAY)
    for person in ("ana", "ben"):
        house.newcomer(person, vendor, session)
    house.push()
    house.lms.move(session, TUESDAY)
    house.house.ledger.lease(["ana"], "elsewhere:1:dead", LEASE_SECONDS)
    assert an_interval_later(house)["taken"] == 1
    assert {event.starts.day for event in house.seen("ben")} == {TUESDAY.starts.day}
    assert {event.starts.day for event in house.seen("ana")} == {MONDAY.starts.day}
    assert an_interval_later(house)["update ok"] == 1
    assert {event.starts.day for event in house.seen("ana")} == {TUESDAY.starts.day}
