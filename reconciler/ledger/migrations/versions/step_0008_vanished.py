"""Find the few events that have vanished among millions that have not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    vanished = sa.text("state IN ('missing', 'held', 'unregistering', 'unregistered')")
    op.create_index("ix_event_vanished", "event", ["state"], sqlite_where=vanished, postgresql_where=vanished)
