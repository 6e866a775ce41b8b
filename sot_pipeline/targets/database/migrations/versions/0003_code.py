"""The code index: `code_files`, `codebase_metadata`, and what they are compared and related by."""

# ruff: noqa: S608  # names of ours

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")

# Names and not the model's lists: a migration does what it did on the day it was written.
_FILE_LISTS = "functions classes imports exports symbols"
_COUNTS = (
    "cyclomatic_complexity cognitive_complexity nesting_depth function_count class_count struct_count enum_count "
    "trait_count interface_count total_lines code_lines comment_lines blank_lines halstead_vocabulary "
    "halstead_length code_smells_count vulnerability_count dependency_count dependent_count commits_90d authors_90d"
)
_MEASURES = (
    "maintainability_index halstead_volume halstead_difficulty halstead_effort technical_debt_ratio security_score "
    "quality_score documentation_coverage pagerank_score centrality_score duplication_percentage test_coverage "
    "hotspot_score"
)
_LISTS = "domains patterns features imports exports symbols dependencies related_files"
# Written by a full pass, while the row stays that of the same file.
_WRITTEN_LATER = (
    "pagerank_score centrality_score dependency_count dependent_count duplication_percentage test_coverage "
    "commits_90d authors_90d hotspot_score dependencies related_files security_score vulnerability_count"
)


def upgrade() -> None:
    """Create the tables, and the triggers that make tampering visible in `content_hash`."""
    op.create_table(
        "code_files",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("content", sa.Text),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("line_count", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        *(sa.Column(name, _JSON, nullable=False) for name in _FILE_LISTS.split()),
        sa.Column("parse_status", sa.Text, nullable=False),
        sa.Column("parsed_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "codebase_metadata",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("last_modified", sa.DateTime, nullable=False),
        sa.Column("file_type", sa.Text, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in _COUNTS.split()),
        *(sa.Column(name, sa.Double) for name in _MEASURES.split()),
        *(sa.Column(name, _JSON) for name in _LISTS.split()),
        sa.Column("metric_status", _JSON, nullable=False),
    )
    op.create_table(
        "code_tokens",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("tokens", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "code_analysis",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
    )
    # With the hash in it, all fingerprints of a project are read without touching a row.
    op.create_index("code_files_lookup", "code_files", ["project_id", "path", "content_hash", "parse_status"])
    for table in ("codebase_metadata", "code_tokens"):
        op.create_index(f"{table}_lookup", table, ["project_id", "path", "content_hash"])
    _watch("code_files", f"project_id path language content size line_count parse_status {_FILE_LISTS}")
    own = [name for name in f"{_COUNTS} {_MEASURES} {_LISTS}".split() if name not in _WRITTEN_LATER.split()]
    _watch("codebase_metadata", f"project_id path size language last_modified file_type {' '.join(own)}")


def _watch(table: str, columns: str) -> None:
    """Whoever changes one of `columns` and not the hash is not us: the row is left without one."""
    if op.get_bind().dialect.name == "sqlite":
        changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in columns.split())
        op.execute(
            f"CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} "
            f"WHEN NEW.content_hash IS OLD.content_hash AND ({changed}) "
            f"BEGIN UPDATE {table} SET content_hash = '' WHERE rowid = NEW.rowid; END"
        )
        return
    new, old = (", ".join(f"{row}.{name}" for name in columns.split()) for row in ("NEW", "OLD"))
    op.execute(
        f"CREATE TRIGGER {table}_changed BEFORE UPDATE ON {table} FOR EACH ROW "
        f"WHEN (NEW.content_hash IS NOT DISTINCT FROM OLD.content_hash AND ({new}) IS DISTINCT FROM ({old})) "
        "EXECUTE FUNCTION sot_forget_content_hash()"
    )
