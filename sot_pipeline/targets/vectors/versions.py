"""The files of one embedded collection: where its pointer, versions and locks are.

For each collection the folder holds `{collection}.json` (see `pointer.py`), the live shard folder
`{collection}_v{n}` and two lock files: `.writer.lock` for who changes the collection, `.shard.lock`
for who has its shard loaded. Nothing is opened or locked here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.pointer import Pointer, read_pointer, seal_of, write_pointer


class Versions:
    """Pointer and version folders of one collection below `folder`."""

    def __init__(self, folder: Path, collection: CollectionId) -> None:
        self.folder = folder
        self.name = collection.name
        self.writer_lock = folder / f"{self.name}.writer.lock"
        self.shard_lock = folder / f"{self.name}.shard.lock"
        self._pointer = folder / f"{self.name}.json"

    def make_folder(self) -> None:
        """Make the folder of all collections. Raises VectorStoreUnavailable where it cannot be made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VectorStoreUnavailable(
                f"The vector folder {self.folder} cannot be made: {error.strerror}.",
                remedy="Name another folder ('qdrant' in sot.toml, QDRANT_HOST) or mend its permissions.",
            ) from error

    def pointer(self) -> Pointer | None:
        """What is live; None where nothing is."""
        return read_pointer(self._pointer)

    def point_to(self, pointer: Pointer) -> None:
        """Make `pointer` the live one, where it is not already."""
        if pointer != self.pointer():
            write_pointer(self._pointer, pointer)

    def shard(self, version: int) -> Path:
        """The folder of a version."""
        return self.folder / f"{self.name}_v{version}"

    def is_sealed(self, pointer: Pointer) -> bool:
        """Whether nobody has changed the live shard since it was sealed."""
        return bool(pointer.seal) and pointer.seal == seal_of(self.shard(pointer.version))

    def next_version(self) -> int:
        """A number that no folder has, higher than all."""
        return 1 + max(self._numbers(), default=0)

    def sweep(self, live: Pointer | None) -> None:
        """Remove every version but the live one: old ones and what a crash left behind.

        What cannot be removed now is tried again by the next sweep.
        """
        for number in list(self._numbers()):
            if live is None or number != live.version:
                shutil.rmtree(self.shard(number), ignore_errors=True)

    def _numbers(self) -> Iterator[int]:
        start = f"{self.name}_v"
        for found in self.folder.glob(f"{start}*"):
            number = found.name.removeprefix(start)
            if number.isdecimal() and found.is_dir():
                yield int(number)


def project_ids(folder: Path, kind: Kind) -> Iterator[str]:
    """Ids of the projects that have a collection of this kind in `folder`, sorted."""
    for file in sorted(folder.glob(f"*{kind.suffix}.json")):
        if read_pointer(file):
            yield file.stem.removesuffix(kind.suffix)
