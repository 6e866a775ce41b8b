"""Bring the targets into agreement with the files: read → plan → apply, one function a target.

The command line runs all steps of a mode with `sync_projects`; Dagster runs one step an asset.
Either way a step plans against what its target says it holds and applies exactly that plan.
No Dagster and no printing here; opening targets is `session.py`, checking them `verify.py`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sot_pipeline.embedding.cache import EmbeddedTexts, embed_texts, text_hash
from sot_pipeline.embedding.embedder import Embedder
from sot_pipeline.errors import FileChangedMeanwhile, FileUnusable, ReadmeMarkersError, SotError
from sot_pipeline.ledgers.project import ParsedProject, quarantine_lost, read_project
from sot_pipeline.ledgers.summary import summarize
from sot_pipeline.locking import LOCK_WAIT_SECONDS
from sot_pipeline.outcome import Mode, ProjectOutcome, ReadmeOutcome, RowsOutcome, SyncReport, VectorsOutcome
from sot_pipeline.plan import Counts, Plan, Problem, Record, RecordKey, Severity
from sot_pipeline.reconcile import Reconciled, changes_of, reconcile
from sot_pipeline.runtime.contained import real_path
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.runtime.failpoints import Failpoint, reach
from sot_pipeline.runtime.progress import Progress, silent
from sot_pipeline.session import Session, open_session
from sot_pipeline.targets.database import Activity, LedgerFile
from sot_pipeline.targets.readme import read_summary, update_readme
from sot_pipeline.targets.vectors.points import points_of, record_of_point
from sot_pipeline.targets.vectors.store import Point
from sot_pipeline.workspace import Project, Workspace

# Points embedded at a time, and what is embedded before it is written: that much a kill can lose
# and memory must hold. Opening a collection costs as much as writing some hundred points, so that
# vectors that come fast (a cache, a local model) are written in longer runs.
POINTS_AT_A_TIME = 2_000
BATCHES_A_RUN = 5
SECONDS_A_RUN = 1.0


def sync_rows(
    session: Session, parsed: ParsedProject, *, execute: bool, allow_mass_delete: bool = False
) -> RowsOutcome:
    """Make rows and full-text index agree with the ledgers, in one transaction.

    Without `execute` only plans. Raises DatabaseUnavailable or DeadlineExceeded with nothing of
    this project written.
    """
    database = session.require_database()
    project_id = parsed.project.id
    started = time.perf_counter()
    session.check(f"before the rows of {project_id}")
    deep = database.disagreed(project_id, "database")
    if not execute:
        found = _plan_rows(parsed, database.fingerprints(project_id, deep=deep), allow_mass_delete)
        return _rows_outcome(found)
    with database.writing(project_id, session.deadline) as rows:
        found = _plan_rows(parsed, rows.fingerprints(deep=deep), allow_mass_delete)
        rows.apply(found.plan)
        untouchable = found.parsed.protected | found.refused
        rows.apply_fulltext(parsed.records, keep=untouchable, deep=deep)
        rows.record_sources(_agreed_files(parsed, untouchable), keep=untouchable)
        outcome = _rows_outcome(found)
        rows.record(_activity("database", len(parsed.records), outcome.counts, outcome.problems, started))
    return outcome


def _agreed_files(parsed: ParsedProject, kept: Collection[str]) -> list[LedgerFile]:
    """The ledger files that the rows now agree with."""
    return [
        LedgerFile(ledger.spec.file_type, ledger.spec.path, ledger.file_hash, ledger.lines)
        for ledger in parsed.ledgers
        if ledger.spec.file_type not in kept
    ]


def _plan_rows(
    parsed: ParsedProject, present: dict[RecordKey, str], allow_mass_delete: bool
) -> Reconciled[RecordKey, Record]:
    return reconcile(parsed, parsed.records, present, _itself, allow_mass_delete=allow_mass_delete)


def _rows_outcome(found: Reconciled[RecordKey, Record]) -> RowsOutcome:
    changes = changes_of(found.plan, found.parsed, _itself, lambda record: record.title)
    return RowsOutcome(found.plan.counts(), changes, found.problems)


def _activity(target: str, entries: int, counts: Counts, problems: Iterable[Problem], started: float) -> Activity:
    """The line of `sync_activity` that says how one target's step ended."""
    errors = [problem.message for problem in problems if problem.severity is Severity.ERROR]
    return Activity(
        sync_type=target,
        entries_synced=entries,
        status="problems" if errors else "success",
        error_message=" ".join(errors) or None,
        counts=counts,
        duration_seconds=time.perf_counter() - started,
    )


def _itself(key: RecordKey) -> RecordKey:
    return key


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
        activity = _activity("vectors", len(wanted), counts, problems, started)
        session.database.record_activity(project_id, activity, session.deadline)
    changes = changes_of(found.plan, found.parsed, entry_of, lambda point: point.title)
    return VectorsOutcome(counts, embedded, cached, changes, problems)


