"""An LMS on the reference tables, with the adapter that reads it: what most tests need of an LMS."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.reference import ReferenceLms
from reconciler.lms.reference_tables import create_schema, tables
from reconciler.simulators.lms import SmallLms


@dataclass(frozen=True)
class ReferenceSite:
    """``rows`` writes, ``source`` reads, each with an engine of its own; the writer's is ``engine``."""

    url: str
    engine: sa.Engine
    rows: SmallLms
    source: ReferenceLms

    def close(self) -> None:
        self.engine.dispose()
        self.source.close()


def reference_site(url: str) -> ReferenceSite:
    """The five tables, empty, in the database at this URL, which may be a SQLite file yet to be made."""
    engine = sa.create_engine(url)
    create_schema(engine)
    with engine.begin() as connection:
        for table in tables().sorted_tables:
            connection.execute(table.delete())
    return ReferenceSite(url, engine, SmallLms(engine), ReferenceLms(read_engine(url)))
