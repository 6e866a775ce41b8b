"""The leases that writers take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create `sot_locks`, empty: a lock nobody took yet has no row."""
    op.create_table(
        "sot_locks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("host", sa.Text),
        sa.Column("boot_id", sa.Text),
        sa.Column("pid", sa.BigInteger),
        sa.Column("process_start", sa.BigInteger),
        sa.Column("command", sa.Text),
        sa.Column("acquired_at", sa.Double),
        sa.Column("heartbeat_at", sa.Double),
        sa.Column("expires_at", sa.Double),
        sa.Column("progress", sa.Text),
    )
