"""Moodle's tables by hand: the rows that the plugin would write, and only if everything is as proven."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_raw import MoodleRawSql
from reconciler.lms.writing import write_engine
from reconciler.ports import RegistrarAnswer, RegistrarOutcome
from tests.support.cut_wire import Cut, CutWire
from tests.support.moodle_cases import CASES, GIVEN_BACK, as_status
from tests.support.moodle_site import LEARNER, NEXT, SEAT, MoodleSite

DONE, REFUSED, LOST = RegistrarOutcome.DONE, RegistrarOutcome.REFUSED, RegistrarOutcome.LOST
STILL_THERE = RegistrarOutcome.STILL_THERE


def _raw(moodle: MoodleSite) -> MoodleRawSql:
    return MoodleRawSql(write_engine(moodle.url))


def test_the_rows_are_those_that_the_plugins_own_function_writes(moodle: MoodleSite) -> None:
    answer = _raw(moodle).unregister(moodle.asks())
    assert answer.outcome is DONE
    assert moodle.history() == GIVEN_BACK
    assert moodle.calendar() == 0
    assert moodle.calendar(23) == 3
    [(note,)] = moodle.rows("SELECT note FROM mdl_facetoface_signups_status WHERE id = " + answer.trace[7:])
    assert note.endswith("[ilt-reconciler evidence-1]")


def test_what_it_says_it_skips_it_skips(moodle: MoodleSite) -> None:
    before = moodle.cancel_events()
    _raw(moodle).unregister(moodle.asks())
    assert moodle.history(28) == [(60, 0, NEXT)]
    assert (moodle.mails(), moodle.cancel_events()) == ([], before)


def test_asking_again_is_done_already(moodle: MoodleSite) -> None:
    first = _raw(moodle).unregister(moodle.asks())
    after = moodle.everything()
    assert _raw(moodle).unregister(moodle.asks()) == RegistrarAnswer(DONE, "already", first.trace)
    assert moodle.everything() == after
    assert moodle.registrar().resolve(moodle.asks()).outcome is DONE  # the script reads the same mark


@pytest.mark.parametrize("case", CASES)
def test_a_seat_that_is_not_as_proven_stays_as_it_is(moodle: MoodleSite, case: str) -> None:
    statements, outcome, why = CASES[case]
    request = moodle.asks()
    moodle.write(*statements)
    before = moodle.everything()
    answer = _raw(moodle).unregister(request)
    assert answer.outcome is outcome
    assert answer.why == {"activity being deleted": "session-cancelled"}.get(case, why)
    assert moodle.everything() == before


def test_the_session_of_another_site_is_left_alone(moodle: MoodleSite) -> None:
    with pytest.raises(LmsUnreadable, match="another site"):
        _raw(moodle).unregister(moodle.asks(account="a-copy-of-it"))
    assert moodle.history() == [(70, 0, LEARNER)]


def test_after_the_deadline_or_the_start_nothing_is_written(moodle: MoodleSite) -> None:
    request = moodle.asks()
    with pytest.raises(LmsUnreadable, match="deadline"):
        _raw(moodle).unregister(replace(request, deadline=datetime.now(UTC) - timedelta(hours=1)))
    begun = replace(request, now=request.days[0][0])
    assert _raw(moodle).unregister(begun) == RegistrarAnswer(REFUSED, "begun")
    assert moodle.history() == [(70, 0, LEARNER)]


def test_of_many_at_once_exactly_one_writes(moodle: MoodleSite) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(_raw(moodle).unregister, moodle.asks()) for _ in range(4)]
        answers = [one.result() for one in asked]
    assert sorted(answer.why for answer in answers) == ["", "already", "already", "already"]
    assert moodle.history() == GIVEN_BACK


@pytest.mark.parametrize(("cut", "became"), [(Cut.BEFORE, STILL_THERE), (Cut.AFTER, DONE)])
def test_a_connection_lost_at_the_commit_is_unknown_and_resolved_rightly(
    moodle: MoodleSite, cut: Cut, became: RegistrarOutcome
) -> None:
    parsed = sa.make_url(moodle.url)
    wire = CutWire(str(parsed.host), int(parsed.port or 0), b"COMMIT", cut, armed_by=b"DELETE ")
    through = MoodleRawSql(write_engine(parsed.set(host="127.0.0.1", port=wire.port)))
    request = moodle.asks()
    assert through.unregister(request).outcome is RegistrarOutcome.UNKNOWN
    wire.close()
    assert _raw(moodle).resolve(request).outcome is became


def test_staffs_own_cancellation_resolves_as_lost(moodle: MoodleSite) -> None:
    assert _raw(moodle).resolve(moodle.asks()).outcome is STILL_THERE
    moodle.write(*as_status(10))
    assert _raw(moodle).resolve(moodle.asks()).outcome is LOST
    assert _raw(moodle).unregister(moodle.asks(seats=(str(SEAT),))).outcome is LOST


def test_rights_that_are_missing_are_told_one_by_one(moodle: MoodleSite) -> None:
    assert _raw(moodle).check() == []
    if moodle.engine.dialect.name != "postgresql":
        return
    role = f"reader_{sa.make_url(moodle.url).database}"[:30]
    moodle.write(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        reader = MoodleRawSql(write_engine(sa.make_url(moodle.url).set(username=role)))
        assert len(reader.check()) == 4
        with pytest.raises(LmsUnreadable):
            reader.unregister(moodle.asks())
    finally:
        moodle.write(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
