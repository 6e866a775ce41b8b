"""`CodeIndex`: one project's rows in `code_files` and `codebase_metadata`.

The two tables are written in transactions of their own, so that one that cannot be written does
not hold up the other. What a row holds is `code_rows.py`; what should be written is decided by
whoever compares `fingerprints` with the files.
"""

# ruff: noqa: S608  # statements are put together from names of ours; values are parameters

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, cast

from sot_pipeline.code.encode import metric_columns
from sot_pipeline.code.model import ANALYSIS_VERSION, Kind, Metrics, ParseStatus
from sot_pipeline.plan import Counts, Json, canonical_json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.targets.database.code_rows import (
    FILES,
    METADATA,
    METADATA_COLUMNS,
    TOKENS,
    CodeTable,
    FileRow,
    StoredMetadata,
    decoded,
    file_values,
    metadata_values,
    stored_facts,
    stored_metadata,
    stored_metrics,
    token_values,
)
from sot_pipeline.targets.database.database import Database
from sot_pipeline.targets.database.engine import Engine, Target, Value, listed

if TYPE_CHECKING:
    from sot_pipeline.code.resolve import FileFacts

REMEMBER_VERSION = (
    "INSERT INTO code_analysis (project_id, table_name, version) VALUES (?, ?, ?) "
    "ON CONFLICT (project_id, table_name) DO UPDATE SET version = excluded.version"
)
# Bounds memory while a full pass compares: a row's statuses become a hundred objects.
_FILES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """What is defined in one file, as it was when it had this `content_hash`."""

    path: str
    language: str
    content_hash: str
    symbols: tuple[Mapping[str, Json], ...]


class Unread(NamedTuple):
    """A file that could not be read wholly, and why."""

    path: str
    status: ParseStatus
    reason: str


