"""A whole house in a folder: an LMS, our state, both vendors over HTTPS, settings as YAML, and the program.

::

    with a_house(folder, ledger_url) as house:
        house.lms.book("ana", house.lms.add_session(ON_MONDAY))
        house.connect("ana", "google")
        house.once()
        assert [event.title for event in house.seen("ana")] == ["Title of session-1"]

The program runs in this process, wired by the real composition root from the real settings file, by a clock
that stands still until it is told to move; or as the process that its users start. On leaving, nothing may
have been asked that the vendors' own descriptions do not allow, no foreign event may have been shown, and
the events of the calendars' owners must be what they were, byte for byte.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from click.testing import CliRunner, Result
from prometheus_client import generate_latest

from reconciler.bootstrap import House, open_house
from reconciler.cli import main
from reconciler.commands import one_of_each, plans_of
from reconciler.ledger.enrolment import Grant
from reconciler.lms.reference_tables import create_schema
from reconciler.model import Connection, LedgerEntry, State
from reconciler.ports import Run, SignIn
from reconciler.providers.throttle import Sleep
from reconciler.render import Line, lines_of
from reconciler.settings import load
from reconciler.simulators.google import CLIENT
from reconciler.simulators.lms import SmallLms, When
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET
from reconciler.tokens.cipher import generate_key
from reconciler.welcome import grant_of
from tests.support.caldav_relay import Radicale
from tests.support.caldav_servers import PASSWORD
from tests.support.google import impatient
from tests.support.microsoft_bed import certificates
from tests.support.vendors import WRITES, Google, Microsoft, Seen, Vendor

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MONDAY = When(datetime(2026, 12, 7, 9), datetime(2026, 12, 7, 17))
TUESDAY = When(datetime(2026, 12, 8, 9), datetime(2026, 12, 8, 17))
WEDNESDAY = When(datetime(2026, 12, 9, 9), datetime(2026, 12, 9, 17))
Values = Mapping[str, Any]


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, span: timedelta) -> None:
        """Let this much time pass."""
        self.now += span

    def sleep(self, seconds: float) -> None:
        """How the program waits for a vendor."""
        impatient(seconds)


@dataclass
class HouseBed:
    """The house and what stands around it. ``lms`` is there where the LMS is the small one."""

    folder: Path
    values: Values
    clock: SetClock
    google: Google
    microsoft: Microsoft
    addresses: dict[str, tuple[Vendor | Radicale, str]] = field(default_factory=dict)
    written: SmallLms | None = None
    caldav: Radicale | None = None
    _opened: ExitStack | None = None
    _house: House | None = None
    _own: str = ""

    @property
    def config(self) -> Path:
        return self.folder / "reconciler.yaml"

    @property
    def lms(self) -> SmallLms:
        """The rows of the small LMS."""
        assert self.written is not None
        return self.written

    @property
    def vendors(self) -> tuple[Vendor | Radicale, ...]:
        return self.google, self.microsoft, *([self.caldav] if self.caldav else [])

    # The program ----------------------------------------------------------------------------------

    @property
    def house(self) -> House:
        """The program, as its commands find it. Kept open until it is closed or configured anew."""
        if self._house is None:
            self._opened = ExitStack()
            self._house = self._opened.enter_context(open_house(load(self.config), self.clock))
            for provider in self._house.providers.values():
                _hurry(provider, self.clock.sleep)
        return self._house

    def close(self) -> None:
        """The program ends, as a process does."""
        if self._opened is not None:
            self._opened.close()
        self._opened = self._house = None

    def configure(self, **sections: Any) -> None:
        """Other settings from now on, laid over those in force; the program is started anew."""
        self.close()
        self.values = laid_over(self.values, sections)
        self.config.write_text(yaml.safe_dump(dict(self.values), allow_unicode=True), "utf-8")

    def once(self) -> list[Run]:
        """A minute later, one cycle of each kind."""
        self.clock.move(MINUTE)
        return one_of_each(self.house.take_up())

    def push(self) -> Run:
        """A minute later, a push alone."""
        self.clock.move(MINUTE)
        return self.house.take_up().loop.push()

    def audit(self, later: timedelta = DAY) -> Run:
        """A day later, when every calendar is due, an audit alone."""
        self.clock.move(later)
        return self.house.take_up().loop.audit()

    def plan(self) -> list[Line]:
        """What `plan` shows."""
        return [line for one in plans_of(self.house) for line in lines_of(one)]

    def metrics(self) -> str:
        """What /metrics would show."""
        return generate_latest(self.house.metrics.registry).decode()

    def explained(self, person: str, session: str | None = None) -> str:
        """What `explain` says."""
        return self.cli("explain", *self.at(), person, *([session] if session else [])).stdout

    def cli(self, *arguments: str, input: str | None = None) -> Result:
        """The command line, in this process."""
        given = ["--config", str(self.config), *arguments]
        return CliRunner().invoke(main, given, input=input, catch_exceptions=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The program as its user starts it, under way."""
        command = [sys.executable, "-m", "reconciler", "--config", str(self.config), *arguments]
        output = subprocess.PIPE
        return subprocess.Popen(command, stdout=output, stderr=output, text=True, cwd=ROOT)

    def at(self) -> tuple[str, str]:
        """``--now`` with the present instant."""
        return "--now", self.clock().isoformat()

    # People ---------------------------------------------------------------------------------------

    def connect(self, person: str, vendor: str, address: str | None = None) -> Connection:
        """Connect somebody's calendar: again, if they had one here."""
        at = self.google if vendor == "google" else self.microsoft
        address = address or f"{person}@{vendor}.example"
        known = self.addresses.get(person)
        granted = at.again(address) if known == (at, address) else at.grant(address)
        self.remember_own_events()
        self.addresses[person] = (at, address)
        who = self.house.person(person)
        grant = Grant(person, who.account, vendor, granted.subject, address, granted.calendar, who.identity)
        credentials = {"refresh_token": granted.refresh_token}
        return self.house.welcome.begin(grant, credentials, "test", "test")

    def sign_in(self, person: str) -> Connection:
        """Connect somebody's calendar by user name and password."""
        assert self.caldav is not None
        self.caldav.move_in(person)
        self.remember_own_events()
        self.addresses[person] = (self.caldav, person)
        flow = self.house.sign_ins["caldav"]
        sign_in = SignIn(self.caldav.address, person, PASSWORD)
        (offer,) = flow.calendars(sign_in)
        granted = flow.finish(sign_in, offer.id)
        grant = grant_of(self.house.person(person), "caldav", granted)
        return self.house.welcome.begin(grant, granted.credentials, "test", "test")

    def disconnect(self, person: str) -> None:
        self.house.ledger.disconnect(person, "test", "test", self.clock())

    def switch(self, account: str = "acme", **switches: Any) -> None:
        """The account's owner, or an operator, changes switches of the account."""
        ledger = self.house.ledger
        known = ledger.switches().get(account) or self.house.loop.first_switches(account)
        ledger.set_switches(replace(known, **switches), "test", self.clock())

    def newcomer(self, person: str, vendor: str, *sessions: str) -> None:
        """A person of the small LMS, booked into these sessions and connected."""
        self.lms.add_person(person)
        for session in sessions:
            self.lms.book(person, session)
        self.sign_in(person) if vendor == "caldav" else self.connect(person, vendor)

    def rename_lms_table(self, old: str, new: str) -> None:
        """A table of the small LMS goes under another name: it cannot be read, or can be again."""
        with closing(sqlite3.connect(self.folder / "lms.db")) as lms:
            lms.execute(f"ALTER TABLE {old} RENAME TO {new}")

    # What is there --------------------------------------------------------------------------------

    def seen(self, *people: str) -> list[Seen]:
        """Everything in these people's calendars (everybody's, if none is named) but their own events."""
        found: list[Seen] = []
        for person, (vendor, address) in self.addresses.items():
            if not people or person in people:
                found += vendor.events(address, person)
        return sorted(found)

    def titles(self, person: str) -> list[str]:
        return [event.title for event in self.seen(person)]

    def remove(self, person: str, title: str | None = None) -> None:
        """A calendar's owner deletes the events of this title, or all of ours."""
        vendor, address = self.addresses[person]
        for event in self.seen(person):
            if title in (None, event.title):
                vendor.remove(address, event.id)

    def entries(self, person: str) -> list[LedgerEntry]:
        return list(self.house.ledger.entries([person])[person])

    def states(self, person: str) -> list[State]:
        """What the ledger says of each of a person's events, in order of key."""
        return [entry.state for entry in self.entries(person)]

    def connection(self, person: str) -> Connection:
        (one,) = self.house.ledger.connections([person])
        return one

    def calls(self) -> Counter[str]:
        """What was asked of the vendors since :meth:`count_anew`, by operation, tokens left out."""
        return self.google.calls() + self.microsoft.calls()

    def writes(self) -> int:
        return sum(count for operation, count in self.calls().items() if operation in WRITES)

    def count_anew(self) -> None:
        """Forget what was asked so far, if nothing was wrong with it."""
        self.hold_to_what_never_happens()
        for vendor in self.vendors:
            vendor.recorder.clear()

    def remember_own_events(self) -> None:
        """What the calendars' owners have of their own: nobody may ever touch it."""
        self._own = "".join(vendor.own_events() for vendor in self.vendors)

    def hold_to_what_never_happens(self) -> None:
        """No request against the vendors' descriptions, no foreign event shown, none of them touched."""
        assert [wrong for vendor in self.vendors for wrong in vendor.wrongs()] == []
        assert "".join(vendor.own_events() for vendor in self.vendors) == self._own


