"""`sot code …`: the index of source files and what it knows of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sot_pipeline.cli.documents import problem_json
from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    ExecuteOption,
    JsonOption,
    LockWaitOption,
    ProjectsOption,
    QdrantOption,
    RebuildOption,
    SecondsOption,
    projects_of,
    workspace_of,
)
from sot_pipeline.cli.output import (
    MARKS,
    counts_of,
    error_document,
    explain,
    finish,
    note,
    plural,
    points_of,
    progress_bar,
    say,
    say_json,
    say_problems,
    say_targets,
    style,
)
from sot_pipeline.plan import Counts, Json
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sot_pipeline.index_code import CodeReport
    from sot_pipeline.metrics import FileReport
    from sot_pipeline.outcome import CodeOutcome
    from sot_pipeline.targets.database.code_rows import StoredMetadata

app = typer.Typer(no_args_is_help=True, help="Source files: symbols and metrics.")

CoverageOption = Annotated[
    Path | None,
    typer.Option(
        "--coverage",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="What tests ran: lcov.info or coverage.xml; without it, unknown.",
    ),
]
SecurityOption = Annotated[
    bool, typer.Option("--security", help="Have Bandit look at Python files it has not seen yet; slow.")
]
AllowMassDelete = Annotated[
    bool, typer.Option("--allow-mass-delete", help="Delete rows and points even if over 20 % of the files are gone.")
]
PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="A source file, from the project's root or from here.")
]
ByOption = Annotated[str, typer.Option("--by", metavar="METRIC", help="A column of numbers of codebase_metadata.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Files at most.")]

CHANGES_SHOWN = 40
_BESIDE = ("cyclomatic_complexity", "cognitive_complexity", "code_lines", "commits_90d")


@app.command()
def index(
    execute: ExecuteOption = False,
    coverage: CoverageOption = None,
    security: SecurityOption = False,
    rebuild: RebuildOption = False,
    project: ProjectsOption = None,
    allow_mass_delete: AllowMassDelete = False,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    lock_wait: LockWaitOption = 30.0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Index what changed and relate all files; without --execute show what would be written.

    Where code is embedded its points follow, once the rows of all projects are written.
    """
    from sot_pipeline.index_code import index_projects
    from sot_pipeline.index_points import embedded, with_points
    from sot_pipeline.metrics import coded
    from sot_pipeline.targets.vectors.kinds import Kind

    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    projects = coded(projects_of(workspace, project))
    targets = workspace.targets if embedded(projects) else {"database": workspace.targets["database"]}
    say_targets(targets)
    with progress_bar(quiet=json) as progress:
        report = index_projects(
            workspace,
            projects,
            execute=execute,
            full=True,
            deadline=deadline,
            coverage=coverage,
            security=security,
            allow_mass_delete=allow_mass_delete,
            lock_wait=lock_wait,
            progress=progress,
        )
        report = with_points(
            report,
            workspace,
            Kind.CODE,
            deadline=deadline,
            rebuild=rebuild,
            allow_mass_delete=allow_mass_delete,
            lock_wait=lock_wait,
            progress=progress,
        )
    report = replace(report, targets=targets)
    if json:
        say_json(_index_document(report))
    else:
        _say_report(report)
    finish(report.exit_code)


