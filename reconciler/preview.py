"""What a cycle would do, and one person's three states side by side. Reads everything, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.diff.guards import Allowed, DeleteGuard, allow, too_many_vanished
from reconciler.diff.plan import Plan, plan, released
from reconciler.due import Chosen, batches
from reconciler.errors import CycleError, ReconcilerError
from reconciler.look import observe
from reconciler.loop import MOST_AUDITS, lms_window
from reconciler.model import AccountSwitches, Connection, Desired, LedgerEntry, Listing, Mode, PersonState
from reconciler.ports import Due
from reconciler.turn import needs_baseline, same_human
from reconciler.world import World, mode_of, policy_of


@dataclass(frozen=True)
class View:
    """One person: what is desired, recorded and (if it was looked at) there, and what would be done.

    ``error`` says why the calendar could not be looked at; nothing is planned then.
    """

    desired: Desired
    entries: Sequence[LedgerEntry]
    connection: Connection | None
    state: PersonState | None
    listing: Listing | None = None
    planned: Plan | None = None
    allowed: Allowed | None = None
    error: str | None = None


@dataclass(frozen=True)
class Preview:
    """What ``once`` would do: the people concerned, and the accounts whose deletes are held."""

    views: Sequence[View]
    held: frozenset[str]


def preview(world: World, switches: Mapping[str, AccountSwitches], guard: DeleteGuard) -> Preview:
    """What one cycle of each kind would do now, person by person. Raises ``CycleError`` like a cycle."""
    now = world.clock()
    with world.lms.scan(lms_window(now)) as scan:
        chosen = Chosen(replace(world, mode=Mode.SYNC), unobserved(switches), now)
        with world.ledger.people() as states:
            due = {one.due.person: one.due for one in chosen.who_is_due(scan.people, states)}
    vanished = too_many_vanished(world.ledger.upcoming(now), scan.sessions, scan.crowd, guard)
    released_by_hand = {hold.subject for hold in world.ledger.holds() if hold.released}
    held = frozenset(one.account for one in vanished) - released_by_hand
    audits = [
        state.person
        for state in world.ledger.due(now, MOST_AUDITS)
        if chosen.workable(state) and not chosen.resting(state)
    ]
    for person in audits:
        due.setdefault(person, Due(person))
    views = [
        view
        for some in batches(sorted(due))
        for view in look_at(world, switches, some, held, look=frozenset(audits))
    ]
    return Preview(views, held)


def unobserved(switches: Mapping[str, AccountSwitches]) -> Mapping[str, AccountSwitches]:
    """The switches as if nobody was only observed: a plan is what observing is for. What the mode leaves
    out is told apart in each view."""
    return {account: replace(one, mode=Mode.SYNC) for account, one in switches.items()}


def look_at(
    world: World,
    switches: Mapping[str, AccountSwitches],
    people: Sequence[str],
    held: frozenset[str] = frozenset(),
    look: frozenset[str] = frozenset(),
) -> Iterator[View]:
    """These people as they stand now; the calendars of those in ``look`` are listed, the others' only
    where nothing could be decided otherwise."""
    now = world.clock()
    desired = world.lms.read(people, lms_window(now))
    entries = world.ledger.entries(people)
    states = world.ledger.states(people)
    connections = {connection.person: connection for connection in world.ledger.connections(people)}
    for person in people:
        view = View(desired[person], entries[person], connections.get(person), states.get(person))
        yield _planned(world, switches, view, held, person in look, now)


def _planned(
    world: World,
    switches: Mapping[str, AccountSwitches],
    view: View,
    held: frozenset[str],
    look: bool,
    now: datetime,
) -> View:
    connection = view.connection
    if connection is None:
        return view
    if connection.provider not in world.providers:
        return replace(view, error=f"{connection.provider} is not configured")
    try:
        entries = view.entries
        if needs_baseline(connection, now):
            entries, look = released(entries), True
        desired, listing = same_human(view.desired, connection), None
        policy = policy_of(world, switches.get(connection.account))
        planned = plan(desired, entries, None, policy, now)
        if look or planned.look:
            calendar = world.providers[connection.provider].open(connection)
            listing = observe(calendar, entries, now)
            planned = plan(desired, entries, listing, policy, now)
    except CycleError:
        raise
    except ReconcilerError as problem:
        return replace(view, error=str(problem))
    mode = mode_of(world, switches.get(connection.account))
    allowed = allow(planned, mode, connection.account in held, may_delete=True)
    return View(view.desired, view.entries, connection, view.state, listing, planned, allowed)
