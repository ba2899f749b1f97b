"""No learner may lose a seat who did not delete the event: what the judge makes of an absence, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.diff.confirm import (
    BeginGrace,
    Bench,
    ConfirmPolicy,
    Dismiss,
    HoldSeat,
    Judgement,
    LivesOn,
    PutBack,
    Sought,
    Unregister,
)
from reconciler.diff.fields import digest_of
from reconciler.diff.why import UNSAID, MayNot
from reconciler.model import (
    ActualEvent,
    Answer,
    HoldReason,
    LedgerEntry,
    MultiDay,
    Registration,
    Removal,
    Role,
    Standing,
    State,
    Suspicion,
    UnregisterMode,
)
from tests.support.builders import NOW, a_copy_of, a_day, a_registration, a_session, an_entry, an_event

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SEAT = a_registration()
TWO_DAYS = a_registration(a_session("s2", [a_day("2026-12-01 09:00"), a_day("2026-12-02 09:00")]))
GRACE_OVER = Suspicion(confirmed_at=NOW - HOUR, grace_until=NOW)
NOWHERE = Sought(None, (), everywhere=True)
SAID_TO_GIVE_BACK = Suspicion(answer=Answer.GIVE_BACK, answer_seat="seat-1", answer_generation=0)
SAID_TO_KEEP = replace(SAID_TO_GIVE_BACK, answer=Answer.KEEP)


def missing(seat: Registration = SEAT, slot: int = 0, **changes: Any) -> LedgerEntry:
    """The row of an event that was missed half an hour ago."""
    return an_entry(seat, slot, **{"state": State.MISSING, "missing_since": NOW - 30 * MINUTE, **changes})


def held(reason: HoldReason, since: timedelta, **changes: Any) -> LedgerEntry:
    return missing(
        state=State.HELD, suspicion=Suspicion(hold_reason=reason, held_since=NOW - since), **changes
    )


def in_days(days: float, **changes: Any) -> Registration:
    """A seat in a session of one day that begins so many days from now."""
    return a_registration(a_session(days=[a_day(NOW + days * DAY)], **changes))


def judged(
    rows: Iterable[LedgerEntry],
    *seats: Registration,
    sought: Sought = NOWHERE,
    fleet_held: bool = False,
    gives_back: bool = True,
    witnessed: bool = True,
    **policy: Any,
) -> list[Judgement]:
    """What becomes of the rows, if asking for each that has to be asked for gave ``sought``."""
    rows = list(rows)
    registrations = {one.session.id: one for one in seats or (SEAT,)}
    bench = Bench(rows, registrations, {}, ConfirmPolicy(**policy), fleet_held, NOW, gives_back, witnessed)
    asked = {entry.key: sought for entry in bench.to_ask()}
    return replace(bench, sought=asked).judge()


def kinds(judgements: Iterable[Judgement]) -> list[type]:
    return [type(one) for one in judgements]


def the_hold(judgements: list[Judgement]) -> HoldReason:
    (one,) = judgements
    assert isinstance(one, HoldSeat)
    return one.reason


def why_back(judgements: list[Judgement]) -> tuple[str, bool]:
    """Why it is put back, and whether for the last time."""
    (one,) = judgements
    assert isinstance(one, PutBack)
    return one.why, one.final


# Suspicion, grace, proof --------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "minutes"), [(9, 30), (1.01, 30), (1, 10), (0.2, 10)])
def test_grace_is_30_minutes_and_10_within_a_day_of_the_start(days: float, minutes: int) -> None:
    seat = in_days(days)
    (one,) = judged([missing(seat)], seat)
    assert isinstance(one, BeginGrace)
    assert one.until == NOW + minutes * MINUTE


def test_before_the_grace_is_over_nothing_is_asked_and_nothing_follows() -> None:
    within = Suspicion(confirmed_at=NOW - MINUTE, grace_until=NOW + MINUTE)
    assert judged([missing(suspicion=within)]) == []


def test_proven_a_second_time_after_the_grace_the_seat_is_given_back() -> None:
    assert kinds(judged([missing(suspicion=GRACE_OVER)])) == [Unregister]


def test_what_was_not_asked_for_is_not_judged() -> None:
    bench = Bench([missing(suspicion=GRACE_OVER)], {"s1": SEAT}, {}, ConfirmPolicy(), False, NOW)
    assert bench.judge() == []


@pytest.mark.parametrize("suspicion", [Suspicion(), GRACE_OVER, SAID_TO_GIVE_BACK, SAID_TO_KEEP])
@pytest.mark.parametrize(
    "sought",
    [
        Sought(an_event(), (), True),
        Sought(None, (a_copy_of(an_event()),), True),
        Sought(an_event(), (), False),
    ],
    ids=["by its id", "under another id", "by its id alone"],
)
def test_found_anywhere_it_lives_on(suspicion: Suspicion, sought: Sought) -> None:
    assert kinds(judged([missing(suspicion=suspicion)], sought=sought)) == [LivesOn]


def test_the_recorded_event_wins_over_others_of_its_key() -> None:
    copy: ActualEvent = a_copy_of(an_event(), "a-copy")
    (one,) = judged([missing()], sought=Sought(an_event(), (copy,), True))
    assert isinstance(one, LivesOn)
    assert one.actual == an_event()


def test_an_id_that_we_doomed_ourselves_is_put_back() -> None:
    row = missing(suspicion=GRACE_OVER)
    judgements = judged([replace(row, doomed=(str(row.event_id),))])
    assert why_back(judgements) == ("we had meant to delete this very id", False)


@pytest.mark.parametrize(
    "state", [one for one in State if one not in (State.NONE, State.MISSING, State.HELD)]
)
def test_only_what_was_live_and_then_missed_is_in_question(state: State) -> None:
    assert judged([missing(state=state, suspicion=GRACE_OVER)]) == []


# The seat ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standing", [Standing.KEEP, Standing.NONE])
def test_only_an_active_seat_is_given_back(standing: Standing) -> None:
    seat = replace(SEAT, standing=standing)
    assert judged([missing(suspicion=GRACE_OVER)], seat) == []


def test_another_seat_than_the_one_deleted_is_not_given_back() -> None:
    assert judged([missing(suspicion=GRACE_OVER)], replace(SEAT, seat="seat-2")) == []


def test_where_the_lms_cannot_tell_seats_apart_nobody_is_unregistered() -> None:
    seat = replace(SEAT, seat=None)
    assert why_back(judged([missing(seat, suspicion=GRACE_OVER)], seat)) == (MayNot.NOT_CANCELLABLE, True)


@pytest.mark.parametrize(
    "changes",
    [{"cancelled": True}, {"refused": "unknown zone"}, {"days": (a_day("2026-12-03 09:00"),)}],
    ids=["called off", "not understood", "moved"],
)
def test_a_session_that_is_not_as_it_was_deleted_is_left_to_the_regular_passes(
    changes: dict[str, Any],
) -> None:
    seat = a_registration(a_session(**changes))
    assert judged([missing(suspicion=GRACE_OVER)], seat) == []


@pytest.mark.parametrize("suspicion", [Suspicion(), GRACE_OVER], ids=["at first", "at the end"])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cancellable": False}, MayNot.NOT_CANCELLABLE),
        ({"cancel_until": NOW}, MayNot.TOO_LATE),
        ({"cancel_until": NOW + 31 * MINUTE}, None),
    ],
    ids=["not cancellable", "deadline passed", "deadline ahead"],
)
def test_a_seat_that_may_not_be_given_back_any_more_is_put_back(
    changes: dict[str, Any], why: MayNot | None, suspicion: Suspicion
) -> None:
    seat = a_registration(a_session(**changes))
    judgements = judged([missing(seat, suspicion=suspicion)], seat)
    if why is None:
        assert kinds(judgements) == [Unregister if suspicion.confirmed_at else BeginGrace]
    else:
        assert why_back(judgements) == (why, True)


def test_nobody_is_promised_to_give_back_what_the_lms_will_not_take_when_the_grace_is_over() -> None:
    seat = a_registration(a_session(cancel_until=NOW + 30 * MINUTE))
    assert why_back(judged([missing(seat)], seat)) == (MayNot.TOO_NEAR, True)
    assert kinds(judged([missing(seat, suspicion=GRACE_OVER)], seat)) == [Unregister]


def test_an_instructors_event_comes_back_once_and_then_stays_away() -> None:
    ines = replace(SEAT, role=Role.INSTRUCTOR)
    row = missing(ines)
    assert why_back(judged([row], ines)) == (MayNot.INSTRUCTOR, True)
    again = replace(row, suspicion=Suspicion(put_back=str(row.digest)))
    assert kinds(judged([again], ines)) == [Dismiss]
    changed = replace(ines, session=a_session(title="Something else"))
    assert kinds(judged([replace(again, digest=missing(changed).digest)], changed)) == [PutBack]


def test_once_the_session_has_begun_nobody_is_unregistered() -> None:
    session = a_session(days=[a_day(NOW - HOUR), a_day(NOW + 3 * DAY)])
    seat = a_registration(session)
    assert kinds(judged([missing(seat, 1, suspicion=GRACE_OVER)], seat)) == [Dismiss]
    assert kinds(judged([missing(seat, 1, suspicion=SAID_TO_GIVE_BACK)], seat)) == [Dismiss]


def test_no_grace_begins_that_would_outlast_the_start_of_the_session() -> None:
    """Its letter would promise what cannot be kept: by then the session has begun."""
    soon, later = in_days(10 / 24 / 60), in_days(11 / 24 / 60)
    assert kinds(judged([missing(soon)], soon)) == [Dismiss]
    assert kinds(judged([missing(later)], later)) == [BeginGrace]


# Whom to ask ---------------------------------------------------------------------------------------


def test_where_the_grant_shows_no_other_calendars_the_learner_is_asked() -> None:
    hidden = Sought(None, (), everywhere=False)
    assert the_hold(judged([missing()], sought=hidden)) is HoldReason.HIDDEN_CALENDARS
    assert the_hold(judged([missing(suspicion=GRACE_OVER)], sought=hidden)) is HoldReason.HIDDEN_CALENDARS


def test_all_days_gone_is_a_deletion() -> None:
    rows = [missing(TWO_DAYS, slot, suspicion=GRACE_OVER) for slot in (0, 1)]
    assert kinds(judged(rows, TWO_DAYS)) == [Unregister]


@pytest.mark.parametrize(
    ("multi_day", "expected"),
    [(MultiDay.ASK, HoldSeat), (MultiDay.ALL, PutBack), (MultiDay.ANY, BeginGrace)],
    ids=str,
)
def test_what_follows_from_some_days_gone_is_the_operators_choice(
    multi_day: MultiDay, expected: type
) -> None:
    rows = [missing(TWO_DAYS), an_entry(TWO_DAYS, 1)]
    assert kinds(judged(rows, TWO_DAYS, multi_day=multi_day)) == [expected]


@pytest.mark.parametrize("multi_day", [MultiDay.ASK, MultiDay.ALL], ids=str)
def test_days_deleted_one_by_one_have_the_grace_time_for_it(multi_day: MultiDay) -> None:
    rows = [missing(TWO_DAYS, missing_since=NOW - 29 * MINUTE), an_entry(TWO_DAYS, 1)]
    assert judged(rows, TWO_DAYS, multi_day=multi_day) == []


def several(
    missed: int, live: int, apart: timedelta = timedelta()
) -> tuple[list[LedgerEntry], list[Registration]]:
    """Seats in as many sessions, some of which were missed, one after the other."""
    seats = [a_registration(a_session(f"s{number}")) for number in range(missed + live)]
    rows = [
        missing(seat, missing_since=NOW - HOUR - place * apart) for place, seat in enumerate(seats[:missed])
    ]
    return rows + [an_entry(seat) for seat in seats[missed:]], seats


@pytest.mark.parametrize(
    ("missed", "live", "asked"),
    [(2, 0, False), (3, 0, True), (3, 3, True), (3, 4, False), (6, 6, True)],
)
def test_three_seats_or_more_and_at_least_half_of_what_one_has_are_held(
    missed: int, live: int, asked: bool
) -> None:
    rows, seats = several(missed, live)
    judgements = judged(rows, *seats)
    assert kinds(judgements) == [HoldSeat if asked else BeginGrace] * missed
    reasons = {one.reason for one in judgements if isinstance(one, HoldSeat)}
    assert reasons == ({HoldReason.PERSON_GUARD} if asked else set())


def test_seats_missed_more_than_an_hour_apart_are_no_accident() -> None:
    rows, seats = several(3, 0, apart=HOUR + MINUTE)
    assert kinds(judged(rows, *seats)) == [BeginGrace] * 3


def test_what_was_given_back_within_the_hour_counts_with_the_others() -> None:
    rows, seats = several(3, 0)
    given = [replace(row, state=State.UNREGISTERED) for row in rows[:2]]
    assert the_hold(judged([*given, rows[2]], *seats)) is HoldReason.PERSON_GUARD


def test_the_fleet_guard_holds_whatever_vanished_and_puts_nothing_back() -> None:
    ines = a_registration(a_session("s3"), role=Role.INSTRUCTOR)
    for seat in (SEAT, ines):
        for suspicion in (Suspicion(), GRACE_OVER, SAID_TO_GIVE_BACK):
            found = judged([missing(seat, suspicion=suspicion)], seat, fleet_held=True)
            assert the_hold(found) is HoldReason.FLEET_GUARD
    assert judged([held(HoldReason.FLEET_GUARD, 90 * HOUR)], fleet_held=True) == []


def test_nothing_is_concluded_until_another_calendar_was_seen_but_what_somebody_answered() -> None:
    ines = a_registration(a_session("s3"), role=Role.INSTRUCTOR)
    for seat in (SEAT, ines):
        for suspicion in (Suspicion(), GRACE_OVER):
            assert judged([missing(seat, suspicion=suspicion)], seat, witnessed=False) == []
    assert judged([held(HoldReason.ASK, 90 * HOUR)], witnessed=False) == []
    assert kinds(judged([missing(suspicion=SAID_TO_GIVE_BACK)], witnessed=False)) == [Unregister]
    assert kinds(judged([missing(suspicion=SAID_TO_KEEP)], witnessed=False)) == [PutBack]


# Answers, and none ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fleet_held", [False, True])
def test_whoever_keeps_the_seat_gets_the_event_back_at_once(fleet_held: bool) -> None:
    within = replace(SAID_TO_KEEP, confirmed_at=NOW - MINUTE, grace_until=NOW + HOUR)
    judgements = judged([missing(suspicion=within)], fleet_held=fleet_held)
    assert why_back(judgements) == ("its owner keeps the seat", False)


def test_whoever_gives_it_back_when_asked_need_not_wait() -> None:
    assert kinds(judged([held(HoldReason.ASK, MINUTE)])) == []
    row = held(HoldReason.ASK, MINUTE)
    answered = replace(row.suspicion, answer=Answer.GIVE_BACK, answer_seat="seat-1", answer_generation=0)
    assert kinds(judged([replace(row, suspicion=answered)])) == [Unregister]


@pytest.mark.parametrize("changes", [{"answer_seat": "seat-0"}, {"answer_generation": 1}])
def test_an_answer_holds_for_one_seat_and_one_generation(changes: dict[str, Any]) -> None:
    for given in (SAID_TO_KEEP, SAID_TO_GIVE_BACK):
        assert kinds(judged([missing(suspicion=replace(given, **changes))])) == [BeginGrace]


@pytest.mark.parametrize(
    ("days", "waited", "back"),
    [(9, 71, False), (9, 72, True), (1.1, 2, False), (1, 2, True)],
)
def test_unanswered_for_72_hours_or_until_a_day_before_the_start_it_is_put_back(
    days: float, waited: int, back: bool
) -> None:
    seat = in_days(days)
    row = missing(
        seat,
        state=State.HELD,
        suspicion=Suspicion(hold_reason=HoldReason.PERSON_GUARD, held_since=NOW - waited * HOUR),
    )
    assert kinds(judged([row], seat)) == ([PutBack] if back else [])


def test_what_the_fleet_guard_holds_waits_for_an_operator_however_long() -> None:
    assert judged([held(HoldReason.FLEET_GUARD, 300 * HOUR)]) == []


# unregister.mode -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (UnregisterMode.APPLY, BeginGrace),
        (UnregisterMode.ASK, HoldSeat),
        (UnregisterMode.REPORT, PutBack),
        (UnregisterMode.NEVER, PutBack),
    ],
    ids=str,
)
def test_each_mode_does_what_it_says(mode: UnregisterMode, expected: type) -> None:
    gives_back = mode in (UnregisterMode.APPLY, UnregisterMode.ASK)
    assert kinds(judged([missing()], mode=mode, gives_back=gives_back)) == [expected]


def written_before(seat: Registration, slot: int = 0, **changes: Any) -> LedgerEntry:
    """Missed, and written while deleting it gave no seat back."""
    digest = digest_of(seat.session, seat.session.days[slot], Removal.PUT_BACK)
    return missing(seat, slot, digest=digest, **changes)


@pytest.mark.parametrize("mode", [UnregisterMode.APPLY, UnregisterMode.ASK], ids=str)
def test_turned_on_it_acts_only_on_events_that_say_so(mode: UnregisterMode) -> None:
    assert why_back(judged([written_before(SEAT)], mode=mode)) == (UNSAID, False)
    rows = [missing(TWO_DAYS), written_before(TWO_DAYS, 1)]
    assert kinds(judged(rows, TWO_DAYS, mode=mode)) == [PutBack, PutBack]


def test_turned_on_whoever_gives_the_seat_back_when_asked_is_heard() -> None:
    assert kinds(judged([written_before(SEAT, suspicion=SAID_TO_GIVE_BACK)])) == [Unregister]
