"""When a grant was last used only to keep it alive, and since when a person is gone from the LMS."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("connection", sa.Column("refreshed_at", sa.BigInteger))
    op.add_column("person_state", sa.Column("gone_since", sa.BigInteger))
