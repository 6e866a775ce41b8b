"""What `sot` rewrites in canonical files on request: META and summary blocks, README markers.

Only these blocks, only on request, each by compare-and-replace, under the lock of the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sot_pipeline.errors import SotError
from sot_pipeline.ledgers.project import ParsedProject, read_project
from sot_pipeline.ledgers.refresh import refreshed
from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.locking import lock_folder
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.runtime.contained import real_path
from sot_pipeline.runtime.files import replace_file
from sot_pipeline.runtime.locks import MultiLock
from sot_pipeline.runtime.order import LOCK_WAIT_SECONDS
from sot_pipeline.targets.readme import add_marker_pair, read_summary, update_readme
from sot_pipeline.workspace import Project, Workspace


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file that was, or without `execute` would be, rewritten."""

    project_id: str
    path: str


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What a request came to, and what kept some files from being rewritten."""

    changed: tuple[Rewritten, ...]
    problems: tuple[Problem, ...]


def refresh_ledgers(workspace: Workspace, projects: tuple[Project, ...], *, execute: bool) -> Rewrites:
    """Make META and summary blocks of the ledgers true. Raises LockNotAcquired."""
    found = _Found()
    with _files_locked(workspace, execute=execute):
        for project in projects:
            parsed = read_project(project)
            found.problems += [ledger.problem for ledger in parsed.quarantined]
            for ledger in parsed.ledgers:
                with found.problem_at(ledger.spec.path):
                    path = real_path(project.root, ledger.spec.path)
                    before = path.read_bytes()
                    after = refreshed(before, ledger.truth, datetime.now(UTC))
                    if after != before:
                        if execute:
                            replace_file(path, after, expected=before)
                        found.changed.append(Rewritten(project.id, ledger.spec.path))
    return found.rewrites()


def refresh_readmes(workspace: Workspace, projects: tuple[Project, ...], *, execute: bool) -> Rewrites:
    """Make the summaries of the READMEs true. Raises LockNotAcquired."""
    found = _Found()
    with _files_locked(workspace, execute=execute):
        for project, name in _readmes(projects):
            parsed = read_project(project)
            found.problems += [ledger.problem for ledger in parsed.quarantined]
            if not parsed.quarantined:
                with found.problem_at(name):
                    if _refresh_readme(real_path(project.root, name), parsed, execute=execute):
                        found.changed.append(Rewritten(project.id, name))
    return found.rewrites()


def _refresh_readme(path: Path, parsed: ParsedProject, *, execute: bool) -> bool:
    summary = summarize(parsed.ledgers)
    return update_readme(path, summary) if execute else read_summary(path) != summary


def add_markers(workspace: Workspace, projects: tuple[Project, ...], *, execute: bool) -> Rewrites:
    """Put marker pairs into READMEs that have none. Raises LockNotAcquired."""
    found = _Found()
    with _files_locked(workspace, execute=execute):
        for project, name in _readmes(projects):
            with found.problem_at(name):
                if add_marker_pair(real_path(project.root, name), execute=execute):
                    found.changed.append(Rewritten(project.id, name))
    return found.rewrites()


class _Found:
    """Collects what was rewritten; an error of one file is a problem and the others go on."""

    def __init__(self) -> None:
        self.changed: list[Rewritten] = []
        self.problems: list[Problem] = []

    @contextmanager
    def problem_at(self, path: str) -> Iterator[None]:
        try:
            yield
        except (SotError, OSError) as error:
            self.problems.append(Problem("rewrite", Severity.ERROR, path, None, str(error)))

    def rewrites(self) -> Rewrites:
        return Rewrites(tuple(self.changed), tuple(self.problems))


def _readmes(projects: tuple[Project, ...]) -> Iterator[tuple[Project, str]]:
    for project in projects:
        if project.readme:
            yield project, project.readme


@contextmanager
def _files_locked(workspace: Workspace, *, execute: bool) -> Iterator[None]:
    """The lock of the files, which needs no database; looking needs none."""
    if not execute:
        yield
        return
    with MultiLock(lock_folder(workspace), ("docs",), wait_seconds=LOCK_WAIT_SECONDS):
        yield
