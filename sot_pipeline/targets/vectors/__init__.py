"""Points in Qdrant collections, embedded or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sot_pipeline.errors import VectorStoreUnavailable

if TYPE_CHECKING:
    from sot_pipeline.targets.vectors.store import VectorStore
    from sot_pipeline.workspace import QdrantTarget


def open_store(target: QdrantTarget) -> VectorStore:
    """The store of a target. Nothing is connected yet and no engine is loaded (`check` does that)."""
    if target.path is not None:
        from sot_pipeline.targets.vectors.embedded import EmbeddedStore

        return EmbeddedStore(target.path)
    if target.url is None:
        raise VectorStoreUnavailable("The Qdrant target names neither a folder nor a URL.")
    from sot_pipeline.targets.vectors.server import ServerStore

    return ServerStore(target.url, target.api_key)