@contextmanager
def a_house(
    folder: Path,
    state: str,
    lms: Values | None = None,
    clock: SetClock | None = None,
    caldav: Radicale | None = None,
    **sections: Any,
) -> Iterator[HouseBed]:
    """A house with nobody in it. ``lms`` is the settings' section; the small LMS, made anew, without it.

    ``state`` is the URL of a state database with our schema; ``sections`` are laid over the settings.
    """
    with ExitStack() as stack:
        google, microsoft = Google(), Microsoft()
        urls = [stack.enter_context(one.serve(certificates())).url for one in (google, microsoft)]
        bed = HouseBed(folder, {}, clock or SetClock(NOW), google, microsoft)
        if lms is None:
            lms, bed.written = _small_lms(folder, stack.callback)
        _write_secrets(folder)
        where = {"witness_file": str(folder / "witness"), **database(folder, "state", state)}
        bed.configure(**laid_over(_settings(*urls), {"lms": lms, "state": where, **sections}))
        if caldav is not None:
            bed.caldav = caldav
            bed.configure(
                providers={"caldav": {"allowed_hosts": [caldav.address]}},
                accounts={"defaults": {"vendors": ["google", "microsoft", "caldav"]}},
            )
        stack.callback(bed.close)
        bed.remember_own_events()
        yield bed
        bed.hold_to_what_never_happens()


