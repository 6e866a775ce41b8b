"""A whole indexing of code: the step over projects, and what it came to. What the command line and the watcher call.

What the step does is `steps/code.py`; Dagster runs it one project at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from sot_pipeline.errors import SotError
from sot_pipeline.outcome import CodeOutcome, Mode
from sot_pipeline.per_project import Report, run_projects
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import Session, open_session
from sot_pipeline.steps.code import sync_code
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Project, Workspace

CodeReport: TypeAlias = Report[CodeOutcome]


def index_projects(
    workspace: Workspace,
    projects: tuple[Project, ...],
    *,
    execute: bool,
    full: bool,
    deadline: Deadline,
    paths: Mapping[str, Collection[str] | None] = MappingProxyType({}),
    tables: Collection[CodeTable] = tuple(CodeTable),
    coverage: Path | None = None,
    security: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    progress: Progress = silent,
) -> CodeReport:
    """Index the code of `projects`; arguments as of `sync_code`, `paths` by project.

    Never raises SotError: what stopped the run is in the report, beside what was done before, as
    `run_projects` says.
    """

    def index(session: Session, project: Project) -> tuple[CodeOutcome, SotError | None]:
        try:
            outcome = sync_code(
                session,
                project,
                execute=execute,
                full=full,
                paths=paths.get(project.id),
                tables=tables,
                coverage=coverage,
                security=security,
                allow_mass_delete=allow_mass_delete,
            )
        except SotError as error:
            outcome = CodeOutcome(project.id, error=error)
        return outcome, outcome.error

    opening = open_session(
        workspace,
        Mode.DB_ONLY,
        projects=projects,
        execute=execute,
        deadline=deadline,
        lock_wait=lock_wait,
        progress=progress,
    )
    run = run_projects(opening, projects, index)
    return Report(execute, {"database": workspace.targets["database"]}, run.outcomes, run.error)
