"""## CalDAV, beside vdirsyncer

What it costs to keep a calendar on a real server: the adapter beside vdirsyncer 0.21 (installed into an
environment of its own under `build/`), on the same Radicale and the same Xandikos, their data in memory. The
same steps: every event new, nothing to do (the second time), ten changes (five updates, three new, two
deleted), and nothing to do in many calendars of ten events. Requests are counted by the adapter's transport.
Xandikos, which makes a commit in Git of each change, is given fewer events and calendars. The quick
benchmark keeps to Radicale.

CPU for a new event: what each further one takes, that is, the difference between many and ten, on both
sides, each given what is to be written: the adapter its drafts, vdirsyncer its files. CPU to find nothing to
do: of the adapter in a daemon that runs, beside that of a whole run of vdirsyncer, which is started for every
look; and what each further calendar takes, on both sides.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Scale, median_ratio
from benchmarks.home import folder_of_its_own
from reconciler.diff.fields import made_as, token_of
from reconciler.model import Connection, ConnectionState, Content, Day, Draft, EventKey, Marker
from reconciler.ports import SignIn
from reconciler.providers.caldav.connect import CalDavSignIn
from reconciler.providers.caldav.mapping import object_of
from reconciler.providers.caldav.provider import CalDavProvider
from tests.support.caldav_bed import OneLogin, a_wire
from tests.support.caldav_servers import PASSWORD, USER, CalDavServer, radicale, xandikos

_FEW = 10
_RUNS = 3
_PEER = Path("build/vdirsyncer")
_SINCE = datetime(2026, 11, 30, tzinfo=UTC)
_TEXT = "Bring what you need to write, and the shoes that the workshop asks for. " * 4


def main(scale: Scale) -> list[Figure]:
    """The figures of both servers."""
    sizes = [("radicale", radicale, 100, 10)]
    if scale.name == "full":
        sizes = [("radicale", radicale, 1_000, 50), ("xandikos", xandikos, 250, 10)]
    _install_peer()
    found: list[Figure] = []
    for name, start, events, calendars in sizes:
        with start() as server, folder_of_its_own() as folder:
            runs = min(scale.runs, _RUNS)
            found += _one_calendar(f"caldav_{name}", server, folder, events)
            found.append(_further_events(f"caldav_{name}", server, folder, events, runs))
            found += _many_calendars(f"caldav_{name}", server, folder, calendars, runs)
    return found


def _one_calendar(key: str, server: CalDavServer, folder: Path, events: int) -> list[Figure]:
    ours = _ours(server, folder, events)
    return [
        Figure(f"{key}_requests_first", ours["first"]["requests"], f"requests for {events} new events",
               f"at most {events + 2}"),
        Figure(f"{key}_requests_idle", ours["idle"]["requests"], "requests when there is nothing to do", "1"),
        Figure(f"{key}_requests_ten", ours["ten"]["requests"], "requests for ten changes", "at most 12"),
        Figure(f"{key}_idle_bytes", ours["idle"]["bytes"], "bytes of the answer then", "below 1,000"),
    ]  # fmt: skip


def _further_events(key: str, server: CalDavServer, folder: Path, events: int, runs: int) -> Figure:
    """Many events beside ten, several times: no two runs on one server take the same."""

    def ours(number: int) -> float:
        given = _connected(server, folder, [server.new_calendar()])
        return _step("first", given, number)["cpu"]

    taken = [
        [(ours(number), _peer(server, folder, number, run)) for number in (events, _FEW)]
        for run in range(runs)
    ]
    ratio = median_ratio([(many[0] - few[0], many[1] - few[1]) for many, few in taken])
    return Figure(f"{key}_cpu_event", ratio, "our CPU for a new event to vdirsyncer's", "at most 0.5")


def _many_calendars(key: str, server: CalDavServer, folder: Path, calendars: int, runs: int) -> list[Figure]:
    many, one = (_settled(server, folder, number) for number in (calendars, 1))
    looked = [[(_look(given), _sync(home)) for given, home in (many, one)] for _ in range(runs)]
    whole = median_ratio([here for here, _ in looked])
    found = [
        Figure(f"{key}_cpu_idle", whole,
               f"our CPU to find nothing to do in {calendars} calendars to a run of vdirsyncer's",
               "at most 0.33"),
    ]  # fmt: skip
    if calendars > _FEW:  # with fewer, what each takes is less than what two runs differ by
        further = median_ratio([(a - c, b - d) for (a, b), (c, d) in looked])
        found.append(Figure(f"{key}_cpu_idle_calendar", further, "the same for each further calendar alone"))
    return found


def _settled(server: CalDavServer, folder: Path, calendars: int) -> tuple[dict[str, Any], Path]:
    """So many calendars in which there is nothing to do: as ours, and as vdirsyncer's."""
    given = _connected(server, folder, [server.new_calendar() for _ in range(calendars)])
    for step in ("first", "settle"):
        _step(step, given, _FEW)
    home = folder / f"peer-of-{calendars}-calendars"
    _fill(home, [server.new_calendar() for _ in range(calendars)], _FEW)
    _configure(server, home)
    _sync(home)
    return given, home


def _look(given: Mapping[str, Any]) -> float:
    return _step("idle", given, 0)["cpu"]


# Ours ---------------------------------------------------------------------------------------------


