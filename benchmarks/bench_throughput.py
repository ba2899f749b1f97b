"""## A vendor's quota, used up

Google allows 10,000 calls a minute. Whether one process can use that is tried with calendars being filled for
the first time (a token, a look, and a create for each day), against the Google simulator in a process of its
own, which lets each call wait for 100 ms and refuses what is over its quota as Google does: in a sliding
minute that begins when a call arrives. What is measured is a minute in the middle of the work: the calls
accepted to what the quota allows, and the CPU of the program, all threads, its databases in memory.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.child import cpu, in_child
from benchmarks.figures import Figure, Scale
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.rows import NOW, SEATS_A_PERSON, fill_lms, writer
from benchmarks.vendors import Vendor, served, vendor_of
from reconciler.bootstrap import House, clock_at, open_house
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.settings import load

PER_MINUTE = 10_000
_LATENCY = 0.1
_CALLS_A_PERSON = 11  # a look, and five sessions of two days on average
_WARM_UP, _SPARE = 5, 10
"""Seconds of work before what is measured, and beyond it, at least."""
_POLL = 0.05


def main(scale: Scale) -> list[Figure]:
    """Measure one process."""
    with _site(scale.busy_seconds) as folder:
        found = in_child(one_process, folder=str(folder), seconds=scale.busy_seconds)
    used = f"calls accepted of those Google's quota allows, by one process at {_LATENCY * 1000:.0f} ms a call"
    return [
        Figure("quota_used_ratio", found["used"], used, "at least 0.95"),
        Figure("cpu_cores_used", found["cores"], "cores that this process uses meanwhile", "below 1"),
        Figure("refused_for_quota_1_process", found["refused"], "calls refused for want of quota", "0"),
    ]


@contextmanager
def _site(seconds: int) -> Iterator[Path]:
    """A folder with an LMS, and a vendor that knows everybody, with more to do than fits into the time."""
    people = (_WARM_UP + seconds + _SPARE) * PER_MINUTE // 60 // _CALLS_A_PERSON
    with folder_of_its_own() as folder, served(folder, people, _LATENCY) as vendors:
        vendor = vendors["google"]
        lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
        with writer(lms, state) as engine:
            fill_lms(engine, people // 4 * 4 * SEATS_A_PERSON)
        endpoints = dict.fromkeys(("google_api", "google_oauth"), vendor.url)
        network = {"ca_file": vendor.ca_file, "endpoints": endpoints}
        write_settings(folder, {"url": lms}, state, network=network)
        (folder / "vendor.json").write_text(json.dumps(asdict(vendor)), "utf-8")
        yield folder


# The program, in a process of its own ---------------------------------------------------------------


def one_process(folder: str, seconds: int) -> dict[str, Any]:
    """One push by a daemon; looked at in its middle."""
    vendor = vendor_of(json.loads((Path(folder) / "vendor.json").read_text("utf-8")))
    settings = load(Path(folder) / "reconciler.yaml")
    database = open_database(settings.state.url)
    upgrade(database)
    database.close()
    with open_house(settings, clock=clock_at(NOW)) as house:
        _connect(house, vendor)
        push = threading.Thread(target=house.loop.push)
        push.start()
        found = _watched(vendor, seconds)
        assert push.is_alive(), "there was not enough to do"
        push.join()
    return {**found, "refused": vendor.quota()[1]}


def _watched(vendor: Vendor, seconds: int) -> dict[str, Any]:
    while vendor.quota()[0] < _WARM_UP * PER_MINUTE // 60:
        time.sleep(_POLL)
    before, begun = vendor.quota()[0], time.monotonic()
    with cpu() as spent:
        time.sleep(seconds)
    after, lasted = vendor.quota()[0], time.monotonic() - begun
    return {"used": (after - before) / (PER_MINUTE / 60 * lasted), "cores": spent() / lasted}


def _connect(house: House, vendor: Vendor) -> None:
    for number, account in enumerate(vendor.ours):
        person = f"p{number}"
        account_id = f"a{number % 20}"
        grant = Grant(
            person, account_id, vendor.name, account.subject, account.mailbox, account.calendar, person
        )
        house.connect(grant, account.token, "bench", "bench")
