"""The long runs: ``python -m tests.harness boundaries | histories | kills | lost-replies | soak | again``;
see the Makefile."""

from __future__ import annotations

import sys

import click

from tests.harness import campaign
from tests.harness.again import again as play_again

VENDOR = click.option(
    "--vendor",
    type=click.Choice(["", "caldav"]),
    default="",
    help="At this one alone, not at the two others.",
)


@click.group()
def main() -> None:
    """Run the harness for as long as one likes."""
    campaign.quiet()


@main.command()
@click.option("--stride", default=1, help="Only each so-manieth boundary.")
@click.option("--first", default=0, help="The first run, where those before it have been made.")
@VENDOR
def boundaries(stride: int, first: int, vendor: str) -> None:
    """Every scenario, every boundary, everything that may happen there."""
    sys.exit(campaign.boundaries(stride, first, vendor).end())


@main.command()
@click.argument("count", type=int)
@click.option("--first", default=0, help="The first seed.")
@VENDOR
def histories(count: int, first: int, vendor: str) -> None:
    """COUNT random histories."""
    sys.exit(campaign.histories(count, first, vendor).end())


@main.command()
@click.argument("count", type=int)
@click.option("--first", default=0, help="The first seed.")
@VENDOR
def kills(count: int, first: int, vendor: str) -> None:
    """COUNT real kills of the program."""
    sys.exit(campaign.kills(count, first, vendor).end())


@main.command("lost-replies")
@click.argument("count", type=int)
@VENDOR
def lost_replies(count: int, vendor: str) -> None:
    """COUNT lost replies at each vendor."""
    sys.exit(campaign.lost_replies(count, vendor).end())


@main.command()
@click.argument("years", type=int)
def soak(years: int) -> None:
    """So many simulated YEARS."""
    sys.exit(campaign.years(years).end())


@main.command()
def again() -> None:
    """What went wrong in the reports, played again on the code as it is."""
    sys.exit(1 if play_again() else 0)


if __name__ == "__main__":
    main()
