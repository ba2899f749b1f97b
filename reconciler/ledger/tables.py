"""The tables of our state database. The migrations create them; a test holds the two together.

Instants are microseconds since 1970 in UTC (:class:`~reconciler.ledger.columns.Instant`); ids compare by
code point; lists are JSON. Rows become values of the model in ``rows.py``.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from reconciler.ledger.columns import Instant, Prose, identifier
from reconciler.model import ConnectionState, State

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_LIST = sa.JSON(none_as_null=True)

installation = sa.Table(
    "installation",
    metadata,
    # One row, ever.
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1", name="one_row"), primary_key=True),
    sa.Column("id", identifier()),
    sa.Column("lms_address", sa.String),
    sa.Column("public_address", sa.String),
    sa.Column("digest_schema", sa.String),
    sa.Column("heartbeat", Instant),
    sa.Column("restore_counter", sa.BigInteger, nullable=False, server_default="0"),
)

account = sa.Table(
    "account",
    metadata,
    sa.Column("account", identifier(), primary_key=True),
    sa.Column("vendors", _LIST, nullable=False),
    sa.Column("email_notifications", sa.Boolean, nullable=False),
    sa.Column("mode", sa.String, nullable=False),
    sa.Column("unregister_mode", sa.String),
    sa.Column("people", _LIST),
)

connection = sa.Table(
    "connection",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("person", identifier(), nullable=False),
    sa.Column("account", identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("subject", identifier(), nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("calendar_id", identifier(), nullable=False),
    sa.Column("identity", identifier(), nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("scopes", _LIST, nullable=False),
    sa.Column("baseline_since", Instant),
    sa.Column("listed_at", Instant),
    sa.Column("refreshed_at", Instant),
    sa.Column("state_since", Instant),
    sa.Column("last_error", Prose),
    sa.UniqueConstraint("person", "provider", "subject"),
    # An id of a connection is never used again: what is encrypted for one must not fit another.
    sqlite_autoincrement=True,
)

serving = connection.c.state != sa.literal_column(f"'{ConnectionState.DISCONNECTED}'")
"""A connection that is not disconnected."""

sa.Index(
    "uq_connection_person_serving",
    connection.c.person,
    unique=True,
    sqlite_where=serving,
    postgresql_where=serving,
)
sa.Index(
    "uq_connection_subject_serving",
    connection.c.provider,
    connection.c.subject,
    unique=True,
    sqlite_where=serving,
    postgresql_where=serving,
)

token = sa.Table(
    "token",
    metadata,
    sa.Column(
        "connection_id",
        sa.Integer,
        sa.ForeignKey("connection.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

calendar_memory = sa.Table(
    "calendar_memory",
    metadata,
    sa.Column(
        "connection_id",
        sa.Integer,
        sa.ForeignKey("connection.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("person", identifier(), nullable=False),
    sa.Column("remembered", sa.Text, nullable=False),
)

person_state = sa.Table(
    "person_state",
    metadata,
    sa.Column("person", identifier(), primary_key=True),
    sa.Column("account", identifier(), nullable=False),
    sa.Column("applied", sa.String),
    sa.Column("next_audit", Instant, index=True),
    sa.Column("next_start", Instant),
    sa.Column("retry_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", Prose),
    sa.Column("finished_at", Instant),
    sa.Column("gone_since", Instant),
    # By which way, and of what, a person was last told by mail; NULL while anything is open.
    sa.Column("mailed", sa.String),
    sa.Column("lease_owner", sa.String),
    sa.Column("lease_until", Instant),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
)


def not_backed_off(now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Whose turn does not wait for a vendor that asked for it, or has failed, any more."""
    return sa.or_(person_state.c.retry_at.is_(None), person_state.c.retry_at <= now)


