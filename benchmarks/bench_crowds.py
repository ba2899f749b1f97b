"""## Many at once

What must not depend on how much comes at once. An *account of 50,000* is switched off, and on again: the
turns are left out, and written down as what they find, a calendar in which everything is in place; told
is how many pushes it takes until each has been looked at again, and how many look in one of them at most
(a look is one call, and there is no other).

*One person with 5,000 events*, beside three others: the whole program against the Google simulator over
HTTPS, with 600 calls a minute for each person. Whose quota is used up is put off; the next push, a minute
later, goes on. Told are the writes to the events, the pushes, and after how many of them everybody else
has everything. The quick benchmark has a twenty-fifth of everything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.child import in_child
from benchmarks.figures import Figure, Scale, short
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.rows import NOW, SEATS_A_PERSON, fill_lms, fill_people
from benchmarks.turns import Recorder
from benchmarks.vendors import Vendor, served, vendor_of
from reconciler.bootstrap import House, clock_at, open_house
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.engine import read_engine
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_tables import create_schema
from reconciler.loop import lms_window
from reconciler.settings import load
from reconciler.simulators.lms import SmallLms, When

_ACCOUNT, _EVENTS = 50_000, 5_000
_PER_PERSON = 600
_OTHERS = 3
_MINUTE = timedelta(minutes=1)


def main(scale: Scale) -> list[Figure]:
    """Both."""
    share = 25 if scale.name == "quick" else 1
    return [
        *_account(_ACCOUNT // share),
        *_one_person(_EVENTS // share, _PER_PERSON // share),
    ]


def _account(people: int) -> Iterator[Figure]:
    with _academy(people) as settings:
        found = in_child(off_and_on, settings=str(settings))
    key, whose = f"account_{short(people)}_off_on", f"an account of {people:,} switched off and on again"
    at_once = f"{whose}: looks of one push at most, a quarter of a minute's quota"
    yield Figure(f"{key}_looks", found["looks"] / people, f"{whose}: looks at each calendar", "1")
    yield Figure(f"{key}_pushes", found["pushes"], f"{whose}: pushes until all are looked at", "20")
    yield Figure(f"{key}_at_once", found["at_once"], at_once, "2,500")
    yield Figure(f"{key}_peak_mb", found["peak_mb"], f"{whose}: peak memory, MB", "below 300")


def _one_person(events: int, per_minute: int) -> Iterator[Figure]:
    with folder_of_its_own() as folder, served(folder, _OTHERS + 1) as vendors:
        (folder / "vendor.json").write_text(json.dumps(asdict(vendors["google"])), "utf-8")
        found = in_child(busy_calendar, folder=str(folder), events=events, per_minute=per_minute)
    key, whose = f"one_person_{events}", f"one person with {events:,} events"
    yield Figure(f"{key}_writes_per_event", found["writes"] / events, f"{whose}: writes to each", "1")
    yield Figure(f"{key}_pushes", found["pushes"], f"{whose}: pushes until all are there")
    yield Figure(f"{key}_pushes_others", found["others"], f"{whose}: until everybody else's are", "1")
    yield Figure(f"{key}_peak_mb", found["peak_mb"], f"{whose}: peak memory, MB", "below 300")


# In processes of their own ------------------------------------------------------------------------


def off_and_on(settings: str) -> dict[str, Any]:
    """The account's switches, and the pushes that follow."""
    at = [NOW]
    with open_house(load(Path(settings)), clock=lambda: at[0]) as house:
        recorder = Recorder(house)
        loop = replace(house.loop, dispatcher=recorder)
        loop.push()
        (switches,) = house.ledger.switches().values()
        house.ledger.set_switches(replace(switches, vendors=frozenset()), "bench", at[0])
        at[0] += _MINUTE
        loop.push()
        assert not recorder.due, "a calendar that is not maintained is touched"
        house.ledger.set_switches(switches, "bench", at[0])
        looks: list[int] = []
        while not looks or looks[-1]:
            at[0] += _MINUTE
            loop.push()
            looks.append(len(recorder.due))
            recorder.settle()
    return {"looks": sum(looks), "pushes": len(looks) - 1, "at_once": max(looks)}


