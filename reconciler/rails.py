"""The verbs that steer the rails: release, answer, pause, resume, resync, rebaseline, adopt-installation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from reconciler.bootstrap import House
from reconciler.commands import foreseen, house_of, now_option, refuse_mistyped, who
from reconciler.diff.why import WHY_HELD
from reconciler.errors import ReconcilerError
from reconciler.labels import Guard
from reconciler.model import Answer, HoldReason, LedgerEntry, Service
from reconciler.ports import Hold
from reconciler.status import paused_name
from reconciler.world import EVERYBODY

ORIGIN = "command line"
_NEXT: dict[str | None, str] = {
    Guard.VANISHED_SESSIONS: "push",
    Guard.VANISHED_PEOPLE: "upkeep cycle, once a day",
}
_GUARDS = [Guard.VANISHED_SESSIONS.value, Guard.VANISHED_PEOPLE.value, Guard.FLEET.value]


@click.command()
@click.argument("person", required=False)
@click.argument("session", required=False)
@click.option("--guard", type=click.Choice(_GUARDS), help="What a guard holds.")
@click.option("--subject", help="Only of this account (vanished-sessions), or service as shown (fleet).")
@click.option("--restore", is_flag=True, help="Put the events back instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@now_option
@click.pass_obj
@foreseen
def release(
    config: Path,
    at: datetime | None,
    person: str | None,
    session: str | None,
    guard: str | None,
    subject: str | None,
    restore: bool,
    yes: bool,
) -> None:
    """Let go what is held, after showing it: each seat is proven again before it is given back.

    Names either one PERSON (and SESSION), or a --guard.
    """
    if (person is None) == (guard is None):
        raise click.UsageError("name either a PERSON or a --guard")
    with house_of(config, at) as house:
        if guard is None:
            seats = [row for row in house.ledger.held() if _named(row, person, session)]
        else:
            seats = _of_the_fleet(house, subject) if guard == Guard.FLEET else []
        holds = [one for one in house.ledger.holds() if _holds(one, guard, subject)]
        if not seats and not holds:
            raise ReconcilerError("nothing of that kind is held", next_step="See `reconciler status`.")
        _show(seats, holds)
        if not yes:
            click.confirm("Put the events back?" if restore else "Let it go?", abort=True)
        _let_go(house, seats, holds, guarded=guard is not None, restore=restore)
    click.echo(
        f"Done: it is looked at in the next {_NEXT.get(guard, 'confirm cycle')} (or `reconciler once`)."
    )


def _named(row: LedgerEntry, person: str | None, session: str | None) -> bool:
    return row.key.person == person and session in (None, row.key.session)


def _of_the_fleet(house: House, subject: str | None) -> list[LedgerEntry]:
    """What the fleet guard holds, or only what is at this vendor or server."""
    rows = [row for row in house.ledger.held() if row.suspicion.hold_reason is HoldReason.FLEET_GUARD]
    at = {one.person: one.service for one in house.ledger.connections({row.key.person for row in rows})}

    def is_there(row: LedgerEntry) -> bool:
        service = at.get(row.key.person, Service(row.provider or ""))
        return any(str(one) == subject for one in service.circles)

    return [row for row in rows if subject is None or is_there(row)]


def _holds(hold: Hold, guard: str | None, subject: str | None) -> bool:
    return hold.guard == guard and not hold.released and subject in (None, hold.subject)


def _show(seats: list[LedgerEntry], holds: list[Hold]) -> None:
    for hold in holds:
        click.echo(f"{hold.guard} {hold.subject}: {hold.why}, since {hold.since:%Y-%m-%d %H:%M}Z")
    held = {(row.key.person, row.key.session): row.suspicion for row in seats}
    for (person, session), suspicion in held.items():
        since = f" since {suspicion.held_since:%Y-%m-%d %H:%M}Z" if suspicion.held_since else ""
        why = f", as {WHY_HELD[suspicion.hold_reason]}" if suspicion.hold_reason else ""
        click.echo(f"person {person}, session {session}: held{since}{why}")


def _let_go(house: House, seats: list[LedgerEntry], holds: list[Hold], guarded: bool, restore: bool) -> None:
    """What a guard held is heard as if it had not been; for a seat that is named the answer is given."""
    now = house.world.clock()
    vanished = (Guard.VANISHED_SESSIONS, Guard.VANISHED_PEOPLE)
    if restore and any(hold.guard in vanished for hold in holds):
        raise ReconcilerError(
            "what vanished from the LMS cannot be put back from here",
            next_step="Restore them in the LMS: the hold ends by itself when they are there again.",
        )
    for person, session in sorted({(row.key.person, row.key.session) for row in seats}):
        if guarded and not restore:
            house.ledger.let_go(person, session, who(), ORIGIN, now)
        else:
            given = Answer.KEEP if restore else Answer.GIVE_BACK
            house.ledger.answer(person, session, given, who(), ORIGIN, now)
    for hold in () if restore else holds:
        house.ledger.release_hold(hold.guard, hold.subject, who(), now)


@click.command()
@click.argument("person")
@click.argument("session")
@click.argument("given", type=click.Choice(["keep", "give-back"]))
@now_option
@click.pass_obj
@foreseen
def answer(config: Path, at: datetime | None, person: str, session: str, given: str) -> None:
    """Answer for PERSON what is to become of the seat in SESSION: what the buttons in the mails do."""
    with house_of(config, at) as house:
        chosen = Answer.KEEP if given == "keep" else Answer.GIVE_BACK
        days = house.ledger.answer(person, session, chosen, who(), ORIGIN, house.world.clock())
    click.echo(f"Noted for {days} {'day' if days == 1 else 'days'}: {given}.")


@click.command()
@click.argument("account", default=EVERYBODY)
@now_option
@click.pass_obj
@foreseen
def pause(config: Path, at: datetime | None, account: str) -> None:
    """Observe only, everywhere or in one ACCOUNT, until `resume`. What vanishes meanwhile proves nothing."""
    with house_of(config, at) as house:
        if account != EVERYBODY:
            refuse_mistyped(house, account)
        now = house.world.clock()
        house.ledger.hold(Hold(Guard.PAUSE, account, f"paused by {who()}", now, 0))
    where = "" if account == EVERYBODY else f" in account {account}"
    click.echo(f"Paused: nothing is written any more{where}, from the next cycle on.")


@click.command()
@click.argument("account", default=EVERYBODY)
@now_option
@click.pass_obj
@foreseen
def resume(config: Path, at: datetime | None, account: str) -> None:
    """End `pause`. Calendars are looked at anew before anything is concluded."""
    with house_of(config, at) as house:
        paused = [one.subject for one in house.ledger.holds() if one.guard == Guard.PAUSE]
        if account not in paused:
            raise ReconcilerError(
                "nothing is paused by that name",
                whose=paused_name(account),
                next_step=f"What is paused: {', '.join(map(paused_name, paused)) or 'nothing'}.",
            )
        house.ledger.end_hold(Guard.PAUSE, account, f"resumed by {who()}", house.world.clock())
    click.echo("Resumed.")


@click.command()
@click.argument("person")
@now_option
@click.pass_obj
@foreseen
def resync(config: Path, at: datetime | None, person: str) -> None:
    """Look at PERSON's calendar in the next cycle, whatever its turn, and try again what was refused."""
    with house_of(config, at) as house:
        connected = house.ledger.connections([person])
        if not connected or not house.ledger.make_due(person, house.world.clock()):
            raise ReconcilerError("nobody of that id has a connected calendar", whose=f"person {person}")
    click.echo(f"Person {person} is due.")


