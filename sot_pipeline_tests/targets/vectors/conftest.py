"""Entries, vectors and the three stores that one suite runs against."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from sot_pipeline.plan import Record, RecordKey, hash_record
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.embedded import EmbeddedStore
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import point_id, points_of
from sot_pipeline.targets.vectors.server import ServerStore
from sot_pipeline.targets.vectors.shard import load_shard
from sot_pipeline.targets.vectors.store import Point, VectorStore
from sot_pipeline.targets.vectors.versions import Versions
from sot_pipeline_tests.stubs.qdrant_server import StubQdrantServer

if TYPE_CHECKING:
    import qdrant_edge as engine

    from sot_pipeline.embedding.embedder import Vectors

PROJECT = "demo"
DOCS = CollectionId(PROJECT, Kind.DOCS)
MODEL = "test-model"
DIMENSION = 16
NEVER = Deadline.never()


def entry(number: int, content: str = "text", *, file_type: str = "build_history", title: str = "") -> Record:
    key = RecordKey(PROJECT, file_type, f"BUILD-{number}")
    title = title or f"Entry {number}"
    return Record(key, title, content, {}, None, hash_record(key, title, content, {}, None))


def points(*records: Record) -> list[Point]:
    return [point for record in records for point in points_of(record, "docs/B.md", chunk_tokens=400, max_tokens=8191)]


def vectors_for(found: Sequence[Point]) -> Vectors:
    """A unit vector for each point, made from its text."""
    rows = [np.random.default_rng(list(point.text.encode())).standard_normal(DIMENSION) for point in found]
    stacked = np.array(rows).reshape(len(rows), DIMENSION)
    vectors: Vectors = (stacked / np.linalg.norm(stacked, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def wanted(found: Sequence[Point]) -> dict[str, str]:
    return {point.key: point.content_hash for point in found}


def write(store: VectorStore, found: Sequence[Point]) -> None:
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
        collection.upsert(found, vectors_for(found), NEVER)


def fingerprints(store: VectorStore, *, deep: bool = False) -> dict[str, str]:
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection:
        return collection.fingerprints(deep=deep, deadline=NEVER)


@dataclass(frozen=True)
class Rig:
    """A store, and a way past it: what somebody else does to the live version behind our back."""

    store: VectorStore
    alter_payload: Callable[[str, dict[str, object]], object]
    alter_vector: Callable[[str, list[float]], object]
    remove: Callable[[str], object]
    add: Callable[[str, list[float], dict[str, object]], object]


def engine_rig(store: VectorStore, update: Callable[[engine.UpdateOperation], None]) -> Rig:
    import qdrant_edge as engine

    operations = engine.UpdateOperation
    return Rig(
        store,
        lambda key, fields: update(operations.set_payload([point_id(key)], fields)),
        lambda key, vector: update(operations.update_vectors([engine.PointVectors(point_id(key), vector)])),
        lambda key: update(operations.delete_points([point_id(key)])),
        lambda id_, vector, fields: update(operations.upsert_points([engine.Point(id_, vector, fields)])),
    )


def live_folder(folder: Path) -> Path:
    versions = Versions(folder, DOCS)
    pointer = versions.pointer()
    assert pointer
    return versions.shard(pointer.version)


def embedded_rig(folder: Path) -> Rig:
    def update(operation: engine.UpdateOperation) -> None:
        shard = load_shard(live_folder(folder))
        shard.update(operation)
        shard.flush()
        shard.close()

    return engine_rig(EmbeddedStore(folder), update)


def local_rig(client: QdrantClient) -> Rig:
    name = DOCS.name
    return Rig(
        ServerStore("http://local.invalid", connect=lambda: client),
        lambda key, fields: client.set_payload(name, fields, points=[point_id(key)]),
        lambda key, vector: (
            client.update_vectors(name, [models.PointVectors(id=point_id(key), vector=vector)]) and None
        ),
        lambda key: client.delete(name, models.PointIdsList(points=[point_id(key)])),
        lambda id_, vector, fields: (
            client.upsert(name, [models.PointStruct(id=id_, vector=vector, payload=fields)]) and None
        ),
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StubQdrantServer]:
    with StubQdrantServer(tmp_path / "server") as stub:
        yield stub


@pytest.fixture(params=["embedded", "server", "local"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """The embedded engine, a server that imitates REST over it, and qdrant-client's own engine."""
    if request.param == "embedded":
        yield embedded_rig(tmp_path / "vectors")
    elif request.param == "server":
        with StubQdrantServer(tmp_path / "server") as stub:
            yield engine_rig(ServerStore(stub.url), lambda operation: stub.shard(DOCS.name).update(operation))
    else:
        client = QdrantClient(":memory:")
        with warnings.catch_warnings():
            # It says that payload indexes and search parameters do nothing there.
            warnings.simplefilter("ignore", UserWarning)
            yield local_rig(client)
        client.close()


@pytest.fixture
def store(rig: Rig) -> VectorStore:
    return rig.store
