"""Who is mailed what about which day: the rules for people without a calendar, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.diff.letters import SEVERAL, Intended, Kind, MailCase
from reconciler.diff.mail_day import Baseline
from reconciler.diff.mailing import MailPlan, plan_mail
from reconciler.model import (
    Desired,
    Invitations,
    LedgerEntry,
    Mode,
    Outlet,
    Registration,
    Role,
    Standing,
    State,
    Told,
    ToldState,
)
from tests.support.builders import (
    INSTALLATION,
    NOW,
    a_day,
    a_desired,
    a_person,
    a_registration,
    a_session,
    an_entry,
    nobody,
)

ADDRESS = "ana@example.org"
TWO_DAYS = (a_day("2026-12-01 09:00"), a_day("2026-12-02 09:00"))
TOMORROW = a_day("2026-11-23 09:00")
PAST = a_day("2026-11-20 09:00")


def a_case(**changes: Any) -> MailCase:
    return replace(MailCase(INSTALLATION, Outlet.MAIL, Invitations.ALL, ADDRESS), **changes)


def after(plan: MailPlan, told: Sequence[Told] = ()) -> list[Told]:
    """The rows once every letter was sent."""
    rows = {row.key: row for row in told}
    rows |= {row.key: row for row in plan.rows}
    rows |= {row.key: row for letter in plan.letters for row in letter.effects}
    return sorted(rows.values(), key=lambda row: row.key)


def mailed(
    desired: Desired,
    told: Sequence[Told] = (),
    entries: Sequence[LedgerEntry] = (),
    **changes: Any,
) -> MailPlan:
    return plan_mail(desired, told, entries, a_case(**changes), NOW)


def invited(seat: Registration) -> list[Told]:
    """What Ana was told once she has been invited to every day."""
    return after(mailed(a_desired(seat)))


def the_one(plan: MailPlan) -> Intended:
    (letter,) = plan.letters
    return letter


def of_session(seat: Registration, **changes: Any) -> Registration:
    return replace(seat, session=replace(seat.session, **changes))


SEAT = a_registration()
TRAINER = a_registration(role=Role.INSTRUCTOR)


# One message per changed day ----------------------------------------------------------------------


def test_each_new_day_is_one_invitation_with_the_whole_timetable() -> None:
    plan = mailed(a_desired(a_registration(a_session(days=TWO_DAYS))))
    assert [(one.kind, one.slot, one.about) for one in plan.letters] == [
        (Kind.INVITATION, 0, 0),
        (Kind.INVITATION, 1, 1),
    ]
    assert all([note.day for note in one.timetable] == list(TWO_DAYS) for one in plan.letters)
    assert all(one.address == ADDRESS and one.new for one in plan.letters)
    uids = {one.entry.uid for one in plan.letters if one.entry}
    assert len(uids) == 2
    assert [one.entry.sequence for one in plan.letters if one.entry] == [0, 0]


def test_nothing_is_sent_once_it_was_told() -> None:
    plan = mailed(a_desired(SEAT), invited(SEAT))
    assert (plan.letters, plan.rows, plan.waiting) == ((), (), False)


def test_a_moved_day_is_an_update_of_the_same_entry() -> None:
    told = invited(SEAT)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    letter = the_one(mailed(a_desired(moved), told))
    assert letter.entry is not None
    assert (letter.entry.uid, letter.entry.sequence) == (told[0].uid, 1)
    assert [(note.change, note.was) for note in letter.timetable] == [("moved", told[0].day)]


def test_only_the_day_that_changed_is_mailed() -> None:
    seat = a_registration(a_session(days=TWO_DAYS))
    moved = of_session(seat, days=(TWO_DAYS[0], a_day("2026-12-02 14:00")))
    assert the_one(mailed(a_desired(moved), invited(seat))).slot == 1


def test_another_room_or_title_says_what_it_was() -> None:
    changed = of_session(SEAT, title="Safety for all", location="Room 9")
    letter = the_one(mailed(a_desired(changed), invited(SEAT)))
    assert letter.was == {"title": SEAT.session.title, "location": SEAT.session.location}


def test_a_lost_day_is_a_cancellation_of_its_entry_and_the_others_stay() -> None:
    seat = a_registration(a_session(days=TWO_DAYS))
    told = invited(seat)
    letter = the_one(mailed(a_desired(of_session(seat, days=TWO_DAYS[:1])), told))
    assert letter.kind is Kind.CANCELLED
    assert letter.entry is not None
    assert (letter.entry.cancels, letter.entry.uid, letter.entry.sequence) == (True, told[1].uid, 1)
    assert [note.day for note in letter.timetable] == [TWO_DAYS[0]]
    assert not letter.whole


@pytest.mark.parametrize(
    "seat",
    [
        of_session(SEAT, cancelled=True),
        replace(SEAT, standing=Standing.NONE),
    ],
    ids=["session cancelled", "seat cancelled"],
)
def test_a_lost_seat_is_cancelled_whole(seat: Registration) -> None:
    letter = the_one(mailed(a_desired(seat), invited(SEAT)))
    assert (letter.kind, letter.whole) == (Kind.CANCELLED, True)


def test_the_sequence_rises_by_one_with_every_message_and_the_uid_stays() -> None:
    told, seen = [], []
    for days in ((a_day(),), (a_day("2026-12-05 09:00"),), (), (a_day("2026-12-05 09:00"),)):
        plan = mailed(a_desired(of_session(SEAT, days=days)), told)
        entry = the_one(plan).entry
        assert entry is not None
        seen.append((entry.cancels, entry.sequence, entry.uid))
        told = after(plan, told)
    assert [(cancels, sequence) for cancels, sequence, _ in seen] == [
        (False, 0),
        (False, 1),
        (True, 2),
        (False, 3),
    ]
    assert len({uid for *_, uid in seen}) == 1


def test_whoever_comes_back_with_a_new_seat_gets_a_new_entry() -> None:
    told = invited(SEAT)
    told = after(mailed(a_desired(replace(SEAT, standing=Standing.NONE)), told), told)
    entry = the_one(mailed(a_desired(replace(SEAT, seat="seat-2")), told)).entry
    assert entry is not None
    assert entry.uid != told[0].uid
    assert entry.sequence == 0


# What is no news ----------------------------------------------------------------------------------


def test_day_rows_that_the_lms_made_anew_cause_nothing() -> None:
    seat = a_registration(a_session(days=TWO_DAYS))
    again = of_session(seat, days=tuple(reversed([replace(day) for day in TWO_DAYS])))
    assert mailed(a_desired(again), invited(seat)) == MailPlan()


def test_another_link_or_closing_sentence_is_no_news() -> None:
    plan = mailed(
        a_desired(of_session(SEAT, url="https://lms.example/new", cancellable=False)), invited(SEAT)
    )
    assert plan.letters == ()


def test_another_seat_for_the_same_days_is_no_news() -> None:
    plan = mailed(a_desired(replace(SEAT, seat="seat-2")), invited(SEAT))
    assert plan.letters == ()
    assert [row.seat for row in plan.rows] == ["seat-2"]


def test_nothing_is_sent_for_past_days() -> None:
    seat = a_registration(a_session(days=(PAST, a_day())))
    entry = the_one(mailed(a_desired(seat))).entry
    assert entry is not None
    assert entry.day == a_day()
    assert mailed(a_desired(of_session(seat, days=(PAST,)))).letters == ()


def test_quiet_when_only_past_days_change() -> None:
    seat = a_registration(a_session(days=(PAST, a_day())))
    told = invited(seat)
    assert mailed(a_desired(of_session(seat, days=(a_day("2026-11-19 09:00"), a_day()))), told).letters == ()
    assert mailed(a_desired(of_session(seat, days=(a_day(),))), told).letters == ()


def test_an_attended_seat_is_left_alone() -> None:
    assert mailed(a_desired(replace(SEAT, standing=Standing.KEEP)), invited(SEAT)) == MailPlan()


def test_a_session_that_is_not_understood_is_left_alone() -> None:
    refused = of_session(SEAT, days=(), refused="unknown zone")
    assert mailed(a_desired(refused), invited(SEAT)) == MailPlan()


# Whom nothing is sent -----------------------------------------------------------------------------


def test_nothing_without_an_address_until_there_is_one() -> None:
    plan = mailed(a_desired(SEAT), address="")
    assert plan == MailPlan()
    assert the_one(mailed(a_desired(SEAT))).new


def test_nothing_to_somebody_suspended_or_gone() -> None:
    suspended = a_desired(of_session(SEAT, title="Another"), person=a_person(active=False))
    assert mailed(suspended) == MailPlan()
    assert mailed(suspended, invited(SEAT)) == MailPlan()
    assert mailed(nobody(), invited(SEAT)) == MailPlan()


def test_nothing_where_nothing_is_sent() -> None:
    assert mailed(a_desired(SEAT), outlet=Outlet.NONE) == MailPlan()


def test_what_somebody_had_at_first_sight_is_taken_as_known() -> None:
    plan = mailed(a_desired(SEAT), baseline=Baseline.FIRST)
    assert plan.letters == ()
    assert [row.state for row in plan.rows] == [ToldState.KNOWN]
    told = after(plan)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    letter = the_one(mailed(a_desired(moved), told))
    assert letter.entry is not None
    assert letter.entry.sequence > 7_000, "more than an earlier life of the program can have sent"


def test_a_restored_state_sends_nothing_twice() -> None:
    told = invited(SEAT)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    plan = mailed(a_desired(moved), told, baseline=Baseline.RESTORED)
    assert plan.letters == ()
    assert [(row.state, row.digest != told[0].digest) for row in plan.rows] == [(ToldState.INVITED, True)]
    gone = mailed(a_desired(), told, baseline=Baseline.RESTORED)
    assert [row.state for row in gone.rows] == [ToldState.ENDED]


# Where the LMS mails its own invitations ----------------------------------------------------------


def test_with_gaps_instructors_are_invited_and_learners_are_not() -> None:
    assert the_one(mailed(a_desired(TRAINER), invitations=Invitations.GAPS)).kind is Kind.INVITATION
    plan = mailed(a_desired(SEAT), invitations=Invitations.GAPS)
    assert plan.letters == ()
    assert [row.state for row in plan.rows] == [ToldState.KNOWN]


@pytest.mark.parametrize(
    "changes",
    [{"days": (a_day("2026-12-03 10:00"),)}, {"location": "Room 9"}, {"title": "Safety for all"}],
    ids=["move", "room", "title"],
)
def test_with_gaps_learners_get_a_plain_notice_of_a_change(changes: dict[str, Any]) -> None:
    told = after(mailed(a_desired(SEAT), invitations=Invitations.GAPS))
    plan = mailed(a_desired(of_session(SEAT, **changes)), told, invitations=Invitations.GAPS)
    letter = the_one(plan)
    assert (letter.kind, letter.slot, letter.entry) == (Kind.CHANGED, SEVERAL, None)
    again = mailed(a_desired(of_session(SEAT, **changes)), after(plan, told), invitations=Invitations.GAPS)
    assert again.letters == ()


@pytest.mark.parametrize(
    "seat",
    [of_session(SEAT, details="Bring gloves."), replace(SEAT, standing=Standing.NONE)],
    ids=["details", "cancelled"],
)
def test_with_gaps_learners_are_not_told_what_the_lms_tells_or_what_matters_to_nobody(
    seat: Registration,
) -> None:
    told = after(mailed(a_desired(SEAT), invitations=Invitations.GAPS))
    assert mailed(a_desired(seat), told, invitations=Invitations.GAPS).letters == ()


def test_several_moved_days_are_one_plain_notice() -> None:
    seat = a_registration(a_session(days=TWO_DAYS))
    told = after(mailed(a_desired(seat), invitations=Invitations.GAPS))
    moved = of_session(seat, days=(a_day("2026-12-08 09:00"), a_day("2026-12-09 09:00")))
    letter = the_one(mailed(a_desired(moved), told, invitations=Invitations.GAPS))
    assert [note.change for note in letter.timetable] == ["moved", "moved"]


# Rails --------------------------------------------------------------------------------------------


def test_nothing_is_cancelled_on_a_reading_that_the_scan_did_not_see() -> None:
    plan = mailed(a_desired(), invited(SEAT), may_end=False)
    assert (plan.letters, plan.waiting) == ((), True)


def test_nothing_that_vanished_without_trace_is_cancelled_while_the_account_is_held() -> None:
    plan = mailed(a_desired(), invited(SEAT), held=True)
    assert (plan.letters, plan.waiting, plan.held) == ((), True, 1)
    traced = a_desired(replace(SEAT, standing=Standing.NONE))
    assert the_one(mailed(traced, invited(SEAT), held=True)).kind is Kind.CANCELLED


def test_upsert_only_cancels_nothing_and_invites() -> None:
    assert mailed(a_desired(), invited(SEAT), mode=Mode.UPSERT_ONLY) == MailPlan()
    assert mailed(a_desired(SEAT), mode=Mode.UPSERT_ONLY).letters


# Transitions --------------------------------------------------------------------------------------


def test_connecting_withdraws_each_invitation_once_the_day_is_in_the_calendar() -> None:
    seat = a_registration(a_session(days=TWO_DAYS))
    told = invited(seat)
    before = mailed(a_desired(seat), told, [], outlet=Outlet.CALENDAR)
    assert (before.letters, before.waiting) == ((), True)
    rows = [an_entry(seat, slot) for slot in (0, 1)]
    plan = mailed(a_desired(seat), told, rows, outlet=Outlet.CALENDAR)
    assert [(one.kind, one.slot) for one in plan.letters] == [(Kind.WITHDRAWN, 0), (Kind.WITHDRAWN, 1)]
    assert [one.entry.sequence for one in plan.letters if one.entry] == [1, 1]
    settled = mailed(a_desired(seat), after(plan, told), rows, outlet=Outlet.CALENDAR)
    assert settled == MailPlan()


def connected(seat: Registration) -> tuple[list[Told], list[LedgerEntry]]:
    """What is written down of somebody whose calendar has every day."""
    entries = [an_entry(seat, slot, day) for slot, day in enumerate(seat.session.days)]
    return after(mailed(a_desired(seat), (), entries, outlet=Outlet.CALENDAR)), entries


def test_whoever_has_a_calendar_gets_no_invitation() -> None:
    told, _ = connected(SEAT)
    assert [row.state for row in told] == [ToldState.CALENDAR]


def test_disconnecting_mails_only_what_changes_from_then_on() -> None:
    told, entries = connected(SEAT)
    plan = mailed(a_desired(SEAT), told, entries)
    assert plan.letters == ()
    told = after(plan, told)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    assert the_one(mailed(a_desired(moved), told, entries)).kind is Kind.INVITATION


def test_disconnecting_with_the_events_removed_mails_only_what_changes_from_then_on() -> None:
    told, entries = connected(SEAT)
    gone = [replace(row, state=State.GONE) for row in entries]
    assert mailed(a_desired(SEAT), told, gone).letters == ()


def test_a_change_that_did_not_reach_the_calendar_any_more_is_mailed() -> None:
    told, entries = connected(SEAT)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    told = after(mailed(a_desired(moved), told, entries, outlet=Outlet.CALENDAR), told)
    assert the_one(mailed(a_desired(moved), told, entries)).kind is Kind.INVITATION
    assert the_one(mailed(a_desired(moved), told, entries, outlet=Outlet.BROKEN)).kind is Kind.CHANGED


def test_while_a_connection_is_broken_a_day_in_that_calendar_gets_a_plain_notice() -> None:
    told, entries = connected(SEAT)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    plan = mailed(a_desired(moved), told, entries, outlet=Outlet.BROKEN)
    assert (the_one(plan).kind, the_one(plan).entry) == (Kind.CHANGED, None)
    again = mailed(a_desired(moved), after(plan, told), entries, outlet=Outlet.BROKEN)
    assert again.letters == ()
    later = mailed(a_desired(moved), after(plan, told), entries)
    assert later.letters == (), "they were told, whatever becomes of the connection"


def test_while_a_connection_is_broken_a_change_that_is_taken_back_is_told_as_well() -> None:
    told, entries = connected(SEAT)
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    told = after(mailed(a_desired(moved), told, entries, outlet=Outlet.BROKEN), told)
    plan = mailed(a_desired(SEAT), told, entries, outlet=Outlet.BROKEN)
    assert the_one(plan).kind is Kind.CHANGED
    assert mailed(a_desired(SEAT), after(plan, told), entries, outlet=Outlet.BROKEN).letters == ()


def test_while_a_connection_is_broken_a_day_that_is_not_in_that_calendar_gets_an_entry() -> None:
    told, entries = connected(SEAT)
    more = of_session(SEAT, days=(*SEAT.session.days, a_day("2026-12-08 09:00")))
    letter = the_one(mailed(a_desired(more), told, entries, outlet=Outlet.BROKEN))
    assert (letter.kind, letter.slot) == (Kind.INVITATION, 1)


def test_while_a_connection_is_broken_a_lost_day_is_told_plainly() -> None:
    told, entries = connected(SEAT)
    letter = the_one(mailed(a_desired(), told, entries, outlet=Outlet.BROKEN))
    assert (letter.kind, letter.whole, letter.entry) == (Kind.CANCELLED, True, None)


def test_a_new_address_gets_the_entry_and_the_old_one_its_cancellation() -> None:
    told = invited(SEAT)
    plan = mailed(a_desired(SEAT), told, address="new@example.org")
    old, new = plan.letters
    assert old.entry is not None
    assert new.entry is not None
    assert (old.address, old.entry.cancels, old.entry.sequence, old.firm) == (ADDRESS, True, 1, True)
    assert (new.address, new.entry.cancels, new.entry.sequence) == ("new@example.org", False, 2)
    assert old.entry.uid == new.entry.uid
    written = {row.key: row for row in told} | {row.key: row for row in plan.rows}
    again = mailed(a_desired(SEAT), list(written.values()), address="new@example.org")
    assert [(one.address, one.entry.sequence) for one in again.letters if one.entry] == [
        ("new@example.org", 2)
    ]


def test_an_address_written_in_other_letters_is_no_new_one() -> None:
    assert mailed(a_desired(SEAT), invited(SEAT), address=ADDRESS.upper()).letters == ()


def test_an_address_that_refused_is_left_alone_until_there_is_another() -> None:
    told = [replace(row, state=ToldState.REFUSED) for row in invited(SEAT)]
    moved = of_session(SEAT, days=(a_day("2026-12-03 10:00"),))
    assert mailed(a_desired(moved), told).letters == ()
    assert the_one(mailed(a_desired(moved), told, address="new@example.org")).kind is Kind.INVITATION


# Within 48 hours ----------------------------------------------------------------------------------


NEAR = a_registration(a_session(days=(TOMORROW,)))


@pytest.mark.parametrize(
    ("before", "seat"),
    [
        (NEAR, of_session(NEAR, days=(a_day("2026-11-23 14:00"),))),
        (NEAR, of_session(NEAR, location="Room 9")),
        (NEAR, of_session(NEAR, cancelled=True)),
        (SEAT, of_session(SEAT, days=(TOMORROW,))),
    ],
    ids=["moved", "re-roomed", "cancelled", "moved to tomorrow"],
)
def test_within_48_hours_also_the_connected_get_a_plain_mail_once(
    before: Registration, seat: Registration
) -> None:
    told, entries = connected(before)
    plan = mailed(a_desired(seat), told, entries, outlet=Outlet.CALENDAR)
    assert (the_one(plan).kind, the_one(plan).entry) == (Kind.SOON, None)
    assert mailed(a_desired(seat), after(plan, told), entries, outlet=Outlet.CALENDAR).letters == ()


def test_later_than_that_the_calendar_tells_it_alone() -> None:
    told, entries = connected(SEAT)
    changed = of_session(SEAT, days=(a_day("2026-12-03 10:00"),), location="Room 9")
    assert mailed(a_desired(changed), told, entries, outlet=Outlet.CALENDAR).letters == ()
    assert mailed(a_desired(), told, entries, outlet=Outlet.CALENDAR).letters == ()


def test_within_48_hours_the_lms_tells_learners_of_a_cancellation_where_it_mails_them() -> None:
    told, entries = connected(NEAR)
    gone = a_desired(replace(NEAR, standing=Standing.NONE))
    quiet = mailed(gone, told, entries, outlet=Outlet.CALENDAR, invitations=Invitations.GAPS)
    assert quiet.letters == ()
    trainer = replace(NEAR, role=Role.INSTRUCTOR)
    told, entries = connected(trainer)
    gone = a_desired(replace(trainer, standing=Standing.NONE))
    said = mailed(gone, told, entries, outlet=Outlet.CALENDAR, invitations=Invitations.GAPS)
    assert the_one(said).kind is Kind.SOON


def test_a_seat_given_back_by_deleting_the_event_is_no_cancellation_to_be_told() -> None:
    told, entries = connected(NEAR)
    given = [replace(row, state=State.UNREGISTERED, updated_at=NOW - timedelta(minutes=1)) for row in entries]
    gone = a_desired(replace(NEAR, standing=Standing.NONE))
    assert mailed(gone, told, given, outlet=Outlet.CALENDAR).letters == ()


def test_nor_are_the_days_that_went_with_it() -> None:
    seat = a_registration(a_session(days=(TOMORROW, a_day("2026-11-24 09:00"))))
    told, entries = connected(seat)
    left, given = entries
    rows = [left, replace(given, state=State.UNREGISTERED, updated_at=NOW - timedelta(minutes=1))]
    gone = a_desired(replace(seat, standing=Standing.NONE))
    assert mailed(gone, told, rows, outlet=Outlet.CALENDAR).letters == ()
