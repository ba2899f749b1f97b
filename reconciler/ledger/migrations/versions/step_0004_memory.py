"""What vendors' adapters remember of calendars between two listings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    person = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "calendar_memory",
        sa.Column("connection_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("person", person, nullable=False),
        sa.Column("remembered", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("connection_id", name="pk_calendar_memory"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name="fk_calendar_memory_connection_id",
            ondelete="CASCADE",
        ),
    )
