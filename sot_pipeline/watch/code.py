"""Source files as a source of the watcher: looked at by stat and hash, applied by `index_code.index_projects`."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from sot_pipeline.code.files import FoundFiles, Listing, visible
from sot_pipeline.code.ignore import GITIGNORE
from sot_pipeline.code.languages import language_of
from sot_pipeline.index_code import index_projects
from sot_pipeline.index_points import embedded
from sot_pipeline.outcome import CodeOutcome
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.stats import digest_of, stats_of
from sot_pipeline.runtime.tree import ProjectState, changed_paths, look
from sot_pipeline.steps.code_sources import source_rules
from sot_pipeline.targets.database.code_rows import CodeTable
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.watch.points import FollowingPoints
from sot_pipeline.watch.source import LOCK_WAIT_SECONDS, Change, Result, Scope, folder_identity, nearest_folder, ways_up
from sot_pipeline.workspace import Project, Workspace


class CodeSource:
    """The source files of `workspace` and their rows, in `tables` alone where they are named, then without points.

    Project metrics are left to a full pass: they ask for all files. Points of code that is embedded
    come when no file waits any more.
    """

    name = "code"
    tables = tuple(table.value for table in CodeTable)

    def __init__(self, workspace: Workspace, tables: Collection[str] | None = None) -> None:
        self._workspace = workspace
        self._tables = [table for table in CodeTable if tables is None or table.value in tables]
        self._has_points = tables is None
        self._listings: dict[str, Listing] = {}
        self._points = FollowingPoints(workspace, Kind.CODE, "points")
        # Projects whose rows were last deleted because somebody was seen to delete the files.
        self._seen: set[str] = set()

    def has(self, project: Project) -> bool:
        """See `Source.has`."""
        return project.code is not None

    def scope(self, project: Project) -> Scope:
        """See `Source.scope`: every folder that no rule leaves out, and what may become a source file in it."""
        root = str(project.root)
        found = self._listed(project)
        if not found.folders:
            top = nearest_folder(root)
            identity = folder_identity(top)
            return Scope({top: identity} if identity else {}, frozenset(ways_up(top, root)))
        folders = {str(folder): identity for folder in found.folders if (identity := folder_identity(str(folder)))}
        return Scope(folders, _Paths(frozenset(folders)))

    def look(self, project: Project, before: ProjectState | None, hinted: Collection[str]) -> ProjectState:
        """See `Source.look`."""
        files = self._listed(project).files
        start = len(str(project.root)) + 1
        distrust = {visible(path[start:]) for path in hinted}
        return look(
            before,
            stats_of(files),
            lambda path: digest_of(files[path]),
            now_ns=time.time_ns(),
            distrust=distrust,
        )

    def apply(self, changes: Mapping[str, Change], deadline: Deadline) -> Mapping[str, Result]:
        """See `Source.apply`: the files that differ from what was applied last, at first all of them."""
        projects = self._workspace.select(tuple(changes))
        files = {project.id: self._listings[project.id].found.files for project in projects}
        paths = {each.id: _to_apply(files[each.id], changes[each.id], each.root) for each in projects}
        report = index_projects(
            self._workspace,
            projects,
            execute=True,
            full=False,
            deadline=deadline,
            paths=paths,
            tables=self._tables,
            lock_wait=LOCK_WAIT_SECONDS,
        )
        self._seen = {*self._seen, *paths} - {project_id for project_id, some in paths.items() if some is None}
        to_embed = {project.id for project in embedded(projects)} if self._has_points else set()
        return dict.fromkeys(changes, Result({}, (), report.error)) | {
            outcome.project_id: replace(_result_of(outcome), unfinished=outcome.project_id in to_embed)
            for outcome in report.projects
        }

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        """See `Source.finish`: points. They follow the rows wherever these followed events."""
        return self._points.finish(project_id, deadline, allow_mass_delete=project_id in self._seen)

    def _listed(self, project: Project) -> FoundFiles:
        """The source files and folders as they are now; none where the root cannot be read (applying says why)."""
        listing = self._listings.get(project.id)
        if listing is None:
            listing = self._listings[project.id] = Listing(source_rules(project))
        try:
            return listing.renew(time.time_ns())
        except OSError:
            return listing.found


class _Paths:
    """Which paths concern the code of a project: its folders, what could be one, source files and .gitignore."""

    def __init__(self, folders: frozenset[str]) -> None:
        self._folders = folders

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        folder, _, name = path.rpartition("/")
        if path in self._folders or folder not in self._folders:
            return path in self._folders
        return name == GITIGNORE or language_of(name) is not None or os.path.isdir(path)  # noqa: PTH112  # text


def _result_of(outcome: CodeOutcome) -> Result:
    counts = {CodeTable.FILES: outcome.files, CodeTable.METADATA: outcome.metadata}
    targets = {table.value: found._asdict() if found else None for table, found in counts.items()}
    return Result(targets, outcome.problems, outcome.error)


def _to_apply(files: Mapping[str, Path], change: Change, root: Path) -> tuple[str, ...] | None:
    """Names of the files that differ, relative to the root as the system writes them; None for all files.

    A file that is still there but none of the project's any more was left out by a rule: what else
    the rule leaves out is found by comparing all.
    """
    if change.before is None or not files:
        return None
    changed = changed_paths(*change)
    if any(os.path.lexists(root / path) for path in changed if path not in change.after.files):
        return None
    start = len(os.fspath(root)) + 1
    return tuple(os.fspath(files[path])[start:] if path in files else path for path in changed)
