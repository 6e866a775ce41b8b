"""What the code index keeps of a source file, as values: a row of `code_files`, one of `codebase_metadata`.

Which columns there are is said here once; the tables and the analysis both follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sot_pipeline.plan import Json

# Raise it where the analysis says something else of the same bytes, or a grammar does: rows made by
# another version are made anew.
ANALYSIS_VERSION = "2"


class ParseStatus(StrEnum):
    """How far a file could be read: wholly, in part (syntax errors), or not at all (and why is in `metric_status`)."""

    OK = "ok"
    PARTIAL = "partial"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One source file, as `code_files` stores it.

    `path` is relative to the project root, with forward slashes; `content_hash` is the SHA-256 (hex)
    of the file's bytes, also where `content` is None because the file was skipped. The five lists
    hold JSON objects in file order, each with at least `name` and `line` (from 1).
    """

    path: str
    language: str
    content: str | None
    size: int
    line_count: int
    content_hash: str
    parse_status: ParseStatus
    functions: tuple[Json, ...] = ()
    classes: tuple[Json, ...] = ()
    imports: tuple[Json, ...] = ()
    exports: tuple[Json, ...] = ()
    symbols: tuple[Json, ...] = ()


class Kind(StrEnum):
    """What a column of `codebase_metadata` holds."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    JSON = "json"


# Of the file alone: known as soon as it is read.
FILE_METRICS: Mapping[str, Kind] = {
    "cyclomatic_complexity": Kind.INTEGER,
    "cognitive_complexity": Kind.INTEGER,
    "maintainability_index": Kind.REAL,
    "nesting_depth": Kind.INTEGER,
    "function_count": Kind.INTEGER,
    "class_count": Kind.INTEGER,
    "struct_count": Kind.INTEGER,
    "enum_count": Kind.INTEGER,
    "trait_count": Kind.INTEGER,
    "interface_count": Kind.INTEGER,
    "total_lines": Kind.INTEGER,
    "code_lines": Kind.INTEGER,
    "comment_lines": Kind.INTEGER,
    "blank_lines": Kind.INTEGER,
    "halstead_vocabulary": Kind.INTEGER,
    "halstead_length": Kind.INTEGER,
    "halstead_volume": Kind.REAL,
    "halstead_difficulty": Kind.REAL,
    "halstead_effort": Kind.REAL,
    "technical_debt_ratio": Kind.REAL,
    "code_smells_count": Kind.INTEGER,
    "security_score": Kind.REAL,
    "vulnerability_count": Kind.INTEGER,
    "quality_score": Kind.REAL,
    "documentation_coverage": Kind.REAL,
    "domains": Kind.JSON,
    "patterns": Kind.JSON,
    "features": Kind.JSON,
    "imports": Kind.JSON,
    "exports": Kind.JSON,
    "symbols": Kind.JSON,
}

# Of the file among the others, its history or its tests: known after a full pass.
PROJECT_METRICS: Mapping[str, Kind] = {
    "pagerank_score": Kind.REAL,
    "centrality_score": Kind.REAL,
    "dependency_count": Kind.INTEGER,
    "dependent_count": Kind.INTEGER,
    "duplication_percentage": Kind.REAL,
    "test_coverage": Kind.REAL,
    "commits_90d": Kind.INTEGER,
    "authors_90d": Kind.INTEGER,
    "hotspot_score": Kind.REAL,
    "dependencies": Kind.JSON,
    "related_files": Kind.JSON,
}


@dataclass(frozen=True, slots=True)
class Metrics:
    """Some of the metrics of one file: of `FILE_METRICS`, of `PROJECT_METRICS`, or of both.

    `values` has each of their names; None is "not known", never zero. `status` is what
    `metric_status` says: `{"reason": …}` for each None, `{"tool": …, "version": …}` for a value.
    """

    values: Mapping[str, Json]
    status: Mapping[str, Json]
