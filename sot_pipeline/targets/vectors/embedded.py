"""Collections in a folder: the embedded engine behind pointers and locks.

A second process that loads a shard does harm, so readers lock exclusively too, before they load,
and everybody holds a shard as briefly as possible. A rebuild fills a folder that nobody reads and
holds the shard lock only to swap the pointer; readers stay on the old version until then.

A damaged shard, a pointer to nothing and a garbage pointer count as missing: reading finds no
points, writing starts an empty version, and the plan of that run fills it again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.targets.vectors.holding import holding
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.pointer import Pointer, seal_of
from sot_pipeline.targets.vectors.shard import (
    EmbeddedCollection,
    ShardDamaged,
    create_shard,
    engine_errors,
    index_payload,
    load_shard,
)
from sot_pipeline.targets.vectors.store import CollectionInfo, require_match
from sot_pipeline.targets.vectors.versions import Versions, project_ids


class EmbeddedStore:
    """All collections in one folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, deadline: Deadline) -> None:
        """See VectorStore: the folder, or where it will be made, must be ours to write."""
        deadline.check("before the vector store was looked at")
        place = self._folder
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise VectorStoreUnavailable(
                f"Vectors cannot be kept in {self._folder}: {place} is not a folder we may write.",
                remedy="Name another folder ('qdrant' in sot.toml, QDRANT_HOST) or mend its permissions.",
            )

    def info(self, collection: CollectionId, deadline: Deadline) -> CollectionInfo | None:
        """See VectorStore. A sealed collection is not even loaded."""
        versions = Versions(self._folder, collection)
        pointer = versions.pointer()
        if pointer is None:
            return None
        points = pointer.points
        if not versions.is_sealed(pointer):
            with self.open(
                collection, model=pointer.model, dimension=pointer.dimension, write=False, deadline=deadline
            ) as opened:
                points = opened.count()
        return CollectionInfo(versions.name, pointer.model, pointer.dimension, points)

    def projects(self, kind: Kind, deadline: Deadline) -> Iterator[str]:
        """See VectorStore."""
        deadline.check("before collections were listed")
        return project_ids(self._folder, kind)

    @contextmanager
    def open(
        self, collection: CollectionId, *, model: str, dimension: int, write: bool, deadline: Deadline
    ) -> Iterator[EmbeddedCollection]:
        """See VectorStore. Embed before opening: nobody else reads or writes meanwhile."""
        versions = Versions(self._folder, collection)
        if not write and versions.pointer() is None:
            yield EmbeddedCollection(None, self._folder, dimension)
            return
        versions.make_folder()
        with ExitStack() as locks:
            if write:
                locks.enter_context(holding(versions.writer_lock, deadline))
            locks.enter_context(holding(versions.shard_lock, deadline))
            pointer = versions.pointer()
            if pointer:
                require_match(collection, pointer.model, pointer.dimension, model=model, dimension=dimension)
            opened = _open_to_write if write else _open_to_read
            with opened(versions, pointer or Pointer(0, model, dimension)) as live:
                yield live

    @contextmanager
    def rebuild(
        self, collection: CollectionId, *, model: str, dimension: int, deadline: Deadline
    ) -> Iterator[EmbeddedCollection]:
        """See VectorStore. Other writers wait for the whole of it, readers only for the swap."""
        versions = Versions(self._folder, collection)
        versions.make_folder()
        with holding(versions.writer_lock, deadline):
            versions.sweep(versions.pointer())
            pointer = Pointer(versions.next_version(), model, dimension)
            folder = versions.shard(pointer.version)
            try:
                fresh = EmbeddedCollection(create_shard(folder, dimension), folder, dimension, sealed=True)
                reach(Failpoint.VERSION_CREATED)
                try:
                    yield fresh
                finally:
                    points = fresh.close()
                reach(Failpoint.VERSION_FILLED)
                with holding(versions.shard_lock, deadline):
                    reach(Failpoint.VERSION_BEFORE_SWAP)
                    versions.point_to(replace(pointer, seal=seal_of(folder), points=points or 0))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            reach(Failpoint.VERSION_SWAPPED)
            versions.sweep(pointer)


@contextmanager
def _open_to_read(versions: Versions, pointer: Pointer) -> Iterator[EmbeddedCollection]:
    folder = versions.shard(pointer.version)
    sealed = versions.is_sealed(pointer)
    try:
        collection = EmbeddedCollection(load_shard(folder), folder, pointer.dimension, sealed=sealed)
    except ShardDamaged as damage:
        yield EmbeddedCollection(None, folder, pointer.dimension, damage=damage)
        return
    with _closing(collection, versions, pointer):
        yield collection


@contextmanager
def _open_to_write(versions: Versions, pointer: Pointer) -> Iterator[EmbeddedCollection]:
    folder = versions.shard(pointer.version)
    sealed = versions.is_sealed(pointer)
    try:
        shard = load_shard(folder)
        with engine_errors(folder):
            index_payload(shard)
    except ShardDamaged:
        pointer, sealed = replace(pointer, version=versions.next_version(), seal="", points=0), True
        folder = versions.shard(pointer.version)
        shard = create_shard(folder, pointer.dimension)
        reach(Failpoint.VERSION_STARTED)
        versions.point_to(pointer)
    versions.sweep(pointer)
    reach(Failpoint.COLLECTION_OPENED)

    def unseal() -> None:
        versions.point_to(replace(pointer, seal="", points=0))

    collection = EmbeddedCollection(shard, folder, pointer.dimension, sealed=sealed, unseal=unseal)
    with _closing(collection, versions, pointer):
        yield collection
    reach(Failpoint.COLLECTION_SEALED)


@contextmanager
def _closing(collection: EmbeddedCollection, versions: Versions, pointer: Pointer) -> Iterator[None]:
    """Close at the end of the block, and seal the shard where everything in it is known to be right.

    One that could be loaded but not read is pointed away from, so that the next write starts anew.
    """
    try:
        yield
    finally:
        points = collection.close()
        if collection.is_damaged:
            versions.point_to(replace(pointer, version=0, seal="", points=0))
        elif points is not None:
            versions.point_to(replace(pointer, seal=seal_of(versions.shard(pointer.version)), points=points))
