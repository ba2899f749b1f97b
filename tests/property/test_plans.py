"""What is true of every plan, whatever is desired, recorded and seen."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.changes import DELETING, Delete, DeleteSurplus, FinishRemoval, MarkMissing, Take
from reconciler.diff.decide import News, Sight, Verdict, Wish, decide
from reconciler.diff.guards import allow
from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, Desired, LedgerEntry, Mode, Standing, State
from tests.support import worlds
from tests.support.builders import NOW, a_listing, a_policy
from tests.support.carrying_out import World

MOST_AUDITS = 8
"""A removal to finish, a create, a first and a second sight, and one surplus event of a key at a time."""


def of(
    desired: Desired, rows: Sequence[LedgerEntry], events: Sequence[ActualEvent] | None, seen: bool = True
) -> Plan:
    listing = None if events is None else a_listing(*events)
    before = [event.event_id for event in events or ()] if seen else []
    return plan(desired, rows, listing, a_policy(), NOW, before)


anything = {"desired": worlds.desired(), "rows": worlds.ledgers(), "events": st.none() | worlds.calendars()}


# Carried out ----------------------------------------------------------------------------------------


@given(first=worlds.desired(), then=worlds.desired())
def test_from_any_wish_to_any_other_a_plan_carried_out_leaves_nothing_to_do(
    first: Desired, then: Desired
) -> None:
    world = World.of(first)
    world.carry_out(world.audit())
    world.desired = then
    planned = world.push()
    if planned.look:
        planned = world.audit()
    world.carry_out(planned)
    # A push pass sees no news in another role or a seat the LMS no longer tells; an audit takes note.
    noted = world.audit()
    assert all(isinstance(change, Take) for change in noted.changes)
    world.carry_out(noted)
    for again in (world.push(), world.audit()):
        assert again.changes == ()
        assert not again.look
        assert not again.waiting


@given(wanted=worlds.desired())
def test_what_is_carried_out_is_what_is_desired(wanted: Desired) -> None:
    world = World.of(wanted)
    planned = world.audit()
    world.carry_out(planned)
    assert len(world.events) == planned.wanted
    assert {row.state for row in world.rows.values()} <= {State.LIVE}


@given(desired=worlds.desired(), rows=worlds.ledgers(), events=worlds.calendars())
def test_from_any_world_audits_come_to_rest(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent]
) -> None:
    world = World.of(desired, rows, events)
    rounds = 0
    while (planned := world.audit()).changes or rounds < 2:
        world.carry_out(planned)
        rounds += 1
        assert rounds <= MOST_AUDITS, planned.changes
    note(f"{rounds} audits")
    assert world.push().changes == ()


@given(desired=worlds.desired(), rows=worlds.ledgers(), events=worlds.calendars())
def test_at_rest_a_key_has_at_most_one_event_that_we_made(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent]
) -> None:
    world = World.of(desired, rows, events)
    for _ in range(MOST_AUDITS):
        world.carry_out(world.audit())
    watched = {row.key for row in world.rows.values() if row.state is State.LIVE and row.ends > NOW}
    kept = {one.session.id for one in desired.registrations if one.standing is Standing.KEEP}
    for key in watched:
        if key.session not in kept:
            future = [one for one in world.made(key) if one.day is None or one.day.end_instant > NOW]
            assert len(future) <= 1


# What is not ours -----------------------------------------------------------------------------------


@given(desired=worlds.desired(), rows=worlds.ledgers(), events=worlds.calendars())
def test_nothing_foreign_is_ever_touched(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent]
) -> None:
    recorded = {row.event_id for row in rows}
    foreign = {one.event_id: one for one in events if worlds.is_foreign(one) and one.event_id not in recorded}
    planned = of(desired, rows, events)
    assert planned.foreign == len(foreign)
    assert not foreign.keys() & set(planned.surplus)
    for change in planned.changes:
        assert change.key.person == "ana"
        assert getattr(getattr(change, "actual", None), "event_id", None) not in foreign
    world = World.of(desired, rows, events)
    for _ in range(MOST_AUDITS):
        world.carry_out(world.audit())
    assert {event_id: world.events.get(event_id) for event_id in foreign} == foreign


@given(desired=worlds.desired(), rows=worlds.ledgers(), events=worlds.calendars())
def test_no_copy_of_the_owner_is_ever_deleted(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent]
) -> None:
    world = World.of(desired, rows, events)
    copies = {event_id for event_id in world.events if event_id.startswith("copy-")}
    for _ in range(MOST_AUDITS):
        world.carry_out(world.audit())
    assert copies <= world.events.keys()


# What is never concluded ----------------------------------------------------------------------------


@given(**anything)
def test_what_is_kept_is_never_deleted(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    kept = {
        one.session.id
        for one in desired.registrations
        if one.standing is Standing.KEEP and not one.session.cancelled
        if desired.person and desired.person.active
    }
    for change in of(desired, rows, events).changes:
        assert change.key.session not in kept or isinstance(change, FinishRemoval)


@given(**anything)
def test_a_past_day_is_never_deleted_nor_missed(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    for change in of(desired, rows, events).changes:
        if isinstance(change, Delete | MarkMissing):
            assert change.entry.ends > NOW
        if isinstance(change, DeleteSurplus):
            assert change.actual.day is not None
            assert change.actual.day.end_instant > NOW


@given(**anything)
def test_nothing_surplus_is_deleted_at_first_sight(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    planned = of(desired, rows, events, seen=False)
    assert not any(isinstance(change, DeleteSurplus) for change in planned.changes)


@given(**anything)
def test_a_doomed_id_is_never_missing(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    for change in of(desired, rows, events).changes:
        if isinstance(change, MarkMissing):
            assert change.entry.event_id not in change.entry.doomed


@given(**anything)
def test_without_a_listing_nothing_is_concluded_from_an_absence(
    desired: Desired, rows: list[LedgerEntry], events: object
) -> None:
    planned = of(desired, rows, None)
    assert planned.surplus == ()
    assert not any(isinstance(change, MarkMissing | DeleteSurplus) for change in planned.changes)


# Order ----------------------------------------------------------------------------------------------


@given(**anything, data=st.data())
def test_a_plan_depends_on_no_order(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None, data: st.DataObject
) -> None:
    shuffled = Desired(
        desired.person_id, desired.person, tuple(data.draw(st.permutations(desired.registrations)))
    )
    other_events = None if events is None else data.draw(st.permutations(events))
    assert of(shuffled, data.draw(st.permutations(rows)), other_events) == of(desired, rows, events)


@given(**anything)
def test_a_key_gets_one_change_at_a_time(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    keys = [change.key for change in of(desired, rows, events).changes]
    assert len(keys) == len(set(keys))


@given(**anything)
def test_deletes_come_last(
    desired: Desired, rows: list[LedgerEntry], events: list[ActualEvent] | None
) -> None:
    deleting = [isinstance(change, DELETING) for change in of(desired, rows, events).changes]
    assert deleting == sorted(deleting)


# Guards ---------------------------------------------------------------------------------------------


@given(**anything, mode=st.sampled_from(Mode), held=st.booleans(), may_delete=st.booleans())
def test_the_guards_lose_nothing_and_let_no_delete_through(
    desired: Desired,
    rows: list[LedgerEntry],
    events: list[ActualEvent] | None,
    mode: Mode,
    held: bool,
    may_delete: bool,
) -> None:
    planned = of(desired, rows, events)
    allowed = allow(planned, mode, account_held=held, may_delete=may_delete)
    parts = [*allowed.changes, *allowed.held, *allowed.left_out]
    assert sorted(parts, key=planned.changes.index) == list(planned.changes)
    if mode is not Mode.SYNC or not may_delete:
        beside = [change for change in allowed.changes if isinstance(change, DELETING)]
        # But for a second event, beside the one of a day that is wanted.
        assert all(isinstance(one, DeleteSurplus) and one.entry is not None for one in beside)
        assert not beside or mode is Mode.SYNC
    if mode is Mode.OBSERVE:
        assert allowed.changes == ()


# The table ------------------------------------------------------------------------------------------


@given(st.sampled_from(Wish), st.sampled_from(State), st.sampled_from(Sight), st.sampled_from(News))
def test_the_table_always_has_a_word(wish: Wish, state: State, sight: Sight, news: News) -> None:
    assert decide(wish, state, sight, news) in Verdict
