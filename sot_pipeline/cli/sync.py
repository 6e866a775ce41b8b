"""`sot sync` and `sot plan`: bring the targets into agreement with the files, or say how."""

from __future__ import annotations

from typing import Annotated

import typer

from sot_pipeline.cli.documents import sync_document
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
from sot_pipeline.errors import UsageError
from sot_pipeline.outcome import Change, Mode, ProjectOutcome, SyncReport
from sot_pipeline.runtime.deadline import Deadline

DocsOnly = Annotated[bool, typer.Option("--docs-only", help="Parse and validate the files only (default).")]
DbOnly = Annotated[bool, typer.Option("--db-only", help="Rows.")]
QdrantOnly = Annotated[bool, typer.Option("--qdrant-only", help="Vector points.")]
Full = Annotated[bool, typer.Option("--full", help="Rows, vector points and README.")]
AllowMassDelete = Annotated[
    bool, typer.Option("--allow-mass-delete", help="Apply plans that delete over 20 % of a file's entries.")
]
LockReads = Annotated[
    bool, typer.Option("--lock-reads", help="Keep writers out while --docs-only reads; needs the database.")
]

CHANGES_SHOWN = 40


def sync(
    docs_only: DocsOnly = False,
    db_only: DbOnly = False,
    qdrant_only: QdrantOnly = False,
    full: Full = False,
    execute: ExecuteOption = False,
    project: ProjectsOption = None,
    rebuild: RebuildOption = False,
    allow_mass_delete: AllowMassDelete = False,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    lock_wait: LockWaitOption = 30.0,
    lock_reads: LockReads = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring rows, vector points and README into agreement with the ledgers."""
    mode = _mode(docs_only, db_only, qdrant_only, full) or Mode.DOCS_ONLY
    if mode is not Mode.DOCS_ONLY and not execute:
        raise UsageError(
            f"--{mode} writes, so it needs --execute; nothing was written.",
            remedy=f"'sot plan --{mode}' shows what it would do.",
        )
    from sot_pipeline.sync import sync_projects

    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    projects = projects_of(workspace, project)
    say_targets(workspace.targets)
    with progress_bar(quiet=json) as progress:
        report = sync_projects(
            workspace,
            mode,
            projects=projects,
            execute=mode is not Mode.DOCS_ONLY,
            deadline=deadline,
            rebuild=rebuild,
            allow_mass_delete=allow_mass_delete,
            lock_wait=lock_wait,
            lock_reads=lock_reads,
            progress=progress,
        )
    _answer(report, as_json=json)


def plan(
    db_only: DbOnly = False,
    qdrant_only: QdrantOnly = False,
    full: Full = False,
    project: ProjectsOption = None,
    rebuild: RebuildOption = False,
    allow_mass_delete: AllowMassDelete = False,
    database_url: DatabaseOption = None,
    qdrant_host: QdrantOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what a sync would change; writes nothing. Without a mode: every configured target."""
    from sot_pipeline.sync import sync_projects

    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url, qdrant_host=qdrant_host)
    mode = _mode(False, db_only, qdrant_only, full) or (Mode.FULL if workspace.qdrant else Mode.DB_ONLY)
    projects = projects_of(workspace, project)
    say_targets(workspace.targets)
    report = sync_projects(
        workspace,
        mode,
        projects=projects,
        execute=False,
        deadline=deadline,
        rebuild=rebuild,
        allow_mass_delete=allow_mass_delete,
    )
    _answer(report, as_json=json)


def _mode(docs_only: bool, db_only: bool, qdrant_only: bool, full: bool) -> Mode | None:
    flags = {
        Mode.DOCS_ONLY: docs_only,
        Mode.DB_ONLY: db_only,
        Mode.QDRANT_ONLY: qdrant_only,
        Mode.FULL: full,
    }
    chosen = [mode for mode, on in flags.items() if on]
    if len(chosen) > 1:
        raise UsageError(
            f"{' and '.join(f'--{mode}' for mode in chosen)} exclude each other.", remedy="Choose one mode."
        )
    return chosen[0] if chosen else None


def _answer(report: SyncReport, *, as_json: bool) -> None:
    if as_json:
        say_json(sync_document(report))
    else:
        say_report(report)
    finish(report.exit_code)


def say_report(report: SyncReport) -> None:
    """A sync or a plan for a person."""
    for line in report.notes:
        note(style("note: ", fg="cyan") + line)
    for project in report.projects:
        _say_project(project, report)
    if report.error:
        explain(report.error)


def _say_project(project: ProjectOutcome, report: SyncReport) -> None:
    say()
    parsed = ", ".join(f"{count:,} {kind}" for kind, count in project.parsed.items()) or "no ledgers"
    say(f"{style(project.project_id, bold=True)}  {parsed}")
    seconds = project.seconds
    if project.database:
        say(f"  rows    {counts_of(project.database.counts, report.executed)}  {seconds.get('database', 0):.2f} s")
    if project.vectors:
        say(f"  points  {points_of(project.vectors, report.executed)}  {seconds.get('vectors', 0):.2f} s")
    if project.readme:
        word = "updated" if report.executed else "would be updated"
        say(f"  readme  {word if project.readme.changed else 'unchanged'}")
    changed = project.database or project.vectors
    if changed and not report.executed:
        _say_changes(changed.changes)
    say_problems(project.problems)


def _say_changes(changes: tuple[Change, ...]) -> None:
    for change in changes[:CHANGES_SHOWN]:
        mark, color = MARKS[change.action]
        place = style(f"{change.path}:{change.line}" if change.line else change.path, dim=True)
        say(f"    {style(mark, fg=color)} {change.record.entry_id}  {change.title}  {place}")
    if len(changes) > CHANGES_SHOWN:
        say(f"    … and {plural(len(changes) - CHANGES_SHOWN, 'change')} more")
