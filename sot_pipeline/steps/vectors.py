"""The step on the collection: cut, compare, embed what is new, write."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from sot_pipeline.embedding.cache import EmbeddedTexts, embed_texts, text_hash
from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import SotError
from sot_pipeline.ledgers.project import ParsedProject
from sot_pipeline.outcome import VectorsOutcome
from sot_pipeline.plan import Plan, Problem, RecordKey, Severity
from sot_pipeline.reconcile import changes_of, reconcile
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.targets.vectors.kept import Cut, KeptPoints
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.targets.vectors.store import Point

# Points embedded at a time, and what is embedded before it is written: that much a kill can lose
# and memory must hold. Opening a collection costs as much as writing some hundred points, so that
# vectors that come fast (a cache, a local model) are written in longer runs.
POINTS_AT_A_TIME = 2_000
BATCHES_A_RUN = 5
SECONDS_A_RUN = 1.0

# A process that stays meets almost the same entries each time. The points of so many are kept, some
# 5 kB each; of a larger ledger none are.
_KEPT = KeptPoints(entries=20_000)


def sync_vectors(
    session: Session,
    parsed: ParsedProject,
    *,
    execute: bool,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
) -> VectorsOutcome:
    """Make the collection agree with the ledgers.

    With `rebuild` a new version is filled and swapped in (blue/green); while a ledger of the
    project cannot be read the live version is updated instead, since its points must stay.
    Raises VectorStoreUnavailable, EmbeddingFailed or DeadlineExceeded; what was written stays and
    the next run goes on from there.
    """
    _, embedder = session.require_vectors()
    project_id = parsed.project.id
    started = time.perf_counter()
    session.check(f"before the points of {project_id}")
    present = _points_present(session, project_id)

    def entry_of(key: str) -> RecordKey:
        return record_of_point(key, project_id)

    wanted = points_of_project(parsed, embedder)
    found = reconcile(parsed, wanted, present, entry_of, allow_mass_delete=allow_mass_delete)
    kept = found.parsed.protected | found.refused
    problems = found.problems
    if rebuild and kept:
        problems += (_rebuild_put_off(found.parsed, kept),)
    if not execute:
        embedded, cached = _would_embed(session, found.plan.upserts)
    elif rebuild and not kept:
        embedded, cached = _fill_new_version(session, project_id, wanted)
    else:
        embedded, cached = _update_live_version(session, project_id, found.plan)
    counts = found.plan.counts()
    if execute and session.database:
        activity = activity_of("vectors", len(wanted), counts, problems, started)
        session.database.record_activity(project_id, activity, session.deadline)
    changes = changes_of(found.plan, found.parsed, entry_of, lambda point: point.title)
    return VectorsOutcome(counts, embedded, cached, changes, problems)


def points_of_project(parsed: ParsedProject, embedder: Embedder) -> tuple[Point, ...]:
    """Every point the collection of a project should hold."""
    project_id, chunk_tokens, max_tokens = parsed.project.id, embedder.chunk_tokens, embedder.max_tokens
    return tuple(
        point
        for ledger in parsed.ledgers
        for point in _KEPT.of_ledger(Cut(project_id, ledger.spec.path, chunk_tokens, max_tokens), ledger.records)
    )


def _points_present(session: Session, project_id: str) -> dict[str, str]:
    """Fingerprints of the live version, whatever model it was built with."""
    store, _ = session.require_vectors()
    info = store.info(project_id, session.deadline)
    if info is None:
        return {}
    deep = session.database is not None and session.database.disagreed(project_id, "vectors")
    with store.open(
        project_id, model=info.model, dimension=info.dimension, write=False, deadline=session.deadline
    ) as live:
        return live.fingerprints(deep=deep, deadline=session.deadline)


def _update_live_version(session: Session, project_id: str, plan: Plan[str, Point]) -> tuple[int, int]:
    """Embed, then write: the collection is open, and so locked, only while points are written."""
    store, embedder = session.require_vectors()
    embedded = cached = 0
    for run in _embedded_runs(session, project_id, plan.upserts):
        with store.open(
            project_id, model=embedder.model, dimension=embedder.dimension, write=True, deadline=session.deadline
        ) as live:
            for points, vectors in run:
                session.check(f"before points of {project_id} are written")
                live.upsert(points, vectors.vectors, session.deadline)
                embedded, cached = embedded + vectors.embedded, cached + vectors.cached
    if plan.deletes:
        with store.open(
            project_id, model=embedder.model, dimension=embedder.dimension, write=True, deadline=session.deadline
        ) as live:
            live.delete(plan.deletes, session.deadline)
    return embedded, cached


def _fill_new_version(session: Session, project_id: str, points: Sequence[Point]) -> tuple[int, int]:
    store, embedder = session.require_vectors()
    embedded = cached = 0
    with store.rebuild(
        project_id, model=embedder.model, dimension=embedder.dimension, deadline=session.deadline
    ) as fresh:
        for batch, vectors in _embedded_batches(session, project_id, points):
            fresh.upsert(batch, vectors.vectors, session.deadline)
            embedded, cached = embedded + vectors.embedded, cached + vectors.cached
        session.check(f"before the new collection of {project_id} replaces the old one")
    return embedded, cached


def _embedded_runs(
    session: Session, project_id: str, points: Sequence[Point]
) -> Iterator[list[tuple[Sequence[Point], EmbeddedTexts]]]:
    """Batches with their vectors, in runs that are to be written together.

    What was embedded before an error is handed out before it is raised.
    """
    run: list[tuple[Sequence[Point], EmbeddedTexts]] = []
    started = time.monotonic()
    try:
        for batch in _embedded_batches(session, project_id, points):
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
    session: Session, project_id: str, points: Sequence[Point]
) -> Iterator[tuple[Sequence[Point], EmbeddedTexts]]:
    _, embedder = session.require_vectors()
    for start in range(0, len(points), POINTS_AT_A_TIME):
        session.progress(f"points of {project_id}", start, len(points))
        batch = points[start : start + POINTS_AT_A_TIME]
        texts = [point.text for point in batch]
        yield batch, embed_texts(texts, embedder, session.database, session.deadline)


def _would_embed(session: Session, points: Sequence[Point]) -> tuple[int, int]:
    """How many distinct texts a run would embed, and how many it would find in the cache."""
    _, embedder = session.require_vectors()
    hashes = {text_hash(point.text) for point in points}
    cached = len(session.database.cached_vectors(embedder.model, hashes)) if session.database else 0
    return len(hashes) - cached, cached


def _rebuild_put_off(parsed: ParsedProject, kept: Iterable[str]) -> Problem:
    return Problem(
        check="full_rebuild",
        severity=Severity.WARNING,
        path=", ".join(sorted(parsed.paths.get(kind, kind) for kind in kept)),
        line=None,
        message="The collection was updated in place, not rebuilt: the points of this ledger must stay as they are. "
        "Mend the ledger and rebuild again.",
    )
