"""The pointer file of an embedded collection: which version is live and how it was left.

`{collection}.json` holds, as one JSON object, `version` (the live shard folder is
`{collection}_v{version}`), `model` and `dimension` (what it was built with), `seal` and `points`
(how many there were when it was sealed). Only this file decides what readers see, and it is
replaced atomically. The shards are `shard.py`.

The seal tells whether anybody but us changed the shard since we last closed it. It is a hash over
name, size and time of change of the files that hold points and vectors; loading a shard leaves
those alone (it rewrites only its own bookkeeping), so readers need not renew it. It is taken off
before our first change and set again only when everything in the shard is known to be right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.plan import hash_text
from sot_pipeline.runtime.failpoints import Failpoint, reach

# The files of a shard that change with its points: id tracker, payload pages, vector chunks.
_SEALED_FILES = ("*.mappings", "*.versions", "page_*.dat", "chunk_*.mmap")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the pointer file says. `seal` is "" where the shard must not be trusted unread."""

    version: int
    model: str
    dimension: int
    seal: str = ""
    points: int = 0


def read_pointer(path: Path) -> Pointer | None:
    """The pointer in `path`; None where there is none or nothing usable (then it is made anew)."""
    try:
        fields = json.loads(path.read_bytes())
        pointer = Pointer(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    kinds = [type(value) for value in astuple(pointer)]
    return pointer if kinds == [int, str, int, str, int] else None


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Replace the pointer file: after a crash at any moment the old or the new one is there.

    Raises VectorStoreUnavailable where it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(pointer), file)
            file.flush()
            os.fsync(file.fileno())
        reach(Failpoint.POINTER_WRITTEN)
        temporary.replace(path)
        reach(Failpoint.POINTER_RENAMED)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise VectorStoreUnavailable(
            f"{path} cannot be written: {error.strerror}.", remedy="Mend that and run the same command again."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal_of(shard: Path) -> str:
    """The seal of a closed shard as it is now."""
    return hash_text("\n".join(sorted(_signatures(shard))))


def _signatures(shard: Path) -> Iterator[str]:
    for pattern in _SEALED_FILES:
        for file in shard.rglob(pattern):
            stat = file.stat()
            yield f"{file.relative_to(shard)} {stat.st_size} {stat.st_mtime_ns}"
