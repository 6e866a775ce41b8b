"""Do the targets agree with the files? Everything is read again and hashed anew.

Nothing is changed here but one line of `sync_activity`, which makes the next sync look as
closely at a target that disagreed as this module did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from sot_pipeline.errors import FileUnusable, ReadmeMarkersError
from sot_pipeline.ledgers.project import ParsedProject, quarantine_lost
from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.outcome import Disagreement, Mode, ProjectAgreement
from sot_pipeline.plan import Counts, RecordKey, diff
from sot_pipeline.runtime.contained import real_path
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.session import Session, open_session
from sot_pipeline.steps.vectors import points_of_project
from sot_pipeline.targets.database import Activity
from sot_pipeline.targets.readme import read_summary
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.points import record_of_point
from sot_pipeline.workspace import Project, Workspace


@contextmanager
def open_verification(workspace: Workspace, projects: tuple[Project, ...], deadline: Deadline) -> Iterator[Session]:
    """A read-only session on every configured target; raises as `open_session` does."""
    mode = Mode.FULL if workspace.qdrant else Mode.DB_ONLY
    with open_session(workspace, mode, projects=projects, execute=False, deadline=deadline, embeds=False) as session:
        yield session


def verify_project(session: Session, parsed: ParsedProject) -> ProjectAgreement:
    """Compare key sets and hashes of rows, full text, points and README with the ledgers.

    What is derived from a ledger that cannot be read is left out: it is reported as a problem,
    and nobody can say whether it agrees. Raises as the targets do where one cannot be read.
    """
    started = time.perf_counter()
    database = session.require_database()
    project_id = parsed.project.id
    rows = database.fingerprints(project_id, deep=True)
    parsed = quarantine_lost(parsed, {key.file_type for key in rows})
    agreement = ProjectAgreement(
        project_id=project_id,
        database=_compare(parsed, rows),
        full_text=_full_text(session, parsed),
        vectors=None,
        readme_stale=_readme_stale(parsed),
        counts={},
        problems=parsed.problems,
    )
    points: Mapping[str, str] = {}
    collection = CollectionId(project_id, Kind.DOCS)
    if session.store:
        points = _stored_points(session, collection)
        agreement = replace(agreement, vectors=_compare_points(session, parsed, collection, points))
    held = {record_of_point(key, collection) for key in points}
    agreement = replace(agreement, counts=_cross_counts(parsed, rows, held))
    _remember(session, agreement, len(rows), started)
    return agreement


def _compare(parsed: ParsedProject, present: Mapping[RecordKey, str]) -> Disagreement:
    open_ = {key: hash_ for key, hash_ in present.items() if key.file_type not in parsed.protected}
    plan = diff(parsed.records, open_)
    return Disagreement.told_by(plan)


def _compare_points(
    session: Session, parsed: ParsedProject, collection: CollectionId, present: Mapping[str, str]
) -> Disagreement:
    _, embedder = session.require_vectors()
    open_ = {
        key: hash_
        for key, hash_ in present.items()
        if record_of_point(key, collection).file_type not in parsed.protected
    }
    plan = diff(points_of_project(parsed, embedder), open_)
    return Disagreement.told_by(plan)


def _full_text(session: Session, parsed: ParsedProject) -> Disagreement:
    keep = parsed.protected | parsed.project.beside_ledgers
    plan = session.require_database().plan_fulltext(parsed.project.id, parsed.records, keep=keep, deep=True)
    return Disagreement.told_by(plan)


def _stored_points(session: Session, collection: CollectionId) -> dict[str, str]:
    store, embedder = session.require_vectors()
    with store.open(
        collection, model=embedder.model, dimension=embedder.dimension, write=False, deadline=session.deadline
    ) as live:
        return live.fingerprints(deep=True, deadline=session.deadline)


def _readme_stale(parsed: ParsedProject) -> bool | None:
    """None without a README, or while a ledger cannot be read: the summary then stays as it is."""
    if parsed.project.readme is None or parsed.quarantined:
        return None
    try:
        readme = real_path(parsed.project.root, parsed.project.readme)
        return read_summary(readme) != summarize(parsed.ledgers)
    except (FileUnusable, ReadmeMarkersError):
        return True


def _cross_counts(
    parsed: ParsedProject, rows: Iterable[RecordKey], points: Iterable[RecordKey]
) -> dict[str, dict[str, int]]:
    """file_type → entries in files, rows and points (distinct entries, not chunks)."""
    in_rows = Counter(key.file_type for key in rows)
    in_points = Counter(entry.file_type for entry in points)
    kinds = dict.fromkeys((*parsed.parsed, *in_rows, *in_points))
    return {
        kind: {"files": parsed.parsed.get(kind, 0), "rows": in_rows[kind], "points": in_points[kind]} for kind in kinds
    }


def _remember(session: Session, agreement: ProjectAgreement, entries: int, started: float) -> None:
    activity = Activity(
        sync_type="verify",
        entries_synced=entries,
        status="success" if agreement.agree else "disagree",
        error_message=None,
        counts=Counts(),
        duration_seconds=time.perf_counter() - started,
    )
    session.require_database().note_verification(agreement.project_id, activity, session.deadline)
