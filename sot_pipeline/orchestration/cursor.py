"""The sensor's memory as values: what each project's files looked like, and what moved since.

Pure: no file is opened here and no clock is read. Looking at the files is `files.py`, turning a
change into a run request is `sensors.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sot_pipeline.plan import Json, hash_text

CURSOR_VERSION = 1

# A file written in the same clock tick in which it was looked at can change again without a new
# mtime. 2 s is the coarsest clock of a file system in use (FAT).
SETTLED_AFTER_NS = 2_000_000_000
UNSETTLED = -1


class Stat(NamedTuple):
    """What the file system says of a file without reading it."""

    size: int
    mtime_ns: int


class FileState(NamedTuple):
    """A file as the cursor keeps it. `mtime_ns` is UNSETTLED where it cannot be trusted yet."""

    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A project's files, by path below its root, and how often they have changed so far."""

    generation: int
    files: Mapping[str, FileState]

    @property
    def hash(self) -> str:
        """Fingerprint of paths and contents (16 hex characters); times do not count."""
        return tree_hash({path: file.digest for path, file in self.files.items()})


def tree_hash(digests: Mapping[str, str]) -> str:
    """Fingerprint of a set of files, given path → digest: 16 hex characters."""
    return hash_text(json.dumps(sorted(digests.items())))


def look(
    before: ProjectState | None, found: Mapping[str, Stat], digest: Callable[[str], str], *, now_ns: int
) -> ProjectState:
    """The project's state now; `digest` is asked only for files whose size or mtime moved.

    The generation goes up by one where the contents differ from `before`. Without a `before` it
    starts at `now_ns` in seconds, so that a cursor somebody reset never repeats a run key.
    """
    known = before.files if before else {}
    files = {path: _file_state(known.get(path), stat, path, digest, now_ns) for path, stat in found.items()}
    if before is None:
        return ProjectState(now_ns // 1_000_000_000, files)
    moved = ProjectState(before.generation + 1, files)
    return ProjectState(before.generation, files) if moved.hash == before.hash else moved


def _file_state(known: FileState | None, stat: Stat, path: str, digest: Callable[[str], str], now_ns: int) -> FileState:
    mtime = stat.mtime_ns if now_ns - stat.mtime_ns >= SETTLED_AFTER_NS else UNSETTLED
    if known and known.mtime_ns == stat.mtime_ns and known.size == stat.size:
        return known
    return FileState(stat.size, mtime, digest(path))


def changed_paths(before: ProjectState | None, after: ProjectState) -> tuple[str, ...]:
    """Paths that were added, removed or rewritten, sorted. Without a `before`, all of them."""
    old = before.files if before else {}
    paths = sorted({*old, *after.files})
    return tuple(path for path in paths if _digest_in(old, path) != _digest_in(after.files, path))


def _digest_in(files: Mapping[str, FileState], path: str) -> str | None:
    return files[path].digest if path in files else None


def encode(states: Mapping[str, ProjectState]) -> str:
    """The cursor: JSON that an operator can read in the UI."""
    projects: dict[str, Json] = {
        project_id: {
            "hash": state.hash,
            "generation": state.generation,
            "files": {path: list(file) for path, file in sorted(state.files.items())},
        }
        for project_id, state in sorted(states.items())
    }
    return json.dumps({"version": CURSOR_VERSION, "projects": projects}, separators=(",", ":"))


def decode(cursor: str | None) -> dict[str, ProjectState]:
    """Project id → state. A cursor that cannot be read (edited by hand, another version) is empty.

    Forgetting is safe: every project is then looked at as if for the first time.
    """
    try:
        document = json.loads(cursor or "{}")
        if document.get("version") != CURSOR_VERSION:
            return {}
        return {project_id: _state_from(state) for project_id, state in document["projects"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _state_from(state: Mapping[str, object]) -> ProjectState:
    generation, files = state["generation"], state["files"]
    if not isinstance(generation, int) or not isinstance(files, dict):
        raise TypeError("not a project's state")
    return ProjectState(
        generation, {path: FileState(int(size), int(mtime), str(text)) for path, (size, mtime, text) in files.items()}
    )
