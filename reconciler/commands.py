"""What verbs have in common: a house to work in, errors as exit codes, a plan and a cycle of everybody."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
from pydantic_core import PydanticCustomError

from reconciler import bootstrap, logs
from reconciler.bootstrap import House, open_house
from reconciler.due import batches
from reconciler.errors import ConfigurationError, ReconcilerError, StateUnfit
from reconciler.explain import Told, story
from reconciler.loop import lms_window
from reconciler.model import AccountSwitches, MailState, Mode
from reconciler.ports import Run
from reconciler.post.round import Round
from reconciler.preview import View, look_at, preview, unobserved
from reconciler.render import Line, PersonPlan, mail_line
from reconciler.settings import Listen, Settings, load
from reconciler.settings.values import listen_at
from reconciler.tokens.cipher import read_keys
from reconciler.world import in_force, unregister_of

MOST_MAILS_SHOWN = 1_000
FAILED, CHANGES, HELD, BAD_CONFIGURATION = 1, 2, 3, 78


def foreseen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its foreseen errors turned into sentences and exit codes."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ReconcilerError as problem:
            _fail(problem)

    return run


def _fail(problem: ReconcilerError) -> NoReturn:
    if isinstance(problem, ConfigurationError):
        for line in problem.problems:
            click.echo(line, err=True)
        sys.exit(BAD_CONFIGURATION)
    click.echo(f"Failed: {problem}", err=True)
    # What no further attempt can mend is not begun again and again by whoever starts the service.
    sys.exit(BAD_CONFIGURATION if isinstance(problem, StateUnfit) else FAILED)


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


def listen_option(context: click.Context, parameter: click.Parameter, text: str | None) -> Listen | None:
    """The value of an option that says where to listen."""
    try:
        return listen_at(text) if text else None
    except PydanticCustomError as error:
        raise click.BadParameter(error.message()) from None


def log_as_told(settings: Settings) -> None:
    """Log as the settings say, or more where the command line asked for more."""
    context = click.get_current_context(silent=True)
    verbose = context is not None and context.find_root().params.get("verbose", False)
    logs.set_up(settings.logs.format, logs.LogLevel.DEBUG if verbose else settings.logs.level)


@contextmanager
def house_of(config: Path, at: datetime | None = None) -> Iterator[House]:
    """The house that this file describes, with its clock set where that can hurt nobody."""
    settings = load(config)
    log_as_told(settings)
    if at is not None and not trial_hosts_only(settings):
        raise ConfigurationError(
            ["--now: refused, because an LMS or vendor that would be written to is not on this machine"]
        )
    with open_house(settings, bootstrap.clock_at(at) if at else None) as house:
        yield house


def trial_hosts_only(settings: Settings) -> bool:
    """Whether everything that would be written to lies on this machine, so that a set clock hurts nobody."""
    endpoints, names = settings.network.endpoints, []
    if settings.providers.google:
        names += [endpoints.google_api, endpoints.google_oauth]
    if settings.providers.microsoft:
        names += [endpoints.microsoft_graph, endpoints.microsoft_login]
    if settings.providers.caldav:
        names += settings.providers.caldav.allowed_hosts
    if settings.mail:
        names.append(f"smtp://{settings.mail.host}")
    lms = settings.lms.database
    local = {"localhost", "127.0.0.1", "::1"}
    if lms.get_backend_name() != "sqlite" and lms.host not in local:
        return False
    return all(name is not None and urlsplit(name).hostname in local for name in names)


def who() -> str:
    """Who gives this command, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


def all_switches(house: House) -> dict[str, AccountSwitches]:
    """The switches as they are, with the first values of accounts not seen by a cycle yet."""
    known = dict(house.ledger.switches())
    for connection in house.ledger.connections():
        known.setdefault(connection.account, house.loop.first_switches(connection.account))
    return dict(in_force(known, house.ledger.holds()))


