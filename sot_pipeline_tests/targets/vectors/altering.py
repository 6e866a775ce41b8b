"""What somebody else does to a point of an embedded collection."""

from __future__ import annotations

from pathlib import Path

import qdrant_edge as engine

from sot_pipeline.targets.vectors.kinds import CollectionId
from sot_pipeline.targets.vectors.points import point_id
from sot_pipeline.targets.vectors.shard import load_shard
from sot_pipeline.targets.vectors.versions import Versions


def alter(folder: Path, collection: CollectionId, key: str, how: str) -> None:
    """Delete a point of the workspace in `folder`, or give it another "text" or "vector"."""
    versions = Versions(folder / ".sot/qdrant", collection)
    pointer = versions.pointer()
    assert pointer
    shard = load_shard(versions.shard(pointer.version))
    operations = engine.UpdateOperation
    shard.update(
        {
            "delete": lambda: operations.delete_points([point_id(key)]),
            "text": lambda: operations.set_payload([point_id(key)], {"text": "other"}),
            "vector": lambda: operations.update_vectors([engine.PointVectors(point_id(key), [1.0] + [0.0] * 255)]),
        }[how]()
    )
    shard.flush()
    shard.close()