@dataclass(frozen=True, slots=True)
class CodeIndex:
    """The rows of one project; `version` names the analysis whose rows count as up to date.

    Reads find nothing in a database without our tables; errors are those of `Database`.
    """

    database: Database
    project_id: str
    version: str = ANALYSIS_VERSION

    def fingerprints(self, table: CodeTable, paths: Collection[str] | None = None) -> dict[str, str]:
        """Path → SHA-256 of the bytes a row was made from, of all files or of `paths`.

        Empty where the row was made by another analysis, was changed by somebody else, or lost its tokens.
        """
        return self.database.read(lambda engine: self._fingerprints(engine, table, paths), {})

    def _fingerprints(self, engine: Engine, table: CodeTable, paths: Collection[str] | None) -> dict[str, str]:
        found = self._hashes(engine, table, paths)
        if found and not self._is_current(engine, table):
            return dict.fromkeys(found, "")
        if table is CodeTable.METADATA:
            tokens = self._hashes(engine, TOKENS.table, paths)
            return {path: stored if tokens.get(path) == stored else "" for path, stored in found.items()}
        return found

    def _hashes(self, engine: Engine, table: str, paths: Collection[str] | None) -> dict[str, str]:
        where, parameters = "project_id = ?", list[Value]((self.project_id,))
        if paths is not None:
            condition, values = engine.among("path", tuple(paths))
            where, parameters = f"{where} AND {condition}", [*parameters, values]
        sql = f"SELECT {engine.gathered('path')}, {engine.gathered('content_hash')} FROM {table} WHERE {where}"
        found, hashes = engine.query(sql, parameters)[0]
        return dict(zip(listed(found), listed(hashes), strict=True)) if found else {}

    def _is_current(self, engine: Engine, table: CodeTable) -> bool:
        sql = "SELECT version FROM code_analysis WHERE project_id = ? AND table_name = ?"
        return engine.query(sql, (self.project_id, table)) == [(self.version,)]

    # Writing

    def apply_files(self, rows: Sequence[FileRow], gone: Collection[str], deadline: Deadline) -> None:
        """Write these rows of `code_files` and delete those of the paths in `gone`, in one transaction."""
        with self._changing(CodeTable.FILES, deadline) as (engine, now):
            self._apply(engine, FILES, [file_values(self.project_id, row, now) for row in rows], gone)

    def apply_metadata(self, rows: Sequence[FileRow], gone: Collection[str], deadline: Deadline) -> None:
        """Write these rows of `codebase_metadata` and delete those of `gone`, in one transaction.

        What only a full pass can know of a written file is null until the next one.
        """
        with self._changing(CodeTable.METADATA, deadline) as (engine, now):
            self._apply(engine, METADATA, [metadata_values(self.project_id, row, now) for row in rows], gone)
            reach(Failpoint.CODE_METADATA_MERGED)
            self._apply(engine, TOKENS, [token_values(self.project_id, row) for row in rows], gone)

    @contextmanager
    def _changing(self, table: CodeTable, deadline: Deadline) -> Iterator[tuple[Engine, str]]:
        """A transaction in which rows of another analysis are first made to look stale.

        They are to be made anew, and are seen to be where this run is cut short.
        """
        with self.database.changing(self.project_id, deadline) as (engine, now):
            if not self._is_current(engine, table):
                engine.execute(f"UPDATE {table} SET content_hash = '' WHERE project_id = ?", (self.project_id,))
                engine.execute(REMEMBER_VERSION, (self.project_id, table, self.version))
            yield engine, now

    def _apply(self, engine: Engine, target: Target, rows: Sequence[Sequence[Value]], gone: Collection[str]) -> None:
        if gone:
            condition, values = engine.among("path", tuple(gone))
            engine.execute(
                f"DELETE FROM {target.table} WHERE project_id = ? AND {condition}", (self.project_id, values)
            )
            reach(Failpoint.CODE_ROWS_DELETED)
        if rows:
            engine.merge(target, rows)
            reach(Failpoint.CODE_ROWS_MERGED)

    def facts(self) -> list[FileFacts]:
        """What relating needs of every file."""
        sql = (
            "SELECT f.path, f.language, f.parse_status, f.imports, f.classes, m.cyclomatic_complexity, t.tokens "
            f"FROM {CodeTable.FILES} AS f "
            f"LEFT JOIN {CodeTable.METADATA} AS m ON (m.project_id, m.path) = (f.project_id, f.path) "
            f"LEFT JOIN {TOKENS.table} AS t ON (t.project_id, t.path) = (f.project_id, f.path) "
            "WHERE f.project_id = ? ORDER BY f.path"
        )
        return self.database.read(
            lambda engine: [stored_facts(row) for row in engine.stream(sql, (self.project_id,))], []
        )

    def apply_metrics(self, found: Mapping[str, Metrics], columns: Mapping[str, Kind], deadline: Deadline) -> Counts:
        """Write these columns of `codebase_metadata` for every file of `found` where the stored ones differ.

        In one transaction, but some files at a time: what is stored of a file is much larger than its metrics.
        """
        paths, done = tuple(found), Counts()
        with self.database.changing(self.project_id, deadline) as (engine, now):
            for start in range(0, len(paths), _FILES_AT_ONCE):
                part = {path: found[path] for path in paths[start : start + _FILES_AT_ONCE]}
                done = done.plus(self._apply_metrics(engine, part, columns, now))
            reach(Failpoint.CODE_RELATIONS_MERGED)
        return done

    def _apply_metrics(
        self, engine: Engine, found: Mapping[str, Metrics], columns: Mapping[str, Kind], now: str
    ) -> Counts:
        stored = self._stored(engine, columns, tuple(found))
        changed = {path: found[path] for path, was in stored.items() if _differ(was, found[path], columns)}
        engine.execute_many(
            f"UPDATE {CodeTable.METADATA} SET {', '.join(f'{name} = ?' for name in columns)}, metric_status = ?, "
            "updated_at = ? WHERE project_id = ? AND path = ?",
            [
                (
                    *metric_columns(metrics.values, columns),
                    canonical_json({**stored[path].status, **metrics.status}),
                    *(now, self.project_id, path),
                )
                for path, metrics in changed.items()
            ],
        )
        return Counts(updated=len(changed), unchanged=len(stored) - len(changed))

    def _stored(self, engine: Engine, columns: Mapping[str, Kind], paths: Sequence[str]) -> dict[str, Metrics]:
        chosen, values = engine.among("path", paths)
        sql = (
            f"SELECT path, {', '.join(columns)}, metric_status FROM {CodeTable.METADATA} "
            f"WHERE project_id = ? AND {chosen}"
        )
        rows = engine.query(sql, (self.project_id, values))
        return {cast("str", row[0]): stored_metrics(row[1:], columns) for row in rows}

    # Reading

    def metadata(self, path: str) -> StoredMetadata | None:
        """The row of one file, None where there is none."""
        found = self._metadata("AND path = ?", (path,))
        return found[0] if found else None

    def extremes(self, metric: str, *, lowest: bool, limit: int) -> list[StoredMetadata]:
        """The files with the highest (or lowest) value of a column of numbers; nulls are left out.

        Of equal ones the more complex come first: where nothing was committed lately, all hot spots are 0.
        """
        order = f"{metric} {'ASC' if lowest else 'DESC'}, COALESCE(cyclomatic_complexity, 0) DESC, path"
        return self._metadata(f"AND {metric} IS NOT NULL ORDER BY {order} LIMIT ?", (limit,))

    def _metadata(self, rest: str, parameters: Sequence[Value]) -> list[StoredMetadata]:
        sql = f"SELECT {', '.join(METADATA_COLUMNS)} FROM {CodeTable.METADATA} WHERE project_id = ? {rest}"
        return self.database.read(
            lambda engine: [stored_metadata(row) for row in engine.query(sql, (self.project_id, *parameters))], []
        )

    def without(self, metric: str) -> list[str]:
        """Paths of the files of which a metric is not known."""
        sql = f"SELECT path FROM {CodeTable.METADATA} WHERE project_id = ? AND {metric} IS NULL ORDER BY path"
        return self.database.read(
            lambda engine: [cast("str", row[0]) for row in engine.query(sql, (self.project_id,))], []
        )

    def values_of(self, metric: str) -> list[float]:
        """All known values of a column of numbers."""
        sql = f"SELECT {metric} FROM {CodeTable.METADATA} WHERE project_id = ? AND {metric} IS NOT NULL"
        return self.database.read(
            lambda engine: [cast("float", row[0]) for row in engine.query(sql, (self.project_id,))], []
        )

    def unread(self, paths: Collection[str] | None = None) -> list[Unread]:
        """The files that could not be read wholly and why, of all or of `paths`."""
        sql = (
            "SELECT f.path, f.parse_status, m.metric_status "
            f"FROM {CodeTable.FILES} AS f "
            f"LEFT JOIN {CodeTable.METADATA} AS m ON (m.project_id, m.path) = (f.project_id, f.path) "
            "WHERE f.project_id = ? AND f.parse_status <> ?"
        )
        parameters: list[Value] = [self.project_id, ParseStatus.OK.value]

        def read(engine: Engine) -> list[Unread]:
            if paths is None:
                return [_unread(row) for row in engine.query(f"{sql} ORDER BY f.path", parameters)]
            chosen, values = engine.among("f.path", tuple(paths))
            return [_unread(row) for row in engine.query(f"{sql} AND {chosen} ORDER BY f.path", [*parameters, values])]

        return self.database.read(read, [])

    def damaged(self) -> set[str]:
        """Paths of rows of `code_files` whose content is not what their hash says: reads everything."""
        sql = f"SELECT path, content_hash, content FROM {CodeTable.FILES} WHERE project_id = ? AND content IS NOT NULL"

        def rehash(engine: Engine) -> set[str]:
            rows = cast("Iterator[tuple[str, str, str]]", engine.stream(sql, (self.project_id,)))
            # SQLite keeps values of any type.
            return {path for path, stored, content in rows if sha256(str(content).encode()).hexdigest() != stored}

        return self.database.read(rehash, set())

    def texts(self, paths: Collection[str]) -> dict[str, str | None]:
        """Path → stored content, of those of `paths` that have a row."""

        def read(engine: Engine) -> dict[str, str | None]:
            condition, values = engine.among("path", tuple(paths))
            sql = f"SELECT path, content FROM {CodeTable.FILES} WHERE project_id = ? AND {condition}"
            return dict(cast("list[tuple[str, str | None]]", engine.query(sql, (self.project_id, values))))

        return self.database.read(read, {})

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


def _unread(row: tuple[object, ...]) -> Unread:
    path, status, metrics = row
    known = decoded(metrics)
    # Of a file that was not read wholly no metric of its syntax is known, all for the same reason.
    told = known.get("cyclomatic_complexity") if isinstance(known, dict) else None
    reason = told.get("reason") if isinstance(told, dict) else None
    return Unread(cast("str", path), ParseStatus(cast("str", status)), str(reason or "not known yet"))


def _symbols(row: tuple[object, ...]) -> FileSymbols:
    path, language, content_hash, symbols = cast("tuple[str, str, str, object]", row)
    return FileSymbols(path, language, content_hash, tuple(cast("list[dict[str, Json]]", decoded(symbols))))


def _literal(word: str) -> str:
    """`word` as LIKE takes it literally, written as in JSON."""
    in_json = json.dumps(word, ensure_ascii=False)[1:-1]
    return in_json.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _differ(stored: Metrics, wanted: Metrics, columns: Iterable[str]) -> bool:
    """True where a value or status of `wanted` is not what is stored."""
    return any(
        stored.values[name] != wanted.values[name] or stored.status.get(name) != wanted.status.get(name)
        for name in columns
    )
