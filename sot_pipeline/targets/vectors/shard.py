"""One open shard of the embedded engine (qdrant-edge) as a collection.

Reading, writing and proving points within a shard. Which folder is live, who may open it and when
it is sealed is decided in `embedded.py`.

The shard runs without a write-ahead log: it loads twice as fast, and what a crash loses between a
write and `flush` is found by the next read (the seal is off then) and written again by its plan.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sot_pipeline.errors import VectorStoreUnavailable
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.targets.vectors.payload import (
    BATCH_BYTES,
    INDEXED_FIELDS,
    audit,
    batches,
    direction,
    fingerprint_in,
    match_of,
)
from sot_pipeline.targets.vectors.points import listed_id
from sot_pipeline.targets.vectors.store import Match, Point

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard, UpdateOperation

    from sot_pipeline.embedding.embedder import Vectors

# The engine maps sparse files of 32 MB each into memory and dies of a signal where the disk cannot
# back them; so a write starts only with room for its batch and for what the engine adds.
MIN_FREE_BYTES = 4 * BATCH_BYTES
# Loading touches a few pages of them as well, and died with less than one page free.
MIN_FREE_BYTES_TO_READ = 1024 * 1024

_SCROLL_POINTS = 10_000

# Words of the operating system in the engine's errors: the shard is fine, the machine is not.
_NOT_DAMAGE = ("Permission denied", "No space left", "Too many open files", "Cannot allocate memory", "Read-only")


class ShardDamaged(VectorStoreUnavailable):
    """The engine cannot read the files of a shard."""


@contextmanager
def engine_errors(folder: Path) -> Iterator[None]:
    """What the engine raises, as VectorStoreUnavailable, or ShardDamaged where its files are to blame.

    The engine raises bare `Exception`, and a Rust panic arrives as a BaseException whose class no
    module exports.
    """
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        text = str(error).splitlines()[0] if str(error) else "no message"
        if any(words in text for words in _NOT_DAMAGE):
            raise VectorStoreUnavailable(
                f"The embedded vector engine cannot use {folder}: {text}.",
                remedy="Mend the cause it names and run the same command again.",
            ) from error
        raise ShardDamaged(
            f"The vector index in {folder} is damaged: {text}.",
            remedy="Build it again from the files: sot sync --full --rebuild --execute.",
        ) from error


def create_shard(folder: Path, dimension: int) -> EdgeShard:
    """A new shard in `folder`, which must not exist; its payload indexes come before any point."""
    import qdrant_edge as engine

    require_space(folder.parent, MIN_FREE_BYTES, "writing")
    folder.mkdir()
    config = engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine), wal_enabled=False
    )
    with engine_errors(folder):
        shard = engine.EdgeShard.create(str(folder), config)
        index_payload(shard)
        shard.flush()
    return shard


def load_shard(folder: Path) -> EdgeShard:
    """The shard in `folder`.

    Raises ShardDamaged where there is none or the engine cannot read it, VectorStoreUnavailable on a full disk.
    """
    import qdrant_edge as engine

    require_space(folder.parent, MIN_FREE_BYTES_TO_READ, "reading")
    with engine_errors(folder):
        return engine.EdgeShard.load(str(folder))


def index_payload(shard: EdgeShard) -> None:
    """Make the keyword indexes that are missing."""
    import qdrant_edge as engine

    present = shard.info().payload_schema
    for field in INDEXED_FIELDS:
        if field not in present:
            shard.update(engine.UpdateOperation.create_field_index(field, engine.PayloadSchemaType.Keyword))


def require_space(folder: Path, needed: int, act: str) -> None:
    """Raises VectorStoreUnavailable where the disk is too full for `act` on points."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise VectorStoreUnavailable(
            f"Only {free / 1_000_000:.1f} MB are free at {folder}; {act} points needs {needed / 1_000_000:.0f} MB.",
            remedy="Free some space and run the same command again; what is stored stays.",
        )


