"""All of one person's seats in one session are one registration."""

from __future__ import annotations

import pytest

from reconciler.diff.fields import KINDS, registration_line, session_fingerprint
from reconciler.lms.registrations import Place, Seat, kind_of, line_of, merged, registration
from reconciler.model import Role, SeatStatus, Session, Standing

LEARNER, INSTRUCTOR = Role.LEARNER, Role.INSTRUCTOR
S = SeatStatus


def only(*seats: Seat) -> Place:
    (place,) = merged(seats)
    return place


def seat(ref: str, status: SeatStatus | None = S.BOOKED, role: Role = LEARNER, session: str = "s") -> Seat:
    return session, ref, role, status


def test_a_booked_learner_has_one_place_with_that_seat() -> None:
    assert only(seat("a")) == Place("s", LEARNER, Standing.WANTED, "a", ("a",))


def test_each_session_has_a_place_of_its_own() -> None:
    assert [place.session for place in merged([seat("a"), seat("b", session="t")])] == ["s", "t"]


def test_doubled_sign_ups_merge_and_the_order_of_rows_means_nothing() -> None:
    assert only(seat("b"), seat("a")) == only(seat("a"), seat("b"), seat("a"))
    assert only(seat("b"), seat("a")).seats == ("a", "b")
    assert only(seat("b"), seat("a")).seat == "a,b"


def test_learner_and_instructor_of_one_session_is_a_learner_whose_seat_can_be_given_back() -> None:
    place = only(seat("t", role=INSTRUCTOR), seat("a"))
    assert (place.role, place.seat, place.seats) == (LEARNER, "a", ("a",))


def test_an_instructor_who_gave_back_a_seat_as_learner_is_an_instructor() -> None:
    place = only(seat("t", role=INSTRUCTOR), seat("a", S.CANCELLED))
    assert (place.role, place.standing, place.seat) == (INSTRUCTOR, Standing.WANTED, "t")


def test_an_earlier_cancelled_seat_is_history_and_no_part_of_a_new_one() -> None:
    assert only(seat("old", S.CANCELLED), seat("new")) == only(seat("new"))


@pytest.mark.parametrize("status", [S.ATTENDED, S.PARTIALLY_ATTENDED, S.COMPLETED, S.NO_SHOW])
def test_a_seat_whose_attendance_was_taken_is_left_as_it_is(status: SeatStatus) -> None:
    assert only(seat("a", status), seat("b", S.CANCELLED)).standing is Standing.KEEP


def test_booked_counts_more_than_attended() -> None:
    assert only(seat("a", S.ATTENDED), seat("b")).seat == "b"


@pytest.mark.parametrize("status", [S.WAITING, S.REQUESTED, S.DECLINED, S.CANCELLED])
def test_a_seat_that_gives_no_event_is_a_trace(status: SeatStatus) -> None:
    assert only(seat("a", status)).standing is Standing.NONE


def test_from_a_status_that_nobody_knows_nothing_is_concluded() -> None:
    assert only(seat("a", None)).standing is Standing.KEEP


def test_an_lms_that_cannot_say_which_seat_it_is_has_no_seat_to_give_back() -> None:
    place = only(seat(""), seat("b"))
    assert (place.seat, place.seats) == (None, ())


@pytest.mark.parametrize("session", ["s", "42", "a\x1eb", "ü"])
@pytest.mark.parametrize("ref", ["a", "", "17,18", "x\x1ey"])
def test_the_line_of_a_place_is_the_line_of_the_registration(session: str, ref: str) -> None:
    fingerprint = session_fingerprint(Session(id=session, account="", title=""))
    for role in Role:
        place = only(seat(ref, role=role, session=session))
        whole = registration("p", place, Session(id=session, account="", title=""))
        assert line_of(place, fingerprint) == registration_line(whole, fingerprint)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("status", [*SeatStatus, None])
def test_a_sole_seat_is_of_the_kind_of_its_registration(role: Role, status: SeatStatus | None) -> None:
    place = only(seat("a", status, role))
    assert kind_of(role, status) == (KINDS[place.role, place.standing], place.standing is Standing.WANTED)
