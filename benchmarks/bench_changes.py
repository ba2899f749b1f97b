"""## Changes

What it takes to carry a change from the LMS into somebody's calendar: the whole program, with its ledger on
SQLite, against both simulated vendors, which run in a process of their own and speak HTTPS. Calendars at
each vendor are first filled, then looked at twice with nothing to do (an idle push, an idle audit), and then
each of them has one change to follow four times: a session is added, moved, given another text, called off;
and all of that once more.

All requests are counted at the vendors. A change is one write. Before a create the calendar is looked at;
Graph has no ids of the client's choice, so that there it is looked at once more afterwards. Google replaces
whole events, and Graph whole bodies: keeping what their owners have added takes a read.

The CPU of the last four rounds (reading the LMS, planning, and four commits a change included) is compared
with that of a bare client sending the very same requests, in the same order, to mailboxes of its own:
google-api-python-client with its `events()` kept, and requests, in one thread each. The bare client remembers
nothing, checks nothing and survives nothing. Databases are in memory where the machine has `/dev/shm`: the
disk is not what is measured.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.bare import client
from benchmarks.child import cpu, in_child
from benchmarks.figures import Figure, Scale, median_ratio
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.vendors import Vendor, served, vendor_of
from reconciler.bootstrap import House, open_house
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema
from reconciler.settings import load
from reconciler.simulators.lms import SmallLms, When

VENDORS = ("google", "microsoft")
WRITES = ("create", "update", "delete")
SEATS_A_SESSION = 10
ROUNDS = ("create", "update_time", "update_text", "delete")
WARM_UP = tuple(f"warm_up_{each}" for each in ROUNDS)
_RUNS = 3


def main(scale: Scale) -> list[Figure]:
    """Measure each vendor in turn, several times."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in VENDORS}
    for _ in range(min(scale.runs, _RUNS)):
        with _beds(scale.people) as beds:
            for name, bed in beds.items():
                results[name].append(in_child(the_program, **bed) | {"bare": in_child(the_bare, **bed)})
    everything = [result for name in VENDORS for result in results[name]]
    return [*_counts(everything), *_calls(results), *_ratios(results)]


def _counts(results: list[dict[str, Any]]) -> list[Figure]:
    """What the whole benchmark has sent."""
    changing = ("fill", *WARM_UP, *ROUNDS)
    rounds = [Counter(result["calls"][each]) for result in results for each in changing]
    writes = sum(count[operation] for count in rounds for operation in WRITES)
    changes = sum(result["people"] * len(changing) for result in results)
    idle = sum(sum(result["calls"]["idle_push"].values()) for result in results)
    looked = Counter[str]()
    for result in results:
        looked.update(result["calls"]["idle_audit"])
    people = sum(result["people"] for result in results)
    others = looked.total() - looked["list"]
    return [
        Figure("writes_per_change", writes / changes, "writes sent for each change", "1"),
        Figure("calls_idle_push", idle, "calls of an idle push, both vendors", "0"),
        Figure("lists_per_audited_calendar", looked["list"] / people, "lists of an idle audit", "1"),
        Figure("other_calls_idle_audit", others, "other calls of an idle audit, both vendors", "0"),
    ]


def _calls(results: dict[str, list[dict[str, Any]]]) -> Iterator[Figure]:
    """Calls of each kind of change."""
    for vendor, (result, *_) in results.items():
        for each in ROUNDS:
            calls = Counter(result["calls"][each])
            kinds = " + ".join(sorted(calls, key=lambda kind: (kind in WRITES, kind)))
            key = f"calls_per_change_{vendor}_{each}"
            what = f"calls of a change, {vendor}: {kinds}"
            yield Figure(key, calls.total() / result["people"], what, str(_CALLS[each, vendor]))


_CALLS = {
    ("create", "google"): 2,
    ("create", "microsoft"): 3,
    ("update_time", "google"): 2,
    ("update_time", "microsoft"): 1,
    ("update_text", "google"): 2,
    ("update_text", "microsoft"): 2,
    ("delete", "google"): 1,
    ("delete", "microsoft"): 1,
}


def _ratios(results: dict[str, list[dict[str, Any]]]) -> Iterator[Figure]:
    for vendor, runs in results.items():
        ratio = median_ratio([(run["cpu"], run["bare"]["cpu"]) for run in runs])
        what = f"CPU of the program to that of the bare client for the same calls, {vendor}"
        yield Figure(f"loop_cpu_ratio_{vendor}", ratio, what, "about 2")


@contextmanager
def _beds(people: int) -> Iterator[dict[str, dict[str, str]]]:
    """For each vendor the arguments of :func:`the_program` and :func:`the_bare`."""
    with folder_of_its_own() as outer, served(outer, people) as vendors:
        beds = {}
        for vendor in vendors.values():
            folder = outer / vendor.name
            folder.mkdir()
            (folder / "vendor.json").write_text(json.dumps(asdict(vendor)), "utf-8")
            beds[vendor.name] = {"folder": str(folder)}
        yield beds


