"""The pages of a house: wired, and served beside the daemon or alone; links into them for support."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from reconciler.bootstrap import House
from reconciler.commands import foreseen, house_of, who
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.ledger.audit import AuditLine
from reconciler.settings import LaunchKey as LaunchKeySettings
from reconciler.tokens.cipher import Cipher, derived_keys
from reconciler.tokens.signing import link_keys
from reconciler.web.app import create_app
from reconciler.web.launch import Visitor
from reconciler.web.links import connect_link as link_for
from reconciler.web.server import Serving
from reconciler.web.site import LaunchKey, Site

log = logging.getLogger(__name__)

_SESSIONS = "sessions of the pages"


def site_of(house: House) -> Site:
    """What the pages are made with. ``ConfigurationError`` without ``installation.public_url``."""
    settings = house.settings
    public_url = settings.installation.public_url
    if public_url is None:
        raise ConfigurationError(["installation.public_url: the pages need it"])
    files = [secret.path for secret in settings.tokens.key_files]
    return Site(
        world=house.world,
        ledger=house.ledger,
        tokens=house.tokens,
        farewell=house.farewell,
        welcome=house.welcome,
        flows=house.flows,
        sign_ins=house.sign_ins,
        first_switches=settings.accounts.switches,
        public_url=public_url,
        vault=Cipher(derived_keys(files, _SESSIONS)),
        link_keys=link_keys(files),
        about=lambda person: house.ledger.everything_about(person, house.fingerprints.all_of(person)),
        launch_keys={kid: _launch_key(given) for kid, given in settings.web.launch_keys.items()},
        privacy_url=settings.web.privacy_url,
    )


def _launch_key(given: LaunchKeySettings) -> LaunchKey:
    if given.secret_file is not None:
        return LaunchKey(given.account, "HS256", given.secret_file.text, given.return_to)
    assert given.public_key_file is not None
    return LaunchKey(given.account, "RS256", given.public_key_file.text, given.return_to)


@contextmanager
def serving(house: House) -> Iterator[Serving | None]:
    """The pages of a house, served while the context lasts; none where the settings want none, nor in a copy
    of another installation: people would make or end connections that are not its own."""
    given = house.settings.web
    known = house.ledger.installation()
    if given.listen is not None and known not in (None, house.installation):
        log.error(
            "this is another installation than the state database knows: it serves no pages. If it was moved "
            "on purpose, run `reconciler adopt-installation`."
        )
    if given.listen is None or known not in (None, house.installation):
        yield None
        return
    site = site_of(house)
    app, listen = create_app(site), given.listen
    served = Serving.at("web.listen", listen, app, prefix=site.prefix, trusted_proxy=given.trusted_proxy)
    log.info("pages for %s are served at %s", site.public_url, given.listen)
    try:
        yield served
    finally:
        served.close()


@click.command()
@click.pass_obj
@foreseen
def web(config: Path) -> None:
    """Serve the pages alone, until told to stop; the daemon runs elsewhere."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with house_of(config) as house, serving(house) as served:
        if served is None:
            raise ReconcilerError("there are no pages to serve", next_step="See `web.listen`, and the log.")
        stop.wait()


@click.command()
@click.argument("person")
@click.option("--owner", is_flag=True, help="As an owner of the account, who may change its switches.")
@click.pass_obj
@foreseen
def connect_link(config: Path, person: str, owner: bool) -> None:
    """Make a link that lets PERSON open their page once within a day: for pilots and support.

    Whoever has the link is that person to the pages: give it to nobody else.
    """
    with house_of(config) as house:
        known, now = house.person(person), house.world.clock()
        role = Visitor.OWNER if owner else Visitor.LEARNER
        link = link_for(site_of(house), known.id, known.account, role.value, now)
        line = AuditLine(now, who(), "command line", "link made", known.account, known.id, f"as {role}")
        house.ledger.note(line)
        if house.settings.web.listen is None:
            click.echo(
                "web.listen is not set: as it is, nobody serves the page that this leads to.", err=True
            )
    click.echo(link)


VERBS = (web, connect_link)
