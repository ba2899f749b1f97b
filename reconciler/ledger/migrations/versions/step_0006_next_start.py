"""When each person's next day begins: who is near is looked at first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("person_state", sa.Column("next_start", sa.BigInteger))
