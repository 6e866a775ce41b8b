"""One collection version on a Qdrant server, read and written through qdrant-client.

Which version is live and what it was built with is decided in `server.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.attempts import Attempts
from sot_pipeline.targets.vectors.payload import audit, batches, direction, fingerprint_in, match_of
from sot_pipeline.targets.vectors.points import listed_id
from sot_pipeline.targets.vectors.store import Match, Point

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from sot_pipeline.embedding.embedder import Vectors

# Points a request reads: stamps are 100 bytes each, payloads a few kilobytes.
_STAMPS_PER_PAGE = 10_000
_PAYLOADS_PER_PAGE = 1_000


class ServerCollection:
    """Collection `name` (a version, not the alias). `name` None: there is none, nothing to read."""

    def __init__(self, client: QdrantClient, attempts: Attempts, name: str | None, dimension: int) -> None:
        self._client = client
        self._attempts = attempts
        self._name = name
        self._dimension = dimension

    def fingerprints(self, *, deep: bool, deadline: Deadline) -> dict[str, str]:
        """See Collection."""
        if self._name is None:
            return {}
        if deep:
            return audit(self._payloads(None, _PAYLOADS_PER_PAGE, deadline), self._projections(deadline))
        stamps = self._payloads(["stamp"], _STAMPS_PER_PAGE, deadline)
        return dict(fingerprint_in(payload.get("stamp")) or (stored_id, "") for stored_id, payload in stamps)

    def upsert(self, points: Sequence[Point], vectors: Vectors, deadline: Deadline) -> None:
        """See Collection. Each batch is stored when the server has answered. Raises ValueError for
        unusable vectors.
        """
        from qdrant_client import models

        name = self._existing()
        for batch in batches(points, vectors, self._dimension):
            rows = [models.PointStruct(id=key_id, vector=vector, payload=payload) for key_id, vector, payload in batch]
            self._attempts.run(deadline, partial(self._client.upsert, name, rows, wait=True))

    def delete(self, keys: Sequence[str], deadline: Deadline) -> None:
        """See Collection."""
        from qdrant_client import models

        name = self._existing()
        ids = models.PointIdsList(points=[listed_id(key) for key in keys])
        self._attempts.run(deadline, partial(self._client.delete, name, ids, wait=True))

    def search(
        self, vector: Sequence[float], *, limit: int, file_types: Sequence[str], deadline: Deadline
    ) -> list[Match]:
        """See Collection. Exact: ledgers are small enough to compare every vector."""
        from qdrant_client import models

        if self._name is None:
            return []
        name = self._name
        only = models.FieldCondition(key="file_type", match=models.MatchAny(any=list(file_types)))
        answer = self._attempts.run(
            deadline,
            lambda: self._client.query_points(
                name,
                query=list(vector),
                limit=limit,
                query_filter=models.Filter(must=[only]) if file_types else None,
                search_params=models.SearchParams(exact=True),
                with_payload=True,
            ),
        )
        found = [match_of(hit.payload or {}, hit.score) for hit in answer.points]
        return [match for match in found if match]

    def vectors(self, keys: Sequence[str], deadline: Deadline) -> Mapping[str, Sequence[float]]:
        """See Collection."""
        if self._name is None:
            return {}
        name = self._name
        key_of = {str(listed_id(key)): key for key in keys}
        ids = [listed_id(key) for key in keys]
        found = self._attempts.run(
            deadline,
            lambda: self._client.retrieve(name, ids, with_payload=False, with_vectors=True),
        )
        # Our collections have one plain vector a point; the client's type knows other kinds too.
        return {key_of[str(point.id)]: cast("list[float]", point.vector) for point in found}

    def count(self, deadline: Deadline) -> int:
        """Number of points, counted by the server."""
        name = self._existing()
        return self._attempts.run(deadline, lambda: self._client.count(name, exact=True)).count

    def _existing(self) -> str:
        if self._name is None:
            raise ValueError("there is no such collection: it was opened for reading, which makes none")
        return self._name

    def _payloads(
        self, fields: list[str] | None, page_size: int, deadline: Deadline
    ) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """(id, payload) of every point, page by page; `fields` None means all of the payload."""
        name = self._existing()
        offset = None
        while True:
            page, offset = self._attempts.run(
                deadline,
                partial(self._client.scroll, name, limit=page_size, offset=offset, with_payload=fields or True),
            )
            for point in page:
                yield str(point.id), point.payload or {}
            if offset is None:
                return

    def _projections(self, deadline: Deadline) -> dict[str, float]:
        """Each vector's projection by point id, as the server computes it."""
        from qdrant_client import models

        name = self._existing()
        along = direction(self._dimension).tolist()
        points = max(1, self.count(deadline))
        answer = self._attempts.run(
            deadline,
            lambda: self._client.query_points(
                name,
                query=along,
                limit=points,
                search_params=models.SearchParams(exact=True),
                with_payload=False,
            ),
        )
        return {str(hit.id): hit.score for hit in answer.points}