def points_of_project(parsed: ParsedProject, embedder: Embedder) -> tuple[Point, ...]:
    """Every point the collection of a project should hold."""
    return tuple(
        point
        for ledger in parsed.ledgers
        for record in ledger.records
        for point in points_of(
            record, ledger.spec.path, chunk_tokens=embedder.chunk_tokens, max_tokens=embedder.max_tokens
        )
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
        session.check(f"before points of {project_id} are written")
        with store.open(
            project_id, model=embedder.model, dimension=embedder.dimension, write=True, deadline=session.deadline
        ) as live:
            for points, vectors in run:
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


def sync_readme(session: Session, parsed: ParsedProject, *, execute: bool) -> ReadmeOutcome | None:
    """Make the README's summary true; None where the project names no README.

    While a ledger cannot be read the summary stays as it is. Unusable markers are a problem, not
    an exception: the other targets are as they should be.
    """
    name = parsed.project.readme
    if name is None:
        return None
    started = time.perf_counter()
    database, project_id = session.database, parsed.project.id
    if database:
        parsed = quarantine_lost(parsed, database.counts(project_id).keys())
    summary = summarize(parsed.ledgers)
    if parsed.quarantined:
        return ReadmeOutcome(changed=False, summary=summary)
    session.check(f"before the README of {project_id}")
    try:
        path = real_path(parsed.project.root, name)
        changed = update_readme(path, summary) if execute else read_summary(path) != summary
    except (ReadmeMarkersError, FileChangedMeanwhile, FileUnusable) as error:
        problem = Problem("readme_markers", Severity.ERROR, name, None, str(error))
        return ReadmeOutcome(changed=False, summary=summary, problems=(problem,))
    if execute and database:
        database.record_readme(project_id, summary, session.deadline)
        counts = Counts(updated=int(changed), unchanged=int(not changed))
        database.record_activity(project_id, _activity("readme", 1, counts, (), started), session.deadline)
    return ReadmeOutcome(changed, summary)


@dataclass
class _Steps:
    """The steps of one project: each is timed, and the first error keeps the later ones from running."""

    outcome: ProjectOutcome
    error: SotError | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, phase: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except SotError as error:
            self.error = error
        finally:
            self.seconds[phase] = round(time.perf_counter() - started, 4)
            self.outcome = replace(self.outcome, seconds=dict(self.seconds))


def sync_project(
    session: Session,
    project: Project,
    mode: Mode,
    *,
    execute: bool,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
) -> tuple[ProjectOutcome, SotError | None]:
    """All steps of `mode` for one project.

    An error stops this project's remaining steps and is returned beside what was done before it,
    so that nothing that was committed goes unreported.
    """
    steps = _Steps(ProjectOutcome(project.id, {}, ()))
    reach(Failpoint.LOCKED)
    with steps.step("parse"):
        session.check(f"before the ledgers of {project.id}")
        parsed = read_project(project)
        steps.outcome = replace(steps.outcome, parsed=parsed.parsed, problems=parsed.problems)
    if mode.rows:
        with steps.step("database"):
            rows = sync_rows(session, parsed, execute=execute, allow_mass_delete=allow_mass_delete)
            steps.outcome = replace(steps.outcome, database=rows, problems=_merged(steps, rows.problems))
    if mode.vectors and not steps.error:
        with steps.step("vectors"):
            vectors = sync_vectors(
                session, parsed, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete
            )
            steps.outcome = replace(steps.outcome, vectors=vectors, problems=_merged(steps, vectors.problems))
    if mode.readme and not steps.error:
        with steps.step("readme"):
            readme = sync_readme(session, parsed, execute=execute)
            found = readme.problems if readme else ()
            steps.outcome = replace(steps.outcome, readme=readme, problems=_merged(steps, found))
    return steps.outcome, steps.error


def _merged(steps: _Steps, found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems so far and new ones; rows and points report the same lost ledger once."""
    return tuple(dict.fromkeys((*steps.outcome.problems, *found)))


def sync_projects(
    workspace: Workspace,
    mode: Mode,
    *,
    projects: tuple[Project, ...],
    execute: bool,
    deadline: Deadline,
    rebuild: bool = False,
    allow_mass_delete: bool = False,
    lock_wait: float = LOCK_WAIT_SECONDS,
    lock_reads: bool = False,
    progress: Progress = silent,
) -> SyncReport:
    """Run `mode` over `projects`: what the command line calls.

    Never raises SotError: what stopped the run is in the report, beside what was done before. A
    problem of one project does not keep the next from being synced; a passed deadline, a lost
    database or a lost lease does.
    """
    outcomes: list[ProjectOutcome] = []
    first: SotError | None = None
    notes: tuple[str, ...] = ()
    try:
        with open_session(
            workspace,
            mode,
            projects=projects,
            execute=execute,
            deadline=deadline,
            rebuild=rebuild,
            lock_wait=lock_wait,
            lock_reads=lock_reads,
            progress=progress,
        ) as session:
            notes = session.notes
            for project in projects:
                outcome, error = sync_project(
                    session, project, mode, execute=execute, rebuild=rebuild, allow_mass_delete=allow_mass_delete
                )
                outcomes.append(outcome)
                first = first or error
                if error and error.ends_run:
                    break
    except SotError as error:
        first = first or error
    return SyncReport(mode, execute, workspace.targets, tuple(outcomes), first, notes)
