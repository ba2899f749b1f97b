"""Work handed to other processes, and who of several schedulers hands it out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    identifier = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "batch",
        sa.Column("id", identifier, nullable=False),
        sa.Column("run", identifier, nullable=False),
        sa.Column("work", sa.String, nullable=False),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("seen", sa.BigInteger),
        sa.Column("takes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("result", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
    )
    op.create_index("ix_batch_run", "batch", ["run"])
    op.create_table(
        "lead",
        sa.Column("one", sa.Integer, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.CheckConstraint("one = 1", name="ck_lead_one_row"),
        sa.PrimaryKeyConstraint("one", name="pk_lead"),
    )
