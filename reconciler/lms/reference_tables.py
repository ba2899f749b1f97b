"""The five tables that any LMS can offer, as tables of their own or as views under the same names.

A view may leave types as they are: ids may be numbers or UUIDs, flags numbers or words. Times of days are
wall times of the day's own zone; ``cancel_until`` is UTC.

============  =====================================================================================
accounts      ``id``; ``name``; ``time_zone`` (IANA)
people        ``id`` (never changes, never used again); ``account_id``; ``email``; ``name``; ``locale``
              (such as ``de-AT``); ``identity`` (changes when an id is used again for somebody else;
              may equal ``id``); ``active`` (no: suspended)
sessions      ``id``; ``account_id``; ``title``; ``course``; ``details`` (plain or HTML);
              ``location``; ``url`` (http or https); ``status`` (scheduled, cancelled); ``cancellable``
              (may a learner give the seat back); ``cancel_until`` (UTC; NULL: no deadline)
days          ``session_id``; ``starts``; ``ends`` (wall times; ``starts = ends`` is legal; for an
              all-day day the dates count, ``ends`` being the exclusive midnight or within the last
              day); ``all_day``; ``time_zone`` (IANA)
seats         ``seat_ref`` (new at every registration); ``session_id``; ``person_id``; ``role``
              (learner, instructor); ``status`` (booked, waiting, requested, declined, cancelled,
              attended, partially_attended, completed, no_show)
============  =====================================================================================
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from reconciler.errors import ReconcilerError
from reconciler.lms.engine import address_of, reason_of

COLUMNS = {
    "accounts": ("id", "name", "time_zone"),
    "people": ("id", "account_id", "email", "name", "locale", "identity", "active"),
    "sessions": (
        "id",
        "account_id",
        "title",
        "course",
        "details",
        "location",
        "url",
        "status",
        "cancellable",
        "cancel_until",
    ),
    "days": ("session_id", "starts", "ends", "all_day", "time_zone"),
    "seats": ("seat_ref", "session_id", "person_id", "role", "status"),
}
"""Every column there must be."""


def create_schema(engine: Engine, prefix: str = "", schema: str | None = None) -> None:
    """Create those of the five tables that are not there, for an LMS that begins with nothing. Raises
    ``ReconcilerError``."""
    try:
        tables(prefix, schema).create_all(engine)
    except (SQLAlchemyError, OSError) as error:
        raise ReconcilerError(
            f"the tables could not be created: {reason_of(error)}",
            whose=address_of(engine, prefix),
            next_step="Is it there, and may the login (lms.unregister.user, or that of lms.url) create them?",
        ) from error


def tables(prefix: str = "", schema: str | None = None) -> sa.MetaData:
    """The five tables as :func:`create_schema` makes them."""
    metadata = sa.MetaData(schema=schema)
    for name, columns in (
        ("accounts", _accounts()),
        ("people", _people()),
        ("sessions", _sessions()),
        ("days", _days()),
        ("seats", _seats()),
    ):
        sa.Table(
            f"{prefix}{name}", metadata, *columns, mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci"
        )
    return metadata


def _id(name: str, comment: str, *, primary: bool = False, index: bool = False) -> sa.Column[str]:
    """An id compares, and is sorted, by the code points of its characters."""
    type_ = (
        sa.String(190)
        .with_variant(sa.String(190, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(190, collation="utf8mb4_bin"), "mysql", "mariadb")
    )
    return sa.Column(name, type_, primary_key=primary, index=index, nullable=False, comment=comment)


def _text(name: str, comment: str) -> sa.Column[str]:
    type_ = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    return sa.Column(name, type_, nullable=False, comment=comment, default="")


def _word(name: str, comment: str, length: int = 64) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, comment=comment)


def _flag(name: str, comment: str, default: bool) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, comment=comment, default=default)


def _accounts() -> list[sa.Column[str]]:
    return [
        _id("id", "never changes", primary=True),
        _text("name", "of the organisation"),
        _word("time_zone", "IANA name"),
    ]


def _people() -> list[sa.Column[str] | sa.Column[bool]]:
    return [
        _id("id", "never changes, never used again", primary=True),
        _id("account_id", "accounts.id"),
        _text("email", "where they are told things; may change"),
        _text("name", "as shown to them and to their learners"),
        _word("locale", "BCP 47, such as de-AT", 35),
        _id("identity", "changes when an id is used again for somebody else; may equal id"),
        _flag("active", "no: suspended; future events are removed", True),
    ]


def _sessions() -> list[sa.Column[str] | sa.Column[bool] | sa.Column[datetime]]:
    return [
        _id("id", "never changes, never used again", primary=True),
        _id("account_id", "accounts.id"),
        _text("title", "one line"),
        _text("course", "what it is a session of"),
        _text("details", "plain text or HTML"),
        _text("location", "room, venue, address, or a link"),
        _text("url", "the session's page, http or https"),
        _word("status", "scheduled, cancelled", 16),
        _flag("cancellable", "may a learner give the seat back", True),
        sa.Column("cancel_until", sa.DateTime, comment="UTC; NULL: no deadline"),
    ]


def _days() -> list[sa.Column[str] | sa.Column[bool] | sa.Column[datetime]]:
    return [
        _id("session_id", "sessions.id", index=True),
        sa.Column("starts", sa.DateTime, nullable=False, comment="wall time of time_zone"),
        sa.Column("ends", sa.DateTime, nullable=False, comment="wall time, not before starts"),
        _flag("all_day", "the dates of starts and ends count", False),
        _word("time_zone", "IANA name"),
    ]


def _seats() -> list[sa.Column[str]]:
    return [
        _id("seat_ref", "new at every registration", primary=True),
        _id("session_id", "sessions.id", index=True),
        _id("person_id", "people.id", index=True),
        _word("role", "learner, instructor", 16),
        _word(
            "status",
            "booked, waiting, requested, declined, cancelled, attended, "
            "partially_attended, completed, no_show",
            24,
        ),
    ]
