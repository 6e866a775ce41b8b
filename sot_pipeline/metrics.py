"""What the code index says of files: one of them, or the worst by some metric. Reads only."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sot_pipeline.code.model import Kind
from sot_pipeline.errors import FileUnusable, RequirementMissing, SotError, UsageError
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.steps.code_sources import read_content
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.database.code_index import CodeIndex
from sot_pipeline.targets.database.code_rows import METRICS, CodeTable, StoredMetadata
from sot_pipeline.workspace import Project, Workspace

DEFAULT_METRIC = "hotspot_score"
NUMBERS = tuple(name for name, kind in METRICS.items() if kind in {Kind.INTEGER, Kind.REAL})
# Metrics of which little is bad.
_LOW_IS_BAD = frozenset(
    {"maintainability_index", "security_score", "quality_score", "test_coverage", "documentation_coverage"}
)
_NEAREST = 3


class FileNotIndexed(SotError):
    """The code index has no row for the file that was asked for (exit 1)."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """A row of `codebase_metadata`; `fresh` is false where the file is another by now, or gone."""

    row: StoredMetadata
    fresh: bool


def coded(projects: Sequence[Project]) -> tuple[Project, ...]:
    """Those of `projects` that have a code index. Raises RequirementMissing where none has."""
    found = tuple(project for project in projects if project.code)
    if not found:
        raise RequirementMissing(
            "No project has a code index.",
            remedy='Add [project.code] with include = ["src/**"] below a [[project]] in sot.toml, '
            "then run 'sot code index --execute'.",
        )
    return found


def require_number(metric: str) -> str:
    """`metric`, a column of numbers. Raises UsageError for any other name."""
    if metric not in NUMBERS:
        near = difflib.get_close_matches(metric, NUMBERS, n=_NEAREST)
        raise UsageError(
            f"No metric '{metric}' to order by.",
            remedy=f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(NUMBERS)}.",
        )
    return metric


def worst_files(
    workspace: Workspace, projects: tuple[Project, ...], metric: str, *, limit: int, deadline: Deadline
) -> list[StoredMetadata]:
    """The files with the worst values of `metric`, worst first; files of which it is not known are left out."""
    lowest = require_number(metric) in _LOW_IS_BAD
    with _opened(workspace, deadline) as database:
        found = [
            row
            for project in coded(projects)
            for row in CodeIndex(database, project.id).extremes(metric, lowest=lowest, limit=limit)
        ]
    sign = 1 if lowest else -1
    return sorted(found, key=lambda row: (sign * _number(row, metric), row.project_id, row.path))[:limit]


def _number(row: StoredMetadata, metric: str) -> float:
    value = row.metrics.values[metric]
    return float(value) if isinstance(value, int | float) else 0.0


def file_report(workspace: Workspace, projects: tuple[Project, ...], path: str, deadline: Deadline) -> FileReport:
    """What is stored of the file at `path`, below a project's root or as the current folder sees it.

    Raises FileNotIndexed with the nearest paths, and UsageError where several projects have one.
    """
    found: list[tuple[Project, StoredMetadata]] = []
    known: list[str] = []
    with _opened(workspace, deadline) as database:
        for project in coded(projects):
            index = CodeIndex(database, project.id)
            rows = (index.metadata(name) for name in _names_of(path, project))
            found += ((project, row) for row in rows if row)
            known += () if found else index.fingerprints(CodeTable.METADATA)
    if not found:
        near = difflib.get_close_matches(path, known, n=_NEAREST)
        hint = f"Did you mean {' or '.join(near)}?" if near else "'sot code index --execute' indexes what is new."
        raise FileNotIndexed(f"No row for {path} in the code index.", remedy=hint)
    if len(found) > 1:
        raise UsageError(
            f"{path} is a file of {' and '.join(project.id for project, _ in found)}.", remedy="Add --project ID."
        )
    project, row = found[0]
    return FileReport(row, _is_fresh(project, row, deadline))


def _names_of(path: str, project: Project) -> list[str]:
    """What `path` may be called in the index: as it is given, and as it is seen from the current folder."""
    names = [PurePosixPath(os.path.normpath(path)).as_posix()]
    here = Path(os.path.realpath(path))
    if here.is_relative_to(project.root):
        names.append(here.relative_to(project.root).as_posix())
    return list(dict.fromkeys(names))


def _is_fresh(project: Project, row: StoredMetadata, deadline: Deadline) -> bool:
    try:
        return read_content(project, row.path, deadline).content_hash == row.content_hash
    except (OSError, FileUnusable):
        return False


@contextmanager
def _opened(workspace: Workspace, deadline: Deadline) -> Iterator[Database]:
    with Database(workspace.database_url) as database:
        database.check(deadline)
        yield database
