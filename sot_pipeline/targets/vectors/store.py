"""What a vector store is: collections, each behind an alias, in two engines with one behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sot_pipeline.errors import EmbeddingMismatch
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind

if TYPE_CHECKING:
    from sot_pipeline.embedding.embedder import Vectors


def require_match(
    collection: CollectionId, built_model: str, built_dimension: int, *, model: str, dimension: int
) -> None:
    """Raises EmbeddingMismatch where a collection was not built with this model and dimension."""
    if (built_model, built_dimension) != (model, dimension):
        raise EmbeddingMismatch(
            collection=collection.name,
            built_with=f"{built_model} ({built_dimension} dimensions)",
            embedder=f"{model} ({dimension} dimensions)",
            rebuild=f"{collection.kind.rebuild} --project {collection.project_id}",
        )


@dataclass(frozen=True, slots=True)
class Point:
    """One chunk of one entry, as the collection stores it (its vector apart).

    `key` is `{project_id}_{file_type}_{entry_id}#{chunk}`; the point's id is the UUIDv5 of it.
    `text` is what is embedded; `content_hash` is the fingerprint of the whole payload, while
    `entry_hash` is the content hash of the entry (payload field `content_hash`).
    """

    key: str
    record: RecordKey
    chunk: int
    title: str
    path: str
    text: str
    entry_hash: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of a semantic search. `score` is the cosine similarity, -1 to 1."""

    record: RecordKey
    chunk: int
    score: float
    text: str
    title: str
    path: str
    entry_hash: str


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What the live collection was built with."""

    name: str
    model: str
    dimension: int
    points: int


class Collection(Protocol):
    """An open collection: read and written between `open` and close."""

    def fingerprints(self, *, deep: bool, deadline: Deadline) -> dict[str, str]:
        """Point key → fingerprint as the collection tells it.

        With `deep` the payload is hashed anew and the vector checked against the payload's
        `projection`; a point that does not hold what it says has the fingerprint "". A point
        without a usable key is listed under its id, so that a plan deletes it.
        """
        ...

    def upsert(self, points: Sequence[Point], vectors: Vectors, deadline: Deadline) -> None:
        """Write points with their vectors, in batches bounded by bytes."""
        ...

    def delete(self, keys: Sequence[str], deadline: Deadline) -> None:
        """Delete points by key (or by id, where `fingerprints` listed an id)."""
        ...

    def search(
        self, vector: Sequence[float], *, limit: int, file_types: Sequence[str], deadline: Deadline
    ) -> list[Match]:
        """The nearest chunks, best first; `file_types` empty means all."""
        ...

    def vectors(self, keys: Sequence[str], deadline: Deadline) -> Mapping[str, Sequence[float]]:
        """Stored vectors by point key; keys that are not there are left out."""
        ...


class VectorStore(Protocol):
    """Where collections live: a folder (embedded engine) or a Qdrant server."""

    def check(self, deadline: Deadline) -> None:
        """Raises VectorStoreUnavailable where the store cannot be used; writes nothing."""
        ...

    def info(self, collection: CollectionId, deadline: Deadline) -> CollectionInfo | None:
        """What the collection was built with, None where there is none yet."""
        ...

    def open(
        self, collection: CollectionId, *, model: str, dimension: int, write: bool, deadline: Deadline
    ) -> AbstractContextManager[Collection]:
        """The live collection; with `write` it is made where it is missing.

        Without `write` a missing collection is an empty one. Raises EmbeddingMismatch where it
        was built with another model or dimension, VectorStoreUnavailable where it cannot be
        opened within the deadline (another process holds it).
        """
        ...

    def rebuild(
        self, collection: CollectionId, *, model: str, dimension: int, deadline: Deadline
    ) -> AbstractContextManager[Collection]:
        """A new, empty version of the collection; readers move to it when the block ends well.

        Left by an error, the new version is dropped and the old one stays live.
        """
        ...

    def projects(self, kind: Kind, deadline: Deadline) -> Iterator[str]:
        """Ids of the projects that have a collection of this kind."""
        ...
