"""A collection brought to hold other points: what it holds is read, new texts are embedded, points written.

Which points it should hold is decided by the steps that call this: `vectors.py` for ledgers,
`code_points.py` for source files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sot_pipeline.embedding.cache import EmbeddedTexts, embed_texts, text_hash
from sot_pipeline.errors import SotError
from sot_pipeline.plan import Plan
from sot_pipeline.session import Session
from sot_pipeline.targets.vectors.kinds import CollectionId
from sot_pipeline.targets.vectors.store import Point

# Points embedded at a time, and what is embedded before it is written: that much a kill can lose
# and memory must hold. Opening a collection costs as much as writing some hundred points, so that
# vectors that come fast (a cache, a local model) are written in longer runs.
POINTS_AT_A_TIME = 2_000
BATCHES_A_RUN = 5
SECONDS_A_RUN = 1.0


class Texts(NamedTuple):
    """How many distinct texts were embedded, and how many came from the cache."""

    embedded: int = 0
    cached: int = 0

    def plus(self, other: Texts | EmbeddedTexts) -> Texts:
        """Field by field sum."""
        return Texts(self.embedded + other.embedded, self.cached + other.cached)


def points_present(session: Session, collection: CollectionId, *, deep: bool) -> dict[str, str]:
    """Fingerprints of the live version, whatever model it was built with."""
    store, _ = session.require_vectors()
    info = store.info(collection, session.deadline)
    if info is None:
        return {}
    with store.open(
        collection, model=info.model, dimension=info.dimension, write=False, deadline=session.deadline
    ) as live:
        return live.fingerprints(deep=deep, deadline=session.deadline)


def update_live_version(session: Session, collection: CollectionId, plan: Plan[str, Point]) -> Texts:
    """Embed, then write: the collection is open, and so locked, only while points are written.

    Points are written in the order of the plan, deletes last.
    """
    store, embedder = session.require_vectors()
    texts = Texts()
    for run in _embedded_runs(session, collection, plan.upserts):
        with store.open(
            collection, model=embedder.model, dimension=embedder.dimension, write=True, deadline=session.deadline
        ) as live:
            for points, vectors in run:
                session.check(f"before points of {collection.project_id} are written")
                live.upsert(points, vectors.vectors, session.deadline)
                texts = texts.plus(vectors)
    if plan.deletes:
        with store.open(
            collection, model=embedder.model, dimension=embedder.dimension, write=True, deadline=session.deadline
        ) as live:
            live.delete(plan.deletes, session.deadline)
    return texts


@contextmanager
def new_version(session: Session, collection: CollectionId) -> Iterator[Callable[[Sequence[Point]], Texts]]:
    """What fills a new version with points; it is swapped in at the end: readers see the old or the new one."""
    store, embedder = session.require_vectors()
    with store.rebuild(
        collection, model=embedder.model, dimension=embedder.dimension, deadline=session.deadline
    ) as fresh:

        def fill(points: Sequence[Point]) -> Texts:
            texts = Texts()
            for batch, vectors in _embedded_batches(session, collection, points):
                fresh.upsert(batch, vectors.vectors, session.deadline)
                texts = texts.plus(vectors)
            return texts

        yield fill
        session.check(f"before the new collection of {collection.project_id} replaces the old one")


def fill_cache(session: Session, collection: CollectionId, points: Sequence[Point]) -> None:
    """Embed the points' texts into the cache, where there is one, and write no point."""
    for _ in _embedded_batches(session, collection, points):
        pass


def would_embed(session: Session, points: Sequence[Point]) -> Texts:
    """How many distinct texts a run would embed, and how many it would find in the cache."""
    _, embedder = session.require_vectors()
    hashes = {text_hash(point.text) for point in points}
    cached = len(session.database.cached_vectors(embedder.model, hashes)) if session.database else 0
    return Texts(len(hashes) - cached, cached)


def _embedded_runs(
    session: Session, collection: CollectionId, points: Sequence[Point]
) -> Iterator[list[tuple[Sequence[Point], EmbeddedTexts]]]:
    """Batches with their vectors, in runs that are to be written together.

    What was embedded before an error is handed out before it is raised.
    """
    run: list[tuple[Sequence[Point], EmbeddedTexts]] = []
    started = time.monotonic()
    try:
        for batch in _embedded_batches(session, collection, points):
            run.append(batch)
            if len(run) == BATCHES_A_RUN or time.monotonic() - started > SECONDS_A_RUN:
                yield run
                run, started = [], time.monotonic()
    except SotError:
        if run:
            yield run
        raise
    if run:
        yield run


def _embedded_batches(
    session: Session, collection: CollectionId, points: Sequence[Point]
) -> Iterator[tuple[Sequence[Point], EmbeddedTexts]]:
    _, embedder = session.require_vectors()
    for start in range(0, len(points), POINTS_AT_A_TIME):
        session.progress(f"points of {collection.project_id}", start, len(points))
        batch = points[start : start + POINTS_AT_A_TIME]
        texts = [point.text for point in batch]
        yield batch, embed_texts(texts, embedder, session.database, session.deadline)
