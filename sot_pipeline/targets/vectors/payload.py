"""What a collection stores for a point, and how to prove that it still holds it. Pure.

A payload has the point's fields, a `stamp` and a `projection`. The stamp joins fingerprint and key
in one keyword, so that an engine lists both for all points in one cheap call. The projection is
the dot product of the vector with a fixed direction: one exact search along that direction makes
the engine recompute it for every point, which shows altered vectors without moving any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sot_pipeline.plan import Json, RecordKey
from sot_pipeline.targets.vectors.points import fingerprint_of, point_id
from sot_pipeline.targets.vectors.store import Match, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sot_pipeline.embedding.embedder import Vectors

# Fields with a keyword index: the one that searches filter by, and the one that lists what is there.
INDEXED_FIELDS = ("file_type", "stamp")

# Stored and recomputed projections differ by float32 rounding alone: below 1e-6 at 256 and 1536
# dimensions, while a random other vector lands this close with a chance under 1 in 1000.
PROJECTION_TOLERANCE = 1e-5

# One request or engine call: large enough to be quick, small enough for memory and for a server's
# default limit of 32 MB a request.
BATCH_BYTES = 8 * 1024 * 1024
BATCH_POINTS = 1000
_JSON_BYTES_A_COMPONENT = 12

_TEXT_FIELDS = ("key", "project_id", "file_type", "entry_id", "title", "path", "content_hash", "text")
_FIELDS = frozenset((*_TEXT_FIELDS, "chunk", "stamp", "projection"))


def payload_of(point: Point, projection: float) -> dict[str, Json]:
    """The payload of `point`; the field `content_hash` is the entry's."""
    return {
        "key": point.key,
        "project_id": point.record.project_id,
        "file_type": point.record.file_type,
        "entry_id": point.record.entry_id,
        "chunk": point.chunk,
        "title": point.title,
        "path": point.path,
        "content_hash": point.entry_hash,
        "text": point.text,
        "stamp": f"{point.content_hash} {point.key}",
        "projection": projection,
    }


def match_of(payload: Mapping[str, Json], score: float) -> Match | None:
    """The answer that a payload stands for; None where it is not one of ours."""
    found = _point_in(payload)
    if found is None:
        return None
    return Match(found.record, found.chunk, score, found.text, found.title, found.path, found.entry_hash)


def fingerprint_in(stamp: Json) -> tuple[str, str] | None:
    """Key and fingerprint in a stamp; None where it is none."""
    if not isinstance(stamp, str):
        return None
    fingerprint, _, key = stamp.partition(" ")
    return (key, fingerprint) if "#" in key else None


def audit(payloads: Iterable[tuple[str, Mapping[str, Json]]], projections: Mapping[str, float]) -> dict[str, str]:
    """Key → fingerprint of every point, hashed anew; "" where a point does not hold what it says.

    `payloads` are (id, payload); `projections` is what the engine computes, by id. A point whose
    key is unusable or belongs to another id is listed under its own id.
    """
    held: dict[str, str] = {}
    for stored_id, payload in payloads:
        point = _point_in(payload)
        if point is None or point_id(point.key) != stored_id:
            held[stored_id] = ""
            continue
        claimed = payload["projection"]
        same_vector = isinstance(claimed, float | int) and (
            abs(claimed - projections.get(stored_id, float("nan"))) <= PROJECTION_TOLERANCE
        )
        right = same_vector and payload["stamp"] == f"{point.content_hash} {point.key}"
        held[point.key] = point.content_hash if right else ""
    return held


def _point_in(payload: Mapping[str, Json]) -> Point | None:
    """The point a payload describes, its fingerprint computed anew; None for a foreign payload."""
    if payload.keys() != _FIELDS:
        return None
    chunk = payload["chunk"]
    texts = [value for value in map(payload.__getitem__, _TEXT_FIELDS) if isinstance(value, str)]
    if not isinstance(chunk, int) or len(texts) != len(_TEXT_FIELDS):
        return None
    key, project_id, file_type, entry_id, title, path, entry_hash, text = texts
    record = RecordKey(project_id, file_type, entry_id)
    fingerprint = fingerprint_of(key, record, chunk, title, path, text, entry_hash)
    return Point(key, record, chunk, title, path, text, entry_hash, fingerprint)


def direction(dimension: int) -> NDArray[np.float32]:
    """The unit vector that projections are taken along, shape (dimension,).

    Component i is the i-th little-endian int32 of SHAKE-256("sot projection {dimension}"), the
    whole then divided by its length: the same on every machine, aligned with no model's axes.
    """
    import numpy as np

    stream = hashlib.shake_256(f"sot projection {dimension}".encode()).digest(4 * dimension)
    raw = np.frombuffer(stream, dtype="<i4").astype(np.float64)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def batches(
    points: Sequence[Point], vectors: Vectors, dimension: int
) -> Iterator[list[tuple[str, list[float], dict[str, Json]]]]:
    """(id, vector, payload) of the points in runs bounded by `BATCH_POINTS` and `BATCH_BYTES`.

    Raises ValueError where `vectors` is not one finite row of `dimension` for each point.
    """
    import numpy as np

    if vectors.shape != (len(points), dimension) or not np.isfinite(vectors).all():
        raise ValueError(f"{len(points)} points need as many finite vectors of {dimension}, not {vectors.shape}")
    along = vectors.astype(np.float64) @ direction(dimension).astype(np.float64)
    start = 0
    while start < len(points):
        end = _batch_end(points, start, dimension)
        rows = zip(points[start:end], vectors[start:end].tolist(), along[start:end].tolist(), strict=True)
        yield [(point_id(point.key), vector, payload_of(point, projection)) for point, vector, projection in rows]
        start = end


def _batch_end(points: Sequence[Point], start: int, dimension: int) -> int:
    size = 0
    for end in range(start, min(start + BATCH_POINTS, len(points))):
        size += len(points[end].text) + dimension * _JSON_BYTES_A_COMPONENT
        if size > BATCH_BYTES and end > start:
            return end
    return min(start + BATCH_POINTS, len(points))
