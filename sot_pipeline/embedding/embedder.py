"""What an embedder is. The implementations stand beside this file, one each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors.

    `model` names the model in the cache and the collection; `dimension` is the length of its
    vectors; `chunk_tokens` is the size an entry is cut towards at its headings, `max_tokens` what
    one text may not exceed.
    """

    model: str
    dimension: int
    chunk_tokens: int
    max_tokens: int

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        """Vectors of `texts`: shape (len(texts), dimension), float32, each of length 1.

        Raises EmbeddingFailed where no usable answer comes, DeadlineExceeded when time is over.
        """
        ...

    def check(self) -> None:
        """Raises RequirementMissing where the embedder cannot work at all (no key, no model)."""
        ...
