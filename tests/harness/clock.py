"""The clock of the simulated world, which the databases show as well."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JULIAN_UNIX_EPOCH = 2440587.5


class SimulatedClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, span: timedelta) -> None:
        self.now += span

    def rules(self, engine: sa.Engine) -> None:
        """SQLite's ``now``, by which leases and deadlines go, is the simulated one in this engine.

        Its files are not synced to the disk either: nothing here loses its power.
        """

        def teach(connection: sqlite3.Connection, _record: object) -> None:
            connection.create_function("julianday", 1, lambda moment: self._julian())
            connection.create_function("strftime", 2, lambda form, moment: self._shown())
            connection.execute("PRAGMA synchronous = OFF")

        sa.event.listen(engine, "connect", teach)

    def _julian(self) -> float:
        return _JULIAN_UNIX_EPOCH + (self.now - _UNIX_EPOCH).total_seconds() / 86400

    def _shown(self) -> str:
        return self.now.strftime("%Y-%m-%d %H:%M:%S.") + f"{self.now.microsecond // 1000:03d}"