@app.command()
def show(
    path: PathArgument,
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show one file's metrics by column name; what is not known says why."""
    from sot_pipeline.metrics import file_report

    workspace = workspace_of(config, database_url=database_url)
    found = file_report(workspace, projects_of(workspace, project), path, Deadline(max_seconds))
    if json:
        say_json({**_row(found.row), "fresh": found.fresh})
    else:
        _say_file(found)


@app.command()
def top(
    by: ByOption = "hotspot_score",
    limit: LimitOption = 10,
    project: ProjectsOption = None,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the worst files by one metric, worst first."""
    from sot_pipeline.metrics import worst_files

    workspace = workspace_of(config, database_url=database_url)
    projects = projects_of(workspace, project)
    found = worst_files(workspace, projects, by, limit=limit, deadline=Deadline(max_seconds))
    if json:
        say_json({"by": by, "files": [_top_row(row, by) for row in found]})
    else:
        _say_top(found, by, several=len(projects) > 1)


def _index_document(report: CodeReport) -> dict[str, Json]:
    document: dict[str, Json] = {
        "executed": report.executed,
        "targets": dict(report.targets),
        "projects": [_project(project) for project in report.projects],
        "exit_code": report.exit_code,
    }
    if report.error:
        document |= error_document(report.error)
    return document


def _project(project: CodeOutcome) -> Json:
    return {
        "project_id": project.project_id,
        "problems": [problem_json(problem) for problem in project.problems],
        "code_files": _counts(project.files),
        "codebase_metadata": _counts(project.metadata),
        "code_graph": _counts(project.relations),
        "security": _counts(project.security),
        "points": project.points.document if project.points else None,
        "left_out": dict(project.left_out),
        "seconds": dict(project.seconds),
    }


def _counts(counts: Counts | None) -> Json:
    return dict(counts._asdict()) if counts else None


def _say_report(report: CodeReport) -> None:
    for project in report.projects:
        say()
        say(style(project.project_id, bold=True))
        tables = (
            ("files", project.files),
            ("metadata", project.metadata),
            ("graph", project.relations),
            ("security", project.security),
        )
        for name, counts in tables:
            if counts:
                say(f"  {name:<9} {counts_of(counts, report.executed)}")
        if project.points:
            say(f"  {'points':<9} {points_of(project.points, report.executed)}")
        if not report.executed:
            _say_changes(project)
        say_problems(project.problems)
    if report.error:
        explain(report.error)
    elif not report.executed and any(project.changes for project in report.projects):
        note(style("  try: ", fg="yellow") + "sot code index --execute")


def _say_changes(project: CodeOutcome) -> None:
    for change in project.changes[:CHANGES_SHOWN]:
        mark, color = MARKS[change.action]
        say(f"    {style(mark, fg=color)} {change.path}")
    if len(project.changes) > CHANGES_SHOWN:
        say(f"    … and {plural(len(project.changes) - CHANGES_SHOWN, 'file')} more")


def _row(row: StoredMetadata) -> dict[str, Json]:
    """A row by column name."""
    return {
        "project_id": row.project_id,
        "path": row.path,
        "size": row.size,
        "language": row.language,
        "last_modified": row.last_modified.isoformat(),
        "file_type": row.file_type,
        "content_hash": row.content_hash,
        "updated_at": row.updated_at.isoformat(),
        **row.metrics.values,
        "metric_status": dict(row.metrics.status),
    }


def _top_row(row: StoredMetadata, by: str) -> Json:
    shown = dict.fromkeys((by, *_BESIDE))
    return {
        "project_id": row.project_id,
        "path": row.path,
        "language": row.language,
        **{name: row.metrics.values[name] for name in shown},
    }


def _say_file(found: FileReport) -> None:
    row = found.row
    stale = "" if found.fresh else style("  stale: the file moved on (sot code index --execute)", fg="yellow")
    say(f"{style(row.path, bold=True)}{stale}")
    say(style(f"{row.project_id}, {row.language}, {plural(row.size, 'byte')}", dim=True))
    for name, value in row.metrics.values.items():
        say(f"  {name:<24} {_value(value, row.metrics.status.get(name))}")


def _value(value: Json, status: Json) -> str:
    if value is None:
        reason = status.get("reason") if isinstance(status, dict) else None
        return style(f"- {reason or 'not known'}", dim=True)
    if isinstance(value, list | dict):
        return plural(len(value), "entry", "entries")
    return _number(value)


def _number(value: Json) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def _say_top(rows: list[StoredMetadata], by: str, *, several: bool) -> None:
    columns = tuple(dict.fromkeys((by, *_BESIDE)))
    if not rows:
        say(f"No file of which {by} is known.")
        note(style("  try: ", fg="yellow") + "sot code index --execute, then sot code show PATH for the reason")
        return
    say(style("  ".join(f"{name:>{max(10, len(name))}}" for name in columns) + "  file", dim=True))
    for row in rows:
        values = ((name, row.metrics.values[name]) for name in columns)
        cells = (f"{'-' if value is None else _number(value):>{max(10, len(name))}}" for name, value in values)
        say(f"{'  '.join(cells)}  {row.project_id + ':' if several else ''}{row.path}")
