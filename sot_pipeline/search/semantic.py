"""The collections asked for a meaning: queries into vectors, vectors into chunks.

What the collections hold is read along with the answers, so that it can be compared with the
files. The engines are in `targets/vectors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.plan import RecordKey
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.search.freshness import Hashes
from sot_pipeline.search.fusion import Candidate
from sot_pipeline.targets.vectors import open_store
from sot_pipeline.targets.vectors.kinds import CollectionId
from sot_pipeline.targets.vectors.points import entry_hashes
from sot_pipeline.targets.vectors.store import Match, VectorStore
from sot_pipeline.workspace import Workspace


class Asked(NamedTuple):
    """A collection, and which file_types in it are searched."""

    collection: CollectionId
    file_types: Sequence[str]


@dataclass(frozen=True, slots=True)
class Meanings:
    """The chunks found for each query, and what the collections hold: entry → its content hash."""

    found: tuple[tuple[Candidate, ...], ...]
    held: Hashes


@dataclass(frozen=True, slots=True)
class SemanticIndex:
    """The collections of a workspace and the embedder they were filled with."""

    store: VectorStore
    embedder: Embedder

    def ask(
        self,
        queries: Sequence[str],
        asked: Iterable[Asked],
        *,
        limit: int,
        deadline: Deadline,
    ) -> Meanings:
        """The `limit` nearest chunks for each query, of each of the collections that are `asked`.

        Each collection is opened once, after the queries are embedded, and so locked only while it
        is read. Raises EmbeddingMismatch, VectorStoreUnavailable or EmbeddingFailed.
        """
        embedder = self.embedder
        texts = [_shortened(query, embedder.max_tokens) for query in queries]
        vectors = embedder.embed(texts, deadline).tolist() if texts else []
        found: list[list[Candidate]] = [[] for _ in queries]
        held: dict[RecordKey, str] = {}
        for collection_id, file_types in asked:
            with self.store.open(
                collection_id, model=embedder.model, dimension=embedder.dimension, write=False, deadline=deadline
            ) as collection:
                held |= entry_hashes(collection.fingerprints(deep=False, deadline=deadline), collection_id)
                for candidates, vector in zip(found, vectors, strict=True):
                    matches = collection.search(vector, limit=limit, file_types=file_types, deadline=deadline)
                    # A text without any known word has no direction, and so no cosine.
                    candidates += [_candidate(match) for match in matches if isfinite(match.score)]
        return Meanings(tuple(map(tuple, found)), held)


def open_semantic_index(workspace: Workspace, deadline: Deadline) -> SemanticIndex:
    """The index, checked. Raises RequirementMissing where store or embedder cannot be used."""
    if workspace.qdrant is None:
        raise VectorStoreUnavailable(
            "Qdrant is not configured, but a semantic search needs it.",
            remedy=f"Set 'qdrant' in {workspace.config_path} (a path is the embedded engine) or QDRANT_HOST, "
            "or use --mode keyword.",
        )
    from sot_pipeline.embedding import open_embedder

    store = open_store(workspace.qdrant)
    store.check(deadline)
    embedder = open_embedder(workspace.embedding)
    embedder.check()
    return SemanticIndex(store, embedder)


def _shortened(query: str, max_tokens: int) -> str:
    """As much of `query` as fits: no tokenizer makes more tokens than there are bytes, and it adds two."""
    return query.encode()[: max_tokens - 2].decode("utf-8", "ignore")


def _candidate(match: Match) -> Candidate:
    return Candidate(match.record, match.score, match.title, match.text.removeprefix(f"{match.title}\n\n"))