# The program, in a process of its own ---------------------------------------------------------------


def the_program(folder: str) -> dict[str, Any]:
    """All rounds; the requests of each are left beside for the bare client."""
    vendor = vendor_of(json.loads((Path(folder) / "vendor.json").read_text("utf-8")))
    settings, lms = _set_up(Path(folder), vendor)
    ahead = timedelta()
    seen: dict[str, list[dict[str, Any]]] = {}
    seconds = 0.0
    with open_house(load(settings), clock=lambda: datetime.now(UTC) + ahead) as house:
        _connect(house, vendor)
        sessions = _add_sessions(lms, len(vendor.ours))
        vendor.requests()
        house.loop.push()
        seen["fill"] = vendor.requests()
        house.loop.push()
        seen["idle_push"] = vendor.requests()
        ahead = timedelta(days=2)  # now everybody's audit is due
        house.loop.audit()
        seen["idle_audit"] = vendor.requests()
        for each in (*WARM_UP, *ROUNDS):
            sessions = _change(lms, each.removeprefix("warm_up_"), sessions, len(vendor.ours))
            with cpu() as spent:
                run = house.loop.push()
            assert run.counts["changed"] == len(vendor.ours), run.sentence
            seconds += 0 if each in WARM_UP else spent()
            seen[each] = vendor.requests()
    (Path(folder) / "requests.json").write_text(json.dumps(seen), "utf-8")
    calls = {each: Counter(request["operation"] for request in found) for each, found in seen.items()}
    return {"cpu": seconds, "people": len(vendor.ours), "calls": calls}


def _set_up(folder: Path, vendor: Vendor) -> tuple[Path, SmallLms]:
    lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
    engine = sa.create_engine(lms)
    create_schema(engine)
    small = SmallLms(engine)
    small.add_account()
    for number in range(len(vendor.ours)):
        small.add_person(f"p{number}")
    database = open_database(state)
    upgrade(database)
    database.close()
    names = ("google_api", "google_oauth", "microsoft_graph", "microsoft_login")
    network = {"ca_file": vendor.ca_file, "endpoints": dict.fromkeys(names, vendor.url)}
    return write_settings(folder, {"url": lms}, state, network=network), small


def _connect(house: House, vendor: Vendor) -> None:
    for number, account in enumerate(vendor.ours):
        person = f"p{number}"
        grant = Grant(person, "acme", vendor.name, account.subject, account.mailbox, account.calendar, person)
        house.welcome.begin(grant, {"refresh_token": account.token}, "bench", "bench")


def _change(lms: SmallLms, each: str, sessions: list[str], people: int) -> list[str]:
    """One change for everybody; the sessions that the next one concerns."""
    if each == "create":
        return _add_sessions(lms, people)
    for session in sessions:
        if each == "update_time":
            lms.move(session, _when(30))
        elif each == "update_text":
            lms.change(session, details="Bring a friend. The room has moved next door.")
        else:
            lms.cancel_session(session)
    return sessions


def _add_sessions(lms: SmallLms, people: int) -> list[str]:
    """A session of one day for everybody."""
    made = []
    for first in range(0, people, SEATS_A_SESSION):
        session = lms.add_session(
            _when(20),
            title=f"Working safely at height, group {first}",
            course="Working safely at height",
            details="Bring shoes that the workshop asks for.\n\nLunch is provided.",
            location="Building 7, room 2.31",
            url="https://lms.example.org/session/1",
        )
        for number in range(first, min(first + SEATS_A_SESSION, people)):
            lms.book(f"p{number}", session)
        made.append(session)
    return made


def _when(days: int) -> When:
    starts = datetime.now(UTC).replace(tzinfo=None, hour=9, minute=0, second=0, microsecond=0)
    starts += timedelta(days=days)
    return When(starts, starts + timedelta(hours=8))


# The bare client, in a process of its own -------------------------------------------------------------


def the_bare(folder: str) -> dict[str, Any]:
    """The same requests, each mailbox's sent to the one of the same number that is the bare client's.

    ``AssertionError`` if the vendor did not see as many of each kind.
    """
    vendor = vendor_of(json.loads((Path(folder) / "vendor.json").read_text("utf-8")))
    rounds = json.loads((Path(folder) / "requests.json").read_text("utf-8"))
    twin = {mine.mailbox: theirs for mine, theirs in zip(vendor.ours, vendor.bare, strict=True)}
    send = client(vendor)
    vendor.requests()
    for some in (WARM_UP, ROUNDS):
        requests = [request for each in some for request in rounds[each]]
        with cpu() as spent:
            for request in requests:
                send(twin[request["mailbox"]], request)
        wanted = Counter(request["operation"] for request in requests)
        assert Counter(request["operation"] for request in vendor.requests()) == wanted
    return {"cpu": spent()}
