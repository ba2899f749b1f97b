"""Everything the story needs, in a temporary folder: the LMS, both vendors, the settings, and the program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
import yaml

from reconciler import bootstrap
from reconciler.bootstrap import House, open_house
from reconciler.commands import explained, one_of_each, plans_of
from reconciler.demo.cast import PLAYERS, Player, enrol
from reconciler.demo.vendors import Google, Interrupted, Microsoft, Seen
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema
from reconciler.model import LedgerEntry
from reconciler.ports import Run
from reconciler.render import as_text, lines_of
from reconciler.settings import load
from reconciler.simulators.certificates import make_certificates
from reconciler.simulators.google import CLIENT
from reconciler.simulators.lms import SmallLms
from reconciler.simulators.mail import MailServer
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET
from reconciler.simulators.wire import Fault
from reconciler.status import as_text as status_text
from reconciler.status import status_of
from reconciler.tokens.cipher import generate_key

GOOGLE_SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
SETTINGS = f"""\
# What `make demo` runs with: reference tables in SQLite, and both vendors simulated on this machine. The demo
# writes this file into a folder of its own, beside the files named here and with the ports of the moment.

installation:
  id: demo

lms:
  adapter: reference
  url: sqlite:///lms.db

state:
  url: sqlite:///state.db
  witness_file: witness

tokens:
  key_files: [token-key]

providers:
  google:
    client_id: {CLIENT.id}
    client_secret_file: google-client-secret
  microsoft:
    client_id: {DEFAULT_CLIENT_ID}
    secret_file: microsoft-client-secret

accounts:
  defaults:
    vendors: [google, microsoft]

network:
  ca_file: ca.pem
  endpoints:
    google_api: https://localhost:8443
    google_oauth: https://localhost:8443
    microsoft_graph: https://localhost:8444
    microsoft_login: https://localhost:8444
"""


class StoryClock:
    """A clock that ticks, and jumps ahead when the story does."""

    def __init__(self, starts: datetime) -> None:
        self._ahead = starts - bootstrap.now()

    def __call__(self) -> datetime:
        """The story's present instant."""
        return bootstrap.now() + self._ahead

    def jump(self, span: timedelta) -> None:
        """Let this much time pass."""
        self._ahead += span


