"""Reads `sot_entries`: fingerprints, deep fingerprints and entries. Portable SQL; writes nothing."""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import cast

from sot_pipeline.plan import Json, Record, RecordKey, canonical_json, hash_record
from sot_pipeline.targets.database.engine import Engine, Row, RowValues, Value, listed
from sot_pipeline.targets.database.model import StoredEntry

# The fingerprint of a row that is not what its content_hash says, or cannot be hashed at all.
DAMAGED = "damaged"

_COLUMNS = "project_id, file_type, entry_id, title, content, metadata, created_at, updated_at, content_hash"


def fingerprints(engine: Engine, project_id: str) -> dict[RecordKey, str]:
    """Key → stored content_hash of every entry of a project."""
    ids, hashes = engine.gathered("entry_id"), engine.gathered("content_hash")
    sql = f"SELECT file_type, {ids}, {hashes} FROM sot_entries WHERE project_id = ? GROUP BY file_type"
    found: dict[RecordKey, str] = {}
    for file_type, entry_ids, content_hashes in engine.query(sql, (project_id,)):
        found.update(zip(keys_of(project_id, file_type, listed(entry_ids)), listed(content_hashes), strict=True))
    return found


def keys_of(project_id: str, file_type: object, entry_ids: Iterable[str]) -> Iterator[RecordKey]:
    """Keys of entries of one ledger, without the constructor's handling of arguments: a third of the time."""
    return map(tuple.__new__, repeat(RecordKey), zip(repeat(project_id), repeat(file_type), entry_ids))


def deep_fingerprints(engine: Engine, project_id: str) -> dict[RecordKey, str]:
    """Key → hash of the stored fields, computed anew; `DAMAGED` where it is not the stored one."""
    rows = engine.stream(f"SELECT {_COLUMNS} FROM sot_entries WHERE project_id = ?", (project_id,))
    return {RecordKey(*cast("tuple[str, str, str]", row[:3])): _rehash(row) for row in rows}


def _rehash(row: Row) -> str:
    try:
        entry = _entry(row)
        dated = entry.created_at if "date" in entry.metadata else None
        found = hash_record(entry.key, entry.title, entry.content, entry.metadata, dated)
    except (TypeError, ValueError, AttributeError):  # other types than the columns should hold: SQLite keeps any
        return DAMAGED
    return found if found == entry.content_hash else DAMAGED


def digest(engine: Engine, project_id: str) -> str:
    """`digest_of` the deep fingerprints of a project."""
    return digest_of(deep_fingerprints(engine, project_id))


def digest_of(found: Mapping[RecordKey, str]) -> str:
    """SHA-256 (hex) over keys and hashes, whatever order they come in; the project id is left out."""
    lines = sorted(f"{key.file_type}\0{key.entry_id}\0{hash_}\n" for key, hash_ in found.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def counts(engine: Engine, project_id: str) -> dict[str, int]:
    """file_type → number of entries."""
    sql = "SELECT file_type, count(*) FROM sot_entries WHERE project_id = ? GROUP BY file_type ORDER BY file_type"
    return dict(cast("list[tuple[str, int]]", engine.query(sql, (project_id,))))


def entries(engine: Engine, *, where: Mapping[str, Sequence[str]]) -> list[StoredEntry]:
    """Entries whose columns have one of the given values, ordered by key."""
    conditions: list[str] = ["true"]
    parameters: list[Value] = []
    for column, values in where.items():
        condition, parameter = engine.among(column, values)
        conditions.append(condition)
        parameters.append(parameter)
    sql = (
        f"SELECT {_COLUMNS} FROM sot_entries WHERE {' AND '.join(conditions)} ORDER BY project_id, file_type, entry_id"
    )
    return [_entry(row) for row in engine.query(sql, parameters)]


def _entry(row: Row) -> StoredEntry:
    project_id, file_type, entry_id, title, content, metadata, created, updated, content_hash = cast(
        "tuple[str, str, str, str, str, str | dict[str, Json], str | datetime, str | datetime, str]", row
    )
    return StoredEntry(
        RecordKey(project_id, file_type, entry_id),
        title,
        content,
        json.loads(metadata) if isinstance(metadata, str) else metadata,
        moment(created),
        moment(updated),
        content_hash,
    )


def moment(value: object) -> datetime:
    """A time as the database gave it: a datetime, or text in SQLite."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(cast("str", value))


def values_of(record: Record) -> RowValues:
    """A record as `Engine.upsert` takes it."""
    created = record.created_at.isoformat(sep=" ") if record.created_at else None
    return RowValues(
        *record.key, record.title, record.content, canonical_json(record.metadata), created, record.content_hash
    )