def refuse_mistyped(house: House, account: str) -> None:
    """Switches, or a pause, of an account that is in no LMS would be in force for nobody."""
    known = set(all_switches(house))
    if account in known:
        return  # the LMS may be out of reach
    with house.lms.scan(lms_window(house.world.clock())) as scan:
        known.update(scan.accounts, scan.sessions)
    if account not in known:
        close = get_close_matches(account, sorted(known), n=1)
        close = close or [name for name in sorted(known) if name.casefold() == account.casefold()]
        guess = (
            f'Did you mean "{close[0]}"?' if close else f"There are: {', '.join(sorted(known)) or 'none'}."
        )
        raise ReconcilerError(
            "neither the LMS nor the state database knows this account",
            whose=f"account {account}",
            next_step=guess,
        )


def plans_of(house: House) -> list[PersonPlan]:
    """What one cycle of each kind would do now, ready to be printed."""
    shown = preview(house.world, all_switches(house), house.loop.guard)
    plans = {view.desired.person_id: _person_plan(view) for view in shown.views}
    for line in _mails_planned(house):
        known = plans.get(line.person) or PersonPlan(line.person, "mail", None)
        plans[line.person] = replace(known, mails=(*known.mails, line))
    return [plans[person] for person in sorted(plans)]


def _mails_planned(house: House) -> Iterator[Line]:
    """The letters that wait already, or would be planned now."""
    posting, world, now = house.loop.posting, replace(house.world, mode=Mode.SYNC), house.world.clock()
    if posting is None:
        return
    with world.lms.scan(lms_window(now)) as scan:
        switches = dict(house.ledger.switches())
        for account in scan.accounts:
            switches.setdefault(account, house.loop.first_switches(account))
        begun = Round.at(world, posting, unobserved(switches), now, lms_window(now))
        due, _ = begun.choose(scan)
    planned = {one.person for one in due}
    waiting = house.ledger.mails((MailState.WAITING,), MOST_MAILS_SHOWN)
    letters = [mail for mail in waiting if mail.person not in planned or mail.once]
    for some in batches(due):
        letters += begun.intended(some)
    for mail in letters:
        day = min((effect.day.start_instant for effect in mail.effects), default=mail.due_at)
        title = mail.effects[0].title if mail.effects else "as noted"
        yield mail_line(mail.person, mail.session, mail.slot, mail.kind, title, day)


def _person_plan(view: View) -> PersonPlan:
    provider = view.connection.provider if view.connection else None
    return PersonPlan(view.desired.person_id, provider, view.allowed, view.error)


def one_of_each(house: House, progress: Callable[[int], None] | None = None) -> list[Run]:
    """One cycle of each kind; ``progress`` is told how many people more are done."""
    loop = replace(house.loop, progress=progress)
    mailed = [loop.mail] if loop.posting is not None else []
    return [cycle() for cycle in (loop.push, loop.audit, loop.confirm, *mailed, loop.upkeep)]


def key_problems(settings: Settings) -> list[str]:
    """Key files in which there is no key."""
    try:
        read_keys([secret.path for secret in settings.tokens.key_files])
    except ConfigurationError as problem:
        return list(problem.problems)
    return []


def vendor_problems(house: House) -> list[str]:
    """Vendors whose sign-in cannot be reached, by their section in the settings."""
    found, reason = [], "Is a network.proxy or network.ca_file missing, or wrong?"
    for name, flow in house.flows.items():
        try:
            flow.try_out()
        except ReconcilerError as problem:
            found.append(f"providers.{name}: {problem}. {reason}")
    for name, sign_in in house.sign_ins.items():
        away = sign_in.try_out().items()
        found += [f"providers.{name}: {address}: {problem}. {reason}" for address, problem in away]
    return found


def explained(house: House, person: str, session: str | None) -> str:
    """The whole story of one person's events, in one session or all."""
    switches = all_switches(house)
    (view,) = look_at(house.world, switches, [person], look=frozenset([person]))
    own = switches.get(view.connection.account) if view.connection else None
    confirming, ledger = house.loop.confirming, house.ledger
    told = confirming is not None and house.world.policy.gives_back
    policy = replace(confirming.policy, mode=unregister_of(house.world, own)) if confirming and told else None
    return story(
        Told(
            view=view,
            switches=own,
            policy=policy,
            history=ledger.history(person, session),
            answers=ledger.answers(person, session),
            evidence=ledger.evidence(person, session),
            session=session,
            now=house.world.clock(),
        )
    )
