"""What our columns are made of, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROSE_LENGTH = 2000
_MICROSECOND = timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant, stored as whole microseconds since 1970 in UTC, read as an aware datetime in UTC.

    A number rather than a timestamp: neither database then has an opinion on its zone or its precision.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Refuses a naive datetime with ``ValueError``: a wall time is no instant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware, this one is naive")
        return (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """The instant in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Prose(sa.types.TypeDecorator[str]):
    """A sentence for people, cleaned of what a database may refuse and cut at 2,000 characters.

    PostgreSQL stores no NUL and neither database a lone surrogate; an error's text from elsewhere may hold
    both, and must not keep the row from being written.
    """

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """The text as it can be stored."""
        if value is None:
            return None
        return (
            value[:PROSE_LENGTH]
            .encode("utf-8", "replace")
            .decode("utf-8")
            .replace("\0", "\N{REPLACEMENT CHARACTER}")
        )


def identifier() -> sa.types.TypeEngine[str]:
    """An id, compared by code point: SQLite does so by itself (UTF-8 bytes), PostgreSQL by collation "C"."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


class DatabaseClock(FunctionElement[int]):
    """The database's own clock at this statement, in microseconds since 1970: leases know no other."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(DatabaseClock, "sqlite")
def _sqlite_clock(element: DatabaseClock, compiler: SQLCompiler, **options: Any) -> str:
    # unixepoch('subsec') would say it plainly, but needs SQLite 3.42; julianday counts milliseconds.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"


@compiles(DatabaseClock, "postgresql")
def _postgresql_clock(element: DatabaseClock, compiler: SQLCompiler, **options: Any) -> str:
    # Not now(): that stands still from the beginning of the transaction.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