@dataclass(frozen=True)
class Stage:
    """What the scenes are played on. Its methods are the commands an operator has, and a look at the
    calendars behind the program's back."""

    folder: Path
    clock: StoryClock
    lms: SmallLms
    google: Google
    microsoft: Microsoft

    @property
    def config(self) -> Path:
        """The settings' file."""
        return self.folder / "reconciler.yaml"

    @contextmanager
    def mailing(self) -> Iterator[MailServer]:
        """From now on mails go out, to a server on this machine."""
        settings = yaml.safe_load(self.config.read_text("utf-8"))
        with MailServer().serve() as server:
            settings["mail"] = {
                "host": "127.0.0.1",
                "port": server.port,
                "tls": "none",
                "from_address": "training@acme.example",
                "from_name": "Acme Training",
            }
            before = self.config.read_text("utf-8")
            self.config.write_text(yaml.safe_dump(settings), "utf-8")
            try:
                yield server
            finally:
                self.config.write_text(before, "utf-8")

    # The program ----------------------------------------------------------------------------------

    @contextmanager
    def house(self) -> Iterator[House]:
        """The program, started anew as each command does."""
        with open_house(load(self.config), self.clock) as house:
            yield house

    def plan(self) -> tuple[str, int]:
        """``reconciler plan``: what it prints, and how many changes that are."""
        with self.house() as house:
            plans = plans_of(house)
        return as_text(plans), sum(1 for one in plans for _ in lines_of(one))

    def once(self) -> list[Run]:
        """``reconciler once``."""
        with self.house() as house:
            return one_of_each(house.take_up())

    def explain(self, person: str, session: str) -> str:
        """``reconciler explain``."""
        with self.house() as house:
            return explained(house, person, session)

    def status(self) -> tuple[str, bool]:
        """``reconciler status``: what it prints, and whether all is well."""
        with self.house() as house:
            found = status_of(house.ledger, self.clock())
        return status_text(found), found.healthy

    def command(self, *words: str) -> tuple[str, int]:
        """Any other command as a process of its own: what it prints, and its exit code."""
        line = [sys.executable, "-m", "reconciler", "-c", str(self.config), *words]
        ended = subprocess.run(  # noqa: S603 - this very program
            [*line, "--now", self.clock().isoformat()], capture_output=True, text=True, check=False
        )
        return ended.stdout + ended.stderr, ended.returncode

    def killed_in(self, vendor: Interrupted) -> int:
        """``reconciler once`` as a process of its own, killed between the creation of an event at this
        vendor and its answer; the exit code."""
        command = [sys.executable, "-m", "reconciler", "-c", str(self.config)]
        child = subprocess.Popen(  # noqa: S603 - this very program
            [*command, "once", "--now", self.clock().isoformat()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def kill() -> None:
            child.kill()
            child.wait()  # dead before the answer leaves

        try:
            with vendor.striking(kill):
                return child.wait(timeout=120)
        finally:
            kill()

    def entry(self, person: str, session: str) -> LedgerEntry | None:
        """What our ledger says of the first day of a session."""
        with self.house() as house:
            rows = house.ledger.entries([person])[person]
        return next((row for row in rows if row.key.session == session), None)

    # The calendars --------------------------------------------------------------------------------

    def seen(self) -> list[Seen]:
        """Everything in everybody's calendars, read from the vendors' own stores."""
        found: list[Seen] = []
        for player in PLAYERS:
            if player.vendor == "google":
                found += self.google.seen(player.id, player.address)
            elif player.vendor == "microsoft":
                found += self.microsoft.seen(player.id, player.address)
        return found

    def find(self, person: str, title: str) -> Seen:
        """Somebody's first event of that title; ``LookupError`` if there is none."""
        for event in self.seen():
            if (event.person, event.title) == (person, title):
                return event
        raise LookupError(f"no event {title} in the calendar of {person}")

    def google_event(self, seen: Seen) -> dict[str, Any]:
        """All that Google has of it."""
        events = self.google.owner.dump(self.address(seen.person))
        return next(event for event in events if event["id"] == seen.id)

    def microsoft_event(self, seen: Seen) -> dict[str, Any]:
        """All that Microsoft has of it."""
        events = self.microsoft.owner(self.address(seen.person)).look()
        return next(event for event in events if event["id"] == seen.id)

    def delete(self, seen: Seen) -> None:
        """Its owner deletes it: into the bin."""
        if self._is_google(seen):
            self.google.owner.delete(self.address(seen.person), seen.id)
        else:
            self.microsoft.owner(self.address(seen.person)).delete(seen.id)

    def take_back(self, seen: Seen) -> None:
        """Its owner takes it out of the bin again."""
        if self._is_google(seen):
            self.google.owner.restore(self.address(seen.person), seen.id)
        else:
            self.microsoft.owner(self.address(seen.person)).restore(seen.id)

    def _is_google(self, seen: Seen) -> bool:
        return any(player.id == seen.person and player.vendor == "google" for player in PLAYERS)

    @contextmanager
    def hidden_at_google(self) -> Iterator[None]:
        """While Google answers each listing with an empty one, and that any event asked for is gone."""
        listing = Fault("empty_list", "list", times=-1)
        gone = (Fault("status", name, times=-1, status=410) for name in ("get", "create", "update", "delete"))
        self.google.faults.add(listing, *gone)
        try:
            yield
        finally:
            self.google.faults.clear()

    def address(self, person: str) -> str:
        """Somebody's address at their vendor."""
        return next(player.address for player in PLAYERS if player.id == person)

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self.google.recorder.clear()
        self.microsoft.recorder.clear()

    # Setting up -----------------------------------------------------------------------------------

    def connect(self, people: Collection[str]) -> None:
        """What the consent pages end with: these players' calendars connected."""
        with self.house() as house:
            for player in PLAYERS:
                if player.vendor and player.id in people:
                    subject, calendar, token = self._granted(player)
                    grant = Grant(
                        player.id, "acme", player.vendor, subject, player.address, calendar, player.id
                    )
                    house.welcome.begin(grant, {"refresh_token": token}, "demo", "demo")

    def _granted(self, player: Player) -> tuple[str, str, str]:
        """The vendor's account, made now: its immutable subject, its calendar, a refresh token."""
        address = player.address
        if player.vendor == "google":
            subject = self.google.store.accounts[address].sub
            return subject, address, self.google.issue_refresh_token(address, GOOGLE_SCOPES)
        mailbox = self.microsoft.mailbox(address)
        subject = f"{mailbox.account.tenant}:{mailbox.account.oid}"
        return subject, mailbox.default.id, self.microsoft.issue_refresh_token(address)


CONNECTED = tuple(player.id for player in PLAYERS if player.vendor)
"""Whose calendars are connected when the story begins."""


@contextmanager
def set_up(
    starts: datetime,
    connected: Collection[str] = CONNECTED,
    sections: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """The stage, with everybody in the LMS and no session yet; gone without trace afterwards.

    ``sections`` are laid over the settings that the story has, ``secrets`` lie in files beside them.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="reconciler-demo-")))
        google, microsoft = Google(), Microsoft()
        certificates = make_certificates(folder)
        served = [stack.enter_context(one.serve(certificates)) for one in (google, microsoft)]
        text = _settings(served[0].url, served[1].url, sections or {})
        (folder / "reconciler.yaml").write_text(text, "utf-8")
        _write_secrets(folder, secrets or {})
        engine = sa.create_engine(f"sqlite:///{folder}/lms.db")
        stack.callback(engine.dispose)
        create_schema(engine)
        stage = Stage(folder, StoryClock(starts), SmallLms(engine), google, microsoft)
        enrol(stage.lms)
        _move_in(google, microsoft)
        database = open_database(f"sqlite:///{folder}/state.db")
        stack.callback(database.close)
        upgrade(database)
        stage.connect(connected)
        yield stage


def _settings(google: str, microsoft: str, sections: Mapping[str, Any]) -> str:
    text = SETTINGS.replace("https://localhost:8443", google).replace("https://localhost:8444", microsoft)
    whole = yaml.safe_load(text)
    for name, values in sections.items():
        whole[name] = {**whole.get(name, {}), **values}
    return yaml.safe_dump(whole) if sections else text


def _move_in(google: Google, microsoft: Microsoft) -> None:
    """Everybody's account at their vendor."""
    for player in PLAYERS:
        if player.vendor == "google":
            google.add_account(player.address, "Europe/Vienna")
        elif player.vendor == "microsoft":
            microsoft.add_account(player.address, name=player.name)


def _write_secrets(folder: Path, more: Mapping[str, str]) -> None:
    secrets = {
        "token-key": generate_key(),
        "google-client-secret": CLIENT.secret,
        "microsoft-client-secret": DEFAULT_SECRET,
        **more,
    }
    for name, secret in secrets.items():
        file = os.open(folder / name, os.O_CREAT | os.O_WRONLY, 0o600)
        with open(file, "w", encoding="utf-8") as out:
            out.write(secret)