class EmbeddedCollection:
    """An open shard. Without one (`shard` None) there is nothing to read.

    `sealed` says that the shard is as we left it, so that a shallow read may believe its stamps;
    `unseal` is called before the first change. `damage` is what a search raises.
    """

    def __init__(
        self,
        shard: EdgeShard | None,
        folder: Path,
        dimension: int,
        *,
        sealed: bool = False,
        unseal: Callable[[], None] = lambda: None,
        damage: ShardDamaged | None = None,
    ) -> None:
        self._shard = shard
        self._folder = folder
        self._dimension = dimension
        self._unseal = unseal
        self._damage = damage
        self._changed = False
        # Keys known to be wrong; None while nobody has looked.
        self._suspects: set[str] | None = set() if sealed else None

    def fingerprints(self, *, deep: bool, deadline: Deadline) -> dict[str, str]:
        """See Collection. A shard somebody else has touched is read deeply; a damaged one has no points."""
        if self._shard is None:
            return {}
        deadline.check("before the points were read")
        try:
            with engine_errors(self._folder):
                return self._audited(self._shard) if deep or self._suspects != set() else self._listed(self._shard)
        except ShardDamaged as error:
            self._suspects, self._damage = None, error
            return {}

    def upsert(self, points: Sequence[Point], vectors: Vectors, deadline: Deadline) -> None:
        """See Collection. Durable when the collection is closed. Raises ValueError for unusable vectors."""
        import qdrant_edge as engine

        shard = self._changing()
        for batch in batches(points, vectors, self._dimension):
            deadline.check("before a batch of points was written")
            require_space(self._folder, MIN_FREE_BYTES, "writing")
            rows = [engine.Point(key_id, vector, payload) for key_id, vector, payload in batch]
            self._update(shard, engine.UpdateOperation.upsert_points(rows))
            reach(Failpoint.POINTS_UPSERTED)
        self._settle(point.key for point in points)

    def delete(self, keys: Sequence[str], deadline: Deadline) -> None:
        """See Collection."""
        import qdrant_edge as engine

        deadline.check("before points were deleted")
        shard = self._changing()
        self._update(shard, engine.UpdateOperation.delete_points([listed_id(key) for key in keys]))
        reach(Failpoint.POINTS_DELETED)
        self._settle(keys)

    def search(
        self, vector: Sequence[float], *, limit: int, file_types: Sequence[str], deadline: Deadline
    ) -> list[Match]:
        """See Collection. Exact: ledgers are small enough to compare every vector."""
        import qdrant_edge as engine

        deadline.check("before the search")
        if self._damage:
            raise self._damage
        if self._shard is None:
            return []
        only = engine.Filter(must=[engine.FieldCondition("file_type", match=engine.MatchAny(list(file_types)))])
        request = engine.SearchRequest(
            engine.Query.Nearest(list(vector)), limit, filter=only if file_types else None, with_payload=True
        )
        with engine_errors(self._folder):
            found = [match_of(hit.payload or {}, hit.score) for hit in self._shard.search(request)]
        return [match for match in found if match]

    def vectors(self, keys: Sequence[str], deadline: Deadline) -> Mapping[str, Sequence[float]]:
        """See Collection."""
        deadline.check("before vectors were read")
        if self._shard is None:
            return {}
        key_of = {str(listed_id(key)): key for key in keys}
        with engine_errors(self._folder):
            found = self._shard.retrieve([listed_id(key) for key in keys], with_payload=False, with_vector=True)
        # Our collections have one plain vector a point; the engine's type knows other kinds too.
        return {key_of[str(point.id)]: cast("list[float]", point.vector) for point in found}

    def count(self) -> int:
        """Number of points, as the engine counts them."""
        if self._shard is None:
            return 0
        with engine_errors(self._folder):
            return self._shard.info().points_count

    def close(self) -> int | None:
        """Flush and close; the number of points where all are known to be right, else None."""
        if self._shard is None:
            return None
        if self._damage:
            with suppress(ShardDamaged), engine_errors(self._folder):
                self._shard.close()
            return None
        with engine_errors(self._folder):
            if self._changed:
                reach(Failpoint.POINTS_BEFORE_FLUSH)
                self._shard.flush()
                reach(Failpoint.POINTS_FLUSHED)
            points = self.count()
            self._shard.close()
        return points if self._suspects == set() else None

    @property
    def is_damaged(self) -> bool:
        """Whether reading found that the engine cannot use the shard."""
        return self._damage is not None

    def _changing(self) -> EdgeShard:
        if self._shard is None:
            raise ValueError("there is no such collection: it was opened for reading, which makes none")
        if not self._changed:
            self._unseal()
            reach(Failpoint.COLLECTION_UNSEALED)
            self._changed = True
        return self._shard

    def _update(self, shard: EdgeShard, operation: UpdateOperation) -> None:
        try:
            with engine_errors(self._folder):
                shard.update(operation)
        except VectorStoreUnavailable:
            self._suspects = None  # half of it may have been written
            raise

    def _settle(self, keys: Iterable[str]) -> None:
        if self._suspects:
            self._suspects.difference_update(keys)

    def _listed(self, shard: EdgeShard) -> dict[str, str]:
        """Stamps as the keyword index lists them; audited where they do not cover every point."""
        stamps = self._stamps(shard)
        return stamps if len(stamps) == shard.info().points_count else self._audited(shard)

    def _stamps(self, shard: EdgeShard) -> dict[str, str]:
        import qdrant_edge as engine

        points = max(1, shard.info().points_count)
        # Not `exact`: that counts every value by a search of its own, 30 times slower.
        hits = shard.facet(engine.FacetRequest("stamp", limit=2 * points, exact=False)).hits
        return dict(found for hit in hits if (found := fingerprint_in(hit.value)))

    def _audited(self, shard: EdgeShard) -> dict[str, str]:
        import qdrant_edge as engine

        along = engine.Query.Nearest(direction(self._dimension).tolist())
        every = engine.SearchRequest(
            along, max(1, shard.info().points_count), params=engine.SearchParams(exact=True), with_payload=False
        )
        held = audit(self._payloads(shard), {str(hit.id): hit.score for hit in shard.search(every)})
        stamps = self._stamps(shard)
        held = {key: fingerprint if stamps.get(key) == fingerprint else "" for key, fingerprint in held.items()}
        self._suspects = {key for key, fingerprint in held.items() if not fingerprint}
        return held

    def _payloads(self, shard: EdgeShard) -> Iterator[tuple[str, Mapping[str, Json]]]:
        import qdrant_edge as engine

        offset = None
        while True:
            page, offset = shard.scroll(engine.ScrollRequest(offset, _SCROLL_POINTS, with_payload=True))
            for point in page:
                yield str(point.id), point.payload or {}
            if offset is None:
                return
