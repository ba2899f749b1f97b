"""## An idle push

How much it takes to find out that nothing has to be done: the push pass over an LMS on the reference tables
in which every seat is in its calendar already. It reads all sessions, days, people and seats as they are,
digests them, and compares each person with what was last applied. Beside it stands what cannot be saved: one
`SELECT` of the same rows (seat x session x day, ordered by person, streamed, with all columns an event is
made from) through SQLAlchemy Core, whose rows are thrown away. On SQLite the database's own work is part of
both; on servers only the client's. The second time in a process counts: the program is a daemon. The state
on MariaDB's side is that of SQLite: equal rows have equal digests on every database. Moodle's scan is that of
a site with mod_facetoface on MariaDB, beside one `SELECT` of person x sign-up x status x session x date.
The quick benchmark keeps to SQLite.

Peak memory is that of the whole process, interpreter and libraries included. It has to stay where it is when
the LMS grows tenfold; and in a *first fill*, in which everybody of the largest LMS is due (the push chooses
who is first; its turns are left out). Costs are multiples of what the bare `SELECT` takes for 1,000 seats.

![How the cost of an idle push grows from 1,000 seats on: its CPU beside that of the bare SELECT, and its peak
memory](images/growth.svg)
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.child import cpu, in_child
from benchmarks.figures import Figure, Scale, median_ratio, short
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.moodle_rows import bare_moodle, fill_moodle
from benchmarks.rows import NOW, SCHEMA, SEATS_A_PERSON, fill_lms, fill_people, fill_state, writer
from benchmarks.servers import mariadb, postgresql
from benchmarks.turns import Recorder
from reconciler.bootstrap import open_house
from reconciler.ledger.tables import person_state
from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_tables import tables
from reconciler.loop import lms_window
from reconciler.settings import load
from reconciler.settings.databases import LmsAdapter

_SITE = "https://moodle.example.org"


def main(scale: Scale) -> list[Figure]:
    """Measure on SQLite at every size, and at one on PostgreSQL and MariaDB, where they are."""
    found: list[Figure] = []
    base = 0.0
    for seats in scale.seats:
        with _on_sqlite(seats) as settings:
            one = _measured(settings, _runs(scale, seats))
            if seats == scale.seats[-1]:
                found += _first_fill(settings, seats // SEATS_A_PERSON)
        base = base or one.bare
        found += _of_size(one, seats, base)
    what = f"CPU of an idle push over {seats:,} seats to that of the bare SELECT, SQLite"
    ratios = [Figure("idle_scan_cpu_ratio", one.ratio, what, "at most 2")]
    places = {"postgresql": _on_postgresql, "mariadb": _on_mariadb, "moodle": _on_moodle}
    for name, place in places.items() if scale.server_seats else ():
        with place(scale.server_seats) as there:
            if there is not None:
                ratio = _measured(there, _runs(scale, scale.server_seats)).ratio
                what = f"the same on {name} ({scale.server_seats:,} seats)"
                ratios.append(Figure(f"idle_scan_cpu_ratio_{name}", ratio, what, "at most 2"))
    return ratios + found


def _of_size(one: Measured, seats: int, base: float) -> list[Figure]:
    size = short(seats)
    peak = f"peak memory of an idle push over {seats:,} seats, MB"
    aim = "below 300" if seats == 1_000_000 else "flat"
    return [
        Figure(f"idle_scan_peak_mb_{size}", one.peak_mb, peak, aim),
        Figure(f"idle_scan_cost_{size}", one.ours / base, f"its CPU over {seats:,} seats, as a multiple"),
        Figure(f"bare_select_cost_{size}", one.bare / base, f"that of the bare SELECT of {seats:,} seats"),
    ]


def _first_fill(settings: Path, people: int) -> list[Figure]:
    peak = in_child(first_fill, settings=str(settings))["peak_mb"]
    what = f"peak memory of a push in which {people:,} people are due, MB"
    return [Figure(f"first_fill_peak_mb_{short(people)}", peak, what, "below 300")]


def _runs(scale: Scale, seats: int) -> int:
    """Large ones take long, and vary less."""
    return scale.runs if seats < 100_000 else max(1, 300_000 // seats)


@dataclass(frozen=True)
class Measured:
    """Medians of several runs that take turns: seconds of CPU of the push and of the bare SELECT, their
    ratio, and the push's peak memory in MB."""

    ours: float
    bare: float
    ratio: float
    peak_mb: float


