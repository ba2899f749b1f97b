"""## An idle push

How much it takes to find out that nothing has to be done: the push pass over an LMS on the reference tables
in which every seat is in its calendar already. It reads all sessions, days, people and seats as they are,
digests them, and compares each person with what was last applied. Beside it stands what cannot be saved: one
`SELECT` of the same rows (seat x session x day, ordered by person, streamed, with all columns an event is
made from) through SQLAlchemy Core, whose rows are thrown away. On SQLite the database's own work is part of
both; on PostgreSQL only the client's. The second time in a process counts: the program is a daemon.

Peak memory is that of the whole process, interpreter and libraries included. It has to stay where it is when
the LMS grows tenfold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.child import cpu, in_child
from benchmarks.figures import Figure, Scale, median_ratio, short
from benchmarks.home import folder_of_its_own, write_settings
from benchmarks.rows import NOW, SCHEMA, fill_lms, fill_state, writer
from reconciler.bootstrap import open_house
from reconciler.lms.engine import read_engine
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_tables import tables
from reconciler.loop import lms_window
from reconciler.settings import load
from tests.support.databases import POSTGRESQL, Server


def main(scale: Scale) -> list[Figure]:
    """Measure on SQLite at two sizes, and on PostgreSQL, where there is one, at the larger."""
    found: list[Figure] = []
    for seats in scale.seats:
        with _on_sqlite(seats) as settings:
            ratio, peak = _measured(settings, scale.runs)
        what = f"peak memory of an idle push over {seats:,} seats, MB"
        found.append(Figure(f"idle_scan_peak_mb_{short(seats)}", peak, what, "flat"))
    what = f"CPU of an idle push over {seats:,} seats to that of the bare SELECT, SQLite"
    found.insert(0, Figure("idle_scan_cpu_ratio", ratio, what, "at most 2"))
    with _on_postgresql(seats) as settings:
        if settings is not None:
            ratio, _peak = _measured(settings, scale.runs)
            what = f"the same on PostgreSQL ({seats:,} seats)"
            found.insert(1, Figure("idle_scan_cpu_ratio_postgresql", ratio, what, "at most 2"))
    return found


def _measured(settings: Path, runs: int) -> tuple[float, float]:
    """The ratio to the bare SELECT and the peak in MB: medians of several runs that take turns."""
    pairs, peaks = [], []
    for _ in range(runs):
        ours = in_child(idle_push, settings=str(settings))
        bare = in_child(bare_select, settings=str(settings))
        pairs.append((ours["cpu"], bare["cpu"]))
        peaks.append(ours["peak_mb"])
    return median_ratio(pairs), sorted(peaks)[len(peaks) // 2]


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


def bare_select(settings: str) -> dict[str, Any]:
    """The same rows, streamed and thrown away."""
    lms = load(Path(settings)).lms
    made = {table.name: table for table in tables(schema=lms.reference.schema_name).sorted_tables}
    seats, sessions, days = made["seats"], made["sessions"], made["days"]
    rows = (
        sa.select(*seats.c, *sessions.c, *days.c)
        .join_from(seats, sessions, sessions.c.id == seats.c.session_id)
        .join(days, days.c.session_id == sessions.c.id)
        .where(days.c.ends > (NOW - timedelta(days=30)).replace(tzinfo=None))
        .order_by(seats.c.person_id)
    )
    with sa.create_engine(lms.database).connect().execution_options(yield_per=2_000) as connection:
        for _ in range(2):  # the first warms up, as the first push does
            with cpu() as spent:
                count = sum(1 for _ in connection.execute(rows))
    return {"cpu": spent(), "rows": count}


# What is measured on ------------------------------------------------------------------------------


@contextmanager
def _on_sqlite(seats: int) -> Iterator[Path]:
    with folder_of_its_own() as folder:
        lms, state = f"sqlite:///{folder}/lms.db", f"sqlite:///{folder}/state.db"
        _fill(lms, state, seats, None)
        yield write_settings(folder, {"url": lms}, state)


@contextmanager
def _on_postgresql(seats: int) -> Iterator[Path | None]:
    """``None`` where there is no server: ``TEST_POSTGRESQL`` names one elsewhere than on loopback."""
    server = Server(POSTGRESQL, "postgres")
    try:
        server.reach()
    except sa.exc.OperationalError:
        yield None
        return
    with folder_of_its_own() as folder:
        url = server.create("ENCODING 'UTF8' TEMPLATE template0")
        try:
            _fill(url, url, seats, SCHEMA)
            yield write_settings(folder, {"url": url, "reference": {"schema_name": SCHEMA}}, url)
        finally:
            server.drop(url)


def _fill(lms: str, state: str, seats: int, schema: str | None) -> None:
    with writer(lms, state) as engine:
        fill_lms(engine, seats)
        source = ReferenceLms(read_engine(lms), schema=schema)
        fill_state(state, engine, source, lms_window(NOW))
        source.close()
