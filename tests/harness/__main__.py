"""The long runs: ``python -m tests.harness boundaries | histories | soak``; see the Makefile."""

from __future__ import annotations

import sys

import click

from tests.harness import campaign


@click.group()
def main() -> None:
    """Run the harness for as long as one likes."""
    campaign.quiet()


@main.command()
@click.option("--stride", default=1, help="Only each so-manieth boundary.")
def boundaries(stride: int) -> None:
    """Every scenario, every boundary, everything that may happen there."""
    sys.exit(campaign.boundaries(stride).end())


@main.command()
@click.argument("count", type=int)
@click.option("--first", default=0, help="The first seed.")
def histories(count: int, first: int) -> None:
    """COUNT random histories."""
    sys.exit(campaign.histories(count, first).end())


main()
