"""`sot_sources`: which bytes of which ledger file the rows agree with.

A row is written in the transaction that makes entries and full text agree with the file, with how
many of them there were then: a reader who finds the same hash in the file and the same counts in
the tables knows without parsing that nothing lags, and where each entry stands. Portable SQL.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import cast

from sot_pipeline.plan import RecordKey
from sot_pipeline.targets.database import full_text, rows
from sot_pipeline.targets.database.engine import Engine
from sot_pipeline.targets.database.model import LedgerFile, Source

# Rows that somebody else changed have an empty hash (see the triggers): they do not count.
_ENTRIES = (
    "(SELECT count(*) FROM sot_entries AS e WHERE e.project_id = {0} AND e.file_type = {1} AND content_hash <> '')"
)
_CHUNKS = (
    "(SELECT count(*) FROM sot_fulltext AS f WHERE f.project_id = {0} AND f.file_type = {1} AND fingerprint <> '')"
)

_RECORD = f"""
INSERT INTO sot_sources (project_id, file_type, path, file_hash, lines, entries, chunks)
VALUES (?, ?, ?, ?, ?, {_ENTRIES.format("?", "?")}, {_CHUNKS.format("?", "?")})
ON CONFLICT (project_id, file_type) DO UPDATE SET path = excluded.path, file_hash = excluded.file_hash,
    lines = excluded.lines, entries = excluded.entries, chunks = excluded.chunks
"""


def sources(engine: Engine, project_ids: Collection[str]) -> list[Source]:
    """What is recorded for these projects."""
    intact = "false"
    if engine.full_text.is_ready():
        columns = ("s.project_id", "s.file_type")
        intact = f"s.entries = {_ENTRIES.format(*columns)} AND s.chunks = {_CHUNKS.format(*columns)}"
    condition, ids = engine.among("s.project_id", tuple(project_ids))
    found = cast(
        "list[tuple[str, str, str, str, bool | int]]",
        engine.query(
            f"SELECT s.project_id, s.file_type, s.path, s.file_hash, {intact} FROM sot_sources AS s WHERE {condition}",
            (ids,),
        ),
    )
    return [Source(*row[:4], intact=bool(row[4])) for row in found]


def lines(engine: Engine, project_id: str, file_type: str) -> dict[str, int]:
    """Entry id → line in the file whose hash is recorded."""
    sql = "SELECT lines FROM sot_sources WHERE project_id = ? AND file_type = ?"
    found = engine.query(sql, (project_id, file_type))
    return json.loads(cast("str", found[0][0])) if found else {}


def indexed(engine: Engine, project_id: str) -> dict[RecordKey, str]:
    """Key → content hash of every entry, `DAMAGED` where its row and its full text do not agree."""
    stored, text = rows.fingerprints(engine, project_id), full_text.fingerprints(engine, project_id)
    agreed = {key: found if stored.get(key) == found else rows.DAMAGED for key, found in text.items()}
    return dict.fromkeys(stored, rows.DAMAGED) | agreed


def record(engine: Engine, project_id: str, files: Sequence[LedgerFile], keep: Collection[str]) -> None:
    """Note that the tables now agree with `files`; a row that says so already is not written.

    What is recorded of file_types in `keep` stays as it is; of all others it is dropped.
    """
    present = {source.file_type: source for source in sources(engine, (project_id,))}
    condition, kept = engine.among("file_type", [*keep, *(file.file_type for file in files)])
    engine.execute(f"DELETE FROM sot_sources WHERE project_id = ? AND NOT {condition}", (project_id, kept))
    for file_type, path, file_hash, lines_of in files:
        if present.get(file_type) != Source(project_id, file_type, path, file_hash, intact=True):
            scope = (project_id, file_type)
            engine.execute(_RECORD, (*scope, path, file_hash, json.dumps(dict(lines_of)), *scope, *scope))
