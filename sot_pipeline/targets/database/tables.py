"""The tables as they are now, in SQLAlchemy Core: what Dagster shows and migrations are tested against.

How a database gets there from an older version is `migrations/`. The full-text table is not among
them: it is derived from these rows and made anew where its layout changes.
"""

from __future__ import annotations

from typing import Any

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
from sqlalchemy.types import TypeEngine

from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS, Kind

# SQLite counts up only a key of exactly this type.
_ID = BigInteger().with_variant(Integer(), "sqlite")

_JSON = JSON().with_variant(JSONB(), "postgresql")
_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.INTEGER: BigInteger(),
    Kind.REAL: Double(),
    Kind.TEXT: Text(),
    Kind.JSON: _JSON,
}

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
    Column("metadata", _JSON, nullable=False),
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

# The bytes as text, and what parsing found in them; `content` is null where a file was skipped.
code_files = Table(
    "code_files",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("language", Text, nullable=False),
    Column("content", Text),
    Column("size", BigInteger, nullable=False),
    Column("line_count", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False),
    *(Column(name, _JSON, nullable=False) for name in ("functions", "classes", "imports", "exports", "symbols")),
    Column("parse_status", Text, nullable=False),
    Column("parsed_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    # All that is asked of every file at once, so that no text is read for it.
    Index("code_files_lookup", "project_id", "path", "content_hash", "parse_status"),
)

# A metric is null where it is not known; `metric_status` says why.
codebase_metadata = Table(
    "codebase_metadata",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("language", Text, nullable=False),
    Column("last_modified", DateTime, nullable=False),
    Column("file_type", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    *(Column(name, _TYPES[kind]) for name, kind in {**FILE_METRICS, **PROJECT_METRICS}.items()),
    Column("metric_status", _JSON, nullable=False),
    Index("codebase_metadata_lookup", "project_id", "path", "content_hash"),
)

# What finding copies needs of each file, so that a full pass parses none (`code.duplication.packed`).
# A row belongs to the one of codebase_metadata that has the same hash.
code_tokens = Table(
    "code_tokens",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Index("code_tokens_lookup", "project_id", "path", "content_hash"),
)

# By which analysis the rows of a code table were made; another one empties their hashes first.
code_analysis = Table(
    "code_analysis",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("version", Text, nullable=False),
)
