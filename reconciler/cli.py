"""The verbs of the command line.

Exit codes: 0 done, 1 something failed, 2 changes (``plan``), 3 held, 78 bad configuration, or a state
database with another schema (EX_CONFIG of sysexits.h). By precedence: 1, 3, 2, 0.

Each is a process of its own: what one verb alone needs is imported in it.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from reconciler import administration, bootstrap, logs, mails, pages, privacy, rails, verification
from reconciler.bootstrap import open_house
from reconciler.capacity import as_json as reach_json
from reconciler.capacity import as_text as reach_text
from reconciler.capacity import crowd_of, reaches
from reconciler.commands import (
    CHANGES,
    FAILED,
    HELD,
    all_switches,
    explained,
    foreseen,
    house_of,
    key_problems,
    listen_option,
    now_option,
    one_of_each,
    plans_of,
    vendor_problems,
)
from reconciler.errors import ConfigurationError
from reconciler.mailroom import doubled, mail_problems
from reconciler.render import as_json, as_markdown, as_text, lines_of
from reconciler.settings import Listen, load
from reconciler.status import as_text as status_text
from reconciler.status import status_of

DEFAULT_CONFIG = Path("/etc/reconciler/reconciler.yaml")
_RENDER = {"text": as_text, "json": as_json, "markdown": as_markdown}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_CONFIG,
    envvar="RECONCILER_CONFIG",
    show_default=True,
    help="The configuration file.",
)
@click.option("--verbose", "-v", is_flag=True, help="Say more in the log, on standard error.")
@click.version_option(package_name="ilt-calendar-reconciler")
@click.pass_context
def main(context: click.Context, config: Path, verbose: bool) -> None:
    """Keeps people's calendars in step with the training that the LMS has booked them into."""
    logs.set_up(level=logs.LogLevel.DEBUG if verbose else logs.LogLevel.INFO)
    context.obj = config


for _command in (
    administration.account,
    administration.connection,
    administration.schema,
    administration.keys,
    administration.new_key,
    *pages.VERBS,
    *privacy.VERBS,
    verification.verify_provider,
    mails.mail,
    *rails.VERBS,
):
    main.add_command(_command)


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb that works in a house: it is given the configuration's path."""
    return main.command(name=function.__name__.replace("_", "-"))(click.pass_obj(foreseen(function)))


# Cycles -------------------------------------------------------------------------------------------


@verb
def run(config: Path) -> None:
    """Run the daemon, until it is told to stop."""
    from reconciler.service import serve

    serve(config)


@verb
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    callback=listen_option,
    help="Where its /metrics, /alive and /ready are, instead of ops.listen.",
)
def worker(config: Path, listen: Listen | None) -> None:
    """Do what a scheduler hands out, until told to stop (with dispatch.kind: celery)."""
    from reconciler.working import work

    work(config, listen)


@verb
@now_option
def once(config: Path, at: datetime | None) -> None:
    """One cycle of each kind. Exit 0 if it is done, 1 if something failed, 3 if something is held."""
    with house_of(config, at) as opened:
        house = opened.take_up()
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("people", total=None)
            runs = one_of_each(house, lambda count: progress.update(task, advance=count))
        for finished in runs:
            click.echo(finished.sentence)
    if any(finished.result in ("error", "partial") for finished in runs):
        sys.exit(FAILED)
    if any(finished.result == "held" for finished in runs):
        sys.exit(HELD)


@verb
@now_option
@click.option("--format", "-f", "form", type=click.Choice(list(_RENDER)), default="text", show_default=True)
def plan(config: Path, at: datetime | None, form: str) -> None:
    """What `once` would do. Writes to no calendar, LMS or ledger.

    Exit 0 if there is nothing to do, 2 if there are changes, 3 if something is held, 1 if somebody's calendar
    could not be looked at.
    """
    with house_of(config, at) as house:
        plans = plans_of(house)
    click.echo(_RENDER[form](plans))
    if any(one.error for one in plans):
        sys.exit(FAILED)
    if any(one.allowed and one.allowed.held for one in plans):
        sys.exit(HELD)
    if any(list(lines_of(one)) for one in plans):
        sys.exit(CHANGES)


