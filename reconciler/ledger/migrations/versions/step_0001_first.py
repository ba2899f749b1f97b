"""The first schema: everything the program keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _identifier() -> sa.types.TypeEngine[str]:
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation = sa.Table(
    "installation",
    metadata,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1", name="one_row"), primary_key=True),
    sa.Column("id", _identifier()),
    sa.Column("lms_address", sa.String),
    sa.Column("public_address", sa.String),
    sa.Column("digest_schema", sa.String),
    sa.Column("heartbeat", sa.BigInteger),
    sa.Column("restore_counter", sa.BigInteger, nullable=False, server_default="0"),
)

account = sa.Table(
    "account",
    metadata,
    sa.Column("account", _identifier(), primary_key=True),
    sa.Column("vendors", sa.JSON, nullable=False),
    sa.Column("email_notifications", sa.Boolean, nullable=False),
    sa.Column("mode", sa.String, nullable=False),
    sa.Column("unregister_mode", sa.String),
    sa.Column("people", sa.JSON),
)

connection = sa.Table(
    "connection",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("person", _identifier(), nullable=False),
    sa.Column("account", _identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("subject", _identifier(), nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("calendar_id", _identifier(), nullable=False),
    sa.Column("identity", _identifier(), nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("baseline_since", sa.BigInteger),
    sa.Column("listed_at", sa.BigInteger),
    sa.Column("state_since", sa.BigInteger),
    sa.Column("last_error", sa.String),
    sa.UniqueConstraint("person", "provider", "subject"),
    sqlite_autoincrement=True,
)

serving = sa.text("state != 'disconnected'")

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

person_state = sa.Table(
    "person_state",
    metadata,
    sa.Column("person", _identifier(), primary_key=True),
    sa.Column("account", _identifier(), nullable=False),
    sa.Column("applied", sa.String),
    sa.Column("next_audit", sa.BigInteger, index=True),
    sa.Column("retry_at", sa.BigInteger),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.String),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("lease_owner", sa.String),
    sa.Column("lease_until", sa.BigInteger),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("person", _identifier(), sa.ForeignKey("person_state.person"), primary_key=True),
    sa.Column("session", _identifier(), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", _identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("seat", _identifier()),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("event_id", _identifier()),
    sa.Column("calendar_id", _identifier()),
    sa.Column("etag", sa.String),
    sa.Column("digest_time", sa.String, nullable=False),
    sa.Column("digest_content", sa.String, nullable=False),
    sa.Column("digest_form", sa.String, nullable=False),
    sa.Column("starts", sa.BigInteger, nullable=False),
    sa.Column("ends", sa.BigInteger, nullable=False, index=True),
    sa.Column("doomed", sa.JSON, nullable=False),
    sa.Column("copied", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("missing_since", sa.BigInteger),
    sa.Column("intent", sa.String),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", sa.BigInteger),
    sa.Column("last_error", sa.String),
    sa.Column("updated_at", sa.BigInteger),
    sa.Column("answer", sa.String),
    sa.Column("answer_seat", _identifier()),
    sa.Column("answer_generation", sa.Integer),
    sa.Column("missing_confirmed_at", sa.BigInteger),
    sa.Column("grace_until", sa.BigInteger),
    sa.Column("deadline", sa.BigInteger),
    sa.Column("hold_reason", sa.String),
    sa.Column("held_since", sa.BigInteger),
    sa.Column("put_back", sa.String),
)

sighting = sa.Table(
    "sighting",
    metadata,
    sa.Column("person", _identifier(), sa.ForeignKey("person_state.person"), primary_key=True),
    sa.Column("event_id", _identifier(), primary_key=True),
    sa.Column("first_seen", sa.BigInteger, nullable=False),
)

history = sa.Table(
    "history",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("person", _identifier(), nullable=False),
    sa.Column("session", _identifier(), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Index(None, "person", "session"),
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("person", _identifier(), nullable=False),
    sa.Column("session", _identifier(), nullable=False),
    sa.Column("seat", _identifier(), nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Index(None, "person", "session"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("account", _identifier()),
    sa.Column("person", _identifier()),
    sa.Column("detail", sa.String, nullable=False),
)

hold = sa.Table(
    "hold",
    metadata,
    sa.Column("guard", sa.String, primary_key=True),
    sa.Column("subject", _identifier(), primary_key=True),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("urgent_at", sa.BigInteger),
    sa.Column("released", sa.Boolean, nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("cycle", sa.String, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.BigInteger, nullable=False),
    sa.Column("result", sa.String, nullable=False),
    sa.Column("sentence", sa.String, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
)

refusal = sa.Table(
    "refusal",
    metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("subject", _identifier(), nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)


def upgrade() -> None:
    """Create every table."""
    metadata.create_all(op.get_bind(), checkfirst=False)
