"""The verbs of administration: switches of accounts, people's connections, databases, keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler import bootstrap
from reconciler.bootstrap import House
from reconciler.commands import all_switches, foreseen, house_of, refuse_mistyped, who
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.farewell import COMMAND_LINE
from reconciler.ledger.audit import AuditLine
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema
from reconciler.model import Mode, UnregisterMode
from reconciler.ports import SignIn
from reconciler.settings import load
from reconciler.status import only
from reconciler.tokens.cipher import generate_key
from reconciler.welcome import grant_of


@click.group()
def account() -> None:
    """What account owners switch on: list, set."""


@click.group()
def connection() -> None:
    """People's connected calendars: list, add, sign-in, disconnect."""


@click.group()
def schema() -> None:
    """The databases: create, upgrade."""


@click.group()
def keys() -> None:
    """The keys that the tokens are encrypted with: rotate."""


def _sub(group: click.Group, name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def register(function: Callable[..., Any]) -> click.Command:
        return group.command(name=name)(click.pass_obj(foreseen(function)))

    return register


@_sub(account, "list")
def account_list(config: Path) -> None:
    """The accounts and their switches."""
    with house_of(config) as house:
        known = all_switches(house)
        if not known:
            click.echo("None is known yet: the first push sees them (`reconciler once`, or the daemon).")
        for name, one in sorted(known.items()):
            vendors = ", ".join(sorted(one.vendors)) or "no vendor"
            mails = "on" if one.email_notifications else "OFF"
            modes = f"mode {one.mode}; unregister {one.unregister}"
            pilot = f"; {only(one.people)}" if one.people is not None else ""
            click.echo(f"{name}: {vendors}; e-mail notifications {mails}; {modes}{pilot}")


@_sub(account, "set")
@click.argument("name")
@click.option("--vendors", help="Comma-separated: google, microsoft, caldav; an empty text for none.")
@click.option("--email-notifications", type=bool, help="on or off")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]))
@click.option(
    "--unregister",
    type=click.Choice([mode.value for mode in UnregisterMode]),
    help="What a deleted event leads to; the stricter of this and unregister.mode rules.",
)
@click.option("--people", help="For a pilot: only these people, by their ids in the LMS, comma-separated.")
@click.option("--everybody", is_flag=True, help="End a pilot: everybody again.")
def account_set(
    config: Path,
    name: str,
    vendors: str | None,
    email_notifications: bool | None,
    mode: str | None,
    unregister: str | None,
    people: str | None,
    everybody: bool,
) -> None:
    """Change the switches of account NAME; what is not named stays."""
    if people is not None and everybody:
        raise click.UsageError("name either --people or --everybody")
    with house_of(config) as house:
        refuse_mistyped(house, name)
        new: dict[str, Any] = {}
        if vendors is not None:
            chosen = frozenset(part.strip() for part in vendors.split(",") if part.strip())
            if unknown := chosen - house.providers.keys():
                raise ConfigurationError([f"--vendors: not configured: {', '.join(sorted(unknown))}"])
            new["vendors"] = chosen
        if email_notifications is not None:
            new["email_notifications"] = email_notifications
        if mode is not None:
            new["mode"] = Mode(mode)
        if unregister is not None:
            new["unregister"] = UnregisterMode(unregister)
        if people is not None:
            new["people"] = _known(house, name, people)
        if everybody:
            new["people"] = None
        # Of what stands there now: to look people up takes long enough for the account's owner to switch.
        first, now = house.loop.first_switches(name), house.world.clock()
        house.ledger.change_switches(first, lambda old: replace(old, **new), who(), now)
    click.echo(f"Account {name} is changed.")


def _known(house: House, account: str, listed: str) -> frozenset[str]:
    """The people of this list; a mistyped one would be a pilot without its people."""
    people = {part.strip() for part in listed.split(",") if part.strip()}
    if not people:
        raise ConfigurationError(["--people: nobody is named (--everybody ends a pilot)"])
    for person in sorted(people):
        if (theirs := house.person(person).account) != account:
            raise ReconcilerError(f"belongs to account {theirs}, not {account}", whose=f"person {person}")
    return frozenset(people)


@_sub(connection, "list")
def connection_list(config: Path) -> None:
    """The connected calendars."""
    with house_of(config) as house:
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
    token = refresh_token_file.read().strip()
    if not token:
        raise ConfigurationError(["--refresh-token-file: there is no refresh token in it"])
    with house_of(config) as house:
        if provider not in house.providers:
            configured = ", ".join(sorted(house.providers)) or "none"
            raise ConfigurationError([f"PROVIDER: {provider} is not configured (configured: {configured})"])
        known = house.person(person)
        grant = Grant(person, known.account, provider, subject, address, calendar_id, known.identity)
        house.welcome.begin(grant, {"refresh_token": token}, who(), COMMAND_LINE)
    click.echo(f"Person {person} is connected.")


@_sub(connection, "sign-in")
@click.argument("person")
@click.argument("provider")
@click.option("--address", required=True, help="The server's address, as its settings allow it.")
@click.option("--user", required=True, help="The user name there.")
@click.option(
    "--password-file",
    required=True,
    type=click.File(),
    help="Where the app password is read from; - for standard input.",
)
@click.option("--calendar", help="The calendar's name, or its id; without it, the only one there is.")
def connection_sign_in(
    config: Path,
    person: str,
    provider: str,
    address: str,
    user: str,
    password_file: Any,
    calendar: str | None,
) -> None:
    """Connect PERSON's calendar at PROVIDER by user name and app password, once it has been tried out."""
    sign_in = SignIn(address, user, password_file.read().strip())
    with house_of(config) as house:
        flow = house.sign_ins.get(provider)
        if flow is None:
            configured = ", ".join(sorted(house.sign_ins)) or "none"
            raise ConfigurationError([f"PROVIDER: {provider} has no sign-in (there are: {configured})"])
        known = house.person(person)
        offers = [one for one in flow.calendars(sign_in) if calendar in (None, one.name, one.id)]
        if len(offers) != 1:
            there = ", ".join(f"{one.name} ({one.id})" for one in flow.calendars(sign_in)) or "none"
            raise ConfigurationError([f"--calendar: name one of those that can be written to: {there}"])
        granted = flow.finish(sign_in, offers[0].id)
        house.welcome.begin(grant_of(known, provider, granted), granted.credentials, who(), COMMAND_LINE)
    click.echo(f"Person {person} is connected.")


@_sub(connection, "disconnect")
@click.argument("person")
def connection_disconnect(config: Path, person: str) -> None:
    """Disconnect PERSON's calendar. Events there stay and are no longer maintained."""
    with house_of(config) as house:
        known = next(iter(house.ledger.connections([person])), None)
        if known is None:
            raise ReconcilerError("No calendar is connected", whose=f"person {person}")
        house.farewell.end(known, who(), COMMAND_LINE, "as an operator wants it")
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


@_sub(keys, "rotate")
def keys_rotate(config: Path) -> None:
    """Encrypt every stored token under the newest key of tokens.key_files; the older ones can go then."""
    with house_of(config) as house:
        count = house.tokens.rotate()
        line = AuditLine(house.world.clock(), who(), "command line", "keys rotated", detail=f"{count} tokens")
        house.ledger.note(line)
    click.echo(f"{count} tokens are encrypted anew. All are under the newest key; older key files can go.")


@click.command()
def new_key() -> None:
    """Print a new key for tokens.key_files."""
    click.echo(generate_key(), nl=False)