class _Kept:
    """A ledger's memory of calendars, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def recall(self, connection: Connection) -> str | None:
        """What was remembered of one calendar."""
        file = self._file.with_suffix(f".{connection.id}")
        return file.read_text() if file.exists() else None

    def remember(self, connection: Connection, text: str) -> None:
        """Remember this instead."""
        self._file.with_suffix(f".{connection.id}").write_text(text)


def _ours(server: CalDavServer, folder: Path, events: int) -> dict[str, dict[str, float]]:
    given = _connected(server, folder, [server.new_calendar()])
    steps = {"first": events, "settle": 0, "idle": 0, "ten": events}
    return {step: _step(step, given, number) for step, number in steps.items()}


def _connected(server: CalDavServer, folder: Path, paths: list[str]) -> dict[str, Any]:
    """What a step is given: the server, and each calendar as it was connected."""
    _, wire = a_wire(server)
    granted = CalDavSignIn(wire).finish(SignIn(server.address, USER, PASSWORD), paths[0])
    described = {name: getattr(server, name) for name in ("name", "origin", "home")}
    kept = str(folder / f"memory-{paths[0].strip('/').replace('/', '-')}")
    return {"server": described, "paths": paths, "credentials": dict(granted.credentials), "kept": kept}


def _step(step: str, given: Mapping[str, Any], number: int) -> dict[str, float]:
    """One step in a process of its own: requests, bytes of all answers, and its CPU, once it runs."""
    arguments = json.dumps({**given, "step": step, "number": number})
    command = [sys.executable, "-m", "benchmarks.bench_caldav", arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _in_process(given: Mapping[str, Any]) -> None:
    transport, wire = a_wire(CalDavServer(**given["server"]))
    provider = CalDavProvider(wire, OneLogin(given["credentials"]), _Kept(Path(given["kept"])), "bench")
    drafts = [_draft(one) for one in range(given["number"] + 3)]
    begun = _spent()
    for number, path in enumerate(given["paths"], 1):
        connection = Connection(
            number, "ana", "acme", "caldav", "subject", "address", path, "ana", ConnectionState.CONNECTED
        )
        _work(provider, connection, given["step"], drafts)
    spent = _spent() - begun
    answers = [answer for _, _, answer in transport.seen]
    found = {"requests": len(answers), "bytes": sum(len(answer.body) for answer in answers)}
    print(json.dumps({**found, "cpu": spent}))


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _work(provider: CalDavProvider, connection: Connection, step: str, drafts: list[Draft]) -> None:
    calendar = provider.open(connection)
    events = {event.event_id: event for event in calendar.listing(_SINCE).events}
    if step == "first":
        for draft in drafts[:-3]:
            calendar.create(draft)
    if step == "ten":
        known = [events[draft.made_as] for draft in drafts[:7]]
        calendar.foresee(known[:5])
        for one, event in enumerate(known[:5]):
            calendar.update(_draft(one, "Another title"), event)
        for draft in drafts[-3:]:
            calendar.create(draft)
        for event in known[5:]:
            calendar.delete(event.event_id, event.calendar_id, event.etag)


def _draft(number: int, title: str = "Negotiation") -> Draft:
    key = EventKey("ana", f"session-{number}", 0)
    begins = datetime(2026, 12, 1, 9) + timedelta(days=number % 300)
    day = Day(begins, begins + timedelta(hours=8), "Europe/Vienna")
    marker = Marker("bench", key, token_of("bench", key), 0, "a.b.c")
    return Draft(Content(title, "Room 1", _TEXT), day, marker, made_as("bench", key, 0))


# The peer -----------------------------------------------------------------------------------------


def _install_peer() -> None:
    if (_PEER / "bin/vdirsyncer").exists():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(_PEER)], check=True)
    python = str(_PEER / "bin/python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "vdirsyncer==0.21.0"], check=True)


_CONFIG = """
[general]
status_path = "{folder}/status/"
[pair mine]
a = "here"
b = "there"
collections = {collections}
[storage here]
type = "filesystem"
path = "{folder}/here/"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
"""


def _peer(server: CalDavServer, folder: Path, events: int, run: int) -> float:
    """The CPU of its first push."""
    home = folder / f"peer-of-{events}-{run}"
    _fill(home, [server.new_calendar()], events)
    _configure(server, home)
    return _sync(home)


def _fill(home: Path, paths: list[str], events: int) -> None:
    for path in paths:
        collection = home / "here" / path.rstrip("/").rpartition("/")[2]
        collection.mkdir(parents=True)
        for number in range(events):
            draft = _draft(number)
            text = object_of(draft, datetime(2026, 12, 1, tzinfo=UTC))
            (collection / f"{draft.made_as}.ics").write_bytes(text.encode())


def _configure(server: CalDavServer, home: Path) -> None:
    names = sorted(one.name for one in (home / "here").iterdir())
    values = {"folder": home, "url": f"{server.origin}{server.home}", "user": USER, "password": PASSWORD}
    (home / "config").write_text(_CONFIG.format(collections=json.dumps(names), **values))
    _peers(home, "discover", "--no-list")


def _sync(home: Path) -> float:
    return _peers(home, "sync")


def _peers(home: Path, *arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(_PEER / "bin/vdirsyncer"), "-c", str(home / "config"), *arguments]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NO_PROXY": "*"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    _in_process(json.loads(sys.argv[1]))
