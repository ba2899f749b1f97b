"""Everything the live demo needs, under way: the stage of the story, the daemon, and the pages' addresses."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any

import jwt

from reconciler import bootstrap
from reconciler.demo.cast import PLAYERS, SEASON, WELDING, Player, monday_after, schedule
from reconciler.demo.live.calendars import Calendar, GoogleCalendar, OutlookCalendar
from reconciler.demo.stage import Stage, set_up
from reconciler.errors import ReconcilerError
from reconciler.ledger.store import SqlLedger
from reconciler.settings import load
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET, ClientApp

GRACE = timedelta(seconds=15)
PUSH, AUDIT = timedelta(seconds=1), timedelta(seconds=2)
AT_FIRST = ("ben", "chloe", "dev", "ivy")
"""Whose calendars are connected at the start; Ana's is left for whoever looks on."""
OWNER = Player("olga", "Olga", None)
PREFIX = "/my-calendar"
"""Under which the program's own pages lie."""
_KID, _LAUNCH_SECRET = "acme-demo", "launch-secret"
_OWN = {
    "google": (("Team meeting", 0, 8, 9), ("Dentist", 2, 14, 15), ("Lunch with Sam", 3, 12, 13)),
    "microsoft": (("Team meeting", 0, 8, 9), ("One to one", 2, 10, 11), ("Gym", 4, 17, 18)),
}
"""Everybody's own events: title, day, hours. Nobody touches them."""
_START = 120.0  # seconds in which the daemon has to be there
_STOP = 20.0


@dataclass(frozen=True)
class Town:
    """What stands and runs. ``public`` is where browsers find it; ``led`` are the vendors' addresses as the
    program knows them, and as browsers can open them; ``behind`` is the port of the program's pages."""

    stage: Stage
    ledger: SqlLedger
    daemon: subprocess.Popen[bytes]
    public: str
    behind: int
    led: Mapping[str, str]
    grace: timedelta
    secret: str
    monday: date

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.stage.folder / "log"

    def player(self, person: str) -> Player:
        """Somebody with a calendar. ``KeyError`` for anybody else."""
        found = {player.id: player for player in PLAYERS if player.vendor}
        return found[person]

    def calendar(self, person: str) -> Calendar:
        """Their calendar at their vendor."""
        player = self.player(person)
        if player.vendor == "google":
            return GoogleCalendar(self.stage.google, player.address)
        return OutlookCalendar(self.stage.microsoft, player.address)

    def launch_link(self, person: str, role: str, back: str) -> str:
        """What the LMS makes when somebody follows its link to the program's pages
        (docs/connect-from-your-lms.md)."""
        now = int(time.time())
        claims = {
            "aud": f"{self.public}{PREFIX}",
            "sub": person,
            "account": "acme",
            "role": role,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "return_to": f"{self.public}{back}",
        }
        token = jwt.encode(claims, self.secret, "HS256", headers={"kid": _KID})
        return f"{PREFIX}/launch?token={token}"


@contextmanager
def a_town(port: int, grace: timedelta = GRACE) -> Iterator[Town]:
    """The whole of it, to be served at that port of this machine; gone without trace afterwards."""
    public, behind, secret = f"http://localhost:{port}", free_port(), secrets.token_urlsafe(48)
    with ExitStack() as stack:
        sections = _sections(public, behind, grace)
        now = bootstrap.now()
        stage = stack.enter_context(set_up(now, AT_FIRST, sections, {_LAUNCH_SECRET: secret}))
        app = ClientApp(DEFAULT_CLIENT_ID, DEFAULT_SECRET, {f"{public}{PREFIX}/oauth/microsoft/callback"})
        stage.microsoft.directory.register_app(app)
        vendors = {"google_oauth": stage.google, "microsoft_login": stage.microsoft}
        known = load(stage.config).network.endpoints
        led = {
            str(getattr(known, name)): stack.enter_context(vendor.serve()).url
            for name, vendor in vendors.items()
        }
        monday = monday_after(now)
        _furnish(stage, monday)
        ledger = bootstrap.open_state(load(stage.config))
        stack.callback(ledger.close)
        log = stack.enter_context((stage.folder / "log").open("wb"))
        daemon = stack.enter_context(_daemon(stage.config, log))
        town = Town(stage, ledger, daemon, public, behind, led, grace, secret, monday)
        for player in PLAYERS:
            if player.vendor:
                _own_events(town, player)
        _await(town)
        yield town


def _sections(public: str, behind: int, grace: timedelta) -> Mapping[str, Any]:
    """What is other than in the story: pages, short intervals, guards that forget within a minute."""
    audit, short = f"{AUDIT.seconds}s", f"{grace.seconds}s"
    return {
        "installation": {"public_url": f"{public}{PREFIX}"},
        "web": {
            "listen": f"127.0.0.1:{behind}",
            "trusted_proxy": "127.0.0.1",
            "launch_keys": {
                _KID: {"account": "acme", "secret_file": _LAUNCH_SECRET, "return_to": [public]},
            },
        },
        "intervals": {
            "push": f"{PUSH.seconds}s",
            "confirm": "1s",
            "jitter": 0.0,
            "audit": {"soon": audit, "fortnight": audit, "later": audit},
        },
        "unregister": {
            "grace": short,
            "grace_near": short,
            "person_guard": {"within": "1m"},
            "fleet_guard": {"within": "1m"},
        },
        "ops": {"listen": f"127.0.0.1:{free_port()}"},
    }


def _furnish(stage: Stage, monday: date) -> None:
    """The LMS of the story, and somebody who owns its account."""
    stage.lms.add_person(OWNER.id, name=OWNER.name, email=OWNER.address)
    for course in (*SEASON, WELDING):
        schedule(stage.lms, course, monday)


def _own_events(town: Town, player: Player) -> None:
    calendar = town.calendar(player.id)
    for title, offset, first, last in _OWN[player.vendor or ""]:
        day = datetime.combine(town.monday, datetime.min.time()) + timedelta(days=offset)
        calendar.add(title, day + timedelta(hours=first), day + timedelta(hours=last))


@contextmanager
def _daemon(config: Path, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """``reconciler run`` as a process of its own; stopped as its operators stop it."""
    command = [sys.executable, "-m", "reconciler", "--config", str(config), "run"]
    running = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - this very program
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(_STOP)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _await(town: Town) -> None:
    """Until the daemon serves its pages."""
    until = time.monotonic() + _START
    while time.monotonic() < until and town.daemon.poll() is None:
        try:
            pages = HTTPConnection("127.0.0.1", town.behind, timeout=5)
            pages.request("GET", f"{PREFIX}/privacy")
            pages.getresponse()
            pages.close()
            return
        except OSError:
            time.sleep(0.1)
    raise ReconcilerError(f"the daemon did not start; it said:\n{town.log.read_text('utf-8', 'replace')}")


def free_port(wanted: int = 0) -> int:
    """That port of this machine, or one that nobody listens at."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
