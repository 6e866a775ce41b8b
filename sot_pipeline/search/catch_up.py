"""Bring the targets of a search up to date before it: `sot search --refresh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Problem
from sot_pipeline.search.search import Searching
from sot_pipeline.sync import sync_projects
from sot_pipeline.workspace import Workspace

if TYPE_CHECKING:
    from sot_pipeline.search.code import CodeSearch


def sync_lagging(workspace: Workspace, searching: Searching) -> tuple[Problem, ...]:
    """Sync what `searching` asks of every project that lags: ledgers, skills, code, and points.

    Returns what is wrong in their files; raises what stops a sync: LockNotAcquired and the like.
    """
    behind = {lag.project_id for lag in searching.lagging()}
    problems: dict[Problem, None] = {}
    for mode in (Mode.DB_ONLY, Mode.QDRANT_ONLY) if searching.semantic else (Mode.DB_ONLY,):
        if not behind:
            break
        report = sync_projects(
            workspace, mode, projects=workspace.select(tuple(behind)), execute=True, deadline=searching.deadline
        )
        if report.error:
            raise report.error
        problems |= dict.fromkeys(problem for project in report.projects for problem in project.problems)
    if searching.skilled:
        problems |= dict.fromkeys(_index_skills(workspace, searching))
    if searching.code:
        problems |= dict.fromkeys(_index_lagging(workspace, searching.code))
    return tuple(problems)


def _index_skills(workspace: Workspace, searching: Searching) -> tuple[Problem, ...]:
    """Bring rows and points up to date with the files of skills: a search writes no file."""
    from sot_pipeline.index_points import with_points
    from sot_pipeline.skills.reconcile import Direction
    from sot_pipeline.sync_skills import sync_skills_of
    from sot_pipeline.targets.vectors.kinds import Kind

    behind = {lag.project_id for lag in searching.lagging_skills()}
    if not behind:
        return ()
    projects, deadline = workspace.select(tuple(behind)), searching.deadline
    report = sync_skills_of(workspace, projects, Direction.EXPORT, execute=True, deadline=deadline)
    if searching.semantic and not report.error:
        report = with_points(report, workspace, Kind.SKILLS, deadline=deadline)
    if report.error:
        raise report.error
    return tuple(problem for project in report.projects for problem in (*project.problems, *project.waiting))


def _index_lagging(workspace: Workspace, code: CodeSearch) -> tuple[Problem, ...]:
    from sot_pipeline.index_code import index_projects
    from sot_pipeline.index_points import with_points
    from sot_pipeline.targets.vectors.kinds import Kind

    behind = {lag.project_id for lag in code.behind()}
    if not behind:
        return ()
    projects = workspace.select(tuple(behind))
    report = index_projects(workspace, projects, execute=True, full=False, deadline=code.deadline)
    if code.semantic and not report.error:
        report = with_points(report, workspace, Kind.CODE, deadline=code.deadline)
    if report.error:
        raise report.error
    return tuple(problem for project in report.projects for problem in project.problems)
