"""The step on the collection of the ledgers: cut, compare, embed what is new, write (`points.py`)."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.ledgers.project import ParsedProject
from sot_pipeline.outcome import VectorsOutcome
from sot_pipeline.plan import Problem, RecordKey, Severity
from sot_pipeline.reconcile import changes_of, reconcile
from sot_pipeline.session import Session
from sot_pipeline.steps.activity import activity_of
from sot_pipeline.steps.points import new_version, points_present, update_live_version, would_embed
from sot_pipeline.targets.vectors.kept import Cut, KeptPoints
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.targets.vectors.store import Point

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
    collection = CollectionId(project_id, Kind.DOCS)
    started = time.perf_counter()
    session.check(f"before the points of {project_id}")
    deep = session.database is not None and session.database.disagreed(project_id, "vectors")
    present = points_present(session, collection, deep=deep)

    def entry_of(key: str) -> RecordKey:
        return record_of_point(key, collection)

    wanted = points_of_project(parsed, embedder)
    found = reconcile(parsed, wanted, present, entry_of, allow_mass_delete=allow_mass_delete)
    kept = found.parsed.protected | found.refused
    problems = found.problems
    if rebuild and kept:
        problems += (_rebuild_put_off(found.parsed, kept),)
    if not execute:
        texts = would_embed(session, found.plan.upserts)
    elif rebuild and not kept:
        with new_version(session, collection) as fill:
            texts = fill(wanted)
    else:
        texts = update_live_version(session, collection, found.plan)
    counts = found.plan.counts()
    if execute and session.database:
        activity = activity_of("vectors", len(wanted), counts, problems, started)
        session.database.record_activity(project_id, activity, session.deadline)
    changes = changes_of(found.plan, found.parsed, entry_of, lambda point: point.title)
    return VectorsOutcome(counts, texts.embedded, texts.cached, changes, problems)


def points_of_project(parsed: ParsedProject, embedder: Embedder) -> tuple[Point, ...]:
    """Every point the collection of a project should hold."""
    project_id, chunk_tokens, max_tokens = parsed.project.id, embedder.chunk_tokens, embedder.max_tokens
    return tuple(
        point
        for ledger in parsed.ledgers
        for point in _KEPT.of_ledger(Cut(project_id, ledger.spec.path, chunk_tokens, max_tokens), ledger.records)
    )


def _rebuild_put_off(parsed: ParsedProject, kept: Iterable[str]) -> Problem:
    return Problem(
        check="full_rebuild",
        severity=Severity.WARNING,
        path=", ".join(sorted(parsed.paths.get(kind, kind) for kind in kept)),
        line=None,
        message="The collection was updated in place, not rebuilt: the points of this ledger must stay as they are. "
        "Mend the ledger and rebuild again.",
    )
