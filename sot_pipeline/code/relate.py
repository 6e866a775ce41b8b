"""What only the files together tell: PROJECT_METRICS of every file, from what the database keeps of each.

Each part (graph, duplication, churn, coverage) knows its own subject; here they become columns
with values and reasons. No file is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sot_pipeline.code.churn import DAYS, Churn, churn_of
from sot_pipeline.code.coverage import Report, find_report, read_report
from sot_pipeline.code.duplication import duplication
from sot_pipeline.code.graph import Place, places_of
from sot_pipeline.code.model import PROJECT_METRICS, Metrics, ParseStatus
from sot_pipeline.code.resolve import FileFacts, dependencies_of
from sot_pipeline.plan import Json

# A value, or the reason for having none.
_Known = tuple[Json, str]


@dataclass(frozen=True, slots=True)
class _Project:
    """Everything that was found out about all files."""

    root: Path
    places: Mapping[str, Place]
    copies: Mapping[str, float]
    churn: Mapping[str, Churn] | str
    report: Report | str
    most_commits: int
    most_complex: int


def relate(
    root: Path, files: Sequence[FileFacts], *, coverage_file: Path | None = None, now: datetime
) -> dict[str, Metrics]:
    """PROJECT_METRICS of each of `files`, by path.

    `files` are all files of the project, as rows: path, language, parse status, imports, classes,
    cyclomatic complexity and tokens. Read from the disk are go.mod, the coverage report (that of
    `coverage_file`, or the newest in the usual places) with the age of the files it speaks of, and
    the git history of the 90 days before `now` (naive, UTC), in one call. Raises nothing of its own:
    what cannot be known is None with a reason.
    """
    churn = churn_of(root, now)
    changed = {} if isinstance(churn, str) else churn
    report = coverage_file or find_report(root)
    paths = [file.path for file in files]
    project = _Project(
        root=root,
        places=places_of(dependencies_of(root, files)),
        copies=duplication({file.path: file.tokens for file in files}),
        churn=churn,
        report=read_report(report, root, paths) if report else "no coverage report",
        most_commits=max((changed[path].commits for path in paths if path in changed), default=0),
        most_complex=max((file.complexity or 0 for file in files), default=0),
    )
    tools = _tools(project)
    return {file.path: _metrics(_columns(file, project), tools) for file in files}


def _metrics(columns: Mapping[str, _Known], tools: Mapping[str, dict[str, Json]]) -> Metrics:
    values = {column: columns[column][0] for column in PROJECT_METRICS}
    status: dict[str, Json] = {
        column: {"reason": columns[column][1]} if value is None else tools[column] for column, value in values.items()
    }
    return Metrics(values, status)


def _tools(project: _Project) -> dict[str, dict[str, Json]]:
    own: dict[str, Json] = {"tool": "sot-pipeline", "version": version("sot-pipeline")}
    graph: dict[str, Json] = {"tool": "rustworkx", "version": version("rustworkx")}
    git: dict[str, Json] = {"tool": "git", "days": DAYS}
    report: dict[str, Json] = {"tool": "" if isinstance(project.report, str) else project.report.format}
    return {
        **dict.fromkeys(PROJECT_METRICS, own),
        **dict.fromkeys(("pagerank_score", "centrality_score"), graph),
        **dict.fromkeys(("commits_90d", "authors_90d"), git),
        "test_coverage": report,
    }


def _columns(file: FileFacts, project: _Project) -> dict[str, _Known]:
    return {
        **_graph(file, project.places.get(file.path)),
        **_history(file, project),
        "duplication_percentage": (
            project.copies.get(file.path),
            "nothing to compare: the file has no code that could be parsed",
        ),
        "test_coverage": _coverage(file, project),
    }


def _graph(file: FileFacts, place: Place | None) -> dict[str, _Known]:
    if place is None:
        unresolved = (None, f"imports of {file.language} are not resolved")
        return dict.fromkeys(_GRAPH, unresolved)
    is_whole = file.parse_status == ParseStatus.OK
    unknown = "its own imports are not all known: the file could not be parsed"
    return {
        "pagerank_score": (place.pagerank, ""),
        "centrality_score": (place.centrality, ""),
        "dependency_count": (len(place.dependencies) if is_whole else None, unknown),
        "dependent_count": (len(place.dependents), ""),
        "dependencies": (list(place.dependencies) if is_whole else None, unknown),
        "related_files": (list(place.related), ""),
    }


_GRAPH = (
    "pagerank_score",
    "centrality_score",
    "dependency_count",
    "dependent_count",
    "dependencies",
    "related_files",
)


def _history(file: FileFacts, project: _Project) -> dict[str, _Known]:
    if isinstance(project.churn, str):
        return dict.fromkeys(("commits_90d", "authors_90d", "hotspot_score"), (None, project.churn))
    churn = project.churn.get(file.path, Churn())
    return {
        "commits_90d": (churn.commits, ""),
        "authors_90d": (churn.authors, ""),
        "hotspot_score": (_hotspot(file, churn, project), "its complexity is not known"),
    }


def _hotspot(file: FileFacts, churn: Churn, project: _Project) -> float | None:
    """Commits over the most of any file, times complexity over the most of any file (after Tornhill 2015): 0–1."""
    if file.complexity is None:
        return None
    commits = churn.commits / project.most_commits if project.most_commits else 0.0
    return commits * (file.complexity / project.most_complex if project.most_complex else 0.0)


def _coverage(file: FileFacts, project: _Project) -> _Known:
    report = project.report
    if isinstance(report, str):
        return None, report
    if file.path not in report.shares:
        return None, "the coverage report does not name this file"
    try:
        changed = (project.root / file.path).stat().st_mtime
    except OSError:
        return None, "the file is gone"
    if changed > report.written:
        return None, "the coverage report is older than the file"
    return report.shares[file.path], "the file has no line that a test could run"
