"""The tables as they are now, in SQLAlchemy Core: what Dagster shows and migrations are tested against.

How a database gets there from an older version is `migrations/`. The full-text table is not among
them: it is derived from these rows and made anew where its layout changes.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

# SQLite counts up only a key of exactly this type.
_ID = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

sot_entries = Table(
    "sot_entries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("file_type", Text, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("metadata", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    Column("content_hash", Text, nullable=False),
    UniqueConstraint("project_id", "file_type", "entry_id", name="sot_entries_key"),
    # With the hash in it, all fingerprints of a project are read without touching a row.
    Index("sot_entries_lookup", "project_id", "file_type", "entry_id", "content_hash"),
)

sot_sources = Table(
    "sot_sources",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("file_type", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("file_hash", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("lines", Text, nullable=False),  # JSON: entry id → line in that file
)

readme_sync = Table(
    "readme_sync",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("last_synced_at", DateTime, nullable=False),
    Column("last_update_summary", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
)

sync_activity = Table(
    "sync_activity",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("sync_type", Text, nullable=False),
    Column("entries_synced", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_message", Text),
    Column("created_at", DateTime, nullable=False),
    Column("inserted", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Index("sync_activity_lookup", "project_id", "sync_type", "id"),
)

embedding_cache = Table(
    "embedding_cache",
    metadata,
    Column("model", Text, primary_key=True),
    Column("text_hash", Text, primary_key=True),
    Column("dimension", Integer, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian
    Column("created_at", DateTime, nullable=False),
)

# A free lock has no owner; its row stays, because the fence may only grow. Times are seconds since
# 1970 by the database's clock. boot_id, pid and process_start say which process on `host` it is.
sot_locks = Table(
    "sot_locks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("owner", Text),
    Column("host", Text),
    Column("boot_id", Text),
    Column("pid", BigInteger),
    Column("process_start", BigInteger),
    Column("command", Text),
    Column("acquired_at", Double),
    Column("heartbeat_at", Double),
    Column("expires_at", Double),
    Column("progress", Text),
)