# Looking ------------------------------------------------------------------------------------------


@verb
def status(config: Path) -> None:
    """Last cycles, what is held, who needs attention. Exit 0 if all is well, 1 if not."""
    settings = load(config)
    ledger = bootstrap.open_state(settings)
    try:
        stranger = bootstrap.another_installation(settings, ledger, bootstrap.open_lms(settings))
        found = status_of(ledger, bootstrap.now(), settings.mail is not None, stranger, settings.mode)
    finally:
        ledger.close()
    click.echo(status_text(found))
    if not found.healthy:
        sys.exit(FAILED)


@verb
@now_option
@click.argument("person")
@click.argument("session", required=False)
def explain(config: Path, at: datetime | None, person: str, session: str | None) -> None:
    """Desired, recorded, there, decided and done, for one PERSON (and one SESSION)."""
    with house_of(config, at) as house:
        click.echo(explained(house, person, session))


@verb
@now_option
@click.option(
    "--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def capacity(config: Path, at: datetime | None, form: str) -> None:
    """How far the vendors' quotas reach, with the people there are and with twice as many."""
    with house_of(config, at) as house:
        crowd = crowd_of(house.world, all_switches(house), house.world.clock())
        found = reaches(house.world, crowd)
    click.echo(json.dumps(reach_json(found, crowd), indent=2) if form == "json" else reach_text(found, crowd))


@verb
@click.option(
    "--online", is_flag=True, help="Also try the databases, the mail server, and the vendors' sign-in."
)
def check_config(config: Path, online: bool) -> None:
    """Check the configuration; with --online also what it points to. Exit 0 if all is well, 78 if not."""
    settings = load(config)
    keys = key_problems(settings)
    problems = [*keys, *mail_problems(settings, online)]
    if online and not keys:
        with open_house(settings) as house:
            problems += [f"lms: {problem}" for problem in house.lms.check()]
            if house.loop.confirming is not None:
                registrar = house.loop.confirming.registrar
                problems += [f"lms.unregister: {problem}" for problem in registrar.check()]
            problems += vendor_problems(house)
            problems += [f"dispatch.quotas: {problem}" for problem in house.lasting.quotas.problems()]
            for note in () if problems else doubled(settings, house.lms):
                click.echo(note)
    if problems:
        raise ConfigurationError(problems)
    click.echo(f"{config}: all is well.")


# Trying it ----------------------------------------------------------------------------------------


@main.command()
@now_option
@click.option("--fast", is_flag=True, help="No pauses between scenes (there are none but on a terminal).")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), help="Also draw a part of it, as SVG."
)
@click.option("--live", is_flag=True, help="To be played by hand, in a browser, until Ctrl-C.")
@click.option("--port", default=8400, show_default=True, help="With --live: of this machine; any if taken.")
def demo(at: datetime | None, fast: bool, picture: Path | None, live: bool, port: int) -> None:
    """The whole story on this machine, no account needed. Exit 1 if anything in it was not so."""
    from reconciler.demo.live.running import play
    from reconciler.demo.story import NARROWEST, PAUSE, WIDTH, tell

    logging.getLogger("reconciler").setLevel(logging.CRITICAL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where a terminal has no sign for it
    console = Console(record=picture is not None, highlight=False)
    console.width = NARROWEST if picture else max(NARROWEST, min(console.width, WIDTH))
    pause = PAUSE if console.is_terminal and not fast else 0.0
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, lambda number, frame: sys.exit(128 + number))
    try:
        if not (
            play(console, port) if live else tell(at or bootstrap.now(), console, pause, picture=picture)
        ):
            sys.exit(FAILED)
    except KeyboardInterrupt:
        click.echo("\nStopped. Nothing is left behind.", err=True)
        sys.exit(128 + signal.SIGINT)
