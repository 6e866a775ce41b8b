"""A whole indexing of code: the step over projects, and what it came to. What the command line and the watcher call.

What the step does is `steps/code.py`; Dagster runs it one project at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sot_pipeline.errors import EXIT_OK, SotError
from sot_pipeline.outcome import CodeOutcome, Mode
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import open_session
from sot_pipeline.steps.code import sync_code
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.workspace import Project, Workspace


@dataclass(frozen=True, slots=True)
class CodeReport:
    """A whole run over projects. `error` is what stopped it, if anything did; what was done before stays."""

    executed: bool
    targets: Mapping[str, str | None]
    projects: tuple[CodeOutcome, ...]
    error: SotError | None = None

    @property
    def exit_code(self) -> int:
        """That of what stopped the run, else the first of a project that is not 0."""
        if self.error:
            return self.error.exit_code
        return next((project.exit_code for project in self.projects if project.exit_code), EXIT_OK)


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

    Never raises SotError: what stopped the run is in the report, beside what was done before. A
    problem of one project does not keep the next from being indexed; a passed deadline, a lost
    database or a lost lease does.
    """
    outcomes: list[CodeOutcome] = []
    first: SotError | None = None
    try:
        with open_session(
            workspace,
            Mode.DB_ONLY,
            projects=projects,
            execute=execute,
            deadline=deadline,
            lock_wait=lock_wait,
            progress=progress,
        ) as session:
            for project in projects:
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
                outcomes.append(outcome)
                first = first or outcome.error
                if outcome.error and outcome.error.ends_run:
                    break
    except SotError as error:
        first = first or error
    return CodeReport(execute, {"database": workspace.targets["database"]}, tuple(outcomes), first)
