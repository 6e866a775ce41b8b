"""What a project's files looked like, as values, and what moved since.

Pure: no file is opened here and no clock is read. Both who polls (the sensor) and who gets hints
(the watcher) decide here what a change is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sot_pipeline.plan import hash_text

# A file written in the same clock tick in which it was looked at can change again without a new
# mtime. 2 s is the coarsest clock of a file system in use (FAT).
SETTLED_AFTER_NS = 2_000_000_000
UNSETTLED = -1


class Stat(NamedTuple):
    """What the file system says of a file without reading it."""

    size: int
    mtime_ns: int


class FileState(NamedTuple):
    """A file as it is remembered. `mtime_ns` is UNSETTLED where it cannot be trusted yet."""

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
    before: ProjectState | None,
    found: Mapping[str, Stat],
    digest: Callable[[str], str],
    *,
    now_ns: int,
    distrust: Collection[str] = (),
) -> ProjectState:
    """The project's state now; `digest` is asked only for files whose size or mtime moved, or which are in `distrust`.

    A file for which it raises OSError is remembered as unreadable and asked for again. The
    generation goes up by one where the contents differ from `before`. Without a `before` it starts
    at `now_ns` in seconds, so that a cursor somebody reset never repeats a run key.
    """
    known = {path: state for path, state in (before.files if before else {}).items() if path not in distrust}
    files = {path: _file_state(known.get(path), stat, path, digest, now_ns) for path, stat in found.items()}
    if before is None:
        return ProjectState(now_ns // 1_000_000_000, files)
    moved = ProjectState(before.generation + 1, files)
    return ProjectState(before.generation, files) if moved.hash == before.hash else moved


def _file_state(known: FileState | None, stat: Stat, path: str, digest: Callable[[str], str], now_ns: int) -> FileState:
    if known and known.mtime_ns == stat.mtime_ns and known.size == stat.size:
        return known
    try:
        found = digest(path)
    except OSError as error:
        # Permissions come back without a new mtime.
        return FileState(stat.size, UNSETTLED, f"unreadable ({error.strerror})")
    return FileState(stat.size, stat.mtime_ns if now_ns - stat.mtime_ns >= SETTLED_AFTER_NS else UNSETTLED, found)


def changed_paths(before: ProjectState | None, after: ProjectState) -> tuple[str, ...]:
    """Paths that were added, removed or rewritten, sorted. Without a `before`, all of them."""
    old = before.files if before else {}
    paths = sorted({*old, *after.files})
    return tuple(path for path in paths if _digest_in(old, path) != _digest_in(after.files, path))


def _digest_in(files: Mapping[str, FileState], path: str) -> str | None:
    return files[path].digest if path in files else None
