"""What a row of `code_files` and of `codebase_metadata` holds, and how it becomes parameters of SQL.

The columns follow `code.model`. Reading and writing whole tables is `code_index.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from sot_pipeline.code.encode import LISTS, Encoded, unpacked
from sot_pipeline.code.model import FILE_METRICS, PROJECT_METRICS, Kind, Metrics, ParseStatus
from sot_pipeline.plan import Json, canonical_json
from sot_pipeline.targets.database.engine import Row, Target, Value
from sot_pipeline.targets.database.rows import moment

if TYPE_CHECKING:
    from sot_pipeline.code.resolve import FileFacts

METRICS: Mapping[str, Kind] = {**FILE_METRICS, **PROJECT_METRICS}
_PENDING: Mapping[str, Json] = {
    name: {"reason": "known after the next full pass: sot code index --execute"} for name in PROJECT_METRICS
}
_KEY = ("project_id", "path")


class CodeTable(StrEnum):
    """The two tables; each is compared with the files, written and healed by itself."""

    FILES = "code_files"
    METADATA = "codebase_metadata"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file as both tables hold it, as far as the file alone says it; `last_modified` is naive UTC."""

    file: Encoded
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class StoredMetadata:
    """A row of `codebase_metadata`, its metrics in the order of the model. Times are naive UTC."""

    project_id: str
    path: str
    size: int
    language: str
    last_modified: datetime
    file_type: str
    content_hash: str
    updated_at: datetime
    metrics: Metrics


_IDENTITY = (*_KEY, "size", "language", "last_modified", "file_type", "content_hash", "updated_at")
METADATA_COLUMNS = (*_IDENTITY, *METRICS, "metric_status")

FILES = Target(
    CodeTable.FILES,
    (
        *_KEY,
        *("language", "content", "size", "line_count", "content_hash", *LISTS),
        *("parse_status", "parsed_at", "updated_at"),
    ),
    _KEY,
)
METADATA = Target(CodeTable.METADATA, METADATA_COLUMNS, _KEY)
TOKENS = Target("code_tokens", (*_KEY, "content_hash", "tokens"), _KEY)


def file_values(project_id: str, row: FileRow, now: str) -> tuple[Value, ...]:
    """The parameters of a row of `code_files`."""
    file = row.file
    return (
        *(project_id, file.path, file.language, file.content, file.size, file.line_count, file.content_hash),
        *file.lists,
        *(file.parse_status.value, now, now),
    )


def metadata_values(project_id: str, row: FileRow, now: str) -> tuple[Value, ...]:
    """The parameters of a row of `codebase_metadata`; what a full pass finds out is not known yet."""
    file, modified = row.file, row.last_modified.isoformat(sep=" ")
    suffix = PurePosixPath(file.path).suffix.removeprefix(".").lower()
    return (
        *(project_id, file.path, file.size, file.language, modified, suffix, file.content_hash, now),
        *file.metrics,
        *(None for _ in PROJECT_METRICS),
        canonical_json({**_PENDING, **file.status}),
    )


def token_values(project_id: str, row: FileRow) -> tuple[Value, ...]:
    """The parameters of a row of `code_tokens`."""
    return (project_id, row.file.path, row.file.content_hash, row.file.tokens)


def stored_facts(row: Row) -> FileFacts:
    """What relating needs of a file, from path, language, status, imports, classes, complexity and tokens."""
    from sot_pipeline.code.resolve import FileFacts

    path, language, status, imports, classes, complexity, tokens = row
    return FileFacts(
        cast("str", path),
        cast("str", language),
        ParseStatus(cast("str", status)),
        cast("list[Json]", decoded(imports)),
        cast("list[Json]", decoded(classes)),
        cast("int | None", complexity),
        unpacked(cast("bytes | None", tokens) or b""),
    )


def stored_metadata(row: Row) -> StoredMetadata:
    """The row that was read with `METADATA_COLUMNS`."""
    project_id, path, size, language, modified, file_type, content_hash, updated = row[: len(_IDENTITY)]
    return StoredMetadata(
        cast("str", project_id),
        cast("str", path),
        cast("int", size),
        cast("str", language),
        moment(modified),
        cast("str", file_type),
        cast("str", content_hash),
        moment(updated),
        stored_metrics(row[len(_IDENTITY) :], METRICS),
    )


def stored_metrics(row: Row, columns: Mapping[str, Kind]) -> Metrics:
    """Metrics from a row of these columns and `metric_status`."""
    values = {name: _value(found, kind) for (name, kind), found in zip(columns.items(), row, strict=False)}
    return Metrics(values, cast("dict[str, Json]", decoded(row[len(columns)])))


def _value(found: object, kind: Kind) -> Json:
    return decoded(found) if kind is Kind.JSON else cast("Json", found)


def decoded(found: object) -> Json:
    """A column of JSON: PostgreSQL's driver has it decoded already."""
    return cast("Json", json.loads(found) if isinstance(found, str) else found)
