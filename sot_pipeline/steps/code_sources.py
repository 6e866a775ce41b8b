"""The source files of a project as they are now: which there are, and what their bytes hash to.

What stands in them is analysed only where a hash is not the stored one (`code_batches.py`).
Nothing here knows a target.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from sot_pipeline.code.files import FoundFiles, RootState, is_source, root_state, source_files, visible
from sot_pipeline.code.text import MAX_BYTES
from sot_pipeline.config import CodeSection
from sot_pipeline.errors import FileUnusable, RequirementMissing
from sot_pipeline.plan import Problem, Severity
from sot_pipeline.runtime.contained import open_unlinked
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.workspace import Project

FILES_CHECK = "source_files"
_CHUNK = 1024 * 1024
# Lock files, snapshots, collections: what `sot` keeps beside `sot.toml` is no source, and changes at every run.
_OURS = (".sot",)


@dataclass(frozen=True, slots=True)
class Source:
    """A source file as it is now.

    `path` is that of its rows, `name` the one that opens it (relative to the root; the two differ
    where a name is not UTF-8), `content_hash` the SHA-256 (hex) of its bytes.
    """

    path: str
    name: str
    content_hash: str

    @property
    def key(self) -> str:
        """What `diff` knows it by."""
        return self.path


@dataclass(frozen=True, slots=True)
class Sources:
    """The source files of a project, or those of some paths.

    `kept` are files and folders that are there and could not be read: their rows stay as they are.
    `left_out` leads from what a rule leaves out, where it was met, to that rule.
    """

    files: Mapping[str, Source]
    kept: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def is_kept(self, path: str) -> bool:
        """True where nobody can say what became of `path`: it or a folder above it could not be read."""
        while path and self.kept:
            if path in self.kept:
                return True
            path = path.rpartition("/")[0]
        return False


@dataclass(frozen=True, slots=True)
class Content:
    """The first `MAX_BYTES` + 1 bytes of a file; of all of them their number, their hash and when they were written.

    `modified` is naive UTC.
    """

    head: bytes
    size: int
    content_hash: str
    modified: datetime


def code_section(project: Project) -> CodeSection:
    """What `[project.code]` says. Raises RequirementMissing where there is none."""
    if project.code is None:
        raise RequirementMissing(
            f"Project '{project.id}' has no code index.",
            remedy='Add [project.code] with include = ["src/**"] below its [[project]] in sot.toml.',
        )
    return project.code


def found_files(project: Project) -> FoundFiles:
    """Which source files there are. Raises RequirementMissing, and FileUnusable where the root cannot be listed."""
    section = code_section(project)
    try:
        return source_files(project.root, section.include, (*section.exclude, *_OURS))
    except OSError as error:
        raise _root_unusable(project, error) from None


def _root_unusable(project: Project, error: OSError) -> FileUnusable:
    return FileUnusable(
        f"{project.root}: the root of project '{project.id}' cannot be listed ({error.strerror}); no row was touched.",
        remedy="Put the folder back, mend its permissions, or mend 'root' in sot.toml.",
    )


def look(project: Project, deadline: Deadline, paths: Collection[str] | None = None) -> Sources:
    """The source files as they are now, hashed; of `paths` (relative, as the system writes them) where given.

    Raises RequirementMissing without `[project.code]`, FileUnusable where the root cannot be
    listed, DeadlineExceeded.
    """
    if paths is not None:
        return _hashed(project, _sources_among(project, paths), deadline)
    found = found_files(project)
    start = len(os.fspath(project.root).rstrip("/")) + 1
    seen = _hashed(project, {path: os.fspath(file)[start:] for path, file in found.files.items()}, deadline)
    folders = tuple(_kept(path, f"The folder cannot be listed ({why})") for path, why in found.unreadable.items())
    return Sources(seen.files, seen.kept | found.unreadable.keys(), folders + seen.problems, found.skipped)


def _sources_among(project: Project, paths: Collection[str]) -> dict[str, str]:
    """Path of a row → name of the file, of those of `paths` that are source files or were."""
    try:
        os.scandir(project.root).close()
    except OSError as error:
        raise _root_unusable(project, error) from None
    rules = source_rules(project)
    return {visible(name): name for name in paths if is_source(rules, name)}


def source_rules(project: Project) -> RootState:
    """What `is_source` asks: which paths of the project are source files. Raises RequirementMissing."""
    section = code_section(project)
    return root_state(project.root, section.include, (*section.exclude, *_OURS))


def _hashed(project: Project, names: Mapping[str, str], deadline: Deadline) -> Sources:
    files: dict[str, Source] = {}
    problems: list[Problem] = []
    for path, name in names.items():
        deadline.check(f"before {path}")
        try:
            files[path] = Source(path, name, read_content(project, name, deadline).content_hash)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it went since it was listed
        except (OSError, FileUnusable) as error:
            problems.append(unreadable(path, error))
    return Sources(files, frozenset(problem.path for problem in problems), tuple(problems))


def unreadable(path: str, error: OSError | FileUnusable) -> Problem:
    """The problem of a file that is there and cannot be read."""
    reason = error.message if isinstance(error, FileUnusable) else error.strerror
    return _kept(path, f"The file cannot be read ({reason})")


def _kept(path: str, what: str) -> Problem:
    message = f"{what}; what is stored of it stays as it is. Mend its permissions, or leave it out with 'exclude'."
    return Problem(FILES_CHECK, Severity.ERROR, path, None, message)


def read_content(project: Project, name: str, deadline: Deadline) -> Content:
    """Read one file to its end. Raises FileUnusable or OSError, DeadlineExceeded in the middle of a huge one."""
    with open_unlinked(project.root, name) as file:
        status = os.fstat(file.fileno())
        head = file.read(MAX_BYTES + 1)
        digest, size = sha256(head), len(head)
        while chunk := file.read(_CHUNK) if len(head) > MAX_BYTES else b"":
            deadline.check(f"in {visible(name)}")
            digest.update(chunk)
            size += len(chunk)
    modified = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
    return Content(head, size, digest.hexdigest(), modified)