def _measured(settings: Path, runs: int) -> Measured:
    pairs, peaks = [], []
    for _ in range(runs):
        ours = in_child(idle_push, settings=str(settings))
        bare = in_child(bare_select, settings=str(settings))
        pairs.append((ours["cpu"], bare["cpu"]))
        peaks.append(ours["peak_mb"])
    ours_cpu, bare_cpu = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Measured(ours_cpu, bare_cpu, median_ratio(pairs), statistics.median(peaks))


# In processes of their own ------------------------------------------------------------------------


def idle_push(settings: str) -> dict[str, Any]:
    """One push of a daemon that has made one before. ``AssertionError`` if it found something to do."""
    with open_house(load(Path(settings)), clock=lambda: NOW) as house:
        house.loop.push()
        with cpu() as spent:
            run = house.loop.push()
        assert run.result == "success", run.sentence
        assert run.sentence.endswith("nothing to do"), run.sentence
        return {"cpu": spent(), "people": run.counts["people"]}


def first_fill(settings: str) -> dict[str, Any]:
    """One push in which everybody is due."""
    with open_house(load(Path(settings)), clock=lambda: NOW) as house:
        with house.ledger.database.writing() as transaction:
            transaction.execute(person_state.update().values(applied=None))
        recorder = Recorder(house)
        run = replace(house.loop, dispatcher=recorder).push()
        assert run.counts["put off"] + len(recorder.due) == run.counts["people"], run.sentence
    return {"people": run.counts["people"]}


def bare_select(settings: str) -> dict[str, Any]:
    """The same rows, streamed and thrown away."""
    lms = load(Path(settings)).lms
    engine = sa.create_engine(lms.database)
    rows = bare_moodle() if lms.adapter is LmsAdapter.MOODLE else _bare_reference(lms.reference.schema_name)
    with engine.connect().execution_options(yield_per=2_000) as connection:
        for _ in range(2):  # the first warms up, as the first push does
            with cpu() as spent:
                count = sum(1 for _ in connection.execute(rows))
    engine.dispose()
    return {"cpu": spent(), "rows": count}


def _bare_reference(schema: str | None) -> sa.Select[Any]:
    made = {table.name: table for table in tables(schema=schema).sorted_tables}
    seats, sessions, days = made["seats"], made["sessions"], made["days"]
    return (
        sa.select(*seats.c, *sessions.c, *days.c)
        .join_from(seats, sessions, sessions.c.id == seats.c.session_id)
        .join(days, days.c.session_id == sessions.c.id)
        .where(days.c.ends > (NOW - timedelta(days=30)).replace(tzinfo=None))
        .order_by(seats.c.person_id)
    )


# What is measured on ------------------------------------------------------------------------------


@contextmanager
def _on_sqlite(seats: int) -> Iterator[Path]:
    with folder_of_its_own() as folder:
        lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
        _fill(lms, state, seats, None)
        yield write_settings(folder, {"url": lms}, state)


@contextmanager
def _on_postgresql(seats: int) -> Iterator[Path | None]:
    """``None`` where there is no server."""
    with postgresql() as url:
        if url is None:
            yield None
            return
        with folder_of_its_own() as folder:
            _fill(url, url, seats, SCHEMA)
            yield write_settings(folder, {"url": url, "reference": {"schema_name": SCHEMA}}, url)


@contextmanager
def _on_mariadb(seats: int) -> Iterator[Path | None]:
    """The same; the state is on SQLite."""
    with mariadb() as url:
        if url is None:
            yield None
            return
        with folder_of_its_own() as folder:
            state = f"sqlite:///{folder}/state.db"
            _fill(f"sqlite:///{folder}/lms.db", state, seats, None)
            engine = sa.create_engine(url)
            fill_lms(engine, seats, None)
            engine.dispose()
            yield write_settings(folder, {"url": url.replace("+pymysql", "")}, state)


@contextmanager
def _on_moodle(seats: int) -> Iterator[Path | None]:
    """The same server; a Moodle, whose seats are sign-ups."""
    with mariadb() as url:
        if url is None:
            yield None
            return
        with folder_of_its_own() as folder:
            state = f"sqlite:///{folder}/state.db"
            engine = sa.create_engine(url)
            fill_moodle(engine, seats)
            engine.dispose()
            source = MoodleLms(read_engine(url), site_url=_SITE)
            fill_people(state, source, lms_window(NOW))
            source.close()
            lms = {"adapter": "moodle", "url": url.replace("+pymysql", ""), "moodle": {"site_url": _SITE}}
            yield write_settings(folder, lms, state)


def _fill(lms: str, state: str, seats: int, schema: str | None) -> None:
    with writer(lms, state) as engine:
        fill_lms(engine, seats)
        source = ReferenceLms(read_engine(lms), schema=schema)
        fill_state(state, engine, source, lms_window(NOW))
        source.close()
