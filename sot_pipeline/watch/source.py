"""What a watcher can watch: the interface by which ledgers, code, skills and docs join. No implementation here."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sot_pipeline.errors import SotError
from sot_pipeline.plan import Json, Problem
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.tree import ProjectState
from sot_pipeline.workspace import Project

# One try waits so long for another writer; then the watcher looks after its own affairs and tries again.
LOCK_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a source's files of one project are, as things are now; all paths absolute.

    `folders` exist and are watched, each without those below it; the pair (device, inode) tells
    one that was replaced. `paths` are those whose change concerns the source: its files, and the
    folders on the way to them.
    """

    folders: Mapping[str, tuple[int, int]]
    paths: Container[str]


class Change(NamedTuple):
    """The files of a project as they were when last applied (None: nobody knows) and as they are now."""

    before: ProjectState | None
    after: ProjectState


@dataclass(frozen=True, slots=True)
class Result:
    """What applying one project came to: counts by target, problems in its files, what stopped it.

    With an `error` the project is tried again; `targets` then hold what was done before. What is
    `unfinished` goes on with `Source.finish`. `after` is what was applied, where a source that also
    writes what it looks at does not find it any more.
    """

    targets: Mapping[str, Json]
    problems: tuple[Problem, ...] = ()
    error: SotError | None = None
    unfinished: bool = False
    after: ProjectState | None = None

    def joined(self, rest: Result) -> Result:
        """This and what finishing it came to; a problem that both found is there once."""
        problems = tuple(dict.fromkeys((*self.problems, *rest.problems)))
        return Result({**self.targets, **rest.targets}, problems, rest.error)


class Source(Protocol):
    """One kind of file that is kept in agreement with what is derived from it."""

    @property
    def name(self) -> str:
        """As `--sources` names it."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """As `--tables` names them."""
        ...

    def has(self, project: Project) -> bool:
        """Whether the project has files of this kind at all, by its configuration."""
        ...

    def scope(self, project: Project) -> Scope:
        """What is to be watched; asked again whenever something moved."""
        ...

    def look(self, project: Project, before: ProjectState | None, hinted: Collection[str]) -> ProjectState:
        """The files as they are now: stat, and hash where that moved; those at the paths `hinted` are always hashed."""
        ...

    def apply(self, changes: Mapping[str, Change], deadline: Deadline) -> Mapping[str, Result]:
        """Bring what is derived from the files of these projects, by id, up to date; a result for each id.

        Never raises SotError. What is in agreement already is not written.
        """
        ...

    def finish(self, project_id: str, deadline: Deadline) -> Result:
        """What takes long and may wait until no file of any project does; never raises SotError.

        Where it is `unfinished` it goes on in the background, and is asked for again a little later.
        """
        ...


def nearest_folder(path: str) -> str:
    """The nearest folder above `path` that exists."""
    folder = os.path.dirname(path)  # noqa: PTH120  # thousands of paths, all text
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):  # noqa: PTH112, PTH120  # as above
        folder = os.path.dirname(folder)  # noqa: PTH120  # as above
    return folder


def ways_up(top: str, path: str) -> Iterator[str]:
    """`path` and every folder above it, up to `top` but without it."""
    while len(path) > len(top):
        yield path
        path = os.path.dirname(path)  # noqa: PTH120  # text to text


def folder_identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of a folder, None where it has just gone."""
    try:
        status = os.stat(folder)  # noqa: PTH116  # as above
    except OSError:
        return None
    return status.st_dev, status.st_ino
