"""The verbs of mail: list, retry, drop. What went wrong with a letter is decided by a person."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.commands import foreseen, house_of, who
from reconciler.mail_status import mail_line
from reconciler.model import MailState

_MOST = 200


@click.group()
def mail() -> None:
    """Letters to people: list, retry, drop."""


@mail.command(name="list")
@click.option("--person", help="Only this person's.")
@click.option("--all", "everything", is_flag=True, help="Also those that were sent, or dropped.")
@click.pass_obj
@foreseen
def mail_list(config: Path, person: str | None, everything: bool) -> None:
    """Letters that wait, and those that were refused or have an unknown fate."""
    over = (MailState.SENT, MailState.DROPPED)
    states = [state for state in MailState if everything or state not in over]
    with house_of(config) as house:
        found = house.ledger.mails(states, _MOST, person)
    for one in found:
        click.echo(mail_line(one))
    if not found:
        click.echo("There are none." if everything else "There are none (those sent: --all).")


@mail.command(name="retry")
@click.argument("number", type=int)
@click.pass_obj
@foreseen
def mail_retry(config: Path, number: int) -> None:
    """Send letter NUMBER again, as it is: whoever got it the first time has it twice."""
    with house_of(config) as house:
        house.ledger.decide_mail(number, True, who(), house.world.clock())
    click.echo("It is sent in the next mail cycle (or `reconciler once`).")


@mail.command(name="drop")
@click.argument("number", type=int)
@click.pass_obj
@foreseen
def mail_drop(config: Path, number: int) -> None:
    """Leave letter NUMBER at that."""
    with house_of(config) as house:
        house.ledger.decide_mail(number, False, who(), house.world.clock())
    click.echo("Done.")
