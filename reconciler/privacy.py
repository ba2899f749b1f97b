"""The verbs about all that is stored of one person: export, forget."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from reconciler.bootstrap import House
from reconciler.commands import all_switches, foreseen, house_of, now_option, who
from reconciler.errors import ReconcilerError
from reconciler.farewell import COMMAND_LINE
from reconciler.loop import lms_window
from reconciler.model import Connection, ConnectionState
from reconciler.ports import Due
from reconciler.turn import reconcile
from reconciler.world import Order

ORIGIN = COMMAND_LINE
_TURNS = 3
"""An event that is surplus goes at its second sight, so one turn may not do."""


@click.command()
@click.argument("person")
@click.pass_obj
@foreseen
def export(config: Path, person: str) -> None:
    """Print all that is stored about PERSON, as JSON. Tokens are mentioned, never shown."""
    with house_of(config) as house:
        found = house.ledger.everything_about(person, house.fingerprints.all_of(person))
    if not found:
        raise ReconcilerError("nothing is stored about this person", whose=f"person {person}")
    click.echo(json.dumps({"person": person, **found}, indent=2, ensure_ascii=False))


@click.command()
@click.argument("person")
@click.option("--leave-events", is_flag=True, help="Forget even if events cannot be removed; they stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@now_option
@click.pass_obj
@foreseen
def forget(config: Path, person: str, leave_events: bool, yes: bool, at: datetime | None) -> None:
    """Remove PERSON's coming events, destroy their token, and delete all that is stored about them.

    What the audit log says of them stays, under a keyed hash. An LMS that still knows them offers them the
    connection anew; past events stay in their calendar.
    """
    with house_of(config, at) as opened:
        house = opened.take_up()
        if not house.ledger.everything_about(person):
            raise ReconcilerError("nothing is stored about this person", whose=f"person {person}")
        if not yes:
            click.confirm(f"Remove the coming events of person {person} and forget them?", abort=True)
        _disconnect(house, person, leave_events)
        now = house.world.clock()
        counts = house.ledger.forget(person, house.fingerprints.of(person), who(), ORIGIN, now)
        if not counts:
            raise ReconcilerError("they have connected again meanwhile", whose=f"person {person}")
    for table, count in counts.items():
        click.echo(f"{table}: {count} deleted")
    click.echo(f"Person {person} is forgotten.")


def _disconnect(house: House, person: str, leave_events: bool) -> None:
    """End the connection, with a turn that removes what is to come; ``ReconcilerError`` if it cannot."""
    error = _remove_events(house, person)
    left = _serving(house, person)
    if left is None:
        return
    if not leave_events:
        raise ReconcilerError(
            f"their events could not be removed yet: {error or left.state}",
            whose=f"person {person}",
            next_step="Try again later, or leave the events where they are with --leave-events.",
        )
    house.farewell.end(left, who(), ORIGIN, "forgotten; events may be left")


def _remove_events(house: House, person: str) -> str | None:
    """Have the person leave, as their own button does; why that did not work out, if it did not."""
    connection = _serving(house, person)
    if connection is None:
        return None
    if connection.state is ConnectionState.CONNECTED:
        house.ledger.leave(person, who(), ORIGIN, house.world.clock())
    elif connection.state is not ConnectionState.LEAVING:
        return f"the connection does not work ({connection.state})"
    world, error = house.world.at_work("forget"), None
    for _ in range(_TURNS):
        now = world.clock()
        order = Order(now, lms_window(now), True, all_switches(house))
        digest = world.lms.read([person], order.lms_since)[person].digest
        (report,) = reconcile(world, order, [Due(person, digest)])
        error = report.error or (report.outcome if report.outcome == "taken" else None)
        if _serving(house, person) is None:
            return None
    return error


def _serving(house: House, person: str) -> Connection | None:
    return next(iter(house.ledger.connections([person])), None)


VERBS = (export, forget)
