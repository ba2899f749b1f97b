"""## A vendor's quota, used up

Google allows 10,000 calls a minute. Whether one process can use that is tried with calendars being filled for
the first time (a token, a look, and a create for each day), against the Google simulator in a process of its
own, which lets each call wait for 100 ms and refuses what is over its quota as Google does: in a sliding
minute that begins when a call arrives. What is measured is a minute in the middle of the work: the calls
accepted to what the quota allows, and the CPU of the program, all threads, its databases in memory.

Three workers as processes of their own, handed their work over Redis by a scheduler, with the state on
PostgreSQL, share a quota of 3,000 calls a minute, which each of them alone could use up. They are watched for
more than one of the vendor's minutes. Measured where a PostgreSQL is found on loopback and `redis-server` is
installed, and not by the quick benchmark: its seconds are too few for a minute's quota to be exceeded.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.child import cpu, in_child
from benchmarks.figures import Figure, Scale
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.rows import NOW, SEATS_A_PERSON, fill_lms
from benchmarks.servers import postgresql
from benchmarks.vendors import Vendor, served, vendor_of
from reconciler.bootstrap import House, clock_at, open_house
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.settings import load
from reconciler.settings.dispatching import DispatchKind
from tests.support.ports import free_port
from tests.support.redis_server import a_redis

PER_MINUTE = 10_000
WORKERS, WORKERS_PER_MINUTE = 3, 3_000
_LATENCY = 0.1
_CALLS_A_PERSON = 11  # a look, and five sessions of two days on average
_WARM_UP, _SPARE = 5, 10
"""Seconds of work before what is measured, and beyond it, at least."""
_POLL = 0.05


def main(scale: Scale) -> list[Figure]:
    """Measure one process, and three workers."""
    return [
        *_one_process(scale.busy_seconds),
        *(_workers(scale.busy_seconds) if scale.name == "full" else ()),
    ]


def _one_process(seconds: int) -> list[Figure]:
    with folder_of_its_own() as folder:
        state = f"sqlite:///{folder}/state.db"
        with _site(folder, state, seconds, PER_MINUTE, NOW):
            found = in_child(busy, folder=str(folder), seconds=seconds, per_minute=PER_MINUTE)
    used = f"calls accepted of those Google's quota allows, by one process at {_LATENCY * 1000:.0f} ms a call"
    return [
        Figure("quota_used_ratio", found["used"], used, "at least 0.95"),
        Figure("cpu_cores_used", found["cores"], "cores that this process uses meanwhile", "below 1"),
        Figure("refused_for_quota_1_process", found["refused"], "calls refused for want of quota", "0"),
    ]


def _workers(seconds: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        state = stack.enter_context(postgresql())
        if state is None or shutil.which("redis-server") is None:
            return
        redis = stack.enter_context(a_redis())
        folder = stack.enter_context(folder_of_its_own())
        dispatch = {"kind": "celery", "broker": redis.url, "threads": 16}
        now = datetime.now(UTC)  # the workers go by the database's clock
        stack.enter_context(_site(folder, state, seconds, WORKERS_PER_MINUTE, now, dispatch=dispatch))
        for _ in range(WORKERS):
            stack.enter_context(_worker(folder))
        found = in_child(busy, folder=str(folder), seconds=seconds, per_minute=WORKERS_PER_MINUTE)
    used = f"calls accepted of those a quota of {WORKERS_PER_MINUTE:,} a minute allows, by three workers"
    yield Figure("quota_used_ratio_3_workers", found["used"], used)
    yield Figure("refused_for_quota_3_workers", found["refused"], "calls refused for want of quota", "0")


@contextmanager
def _worker(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "reconciler", "--config", str(folder / "reconciler.yaml"), "worker"]
    with (folder / "workers.log").open("ab") as log:
        process = subprocess.Popen([*command, "--listen", f"127.0.0.1:{free_port()}"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _site(
    folder: Path, state: str, seconds: int, per_minute: int, begin: datetime, **sections: Any
) -> Iterator[None]:
    """In the folder an LMS, settings, and a vendor that knows everybody, with more to do than fits into the
    time. ``sections`` are further ones of the settings."""
    people = (_WARM_UP + seconds + _SPARE) * per_minute // 60 // _CALLS_A_PERSON // 4 * 4
    with served(folder, people, _LATENCY, per_minute) as vendors:
        vendor, lms = vendors["google"], f"sqlite:///{folder}/lms.db"
        engine = sa.create_engine(lms)
        fill_lms(engine, people * SEATS_A_PERSON, None, begin=begin)
        engine.dispose()
        endpoints = dict.fromkeys(("google_api", "google_oauth"), vendor.url)
        network = {"ca_file": vendor.ca_file, "endpoints": endpoints}
        file = write_settings(folder, {"url": lms}, state, network=network, **sections)
        settings = json.loads(file.read_text("utf-8"))
        settings["providers"]["google"]["quota"] = {"per_minute": per_minute}
        file.write_text(json.dumps(settings), "utf-8")
        (folder / "vendor.json").write_text(json.dumps(asdict(vendor)), "utf-8")
        database = open_database(load(file).state.url)
        upgrade(database)
        database.close()
        yield


# In a process of its own -----------------------------------------------------------------------------


def busy(folder: str, seconds: int, per_minute: int) -> dict[str, Any]:
    """One push by a daemon or scheduler; looked at in its middle."""
    vendor = vendor_of(json.loads((Path(folder) / "vendor.json").read_text("utf-8")))
    settings = load(Path(folder) / "reconciler.yaml")
    clock = clock_at(NOW) if settings.dispatch.kind is DispatchKind.LOCAL else None
    with open_house(settings, clock) as house:
        _connect(house, vendor)
        push = threading.Thread(target=house.loop.push)
        push.start()
        found = _watched(vendor, seconds, per_minute / 60)
        assert push.is_alive(), "there was not enough to do"
        push.join()
    return {**found, "refused": vendor.quota()[1]}


def _watched(vendor: Vendor, seconds: int, a_second: float) -> dict[str, Any]:
    while vendor.quota()[0] < _WARM_UP * a_second:
        time.sleep(_POLL)
    before, begun = vendor.quota()[0], time.monotonic()
    with cpu() as spent:
        time.sleep(seconds)
    after, lasted = vendor.quota()[0], time.monotonic() - begun
    return {"used": (after - before) / (a_second * lasted), "cores": spent() / lasted}


def _connect(house: House, vendor: Vendor) -> None:
    for number, account in enumerate(vendor.ours):
        person = f"p{number}"
        account_id = f"a{number % 20}"
        grant = Grant(
            person, account_id, vendor.name, account.subject, account.mailbox, account.calendar, person
        )
        house.welcome.begin(grant, {"refresh_token": account.token}, "bench", "bench")