@click.command()
@click.argument("person", required=False)
@click.option("--everybody", is_flag=True, help="All connected calendars.")
@now_option
@click.pass_obj
@foreseen
def rebaseline(config: Path, at: datetime | None, person: str | None, everybody: bool) -> None:
    """Take the next listing of PERSON's calendar as the baseline: what it lacks proves nothing."""
    if (person is None) != everybody:
        raise click.UsageError("name a PERSON or --everybody")
    with house_of(config, at) as house:
        people = None if person is None else [person]
        ended = house.ledger.end_baselines(None, people, house.world.clock())
        if person is not None and not ended:
            raise ReconcilerError(
                "nobody of that id has a calendar with a baseline", whose=f"person {person}"
            )
    click.echo(f"{_calendars(ended)} looked at anew, before anything is concluded.")


def _calendars(count: int) -> str:
    return "1 calendar is" if count == 1 else f"{count} calendars are"


@click.command()
@now_option
@click.pass_obj
@foreseen
def adopt_installation(config: Path, at: datetime | None) -> None:
    """Confirm that this installation, moved or restored, is the one the state database belongs to."""
    with house_of(config, at) as house:
        house.ledger.adopt_installation(house.installation, who(), ORIGIN, house.world.clock())
        ended = house.ledger.end_baselines(None, None, house.world.clock())
    click.echo(
        f"Adopted. {_calendars(ended)} looked at anew, before anything is concluded. A daemon that runs only "
        "observes until it is restarted."
    )


VERBS = (release, answer, pause, resume, resync, rebaseline, adopt_installation)
