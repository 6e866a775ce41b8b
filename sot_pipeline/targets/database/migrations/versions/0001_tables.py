"""The first tables, and the triggers that make tampering with an entry visible in its content_hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# A row that changes while its hash stays is a row changed by somebody else: without a hash it is
# seen by the cheapest comparison, and the next sync writes it again.
_SQLITE_TRIGGER = """
CREATE TRIGGER sot_entries_changed AFTER UPDATE ON sot_entries
WHEN NEW.content_hash IS OLD.content_hash AND (
    NEW.project_id IS NOT OLD.project_id OR NEW.file_type IS NOT OLD.file_type OR NEW.entry_id IS NOT OLD.entry_id
    OR NEW.title IS NOT OLD.title OR NEW.content IS NOT OLD.content OR NEW.metadata IS NOT OLD.metadata
    OR NEW.created_at IS NOT OLD.created_at)
BEGIN UPDATE sot_entries SET content_hash = '' WHERE id = NEW.id; END
"""
_POSTGRES_FUNCTION = """
CREATE FUNCTION sot_forget_content_hash() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.content_hash := ''; RETURN NEW; END $$
"""
_POSTGRES_TRIGGER = """
CREATE TRIGGER sot_entries_changed BEFORE UPDATE ON sot_entries FOR EACH ROW
WHEN (NEW.content_hash IS NOT DISTINCT FROM OLD.content_hash AND
    (NEW.project_id, NEW.file_type, NEW.entry_id, NEW.title, NEW.content, NEW.metadata, NEW.created_at)
    IS DISTINCT FROM
    (OLD.project_id, OLD.file_type, OLD.entry_id, OLD.title, OLD.content, OLD.metadata, OLD.created_at))
EXECUTE FUNCTION sot_forget_content_hash()
"""


def upgrade() -> None:
    """Create all tables; nothing is there before."""
    op.create_table(
        "sot_entries",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("file_type", sa.Text, nullable=False),
        sa.Column("entry_id", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.UniqueConstraint("project_id", "file_type", "entry_id", name="sot_entries_key"),
    )
    op.create_index("sot_entries_lookup", "sot_entries", ["project_id", "file_type", "entry_id", "content_hash"])
    op.create_table(
        "sot_sources",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("file_type", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("file_hash", sa.Text, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
    )
    op.create_table(
        "readme_sync",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("last_synced_at", sa.DateTime, nullable=False),
        sa.Column("last_update_summary", sa.Text, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
    )
    op.create_table(
        "sync_activity",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("sync_type", sa.Text, nullable=False),
        sa.Column("entries_synced", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error_message", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("inserted", sa.Integer, nullable=False),
        sa.Column("updated", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("duration_seconds", sa.Float, nullable=False),
    )
    op.create_index("sync_activity_lookup", "sync_activity", ["project_id", "sync_type", "id"])
    op.create_table(
        "embedding_cache",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("text_hash", sa.Text, primary_key=True),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SQLITE_TRIGGER)
    else:
        op.execute(_POSTGRES_FUNCTION)
        op.execute(_POSTGRES_TRIGGER)
