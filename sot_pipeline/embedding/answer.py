"""The answer of an embedding server: checked in every respect, then vectors.

Pure: bytes in, an array out. A server that is wrong in any way gets no benefit of the doubt,
since a vector at the wrong text would be found only by a wrong search result.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from sot_pipeline.errors import EmbeddingFailed

if TYPE_CHECKING:
    from sot_pipeline.embedding.embedder import Vectors


def vectors_of(body: bytes, *, count: int, dimension: int | None, server: str) -> Vectors:
    """The vectors in an answer to `count` texts, shape (count, dimension), each of length 1.

    `body` is the JSON of OpenAI's `POST /embeddings`: `data` holds objects with `index` and
    `embedding`, in any order. `dimension` None takes the length they have. Raises EmbeddingFailed,
    naming `server` and what came, where anything is missing, repeated or not a direction.
    """
    import numpy as np

    rows = _rows(body, count, server)
    lengths = {len(row) for row in rows}
    wanted = dimension or len(rows[0])
    if lengths != {wanted}:
        came = " and ".join(str(length) for length in sorted(lengths))
        raise EmbeddingFailed(
            f"{server} sent vectors of {came} dimensions, expected {wanted}.",
            remedy="Set 'embedding_dimension' in sot.toml to what the model has, then rebuild the collection.",
        )
    try:
        numbers = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _unusable(server, "vectors that hold something other than numbers") from None
    if not np.isfinite(numbers).all():
        raise _unusable(server, "a vector with NaN or infinite numbers")
    largest = np.abs(numbers).max(axis=1, keepdims=True)
    if not largest.all():
        raise _unusable(server, "a vector without a direction (all zeros)")
    # Squares of very small or very large numbers would not be numbers any more.
    scaled = numbers / largest
    directions: Vectors = (scaled / np.linalg.norm(scaled, axis=1, keepdims=True)).astype(np.float32)
    return directions


def _rows(body: bytes, count: int, server: str) -> list[list[float]]:
    """The `embedding` of each item, in the order of the texts."""
    try:
        items = cast("object", json.loads(body)["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unusable(server, f"no embeddings but {body[:60]!r}") from None
    if not isinstance(items, list) or len(items) != count:
        came = len(items) if isinstance(items, list) else type(items).__name__
        raise _unusable(server, f"{came} embeddings for {count} texts")
    found: dict[int, list[float]] = {}
    for item in items:
        index, row = _item(item, server)
        if index in found or not 0 <= index < count:
            raise _unusable(server, f"an embedding with index {index}, repeated or outside 0 to {count - 1}")
        found[index] = row
    return [found[index] for index in range(count)]


def _item(item: object, server: str) -> tuple[int, list[float]]:
    index = item.get("index") if isinstance(item, dict) else None
    row = item.get("embedding") if isinstance(item, dict) else None
    if type(index) is not int or not isinstance(row, list) or not row:
        raise _unusable(server, "an item without an index or a vector")
    return index, row


def _unusable(server: str, came: str) -> EmbeddingFailed:
    return EmbeddingFailed(
        f"{server} sent {came}.",
        remedy="Nothing was written; the index keeps its old points. Check the server and run again.",
    )