event = sa.Table(
    "event",
    metadata,
    sa.Column("person", identifier(), sa.ForeignKey("person_state.person"), primary_key=True),
    sa.Column("session", identifier(), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("seat", identifier()),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("event_id", identifier()),
    sa.Column("calendar_id", identifier()),
    sa.Column("etag", sa.String),
    sa.Column("digest_time", sa.String, nullable=False),
    sa.Column("digest_content", sa.String, nullable=False),
    sa.Column("digest_form", sa.String, nullable=False),
    sa.Column("starts", Instant, nullable=False),
    sa.Column("ends", Instant, nullable=False, index=True),
    sa.Column("doomed", _LIST, nullable=False),
    sa.Column("copied", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("missing_since", Instant),
    sa.Column("intent", Prose),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", Instant),
    sa.Column("last_error", Prose),
    sa.Column("updated_at", Instant),
    # What its owner was asked and answered, for one seat and one generation: keep, give_back.
    sa.Column("answer", sa.String),
    sa.Column("answer_seat", identifier()),
    sa.Column("answer_generation", sa.Integer),
    sa.Column("missing_confirmed_at", Instant),
    sa.Column("grace_until", Instant),
    sa.Column("deadline", Instant),
    sa.Column("hold_reason", sa.String),
    sa.Column("held_since", Instant),
    # The digest with which it was put back once, after its owner deleted what may not be given back.
    sa.Column("put_back", sa.String),
)

has_vanished = event.c.state.in_(
    [
        sa.literal(state.value, literal_execute=True)
        for state in (State.MISSING, State.HELD, State.UNREGISTERING, State.UNREGISTERED)
    ]
)
"""Few of many. Statements say it in these very words, so that the index, which has no others, serves them."""

sa.Index("ix_event_vanished", event.c.state, sqlite_where=has_vanished, postgresql_where=has_vanished)

sighting = sa.Table(
    "sighting",
    metadata,
    sa.Column("person", identifier(), sa.ForeignKey("person_state.person"), primary_key=True),
    sa.Column("event_id", identifier(), primary_key=True),
    sa.Column("first_seen", Instant, nullable=False),
)

history = sa.Table(
    "history",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("person", identifier(), nullable=False),
    sa.Column("session", identifier(), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("what", Prose, nullable=False),
    sa.Column("why", Prose, nullable=False),
    sa.Index(None, "person", "session"),
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("person", identifier(), nullable=False),
    sa.Column("session", identifier(), nullable=False),
    sa.Column("seat", identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Index(None, "person", "session"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("who", Prose, nullable=False),
    sa.Column("origin", Prose, nullable=False),
    sa.Column("what", Prose, nullable=False),
    sa.Column("account", identifier()),
    sa.Column("person", identifier()),
    sa.Column("detail", Prose, nullable=False),
)

hold = sa.Table(
    "hold",
    metadata,
    sa.Column("guard", sa.String, primary_key=True),
    sa.Column("subject", identifier(), primary_key=True),
    sa.Column("why", Prose, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("urgent_at", Instant),
    sa.Column("released", sa.Boolean, nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("cycle", sa.String, nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("finished", Instant, nullable=False),
    sa.Column("result", sa.String, nullable=False),
    sa.Column("sentence", Prose, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
)

used = sa.Table(
    "used",
    metadata,
    # What may be used once: launch tokens, states of OAuth, links in mails; until it would be refused anyway.
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("id", identifier(), primary_key=True),
    sa.Column("until", Instant, nullable=False, index=True),
)

refusal = sa.Table(
    "refusal",
    metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("subject", identifier(), nullable=False),
    sa.Column("why", Prose, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)

told = sa.Table(
    "told",
    metadata,
    # What a person was last told of a day. It outlives connections: most people have none.
    sa.Column("person", identifier(), primary_key=True),
    sa.Column("session", identifier(), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", identifier(), nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("seat", identifier()),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("uid", identifier(), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("digest_time", sa.String, nullable=False),
    sa.Column("digest_content", sa.String, nullable=False),
    sa.Column("digest_form", sa.String, nullable=False),
    sa.Column("noticed", sa.String),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("location", sa.String, nullable=False),
    sa.Column("day", sa.JSON, nullable=False),
    sa.Column("ends", Instant, nullable=False, index=True),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("person", identifier(), nullable=False),
    sa.Column("account", identifier(), nullable=False),
    sa.Column("session", identifier(), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("way", sa.String, nullable=False),
    sa.Column("once", identifier(), unique=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("body", sa.String),
    sa.Column("effects", _LIST, nullable=False),
    sa.Column("message_id", sa.String, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("retry_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("code", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", Prose),
    sa.Column("claimed_by", sa.String),
    sa.Column("claimed_until", Instant),
    sa.Column("ended_at", Instant, index=True),
    sa.Index(None, "state", "id"),
    sa.Index(None, "person"),
    # A number is never used again: what is being sent under one must not be taken for another.
    sqlite_autoincrement=True,
)

mail_baseline = sa.Table(
    "mail_baseline",
    metadata,
    sa.Column("account", identifier(), primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("people", _LIST),
    sa.Column("restored", sa.Boolean, nullable=False, server_default=sa.false()),
)

batch = sa.Table(
    "batch",
    metadata,
    # Work handed to another process, for as long as the cycle waits for it. ``sent``, ``seen``: by the
    # database's clock, when it was last handed out, and when its worker last showed life.
    sa.Column("id", identifier(), primary_key=True),
    sa.Column("run", identifier(), nullable=False, index=True),
    sa.Column("work", sa.String, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.String),
    sa.Column("seen", sa.BigInteger),
    sa.Column("takes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("result", sa.String),
)

lead = sa.Table(
    "lead",
    metadata,
    # One row, ever.
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1", name="one_row"), primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)
