"""The tables as they are now, in SQLAlchemy Core: what Dagster shows and migrations are tested against.

How a database gets there from an older version is `migrations/`. The full-text table is not among
them: it is derived from these rows and made anew where its layout changes. Neither is the view
`skill_categories`, nor what gives out row versions (`skill_versions`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Float,
    ForeignKeyConstraint,
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
from sot_pipeline.skills.model import LIST_KEYS

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

# What finding copies needs of each file, so that a full pass parses none (`code.encode.packed`).
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

# Skills. Other programs write to `skills` and the tables of its members with plain SQL: what they may
# leave out has a default or is null, and triggers give the row a new `row_version`. A column's `doc`
# says what it is to them.
skills = Table(
    "skills",
    metadata,
    Column("project_id", Text, primary_key=True, doc="The project; may be left out where the database knows only one."),
    Column("uid", Text, primary_key=True, doc="What stays the same when a skill is renamed; given where left out."),
    Column("skill_path", Text, doc="The folder of its SKILL.md below the skills root, with '/'; '.' is the root."),
    Column("name", Text, doc="Of the front matter, as the next ones: null where the file does not say it."),
    Column("description", Text),
    Column("version", Text),
    Column("type", Text),
    Column("weight", Double),
    Column("load_priority", Double),
    Column("status", Text),
    Column("scope", Text),
    Column("body", Text, doc="SKILL.md after its front matter; null is empty."),
    Column(
        "front_matter",
        LargeBinary,
        doc="The bytes of SKILL.md before the body, whose format is kept; what it says is in the columns.",
    ),
    # Not JSONB, which orders keys and has no large floats: an author's order is kept.
    Column("extra", JSON, doc="A JSON object of the keys that have no column; null is none."),
    Column("executable", Boolean, doc="Whether SKILL.md itself is executable."),
    Column(
        "row_version", BigInteger, nullable=False, doc="New on every change of this row or its members; never repeated."
    ),
    Column("content_hash", Text, doc="Hash of the folder that this row was last synced with; null since it changed."),
    Column("created_at", DateTime, doc="UTC."),
    Column("updated_at", DateTime, doc="UTC, of the last change of this row or its members."),
    UniqueConstraint("project_id", "skill_path", name="skills_path"),
    Index("skills_lookup", "project_id", "uid", "skill_path", "row_version"),
)


def _belongs_to_skill(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["project_id", "uid"],
        ["skills.project_id", "skills.uid"],
        name=f"{table}_skill",
        ondelete="CASCADE",
        onupdate="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    )


# skill_keywords, skill_tags …: one row for each member of a list.
skill_lists = {
    key: Table(
        f"skill_{key}",
        metadata,
        Column("project_id", Text, nullable=False),
        Column("uid", Text, nullable=False),
        Column("position", BigInteger, doc="Members are in this order; those without one come last, by value."),
        Column("value", Text),
        _belongs_to_skill(f"skill_{key}"),
        Index(f"skill_{key}_lookup", "project_id", "uid", "position"),
    )
    for key in LIST_KEYS
}

skill_files = Table(
    "skill_files",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("path", Text, primary_key=True, doc="Below the skill's folder, with '/'; never SKILL.md."),
    Column("content", LargeBinary),
    Column("sha256", Text, doc="Of the content, hexadecimal; null where another program wrote it, as is size."),
    Column("size", BigInteger, doc="Bytes."),
    Column("mode", Integer, doc="420 (octal 644), or 493 (octal 755) for an executable file."),
    _belongs_to_skill("skill_files"),
)

# What files and rows last agreed on, byte for byte; `row_version` is the one that the row had then.
skill_base = Table(
    "skill_base",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("skill_path", Text, nullable=False),
    Column("row_version", BigInteger, nullable=False),
    Column("folder_hash", Text, nullable=False),
)

skill_base_file = Table(
    "skill_base_file",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("path", Text, primary_key=True, doc="Below the skill's folder, SKILL.md among them."),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("mode", Integer, nullable=False),
)

skill_tombstones = Table(
    "skill_tombstones",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("skill_path", Text, nullable=False, doc="Where it last was."),
    Column("deleted_at", DateTime, nullable=False),
    Column("side", Text, nullable=False, doc="Where it was deleted first: 'files', 'database' or 'both'."),
)

# Folders that are being moved or deleted: whoever comes after a killed process finishes that first.
skill_moves = Table(
    "skill_moves",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("source", Text, nullable=False, doc="Below the skills root."),
    Column("target", Text, doc="Null: the folder is deleted."),
    Column("folder_hash", Text, nullable=False, doc="Of what is moved."),
)

# Rows are never deleted: the three versions are the backup of what a resolution overwrote.
skill_conflicts = Table(
    "skill_conflicts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("uid", Text, nullable=False, doc="Empty where the database had no such skill."),
    Column("skill_path", Text, nullable=False),
    Column("field", Text, nullable=False, doc="A key of the front matter, 'body', or what else both sides changed."),
    Column("base", Text, doc="The value last agreed on; null where there was none."),
    Column("ours", Text, doc="The value in the files."),
    Column("theirs", Text, doc="The value in the database."),
    Column("base_bytes", LargeBinary, doc="The whole file that it stands in, as the next two."),
    Column("ours_bytes", LargeBinary),
    Column("theirs_bytes", LargeBinary),
    Column("found_at", DateTime, nullable=False),
    Column("resolved_at", DateTime, doc="Null while it is open."),
    Column("resolution", Text, doc="What was taken or is to be: 'ours', 'theirs', 'file', or why it ended by itself."),
    Column("chosen_bytes", LargeBinary, doc="The file that was given to take."),
    Index("skill_conflicts_lookup", "project_id", "resolved_at", "uid"),
)
