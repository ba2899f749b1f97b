"""Mail: what people were told of each day, the outbox, and since when accounts are told of what is new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _identifier() -> sa.types.TypeEngine[str]:
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

told = sa.Table(
    "told",
    metadata,
    sa.Column("person", _identifier(), primary_key=True),
    sa.Column("session", _identifier(), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", _identifier(), nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("seat", _identifier()),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("uid", _identifier(), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("digest_time", sa.String, nullable=False),
    sa.Column("digest_content", sa.String, nullable=False),
    sa.Column("digest_form", sa.String, nullable=False),
    sa.Column("noticed", sa.String),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("location", sa.String, nullable=False),
    sa.Column("day", sa.JSON, nullable=False),
    sa.Column("ends", sa.BigInteger, nullable=False, index=True),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("person", _identifier(), nullable=False),
    sa.Column("account", _identifier(), nullable=False),
    sa.Column("session", _identifier(), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("way", sa.String, nullable=False),
    sa.Column("once", _identifier(), unique=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("body", sa.String),
    sa.Column("effects", sa.JSON, nullable=False),
    sa.Column("message_id", sa.String, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("retry_at", sa.BigInteger),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("code", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.String),
    sa.Column("claimed_by", sa.String),
    sa.Column("claimed_until", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger, index=True),
    sa.Index(None, "state", "id"),
    sa.Index(None, "person"),
    sqlite_autoincrement=True,
)

mail_baseline = sa.Table(
    "mail_baseline",
    metadata,
    sa.Column("account", _identifier(), primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("people", sa.JSON),
    sa.Column("restored", sa.Boolean, nullable=False, server_default=sa.false()),
)


def upgrade() -> None:
    """Add them."""
    op.add_column("person_state", sa.Column("mailed", sa.String))
    metadata.create_all(op.get_bind(), checkfirst=False)