def _hurry(provider: Any, sleep: Sleep) -> None:
    """Back off in no time; what is asked of a vendor, and how often, stays the same."""
    throttles = [
        one.throttle if hasattr(one, "throttle") else one._throttle
        for one in (getattr(provider, name, None) for name in ("_client", "_graph", "_wire"))
        if one is not None
    ]
    assert throttles
    for throttle in throttles:
        throttle.sleep = sleep


def _small_lms(folder: Path, later: Callable[..., object]) -> tuple[Values, SmallLms]:
    engine = sa.create_engine(f"sqlite:///{folder}/lms.db")
    later(engine.dispose)
    create_schema(engine)
    lms = SmallLms(engine)
    lms.add_account()
    return {"adapter": "reference", "url": "sqlite:///lms.db"}, lms


def _settings(google: str, microsoft: str) -> Values:
    return {
        "installation": {"id": "test"},
        "tokens": {"key_files": ["token-key"]},
        "intervals": {"jitter": 0.0},
        "providers": {
            "google": {"client_id": CLIENT.id, "client_secret_file": "google-secret"},
            "microsoft": {"client_id": DEFAULT_CLIENT_ID, "secret_file": "microsoft-secret"},
        },
        "accounts": {"defaults": {"vendors": ["google", "microsoft"]}},
        "dispatch": {"threads": 4},
        "network": {
            "ca_file": str(certificates().ca_file),
            "timeout": "10s",
            "endpoints": {
                **dict.fromkeys(("google_api", "google_oauth"), google),
                **dict.fromkeys(("microsoft_graph", "microsoft_login"), microsoft),
            },
        },
    }


def _write_secrets(folder: Path) -> None:
    secrets = {
        "token-key": generate_key(),
        "google-secret": CLIENT.secret,
        "microsoft-secret": DEFAULT_SECRET,
    }
    for name, secret in secrets.items():
        _write_secret(folder / name, secret)


def _write_secret(file: Path, secret: str) -> None:
    with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(secret)


def database(folder: Path, name: str, url: str) -> dict[str, str]:
    """A database of a test as settings speak of it: its password in a file."""
    parsed = sa.make_url(url)
    section = {}
    if parsed.password is not None:
        _write_secret(folder / f"{name}-password", str(parsed.password))
        section["password_file"] = f"{name}-password"
    plain = parsed.set(drivername=parsed.get_backend_name(), password=None)
    return {"url": plain.render_as_string(), **section}


def laid_over(values: Values, sections: Values) -> dict[str, Any]:
    """``values`` with those of ``sections`` instead or besides, key by key; None takes one away."""
    merged = dict(values)
    for name, value in sections.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = laid_over(merged[name], value)
        else:
            merged[name] = value
    return merged
