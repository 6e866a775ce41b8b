"""Points that follow rows, for a watcher: embedded in the background, then written where no file waits any more."""

from __future__ import annotations

from sot_pipeline.index_points import embed_ahead, index_points
from sot_pipeline.runtime.background import Background
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.watch.source import LOCK_WAIT_SECONDS, Result
from sot_pipeline.workspace import Workspace


class FollowingPoints:
    """The points of one kind in `workspace`; `target` is what a batch calls them.

    A service takes longer than everything else, and rows must not wait for it.
    """

    def __init__(self, workspace: Workspace, kind: Kind, target: str) -> None:
        self._workspace = workspace
        self._kind = kind
        self._target = target
        self._ahead: Background[str] = Background()

    def finish(self, project_id: str, deadline: Deadline, *, allow_mass_delete: bool) -> Result:
        """See `Source.finish`; with `allow_mass_delete` many points may go at once, as their rows did."""
        projects = self._workspace.select((project_id,))
        ended = self._ahead.ended(project_id, lambda: embed_ahead(self._workspace, projects[0], self._kind))
        if ended is None:
            return Result({}, unfinished=True)
        if ended.error:
            return Result({self._target: None}, (), ended.error)
        report = index_points(
            self._workspace,
            projects,
            kind=self._kind,
            execute=True,
            deadline=deadline,
            allow_mass_delete=allow_mass_delete,
            lock_wait=LOCK_WAIT_SECONDS,
        )
        points = report.projects.get(project_id)
        document = points.document if points else None
        return Result({self._target: document}, points.problems if points else (), report.error)
