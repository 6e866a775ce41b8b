"""Skills as a source of the watcher: both sides looked at, brought to agree by `sync_skills.sync_skills_of`.

Of files events tell; that a row changed is seen when everything is looked at. What a sync writes is
what was agreed on, and so no change (`steps/skill_changes.py`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from sot_pipeline.errors import SotError
from sot_pipeline.outcome import SkillChanges, SkillsOutcome
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.tree import FileState, ProjectState
from sot_pipeline.skills.files import is_ours
from sot_pipeline.skills.listing import list_skills
from sot_pipeline.skills.reconcile import Direction
from sot_pipeline.steps.skill_changes import look_at_skills
from sot_pipeline.steps.skills import skill_folders
from sot_pipeline.sync_skills import sync_skills_of
from sot_pipeline.targets.database import Database
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.watch.points import FollowingPoints
from sot_pipeline.watch.source import LOCK_WAIT_SECONDS, Change, Result, Scope, folder_identity, nearest_folder, ways_up
from sot_pipeline.workspace import Project, Workspace

SKILLS_TABLE = "skills"
LOOK_SECONDS = 10.0


class SkillSource:
    """The skills of `workspace` in files and database; where `tables` are named without points.

    Paths of a batch are those of skills. Points come when no file waits any more.
    """

    name = "skills"
    tables = (SKILLS_TABLE,)

    def __init__(self, workspace: Workspace, tables: Collection[str] | None = None) -> None:
        self._workspace = workspace
        self._has_points = workspace.qdrant is not None and tables is None
        self._files: dict[str, ProjectState] = {}
        self._points = FollowingPoints(workspace, Kind.SKILLS, "skill_points")
        # Projects whose rows a sync has deleted, so that their points are meant to go as well.
        self._deleted: set[str] = set()

    def has(self, project: Project) -> bool:
        """See `Source.has`."""
        return project.skills is not None

    def scope(self, project: Project) -> Scope:
        """See `Source.scope`: every folder of a skill and on the way to one, and all that is in them."""
        root = str(skill_folders(project).root)
        found = list_skills(Path(root)).folders
        if not found:
            top = nearest_folder(root)
            identity = folder_identity(top)
            return Scope({top: identity} if identity else {}, frozenset(ways_up(top, root)))
        folders = {str(folder): identity for folder in found if (identity := folder_identity(str(folder)))}
        return Scope(folders, _Paths(frozenset(folders)))

    def look(self, project: Project, before: ProjectState | None, hinted: Collection[str]) -> ProjectState:
        """See `Source.look`: the skills that are not what was agreed on."""
        start = len(str(skill_folders(project).root)) + 1
        distrust = {path[start:] for path in hinted}
        known = (self._files.get(project.id), before)
        try:
            with Database(self._workspace.database_url) as database:
                database.check(Deadline(LOOK_SECONDS))
                found = look_at_skills(project, database, known, now_ns=time.time_ns(), distrust=distrust)
        except SotError as error:
            # Applying says why, and is tried again.
            unknown = {"": FileState(0, 0, error.message)}
            return ProjectState(before.generation if before else 0, unknown)
        self._files[project.id] = found.files
        return found.changes

    def apply(self, changes: Mapping[str, Change], deadline: Deadline) -> Mapping[str, Result]:
        """See `Source.apply`: edits of either side are brought to the other."""
        report = sync_skills_of(
            self._workspace,
            self._workspace.select(tuple(changes)),
            Direction.SYNC,
            execute=True,
            deadline=deadline,
            lock_wait=LOCK_WAIT_SECONDS,
        )
        results = dict.fromkeys(changes, Result({}, (), report.error))
        for outcome in report.projects:
            project = self._workspace.project(outcome.project_id)
            if outcome.database and outcome.database.deleted:
                self._deleted.add(project.id)
            result = _result_of(outcome)
            if result.error is None:
                after = self.look(project, None, ())
                result = replace(result, after=_left(changes[project.id].after, after), unfinished=self._has_points)
            results[project.id] = result
        return results

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        """See `Source.finish`: points."""
        found = self._points.finish(project_id, deadline, allow_mass_delete=project_id in self._deleted)
        if not found.unfinished and found.error is None:
            self._deleted.discard(project_id)
        return found


class _Paths:
    """Which paths concern the skills of a project: its folders, and whatever is in them but names of our own."""

    def __init__(self, folders: frozenset[str]) -> None:
        self._folders = folders

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        folder, _, name = path.rpartition("/")
        return path in self._folders or (folder in self._folders and not is_ours(name))


def _left(applied: ProjectState, now: ProjectState) -> ProjectState:
    """What still differs as it did before it was applied, such as a conflict; what differs otherwise is news."""
    return replace(
        applied, files={path: state for path, state in applied.files.items() if now.files.get(path) == state}
    )


def _result_of(outcome: SkillsOutcome) -> Result:
    targets: dict[str, Json] = {
        "skills": _counts(outcome.database, outcome),
        "skill_files": _counts(outcome.files, outcome),
    }
    return Result(targets, (*outcome.problems, *outcome.waiting), outcome.error)


def _counts(changes: SkillChanges | None, outcome: SkillsOutcome) -> Json:
    return changes.counts._replace(unchanged=outcome.unchanged)._asdict() if changes else None
