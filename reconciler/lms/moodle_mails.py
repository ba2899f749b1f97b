"""What the plugin mails its people itself: a mail is on where both its subject and its text are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconciler.lms.engine import columns_of
from reconciler.lms.text import line

_KINDS = ("confirmation", "cancellation")
"""The two that bring an .ics; the others are reminders and for the wait list."""


def mails_on(connection: Connection, prefix: str) -> Mapping[str, str]:
    """The activities, as id and name, and which of their mails with an .ics are on (empty: none)."""
    table = f"{prefix}facetoface"
    there = columns_of(connection, [table], None).get(table, {})
    wanted = [f"{kind}{part}" for kind in _KINDS for part in ("subject", "message")]
    names = ["id", "name", *(each for each in wanted if each in there)]
    activities = sa.table(table, *(sa.column(name) for name in names))
    rows = connection.execute(sa.select(activities).order_by(activities.c.id)).mappings()
    return {f"{row['id']} ({line(row['name'])})": ", ".join(_on(dict(row))) for row in rows}


def _on(row: Mapping[Any, object]) -> Iterator[str]:
    for kind in _KINDS:
        texts = [str(row.get(f"{kind}{part}") or "").strip() for part in ("subject", "message")]
        if all(texts):
            yield kind
