"""Ledgers as a source of the watcher: looked at by stat and hash, applied by `sync.sync_projects`."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sot_pipeline.ledgers.files import digest_ledger, stat_ledgers
from sot_pipeline.outcome import Mode, SyncReport
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.tree import ProjectState, look
from sot_pipeline.sync import sync_projects
from sot_pipeline.watch.source import LOCK_WAIT_SECONDS, Change, Result, Scope, folder_identity, nearest_folder, ways_up
from sot_pipeline.workspace import Project, Workspace

ROWS_TABLE = "sot_entries"


class LedgerSource:
    """The ledgers of `workspace`; where `tables` are named nothing but rows and full text is written.

    Rows and README come first; points may wait, because opening a collection and embedding takes
    longer than everything else, and Qdrant may be away.
    """

    name = "ledgers"
    tables = (ROWS_TABLE,)

    def __init__(self, workspace: Workspace, tables: Collection[str] | None = None) -> None:
        rows_only = tables is not None
        self._workspace = workspace
        self._rows_mode = Mode.DB_ONLY if rows_only else Mode.WITHOUT_VECTORS
        self._has_points = workspace.qdrant is not None and not rows_only

    def has(self, project: Project) -> bool:
        """See `Source.has`: where no ledger is there yet, one may come."""
        return bool(project.ledgers)

    def scope(self, project: Project) -> Scope:
        """See `Source.scope`: each ledger, what it links to, and every folder between it and the root."""
        paths = {path for spec in project.ledgers for path in _ways(project.root, spec.path)}
        found = {nearest_folder(path) for path in paths if path != str(project.root)}
        folders = {folder: identity for folder in found if (identity := folder_identity(folder))}
        return Scope(folders, frozenset(paths))

    def look(self, project: Project, before: ProjectState | None, hinted: Collection[str]) -> ProjectState:
        """See `Source.look`."""
        distrust = {spec.path for spec in project.ledgers if not _ways(project.root, spec.path).isdisjoint(hinted)}
        return look(
            before,
            stat_ledgers(project),
            partial(digest_ledger, project),
            now_ns=time.time_ns(),
            distrust=distrust,
        )

    def apply(self, changes: Mapping[str, Change], deadline: Deadline) -> Mapping[str, Result]:
        """See `Source.apply`: rows and README."""
        results = self._synced(self._rows_mode, tuple(changes), deadline)
        return {project_id: replace(result, unfinished=self._has_points) for project_id, result in results.items()}

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        """See `Source.finish`: points."""
        found = self._synced(Mode.QDRANT_ONLY, (project_id,), deadline)[project_id]
        return replace(found, targets={"vectors": found.targets.get("vectors")})

    def _synced(self, mode: Mode, ids: Sequence[str], deadline: Deadline) -> dict[str, Result]:
        report = sync_projects(
            self._workspace,
            mode,
            projects=self._workspace.select(tuple(ids)),
            execute=True,
            deadline=deadline,
            lock_wait=LOCK_WAIT_SECONDS,
        )
        return {project_id: _result_of(report, self._workspace.project(project_id)) for project_id in ids}


def _ways(root: Path, relative: str) -> frozenset[str]:
    """The ledger, the file it links to and the folders on the way, from the root or the nearest that is there."""
    here = str(root)
    top = here if folder_identity(here) else nearest_folder(here)
    named = os.path.join(here, relative)  # noqa: PTH118  # text to text
    inside = {path for path in (named, os.path.realpath(named)) if path.startswith(f"{here}{os.sep}")}
    return frozenset({here}.union(*(ways_up(top, path) for path in inside)))


def _result_of(report: SyncReport, project: Project) -> Result:
    outcome = next((found for found in report.projects if found.project_id == project.id), None)
    if outcome is None:
        return Result({}, (), report.error)
    complete = outcome.is_complete(report.mode, readme=project.readme is not None)
    return Result(outcome.targets, outcome.problems, None if complete else report.error)
