"""Rows in SQLite or PostgreSQL: entries, their full text, activity and cached embeddings.

`Database` is the way in; `model` holds the values it answers with. Statements are plain SQL on
the drivers, because every process pays for its imports and SQLAlchemy alone costs as much as a
whole keyword search may: SQLAlchemy Core describes the tables (`tables`) and makes them
(`schema`, `migrations`). No planning of what should be written: that is `plan` and `reconcile`.
"""

from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.model import (
    Activity,
    LedgerFile,
    LoggedActivity,
    ReadmeSync,
    Source,
    StoredEntry,
    TextMatch,
)
from sot_pipeline.targets.database.writing import Writing

__all__ = [
    "Activity",
    "Database",
    "LedgerFile",
    "LoggedActivity",
    "ReadmeSync",
    "Source",
    "StoredEntry",
    "TextMatch",
    "Writing",
]
