"""The verbs of the command line; the only room that prints.

Exit codes: 0 done, 1 something failed, 2 changes (``plan``), 3 held, 78 bad configuration (EX_CONFIG of
sysexits.h). By precedence: 1, 3, 2, 0.
"""

from __future__ import annotations

import getpass
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import Progress

from reconciler import bootstrap
from reconciler.bootstrap import House, open_house
from reconciler.daemon import Daemon, Tick
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.explain import story
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema
from reconciler.metrics import expose
from reconciler.model import AccountSwitches, Mode
from reconciler.preview import View, look_at, preview
from reconciler.render import PersonPlan, as_json, as_markdown, as_text, lines_of
from reconciler.settings import Settings, load
from reconciler.status import as_text as status_text
from reconciler.status import status_of
from reconciler.tokens.cipher import generate_key

FAILED, CHANGES, HELD, BAD_CONFIGURATION = 1, 2, 3, 78
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
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for talkative in ("googleapiclient", "urllib3", "alembic", "httplib2", "msal"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    context.obj = config


# What verbs share ---------------------------------------------------------------------------------


def _fail(problem: ReconcilerError) -> NoReturn:
    if isinstance(problem, ConfigurationError):
        for line in problem.problems:
            click.echo(line, err=True)
        sys.exit(BAD_CONFIGURATION)
    click.echo(f"Failed: {problem}", err=True)
    sys.exit(FAILED)


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb whose foreseen errors become sentences and exit codes. It is given the configuration's path."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ReconcilerError as problem:
            _fail(problem)

    return main.command(name=function.__name__.replace("_", "-"))(click.pass_obj(run))


def _instant(context: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("must be like 2026-11-22T09:00:00Z") from error
    if instant.tzinfo is None:
        raise click.BadParameter("must have a zone, such as a Z at its end")
    return instant.astimezone(UTC)


now_option = click.option(
    "--now",
    "at",
    metavar="INSTANT",
    callback=_instant,
    help="Set the clock to this instant; it ticks on from there. For trials on this machine only.",
)


@contextmanager
def _house(config: Path, at: datetime | None = None) -> Iterator[House]:
    settings = load(config)
    if at is not None and not bootstrap.trial_hosts_only(settings):
        raise ConfigurationError(
            ["--now: refused, because an LMS or vendor that would be written to is not on this machine"]
        )
    with open_house(settings, bootstrap.clock_at(at) if at else None) as house:
        yield house


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


# Cycles -------------------------------------------------------------------------------------------


@verb
def run(config: Path) -> None:
    """Run the daemon, until it is told to stop."""
    settings = load(config)
    with _house(config) as opened:
        house, listen = opened.take_up(), settings.ops.listen
        exposition = expose(house.metrics, listen.host, listen.port)
        try:
            _daemon(house, settings).run()
        finally:
            exposition.close()


def _daemon(house: House, settings: Settings) -> Daemon:
    push = settings.intervals.push
    house.metrics.interval("push", push.total_seconds())
    house.metrics.interval("audit", push.total_seconds())
    ticks = {"push": Tick("push", push, house.loop.push), "audit": Tick("audit", push, house.loop.audit)}
    return Daemon(ticks, settings.intervals.jitter)


@verb
@now_option
def once(config: Path, at: datetime | None) -> None:
    """One cycle of each kind."""
    with _house(config, at) as opened:
        house = opened.take_up()
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("people", total=None)
            loop = replace(house.loop, progress=lambda count: progress.update(task, advance=count))
            runs = [loop.push(), loop.audit()]
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
    """What `once` would do. Writes to no calendar, LMS or ledger."""
    with _house(config, at) as house:
        shown = preview(house.world, _all_switches(house), house.loop.guard)
    plans = [_person_plan(view) for view in shown.views]
    click.echo(_RENDER[form](plans))
    if any(one.error for one in plans):
        sys.exit(FAILED)
    if any(one.allowed and one.allowed.held for one in plans):
        sys.exit(HELD)
    if any(list(lines_of(one)) for one in plans):
        sys.exit(CHANGES)


def _person_plan(view: View) -> PersonPlan:
    provider = view.connection.provider if view.connection else None
    return PersonPlan(view.desired.person_id, provider, view.allowed, view.error)


def _all_switches(house: House) -> dict[str, AccountSwitches]:
    """The switches as they are, with the first values of accounts not seen by a cycle yet."""
    known = dict(house.ledger.switches())
    for connection in house.ledger.connections():
        known.setdefault(connection.account, house.loop.first_switches(connection.account))
    return known


# Looking ------------------------------------------------------------------------------------------


@verb
def status(config: Path) -> None:
    """Last cycles, what is held, who needs attention. Exit 0 if all is well, 1 if not."""
    ledger = bootstrap.open_state(load(config))
    try:
        found = status_of(ledger, bootstrap.now())
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
    with _house(config, at) as house:
        switches = _all_switches(house)
        (view,) = look_at(house.world, switches, [person], look=frozenset([person]))
        account = view.connection.account if view.connection else None
        click.echo(
            story(
                view,
                switches.get(account) if account else None,
                house.ledger.history(person, session),
                session,
                house.world.clock(),
            )
        )


@verb
@click.option("--online", is_flag=True, help="Also try the databases.")
def check_config(config: Path, online: bool) -> None:
    """Check the configuration; with --online also what it points to."""
    settings = load(config)
    if online:
        with open_house(settings) as house:
            problems = house.lms.check()
        if problems:
            raise ConfigurationError([f"lms: {problem}" for problem in problems])
    click.echo(f"{config}: all is well.")


# Switches and connections -------------------------------------------------------------------------


@main.group()
def account() -> None:
    """What account owners switch on: list, set."""


@main.group()
def connection() -> None:
    """People's connected calendars: list, add, disconnect."""


@main.group()
def schema() -> None:
    """The databases: create, upgrade."""


def _sub(group: click.Group, name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def register(function: Callable[..., Any]) -> click.Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except ReconcilerError as problem:
                _fail(problem)

        return group.command(name=name)(click.pass_obj(run))

    return register


@_sub(account, "list")
def account_list(config: Path) -> None:
    """The accounts and their switches."""
    with _house(config) as house:
        for name, one in sorted(_all_switches(house).items()):
            vendors = ", ".join(sorted(one.vendors)) or "no vendor"
            mails = "on" if one.email_notifications else "OFF"
            click.echo(f"{name}: {vendors}; e-mail notifications {mails}; mode {one.mode}")


@_sub(account, "set")
@click.argument("name")
@click.option("--vendors", help="Comma-separated: google, microsoft; an empty text for none.")
@click.option("--email-notifications", type=bool, help="on or off")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]))
def account_set(
    config: Path, name: str, vendors: str | None, email_notifications: bool | None, mode: str | None
) -> None:
    """Change the switches of account NAME; what is not named stays."""
    with _house(config) as house:
        now = house.world.clock()
        old = _all_switches(house).get(name) or house.loop.first_switches(name)
        new = old
        if vendors is not None:
            chosen = frozenset(part.strip() for part in vendors.split(",") if part.strip())
            if unknown := chosen - house.providers.keys():
                raise ConfigurationError([f"--vendors: not configured: {', '.join(sorted(unknown))}"])
            new = replace(new, vendors=chosen)
        if email_notifications is not None:
            new = replace(new, email_notifications=email_notifications)
        if mode is not None:
            new = replace(new, mode=Mode(mode))
        house.ledger.set_switches(new, _who(), now)
    click.echo(f"Account {name} is changed.")


