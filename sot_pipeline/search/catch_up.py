"""Bring the targets of a search up to date before it: `sot search --refresh`."""

from __future__ import annotations

from sot_pipeline.outcome import Mode
from sot_pipeline.plan import Problem
from sot_pipeline.search.search import Searching
from sot_pipeline.sync import sync_projects
from sot_pipeline.workspace import Workspace


def sync_lagging(workspace: Workspace, searching: Searching) -> tuple[Problem, ...]:
    """Sync what `searching` asks (rows, and points where it asks them) of every project that lags.

    Returns what is wrong in their ledgers; raises what stops a sync: LockNotAcquired and the like.
    """
    behind = {lag.project_id for lag in searching.lagging()}
    if not behind:
        return ()
    problems: dict[Problem, None] = {}
    for mode in (Mode.DB_ONLY, Mode.QDRANT_ONLY) if searching.semantic else (Mode.DB_ONLY,):
        report = sync_projects(
            workspace, mode, projects=workspace.select(tuple(behind)), execute=True, deadline=searching.deadline
        )
        if report.error:
            raise report.error
        problems |= dict.fromkeys(problem for project in report.projects for problem in project.problems)
    return tuple(problems)
