"""What the database answers with and what is logged in it, as values. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sot_pipeline.plan import Counts, Json, RecordKey


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A row of `sot_entries`. Times are naive UTC.

    `created_at` is the entry's own date where `metadata` has the key `date`, else the time at
    which the row was inserted.
    """

    key: RecordKey
    title: str
    content: str
    metadata: Mapping[str, Json]
    created_at: datetime
    updated_at: datetime
    content_hash: str


class LedgerFile(NamedTuple):
    """A ledger file as it was read: SHA-256 (hex) of its bytes, and the line of each entry in it."""

    file_type: str
    path: str
    file_hash: str
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """The ledger file that entries and full text were last made to agree with.

    `path` is relative to the project root, `file_hash` the SHA-256 (hex) of its bytes. `intact` is
    false where rows were lost, added or changed since by somebody else.
    """

    project_id: str
    file_type: str
    path: str
    file_hash: str
    intact: bool


@dataclass(frozen=True, slots=True)
class TextMatch:
    """One answer of a keyword search: an entry and the chunk of it that fits best.

    `score` is BM25, higher is better; `title` is the entry's, `body` the chunk's text.
    """

    key: RecordKey
    chunk: int
    score: float
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Activity:
    """How one step on one target of one project ended.

    `sync_type` is "database", "vectors", "readme" or "verify"; `status` is "success", "problems"
    or, of a verification only, "disagree". A lock broken by hand is noted as "locks", with the
    status "broken" or "forced".
    """

    sync_type: str
    entries_synced: int
    status: str
    error_message: str | None
    counts: Counts
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class LoggedActivity:
    """A row of `sync_activity`; `created_at` is naive UTC."""

    project_id: str
    activity: Activity
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReadmeSync:
    """When a project's README summary was last made true, and what it said."""

    project_id: str
    last_synced_at: datetime
    last_update_summary: str
    content_hash: str
