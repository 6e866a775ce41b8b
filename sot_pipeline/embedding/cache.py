"""Embeds each text once: what was embedded before comes from a cache.

Which texts, and what becomes of the vectors, is the caller's business; where the cache is kept
as well (the database target has one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach

if TYPE_CHECKING:
    from sot_pipeline.embedding.embedder import Vectors

# Answers that were paid for are kept even when the deadline passed while they came in.
_STORE_SECONDS = 5.0
# Rounding of float32 leaves a length within 1e-6 of 1; what is further off was not stored by us.
_LENGTH_TOLERANCE = 1e-3


class VectorCache(Protocol):
    """Vectors by model and text hash, each as the bytes of its float32 numbers, little-endian."""

    def cached_vectors(self, model: str, hashes: Collection[str]) -> dict[str, bytes]:
        """Text hash → vector, for those of `hashes` that are cached."""
        ...

    def store_vectors(self, model: str, dimension: int, vectors: Mapping[str, bytes], deadline: Deadline) -> None:
        """Add vectors by text hash; one that is there already is replaced."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """Vectors in the order of the texts, shape (texts, dimension), and where they came from.

    `embedded` and `cached` count distinct texts.
    """

    vectors: Vectors
    embedded: int
    cached: int


def text_hash(text: str) -> str:
    """Identity of a text in the cache: the SHA-256 of its UTF-8, 64 hex characters."""
    return hashlib.sha256(text.encode()).hexdigest()


def embed_texts(
    texts: Sequence[str], embedder: Embedder, cache: VectorCache | None, deadline: Deadline
) -> EmbeddedTexts:
    """Vectors of `texts`; asks the embedder only for what the cache does not hold.

    Every batch goes into the cache as soon as it is there, so an error or a kill costs at most
    the batches under way. Without a cache only repetitions within `texts` are saved. Raises what
    the embedder and the cache raise.
    """
    import numpy as np

    hashes = [text_hash(text) for text in texts]
    by_hash = dict(zip(hashes, texts, strict=True))
    rows = {key: row for row, key in enumerate(by_hash)}
    vectors = np.zeros((len(rows), embedder.dimension), dtype=np.float32)
    known = _cached(cache, embedder, by_hash.keys())
    for key, vector in known.items():
        vectors[rows[key]] = vector
    missing = [key for key in by_hash if key not in known]
    if missing:
        # closing(): an error while storing ends the embedder's requests at once.
        with closing(embedder.embed_batches([by_hash[key] for key in missing], deadline)) as batches:
            for batch in batches:
                found = [missing[position] for position in batch.positions]
                vectors[[rows[key] for key in found]] = batch.vectors
                reach(Failpoint.TEXTS_EMBEDDED)
                if cache:
                    _store(cache, embedder, found, batch.vectors, deadline)
                    reach(Failpoint.TEXTS_CACHED)
    return EmbeddedTexts(vectors[[rows[key] for key in hashes]], embedded=len(missing), cached=len(known))


def _cached(cache: VectorCache | None, embedder: Embedder, hashes: Collection[str]) -> dict[str, Vectors]:
    """What the cache holds of `hashes`; a vector that cannot be the embedder's own is left out."""
    import numpy as np

    if cache is None or not hashes:
        return {}
    size = embedder.dimension * np.dtype("<f4").itemsize
    found = {key: stored for key, stored in cache.cached_vectors(embedder.model, hashes).items() if len(stored) == size}
    stored = np.frombuffer(b"".join(found.values()), dtype="<f4").reshape(len(found), embedder.dimension)
    lengths = np.linalg.norm(stored, axis=1)
    usable = np.abs(lengths - 1) < _LENGTH_TOLERANCE  # false for NaN as well
    return {key: stored[row] for row, key in enumerate(found) if usable[row]}


def _store(cache: VectorCache, embedder: Embedder, hashes: Sequence[str], vectors: Vectors, deadline: Deadline) -> None:
    rows = {key: vector.astype("<f4").tobytes() for key, vector in zip(hashes, vectors, strict=True)}
    cache.store_vectors(embedder.model, embedder.dimension, rows, Deadline(max(deadline.remaining(), _STORE_SECONDS)))
