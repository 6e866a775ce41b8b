"""The points of code after its rows: the step over projects. What the command line, the watcher and a search call.

What the step does is `steps/code_points.py`; Dagster runs it one project at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sot_pipeline.errors import SotError
from sot_pipeline.index_code import CodeReport
from sot_pipeline.outcome import Mode, VectorsOutcome
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import open_session
from sot_pipeline.steps.code_points import embed_lagging, sync_code_points
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.workspace import Project, Workspace


@dataclass(frozen=True, slots=True)
class PointsReport:
    """Outcomes by project. `error` is the first thing that stopped one; what was done before stays."""

    projects: Mapping[str, VectorsOutcome] = field(default_factory=dict)
    error: SotError | None = None


def embedded(projects: tuple[Project, ...]) -> tuple[Project, ...]:
    """Those whose code is embedded."""
    return tuple(project for project in projects if project.embeds_code)


def index_points(
    workspace: Workspace,
    projects: tuple[Project, ...],
    *,
    execute: bool,
    deadline: Deadline,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    progress: Progress = silent,
) -> PointsReport:
    """Bring the points of those of `projects` up to date whose code is embedded; arguments as of `sync_code_points`.

    Never raises SotError. A project that fails does not keep the next from being embedded, unless
    no other would fare better.
    """
    wanted = embedded(projects)
    if not wanted:
        return PointsReport()
    outcomes: dict[str, VectorsOutcome] = {}
    first: SotError | None = None
    try:
        with open_session(
            workspace,
            Mode.FULL,
            projects=wanted,
            execute=execute,
            deadline=deadline,
            rebuild=rebuild,
            kind=Kind.CODE,
            lock_wait=lock_wait,
            progress=progress,
        ) as session:
            for project in wanted:
                try:
                    outcomes[project.id] = sync_code_points(
                        session, project, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete
                    )
                except SotError as error:
                    first = first or error
                    if error.ends_run:
                        break
    except SotError as error:
        first = first or error
    return PointsReport(outcomes, first)


def embed_ahead(workspace: Workspace, project: Project) -> None:
    """Embed what `index_points` would, into the cache alone and without any lock: nobody waits for it.

    Raises as `sync_code_points` does; what was embedded before is cached.
    """
    with open_session(
        workspace,
        Mode.FULL,
        projects=(project,),
        execute=False,
        deadline=Deadline.never(),
        kind=Kind.CODE,
    ) as session:
        embed_lagging(session, project)


def with_points(report: CodeReport, found: PointsReport) -> CodeReport:
    """`report` of the rows with what became of their points."""
    projects = []
    for outcome in report.projects:
        points = found.projects.get(outcome.project_id)
        problems = (*outcome.problems, *(points.problems if points else ()))
        projects.append(replace(outcome, points=points, problems=problems))
    return replace(report, projects=tuple(projects), error=report.error or found.error)
