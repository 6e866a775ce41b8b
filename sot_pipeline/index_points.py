"""Points after the rows they follow: the step over projects. What the command line, the watcher and a search call.

What the step does is `steps/row_points.py`; Dagster runs it one project at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from sot_pipeline.errors import SotError
from sot_pipeline.outcome import CodeOutcome, Mode, SkillsOutcome, VectorsOutcome
from sot_pipeline.per_project import Report, run_projects
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import Session, open_session
from sot_pipeline.steps.code_points import code_rows
from sot_pipeline.steps.row_points import FollowedRows, embed_lagging, sync_points
from sot_pipeline.steps.skill_points import skill_rows
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.workspace import Project, Workspace

WithPointsT = TypeVar("WithPointsT", CodeOutcome, SkillsOutcome)


@dataclass(frozen=True, slots=True)
class PointsReport:
    """Outcomes by project. `error` is the first thing that stopped one; what was done before stays."""

    projects: Mapping[str, VectorsOutcome] = field(default_factory=dict)
    error: SotError | None = None


class _Followed(NamedTuple):
    """Which projects have points of a kind, and the rows that these follow."""

    has: Callable[[Project], bool]
    rows: Callable[[Session, Project], FollowedRows]


_FOLLOWED: Mapping[Kind, _Followed] = {
    Kind.CODE: _Followed(lambda project: project.embeds_code, code_rows),
    Kind.SKILLS: _Followed(lambda project: project.skills is not None, skill_rows),
}


def embedded(projects: tuple[Project, ...], kind: Kind = Kind.CODE) -> tuple[Project, ...]:
    """Those that have points of this kind, wherever Qdrant is configured."""
    return tuple(project for project in projects if _FOLLOWED[kind].has(project))


def rows_of(session: Session, project: Project, kind: Kind) -> FollowedRows:
    """The rows that a project's points of this kind follow. Raises RequirementMissing where it has none."""
    return _FOLLOWED[kind].rows(session, project)


def index_points(
    workspace: Workspace,
    projects: tuple[Project, ...],
    *,
    kind: Kind = Kind.CODE,
    execute: bool,
    deadline: Deadline,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    progress: Progress = silent,
) -> PointsReport:
    """Bring the points of this kind up to date, of those of `projects` that have some; arguments as of `sync_points`.

    Never raises SotError. A project that fails does not keep the next from being embedded, unless
    no other would fare better.
    """
    wanted = embedded(projects, kind)
    if not wanted:
        return PointsReport()

    def sync(session: Session, project: Project) -> tuple[tuple[str, VectorsOutcome | None], SotError | None]:
        try:
            rows = rows_of(session, project, kind)
            outcome = sync_points(session, rows, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete)
        except SotError as error:
            return (project.id, None), error
        return (project.id, outcome), None

    opening = open_session(
        workspace,
        Mode.FULL,
        projects=wanted,
        execute=execute,
        deadline=deadline,
        rebuild=rebuild,
        kind=kind,
        lock_wait=lock_wait,
        progress=progress,
    )
    run = run_projects(opening, wanted, sync)
    return PointsReport({project_id: outcome for project_id, outcome in run.outcomes if outcome}, run.error)


def embed_ahead(workspace: Workspace, project: Project, kind: Kind = Kind.CODE) -> None:
    """Embed what `index_points` would, into the cache alone and without any lock: nobody waits for it.

    Raises as `sync_points` does; what was embedded before is cached.
    """
    with open_session(
        workspace,
        Mode.FULL,
        projects=(project,),
        execute=False,
        deadline=Deadline.never(),
        kind=kind,
    ) as session:
        embed_lagging(session, rows_of(session, project, kind))


def with_points(
    report: Report[WithPointsT],
    workspace: Workspace,
    kind: Kind,
    *,
    deadline: Deadline,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    progress: Progress = silent,
) -> Report[WithPointsT]:
    """`report` of the rows of projects with what then becomes of their points; arguments as of `index_points`.

    The report as it is where the points would fare no better than the rows did.
    """
    if not report.projects or (report.error and report.error.ends_run):
        return report
    found = index_points(
        workspace,
        workspace.select(tuple(outcome.project_id for outcome in report.projects)),
        kind=kind,
        execute=report.executed,
        deadline=deadline,
        rebuild=rebuild,
        allow_mass_delete=allow_mass_delete,
        lock_wait=lock_wait,
        progress=progress,
    )
    projects = tuple(_joined(outcome, found.projects.get(outcome.project_id)) for outcome in report.projects)
    return replace(report, projects=projects, error=report.error or found.error)


def _joined(outcome: WithPointsT, points: VectorsOutcome | None) -> WithPointsT:
    return replace(outcome, points=points, problems=(*outcome.problems, *(points.problems if points else ())))