def busy_calendar(folder: str, events: int, per_minute: int) -> dict[str, Any]:
    """Pushes a minute apart until everybody's calendar is right. The first person has all the sessions."""
    vendor = vendor_of(json.loads((Path(folder) / "vendor.json").read_text("utf-8")))
    settings = _busy_site(Path(folder), vendor, events, per_minute)
    seen, others, pushes = Counter[str](), 0, 0
    while True:
        ahead = pushes * _MINUTE
        # A minute later the minute's quota is whole again: so it is for a program that was started anew.
        with open_house(load(settings), clock=clock_at(datetime.now(UTC) + ahead)) as house:
            if not pushes:
                _connect(house, vendor)
                vendor.requests()
            run = house.loop.push()
        pushes += 1
        requests = vendor.requests()
        seen.update(one["operation"] for one in requests if one["mailbox"] == vendor.ours[0].mailbox)
        if any(one["operation"] == "create" and one["mailbox"] != vendor.ours[0].mailbox for one in requests):
            others = pushes
        if run.sentence.endswith("nothing to do"):
            return {"writes": seen["create"] + seen["update"], "pushes": pushes - 1, "others": others}
        assert requests or not run.counts["throttled"], run.sentence


# What is measured on ------------------------------------------------------------------------------


@contextmanager
def _academy(people: int) -> Iterator[Path]:
    """An LMS of one account and a state on SQLite; everybody is connected, and everything in place."""
    with folder_of_its_own() as folder:
        lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
        engine = sa.create_engine(lms)
        fill_lms(engine, people * SEATS_A_PERSON, None, accounts=1)
        engine.dispose()
        source = ReferenceLms(read_engine(lms))
        fill_people(state, source, lms_window(NOW))
        source.close()
        yield write_settings(folder, {"url": lms}, state)


def _busy_site(folder: Path, vendor: Vendor, events: int, per_minute: int) -> Path:
    lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
    engine = sa.create_engine(lms)
    create_schema(engine)
    _fill_busy(SmallLms(engine), events)
    engine.dispose()
    database = open_database(state)
    upgrade(database)
    database.close()
    endpoints = dict.fromkeys(("google_api", "google_oauth"), vendor.url)
    network = {"ca_file": vendor.ca_file, "endpoints": endpoints}
    file = write_settings(folder, {"url": lms}, state, network=network, dispatch={"threads": 1})
    settings = json.loads(file.read_text("utf-8"))
    settings["providers"]["google"]["quota"] = {"per_person_per_minute": per_minute}
    file.write_text(json.dumps(settings), "utf-8")
    return file


def _fill_busy(lms: SmallLms, events: int) -> None:
    """One person in every session, an hour each; the others in one of them."""
    lms.add_account()
    for number in range(_OTHERS + 1):
        lms.add_person(f"p{number}")
    begin = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0) + timedelta(days=1)
    hours = [begin + timedelta(hours=n) for n in range(events)]
    plain = {
        "account_id": "acme",
        "course": "",
        "details": "",
        "location": "",
        "url": "",
        "status": "scheduled",
    }
    more = {"cancellable": True, "cancel_until": None}
    lms.insert("sessions", ({"id": f"s{n}", "title": f"Shift {n}", **plain, **more} for n in range(events)))
    days = (When(hour, hour + timedelta(hours=1)) for hour in hours)
    lms.insert("days", ({"session_id": f"s{n}", **day._asdict()} for n, day in enumerate(days)))
    booked = {"role": "learner", "status": "booked"}
    seats = [(f"s{n}", "p0") for n in range(events)] + [("s1", f"p{n}") for n in range(1, _OTHERS + 1)]
    lms.insert(
        "seats",
        ({"seat_ref": f"r{n}", "session_id": s, "person_id": p, **booked} for n, (s, p) in enumerate(seats)),
    )


def _connect(house: House, vendor: Vendor) -> None:
    for number, account in enumerate(vendor.ours):
        person = f"p{number}"
        grant = Grant(person, "acme", vendor.name, account.subject, account.mailbox, account.calendar, person)
        house.welcome.begin(grant, {"refresh_token": account.token}, "bench", "bench")
