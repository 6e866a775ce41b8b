"""An embedder that costs next to nothing and counts what it was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sot_pipeline.embedding.embedder import EmbeddedBatch
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sot_pipeline.embedding.embedder import Vectors


class CountingEmbedder:
    """Vectors from SHAKE-256 of the text: the same text gives the same vector, of length 1.

    Implements `sot_pipeline.embedding.embedder.Embedder`; `texts` counts all that were embedded.
    An entry fits into one text, so that texts, points and entries are as many.
    """

    model = "counting"
    chunk_tokens = 8191
    max_tokens = 8191 * 4

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.texts = 0

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        """See Embedder."""
        deadline.check("before texts were embedded")
        self.texts += len(texts)
        raw = b"".join(hashlib.shake_256(text.encode()).digest(self.dimension) for text in texts)
        vectors = np.frombuffer(raw, np.uint8).reshape(len(texts), self.dimension).astype(np.float32) - 127.5
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def embed_batches(self, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        """See Embedder: one batch."""
        yield EmbeddedBatch(range(len(texts)), self.embed(texts, deadline))

    def check(self) -> None:
        """See Embedder: there is nothing that could be missing."""
