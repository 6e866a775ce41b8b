"""`CodeIndex`: one project's rows in `code_files` and `codebase_metadata`.

The two tables are written in transactions of their own, so that one that cannot be written does
not hold up the other. What a row holds is `code_rows.py`; what should be written is decided by
whoever compares `fingerprints` with the files.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar, cast

from sot_pipeline.code.model import PROJECT_METRICS, Metrics, SourceFile
from sot_pipeline.plan import Counts, Json, canonical_json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.database.code_rows import (
    METADATA_COLUMNS,
    TARGETS,
    CodeTable,
    FileMetadata,
    StoredMetadata,
    decoded,
    file_values,
    metadata_values,
    metric_values,
    stored_metadata,
    stored_metrics,
)
from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.engine import Engine, Value, listed

T = TypeVar("T")

_RELATION_COLUMNS = ", ".join((*PROJECT_METRICS, "metric_status"))
_RELATE = (
    f"UPDATE {CodeTable.METADATA} SET {', '.join(f'{name} = ?' for name in PROJECT_METRICS)}, metric_status = ?, "
    "updated_at = ? WHERE project_id = ? AND path = ?"
)
_REMEMBER_VERSION = (
    "INSERT INTO code_analysis (project_id, table_name, version) VALUES (?, ?, ?) "
    "ON CONFLICT (project_id, table_name) DO UPDATE SET version = excluded.version"
)


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """What is defined in one file, as it was when it had this `content_hash`."""

    path: str
    language: str
    content_hash: str
    symbols: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True)
class CodeIndex:
    """The rows of one project; `version` names the analysis whose rows count as up to date.

    Reads find nothing in a database without our tables; errors are those of `Database`.
    """

    database: Database
    project_id: str
    version: str

    def fingerprints(self, table: CodeTable, paths: Collection[str] | None = None) -> dict[str, str]:
        """Path → SHA-256 of the bytes a row was made from, of all files or of `paths`.

        Empty where the row was made by another analysis, or changed by somebody else.
        """
        return self.database.read(lambda engine: self._fingerprints(engine, table, paths), {})

    def _fingerprints(self, engine: Engine, table: CodeTable, paths: Collection[str] | None) -> dict[str, str]:
        where, parameters = "project_id = ?", list[Value]((self.project_id,))
        if paths is not None:
            condition, values = engine.among("path", tuple(paths))
            where, parameters = f"{where} AND {condition}", [*parameters, values]
        sql = f"SELECT {engine.gathered('path')}, {engine.gathered('content_hash')} FROM {table} WHERE {where}"
        found, hashes = engine.query(sql, parameters)[0]
        if not found:
            return {}
        if not self._is_current(engine, table):
            return dict.fromkeys(listed(found), "")
        return dict(zip(listed(found), listed(hashes), strict=True))

    def _is_current(self, engine: Engine, table: CodeTable) -> bool:
        sql = "SELECT version FROM code_analysis WHERE project_id = ? AND table_name = ?"
        return engine.query(sql, (self.project_id, table)) == [(self.version,)]

    # Writing

    def apply_files(self, files: Sequence[SourceFile], gone: Collection[str], deadline: Deadline) -> None:
        """Write these rows of `code_files` and delete those of the paths in `gone`, in one transaction."""
        self._apply(
            CodeTable.FILES, lambda now: [file_values(self.project_id, file, now) for file in files], gone, deadline
        )

    def apply_metadata(self, rows: Sequence[FileMetadata], gone: Collection[str], deadline: Deadline) -> None:
        """Write these rows of `codebase_metadata` and delete those of `gone`, in one transaction.

        What only a full pass can know of a written file is null until the next one.
        """
        self._apply(
            CodeTable.METADATA, lambda now: [metadata_values(self.project_id, row, now) for row in rows], gone, deadline
        )

    def _apply(
        self,
        table: CodeTable,
        rows: Callable[[str], Sequence[Sequence[Value]]],
        gone: Collection[str],
        deadline: Deadline,
    ) -> None:
        with self.database.changing(self.project_id, deadline) as (engine, now):
            if not self._is_current(engine, table):
                # Rows of another analysis are to be made anew, and are seen to be if this run is cut short.
                engine.execute(f"UPDATE {table} SET content_hash = '' WHERE project_id = ?", (self.project_id,))
                engine.execute(_REMEMBER_VERSION, (self.project_id, table, self.version))
            if gone:
                condition, values = engine.among("path", tuple(gone))
                engine.execute(f"DELETE FROM {table} WHERE project_id = ? AND {condition}", (self.project_id, values))
            if written := rows(now):
                engine.merge(TARGETS[table], written)

    def apply_relations(self, found: Mapping[str, Metrics], deadline: Deadline) -> Counts:
        """Write the `PROJECT_METRICS` of every file of `found` where the stored ones differ."""
        with self.database.changing(self.project_id, deadline) as (engine, now):
            stored = self._relations(engine)
            changed = {
                path: metrics for path, metrics in found.items() if path in stored and _differ(stored[path], metrics)
            }
            engine.execute_many(
                _RELATE,
                [
                    (
                        *metric_values(metrics.values, PROJECT_METRICS),
                        canonical_json({**stored[path].status, **metrics.status}),
                        *(now, self.project_id, path),
                    )
                    for path, metrics in changed.items()
                ],
            )
        return Counts(updated=len(changed), unchanged=len(stored.keys() & found.keys()) - len(changed))

    def _relations(self, engine: Engine) -> dict[str, Metrics]:
        sql = f"SELECT path, {_RELATION_COLUMNS} FROM {CodeTable.METADATA} WHERE project_id = ?"
        return {
            cast("str", row[0]): stored_metrics(row[1:], PROJECT_METRICS)
            for row in engine.query(sql, (self.project_id,))
        }

    # Reading

    def metadata(self, path: str) -> StoredMetadata | None:
        """The row of one file, None where there is none."""
        found = self._metadata("AND path = ?", (path,))
        return found[0] if found else None

    def extremes(self, metric: str, *, lowest: bool, limit: int) -> list[StoredMetadata]:
        """The files with the highest (or lowest) value of a column of numbers; nulls are left out."""
        order = "ASC" if lowest else "DESC"
        return self._metadata(f"AND {metric} IS NOT NULL ORDER BY {metric} {order}, path LIMIT ?", (limit,))

    def _metadata(self, rest: str, parameters: Sequence[Value]) -> list[StoredMetadata]:
        sql = f"SELECT {', '.join(METADATA_COLUMNS)} FROM {CodeTable.METADATA} WHERE project_id = ? {rest}"
        return self.database.read(
            lambda engine: [stored_metadata(row) for row in engine.query(sql, (self.project_id, *parameters))], []
        )

    def values_of(self, metric: str) -> list[float]:
        """All known values of a column of numbers."""
        sql = f"SELECT {metric} FROM {CodeTable.METADATA} WHERE project_id = ? AND {metric} IS NOT NULL"
        return self.database.read(
            lambda engine: [cast("float", row[0]) for row in engine.query(sql, (self.project_id,))], []
        )

    def statuses(self) -> dict[str, int]:
        """parse_status → number of files."""
        sql = (
            f"SELECT parse_status, count(*) FROM {CodeTable.FILES} WHERE project_id = ? "
            "GROUP BY parse_status ORDER BY parse_status"
        )
        return self.database.read(
            lambda engine: dict(cast("list[tuple[str, int]]", engine.query(sql, (self.project_id,)))), {}
        )

    def damaged(self) -> set[str]:
        """Paths of rows of `code_files` whose content is not what their hash says: reads everything."""
        sql = f"SELECT path, content_hash, content FROM {CodeTable.FILES} WHERE project_id = ? AND content IS NOT NULL"

        def rehash(engine: Engine) -> set[str]:
            rows = cast("Iterator[tuple[str, str, str]]", engine.stream(sql, (self.project_id,)))
            return {path for path, stored, content in rows if sha256(content.encode()).hexdigest() != stored}

        return self.database.read(rehash, set())

    def symbols(self, words: Sequence[str], deadline: Deadline) -> list[FileSymbols]:
        """The files in whose symbols any of `words` (lower case) stands, as a part of whatever word."""
        likely = " OR ".join(["lower(CAST(symbols AS TEXT)) LIKE ? ESCAPE '!'"] * len(words))
        sql = (
            f"SELECT path, language, content_hash, symbols FROM {CodeTable.FILES} WHERE project_id = ? "
            f"AND ({likely or 'false'}) ORDER BY path"
        )
        patterns = [f"%{_literal(word)}%" for word in words]
        return self.database.read(
            lambda engine: [_symbols(row) for row in engine.query(sql, (self.project_id, *patterns))], [], deadline
        )


def _symbols(row: tuple[object, ...]) -> FileSymbols:
    path, language, content_hash, symbols = cast("tuple[str, str, str, object]", row)
    return FileSymbols(path, language, content_hash, tuple(cast("list[dict[str, Json]]", decoded(symbols))))


def _literal(word: str) -> str:
    """`word` as LIKE takes it literally, written as in JSON."""
    in_json = json.dumps(word, ensure_ascii=False)[1:-1]
    return in_json.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _differ(stored: Metrics, wanted: Metrics) -> bool:
    """True where any value or status of `wanted` is not what is stored, told as JSON tells things apart."""
    names = PROJECT_METRICS
    now = {name: [stored.values[name], stored.status.get(name)] for name in names}
    then = {name: [wanted.values[name], wanted.status.get(name)] for name in names}
    return bool(now != json.loads(canonical_json(cast("Json", then))))
