"""The verb that tries out, with a real account, all that the program assumes of its vendor."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from reconciler.commands import FAILED, foreseen, house_of
from reconciler.errors import ReconcilerError
from reconciler.model import ConnectionState
from reconciler.ports import Finding, Trial

_LONGEST_NAME = 25  # with the suffix it is still a name of an installation


@click.command()
@click.argument("person")
@click.pass_obj
@foreseen
def verify_provider(config: Path, person: str) -> None:
    """Try all that is assumed of PERSON's vendor, in their calendar. For an account connected for that.

    Makes some thirty events 200 days ahead and removes them again. Exit 0 if all that matters held, else 1.
    """
    with house_of(config) as house:
        connection = next(iter(house.ledger.connections([person])), None)
        if connection is None or connection.state is not ConnectionState.CONNECTED:
            raise ReconcilerError(
                "their calendar is not connected and well",
                whose=f"person {person}",
                next_step="See `reconciler connection list`; `reconciler connect-link` lets them connect.",
            )
        if connection.provider not in house.trials:
            raise ReconcilerError(
                f"nothing is assumed of {connection.provider} that is not tried out when somebody connects",
                whose=f"person {person}",
            )
        installation = f"{house.settings.installation.id[:_LONGEST_NAME]}-trial"
        trial = house.trials[connection.provider](connection, installation, house.world.clock())
        findings = _tried(trial)
    Console(soft_wrap=False).print(_table(connection.provider, findings))
    wrong = [one for one in findings if one.held is False and one.matters]
    click.echo(_sentence(findings, wrong))
    if wrong:
        sys.exit(FAILED)


def _tried(trial: Trial) -> list[Finding]:
    """Every finding; whatever happens, nothing is left in the calendar that could be removed."""
    findings: list[Finding] = []
    with _told_to_stop():
        try:
            trial.clean_up()
            for finding in trial.run():
                findings.append(finding)
                click.echo(f"{_mark(finding)}: {finding.assumption}", err=True)
        finally:
            for problem in trial.clean_up():
                click.echo(f"Could not be removed, do it by hand: {problem}", err=True)
    return findings


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Clean up also when told to stop from outside."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(provider: str, findings: list[Finding]) -> Table:
    table = Table(title=f"What was assumed of {provider}", show_lines=True)
    for heading in ("", "assumed", "seen", "what that means"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        table.add_row(_mark(one), one.assumption, one.seen, one.meaning)
    return table


def _mark(finding: Finding) -> str:
    if finding.held is None:
        return "not tried"
    if finding.held:
        return "held"
    return "WRONG" if finding.matters else "otherwise"


def _sentence(findings: list[Finding], wrong: list[Finding]) -> str:
    held = sum(one.held is True for one in findings)
    otherwise = sum(one.held is False and not one.matters for one in findings)
    untried = sum(one.held is None for one in findings)
    told = f"{held} held, {otherwise} are otherwise and provided for, {untried} could not be tried"
    if wrong:
        return f"{told}; {len(wrong)} ARE WRONG: do not use this vendor before that is understood."
    return f"{told}. This vendor can be used."
