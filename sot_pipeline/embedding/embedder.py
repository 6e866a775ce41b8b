"""What an embedder is. The implementations stand beside this file, one each."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class EmbeddedBatch(NamedTuple):
    """Vectors of some of the texts that were asked for: row i belongs to the text at `positions[i]`."""

    positions: Sequence[int]
    vectors: Vectors


class Embedder(Protocol):
    """Turns texts into vectors.

    `model` names the model in the cache and the collection; `dimension` is the length of its
    vectors; `chunk_tokens` is the size an entry is cut towards at its headings, `max_tokens` what
    one text may not exceed, counted in UTF-8 bytes (no byte-level tokenizer makes more tokens).
    A blank text gets `blank_vector`: it means nothing, but it must not break a search.
    """

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def chunk_tokens(self) -> int:
        """Size of a chunk to aim at."""
        ...

    @property
    def max_tokens(self) -> int:
        """Size that no text may exceed."""
        ...

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Vectors:
        """Vectors of `texts`: shape (len(texts), dimension), float32, each of length 1.

        Raises EmbeddingFailed where no usable answer comes, DeadlineExceeded when time is over.
        """
        ...

    def embed_batches(self, texts: Sequence[str], deadline: Deadline) -> Generator[EmbeddedBatch, None, None]:
        """The same vectors batch by batch, in the order in which they are ready.

        An error is raised after everything that was answered has been handed out, so that
        nothing has to be asked for again.
        """
        ...

    def check(self) -> None:
        """Raises RequirementMissing where the embedder cannot work at all (no key, no model)."""
        ...


def gather(batches: Iterable[EmbeddedBatch], count: int, dimension: int) -> Vectors:
    """The vectors of all `batches` in one array of shape (count, dimension), by position."""
    import numpy as np

    vectors = np.zeros((count, dimension), dtype=np.float32)
    for batch in batches:
        vectors[list(batch.positions)] = batch.vectors
    return vectors


def blank_vector(dimension: int) -> Vectors:
    """The vector of a text without words: the first axis. Defined, of length 1, and always the same."""
    import numpy as np

    first_axis: Vectors = np.eye(1, dimension, dtype=np.float32)[0]
    return first_axis