@_sub(connection, "list")
def connection_list(config: Path) -> None:
    """The connected calendars."""
    with _house(config) as house:
        for one in house.ledger.connections():
            since = f" since {one.state_since:%Y-%m-%d %H:%M}Z" if one.state_since else ""
            click.echo(f"{one.person}: {one.provider} ({one.subject}), {one.state}{since}")


@_sub(connection, "add")
@click.argument("person")
@click.argument("provider")
@click.option("--subject", required=True, help="The vendor's immutable account id.")
@click.option("--address", required=True, help="The account's address, as the vendor shows it.")
@click.option("--calendar", "calendar_id", required=True, help="The id of the default calendar.")
@click.option(
    "--refresh-token-file",
    required=True,
    type=click.File(),
    help="Where the refresh token is read from; - for standard input.",
)
def connection_add(
    config: Path,
    person: str,
    provider: str,
    subject: str,
    address: str,
    calendar_id: str,
    refresh_token_file: Any,
) -> None:
    """Connect PERSON's calendar at PROVIDER, for support and scripts."""
    with _house(config) as house:
        known = house.person(person)
        grant = Grant(person, known.account, provider, subject, address, calendar_id, known.identity)
        house.connect(grant, refresh_token_file.read().strip(), _who(), "command line")
    click.echo(f"Person {person} is connected.")


@_sub(connection, "disconnect")
@click.argument("person")
def connection_disconnect(config: Path, person: str) -> None:
    """Disconnect PERSON's calendar. Events there stay and are no longer maintained."""
    with _house(config) as house:
        house.ledger.disconnect(person, _who(), "command line", house.world.clock())
    click.echo(f"Person {person} is disconnected; events already in the calendar stay as they are.")


@_sub(schema, "create")
def schema_create(config: Path) -> None:
    """Create the five reference tables in the LMS's database, for those who begin with nothing."""
    settings = load(config)
    engine = bootstrap.open_lms_for_writing(settings)
    try:
        create_schema(engine, settings.lms.reference.table_prefix, settings.lms.reference.schema_name)
    finally:
        engine.dispose()
    click.echo("The reference tables are there.")


@_sub(schema, "upgrade")
def schema_upgrade(config: Path) -> None:
    """Bring our state database to the schema of this program; creates it where there is none."""
    settings = load(config)
    database = open_database(settings.state.url, settings.state.database.password, 2)
    try:
        before, after = upgrade(database)
    finally:
        database.close()
    click.echo(f"State database: schema {before or 'none'} -> {after}")


@main.command()
def new_key() -> None:
    """Print a new key for tokens.key_files."""
    click.echo(generate_key())
